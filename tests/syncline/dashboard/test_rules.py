"""The dashboard's statements, widgets and figures, without a database."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import Decimal
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.audit.chains import Head
from syncline.dashboard import html as dashboard_html
from syncline.dashboard import report_sql, rules
from syncline.dashboard.queries import DashboardFigures, OrderTotals, UrgentFigures
from syncline.dashboard.rules import Frame
from syncline.halo.dashboards.objects import COLUMNS
from syncline.sandbox.halo.sql.dialect import translate

FRAME = Frame("acme", alone=True, digits={7: 0, 9: 3}, currency="USD", db_name="CTsynclineacme")
FIGURES = DashboardFigures(
    at=datetime(2026, 11, 28, 14, 2, 3, tzinfo=UTC),
    pressing=UrgentFigures(3, 2, 1, None),
    kinds=(),
    sold=(OrderTotals("USD", 12, 1, 7, 4, Decimal("1204.50"), Decimal("20.00")),),
    certificate=None,
    heads=(Head("connection:1", 1204, "ab" * 32, None), Head("tenant:1", 7, "cd" * 32, None)),
)
ALL = (*rules.COUNTED, *rules.OF_TABLE)


@pytest.mark.parametrize("key", ALL)
def test_every_statement_is_one_select_that_halo_can_wrap(key: rules.ReportKey) -> None:
    sql = rules.report_of(key, FRAME)["sql"]
    translate(sql)  # refuses comments, several statements, and what is no SELECT
    assert sql.startswith("SELECT ")
    assert "  " not in sql
    # ORDER BY stands only under TOP, and every column of the outermost SELECT has a name.
    assert sql.count("ORDER BY") <= sql.count("TOP ")
    assert not re.search(r"(\)|\d) FROM|(\)|\d), (COUNT|SUM|CAST)", sql.split(" FROM ")[0])


def test_only_rows_with_our_reference_are_counted_and_digits_are_the_currencys() -> None:
    for key in rules.COUNTED:
        assert "LIKE N'HL-%'" in rules.report_of(key, FRAME)["sql"]
    revenue = report_sql.revenue_sql({7: 0, 9: 3})
    assert "CASE OHcurrencycode WHEN 7 THEN 0 WHEN 9 THEN 3 ELSE 2 END" in revenue
    assert "DECIMAL(18, 3)" in revenue
    assert "DECIMAL(18, 2)" in report_sql.revenue_sql({})


@pytest.mark.parametrize("reports", [ALL, rules.COUNTED, ("orders", "revenue"), ()])
def test_no_two_widgets_overlap_and_none_stands_without_its_report(reports: Any) -> None:
    ids = {key: at for at, key in enumerate(reports, 1)}
    body = rules.dashboard_of(FRAME, ids, FIGURES, "never")
    widgets = body["widgets"]
    assert len({one["i"] for one in widgets}) == len(widgets)
    assert {one["report_id"] for one in widgets if "report_id" in one} <= set(ids.values())
    places = [
        {(x, y) for x in range(one["x"], one["x"] + one["w"])
         for y in range(one["y"], one["y"] + one["h"])}
        for one in widgets
    ]  # fmt: skip
    assert all(not one & other for one, other in combinations(places, 2))
    assert all(x < COLUMNS for place in places for x, _ in place)
    rows = {y for place in places for _, y in place}
    assert rows == set(range(len(rows)))  # no gap
    assert body["is_published"] is False
    shown = [one for one in widgets if one["i"] == rules.FIGURES]
    assert len(shown) == ("state" not in ids)


def test_figures_of_several_connections_of_a_tenant_are_called_so() -> None:
    shared = Frame("acme", alone=False, digits={}, currency="USD", db_name="CTx")
    assert "(all connections)" in rules.report_of("orders", shared)["name"]
    assert "all" not in rules.report_of("state", shared)["name"]
    assert "USD" in rules.report_of("days", FRAME)["name"]


def test_the_row_of_the_table_has_a_cell_for_every_column() -> None:
    cells = dict(zip(report_sql.CELLS, dashboard_html.cells(FIGURES), strict=True))
    assert cells["at"] == "2026-11-28 14:02:03.000"
    told = [cells[name] for name in ("unfulfilled", "failed", "differences", "alerts", "orders")]
    assert told == ["4", "3", "2", "1", "12"]
    assert cells["reconciled"] == cells["orders read"] == "never"
    assert cells["sealed"] == f"connection:1:1204:{'ab' * 16} tenant:1:7:{'cd' * 16}"
    assert cells["sealed"] in dashboard_html.figures_html("acme", FIGURES, "never", whole=True)


def test_the_last_reconciliation_is_told_in_its_own_words() -> None:
    kinds = [
        {"kind": "orders", "currency": "USD", "differences": 0,
         "highlevel": {"count": 1204, "total": "88120.40"},
         "halo": {"count": 1204, "total": "88120.40"}},
    ]  # fmt: skip
    rest = {"by_cause": {}, "marked": 0, "accepted": 0, "left_out": [], "on_the_way": 0}
    more = {"unconfirmed": 0, "complete": [], "statement": "", "ways": {}, "mode": "full"}
    calls = {"calls": {"halo": 3, "highlevel": 0}, "seconds": 1}
    all_of_it = {"period": "2026-11", "kinds": kinds, **rest, **more, **calls}
    told = dashboard_html.reconciled(all_of_it)
    assert told == "2026-11: 1,204 orders, USD 88,120.40 on both sides, 0 differences"
    paid = {**kinds[0], "kind": "payments", "halo": {"count": 1203, "total": "88020.40"}}
    long = {**all_of_it, "kinds": [*kinds * 3, paid], "by_cause": {"missing": 1}}
    assert dashboard_html.reconciled(long) == (
        "2026-11: 3,612 orders; payments: HighLevel 1,204, Halo 1,203; 1 difference"
    )


@given(st.text())
def test_html_holds_nothing_that_was_not_escaped(text: str) -> None:
    html = dashboard_html.figures_html(text, FIGURES, text, whole=True)
    plain = dashboard_html.figures_html("", FIGURES, "", whole=True)
    assert html.count("<") == plain.count("<")
    assert "1,204.50 in all" in html
