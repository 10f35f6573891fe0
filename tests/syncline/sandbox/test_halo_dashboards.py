"""Stored reports, dashboards and custom tables of the emulated Halo, and a dashboard's page."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.sandbox.halo.reporting.charts import bars, number
from syncline.sandbox.halo.reporting.page import page
from syncline.sandbox.wire.service import Request
from tests.syncline.sandbox.tenant_calls import TenantCalls, tenant

ROWS = "SELECT TOP 9 column_1 AS [Day], column_2 AS [USD] FROM CTmine ORDER BY column_1"


def shown(calls: TenantCalls, path: str) -> tuple[int, str]:
    request = Request("GET", path, {}, {}, b"")
    reply = page(calls.halo, calls.service.loaded, request)
    return reply.status, reply.body


def test_a_report_is_kept_whole_and_only_run_where_that_is_asked() -> None:
    calls = tenant()
    made = calls.made("Report", {"name": "Sales", "sql": "SELECT nothing FROM USERS"})
    calls.post("Report", {"sql": "SELECT 1 AS one", "_testonly": True})
    assert [row["id"] for row in calls.get("Report")["reports"]] == [made["id"]]
    assert "sql" not in calls.get("Report")["reports"][0]
    whole = calls.get(f"Report/{made['id']}", includedetails="true")
    assert whole["sql"] == "SELECT nothing FROM USERS"
    calls.made("Report", {"id": made["id"], "name": "Sold"})
    assert calls.get(f"Report/{made['id']}", includedetails="true")["sql"] == whole["sql"]
    assert calls.post("Report", {"sql": "SELECT 1 AS one"}).status == 400


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"name": "no-hyphens"}, "Invalid Name"),
        ({"name": "mine"}, "Name must be unique"),
        ({"id": 1, "db_name": "CTmine"}, "Invalid Name"),
        ({"id": 77, "name": "x"}, "not found"),
    ],
)
def test_a_custom_table_is_refused_that_halo_would_refuse(body: dict[str, Any], words: str) -> None:
    calls = tenant()
    calls.made("CustomTable", {"name": "mine", "columns": 2})
    reply = calls.post("CustomTable", body)
    assert reply.status in (400, 404)
    assert words in str(reply.body)


def test_rows_are_read_by_reports_go_with_their_table_and_a_guid_overwrites() -> None:
    calls = tenant()
    made = calls.made("CustomTable", {"name": "mine", "columns": 2})
    rows = [{"column_1": "2026-03-01", "column_2": 5, "column_9": "x"}]
    calls.made("CustomTable", {"id": made["id"], "_add_rows": rows})
    assert calls.rows(ROWS) == [{"Day": "2026-03-01", "USD": "5"}]
    copied = calls.made("CustomTable", {"guid": made["guid"], "name": "copy"})
    assert copied["id"] == made["id"]
    calls.send("DELETE", f"/api/CustomTable/{made['id']}")
    assert "Invalid object name" in calls.report("SELECT column_1 AS a FROM CTcopy")["load_error"]


def test_a_dashboard_is_refused_whose_widget_has_no_report_or_no_room() -> None:
    calls = tenant()
    widget = {"i": "a", "type": 0, "x": 0, "y": 0, "w": 3, "h": 2, "report_id": 99}
    assert calls.post("DashboardLinks", {"name": "d", "widgets": [widget]}).status == 400
    html = {**widget, "type": 3, "x": 11}
    assert calls.post("DashboardLinks", {"name": "d", "widgets": [html]}).status == 400
    assert calls.get("DashboardLinks")["dashboards"] == []
    assert tenant("awkward").send("GET", "/api/DashboardLinks").status == 403
    assert tenant("plain").send("GET", "/api/CustomTable").status == 403
    assert tenant("plain").send("GET", "/api/Report").status == 403


def test_a_page_shows_counters_charts_tables_and_what_went_wrong_without_scripts() -> None:
    calls = tenant()
    table = calls.made("CustomTable", {"name": "mine", "columns": 2})
    rows = [{"column_1": f"2026-03-0{day}", "column_2": f"{day}250.5"} for day in range(1, 4)]
    calls.made("CustomTable", {"id": table["id"], "_add_rows": rows})
    chart = {"charttype": 1, "xaxis": "Day", "yaxis": "USD"}
    sold = calls.made("Report", {"name": "Sales", "sql": ROWS, **chart})["id"]
    broken = calls.made("Report", {"name": "Broken", "sql": "SELECT x FROM y"})["id"]
    place = {"x": 0, "w": 6, "h": 2}
    widgets = [
        {"i": "one", "type": 0, "y": 0, "report_id": sold, "column_name": "USD", **place},
        {"i": "two", "type": 1, "y": 2, "report_id": sold, "title": "A & B", **place},
        {"i": "three", "type": 2, "y": 4, "report_id": sold, **place},
        {"i": "four", "type": 0, "y": 6, "report_id": broken, **place},
        {"i": "five", "type": 3, "y": 8, "custom_html": "<b>figures</b>", **place},
    ]
    board = calls.made("DashboardLinks", {"name": "<Mine>", "widgets": widgets})
    status, html = shown(calls, f"/dashboards/{board['id']}")
    assert status == 200
    assert html.count("<rect") == 3
    assert '<div class="figure">1,250.50</div>' in html
    assert '<td class="n">3,250.50</td>' in html
    assert "Invalid object name" in html
    assert "<b>figures</b>" in html
    assert "A &amp; B" in html
    assert "<Mine>" not in html
    assert "<script" not in html
    assert "http" not in html.replace("http-equiv", "")
    assert "&lt;Mine&gt;" in shown(calls, "/dashboards")[1]
    assert shown(calls, "/dashboards/77")[0] == 404
    calls.send("DELETE", f"/api/Report/{sold}")
    assert "The report is gone." in shown(calls, f"/dashboards/{board['id']}")[1]


def test_numbers_are_told_apart_from_texts_and_a_chart_of_nothing_is_drawn() -> None:
    assert [number(one) for one in ("1234567", "0.5", "7309.538", "12 orders", None)] == [
        "1,234,567", "0.50", "7,309.538", "12 orders", "",
    ]  # fmt: skip
    flat = bars([{"Day": "2026-03-01T00:00:00", "USD": "0"}, {"Day": None, "USD": "x"}], "Day",
                ["USD"])  # fmt: skip
    assert flat.count('height="0.0"') == 2
    assert ">03-01<" in flat
