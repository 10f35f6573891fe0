"""What a tenant may do otherwise than the usual one, each by a dial of its own."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from tests.syncline.sandbox.tenant_calls import TenantCalls, order, tenant

SILENT = {"_dont_fire_automations": True}


def test_a_new_client_may_get_no_site() -> None:
    calls = tenant(clients_without_site=True)
    client = calls.made("Client", {"name": "Acme", **SILENT})
    assert client["main_site_id"] is None
    assert calls.get("Site", client_id=str(client["id"]))["sites"] == []
    refused = calls.post("SalesOrder", order("HL-a", client["id"]))
    assert (refused.status, "Site" in refused.body) == (400, True)
    site = calls.made("Site", {"name": "Main", "client_id": client["id"], **SILENT})
    assert calls.made("SalesOrder", order("HL-a", client["id"], site_id=site["id"]))["id"]


def test_the_names_of_clients_may_have_to_be_unique() -> None:
    calls = tenant(unique_client_names=True)
    acme = calls.made("Client", {"name": "Acme", **SILENT})
    assert calls.post("Client", {"name": "Acme", **SILENT}).body == "Name must be unique"
    other = calls.made("Client", {"name": "Acme (2)", **SILENT})
    assert calls.post("Client", {"id": other["id"], "name": "Acme"}).status == 400
    assert calls.made("Client", {"id": acme["id"], "name": "Acme", **SILENT})["id"] == acme["id"]


def test_lists_that_are_bare_may_be_wrapped() -> None:
    calls = tenant("awkward", wrapped_lists=True)
    for path, key in (
        ("Status", "statuses"),
        ("TicketType", "tickettypes"),
        ("Currency", "currencies"),
        ("Priority", "priorities"),
        ("Report", "reports"),
    ):
        listed = calls.get(path)
        assert listed["record_count"] == len(listed[key]), path


def test_reports_may_be_refused() -> None:
    calls = tenant(reports_refused=True)
    assert calls.post("Report", {"sql": "select 1", "_loadreportonly": True}).status == 403


def test_an_array_may_lose_an_element_or_be_refused_for_one_without_a_field() -> None:
    calls = tenant(skipped_elements=1.0)
    client = calls.made("Client", {"name": "Acme", **SILENT})
    seen = set()
    for at in range(20):
        reply = calls.post("SalesOrder", *(order(f"HL-{at}-{i}", client["id"]) for i in range(3)))
        seen.add((reply.status, len(reply.body) if reply.status == 200 else reply.body))
    assert seen == {(200, 2), (400, "An error occurred while saving.")}
    assert calls.post("SalesOrder", order("HL-alone", client["id"])).status == 200


@pytest.mark.parametrize(
    ("path", "fields", "column"),
    [
        ("Users", {"name": "x" * 256}, "uusername"),
        ("Users", {"firstname": "x" * 201}, "uFirstName"),
        ("Site", {"phonenumber": "5" * 51}, "SPhoneNumber"),
        ("Client", {"name": "x" * 4001}, "aareadesc"),
        ("SalesOrder", {"title": "x" * 501}, "OHtitle"),
        ("SalesOrder", {"lines": [{"name": "x" * 4001, "baseprice": 1}]}, "OLDesc"),
        ("Client", {"new_external_link": {"third_party_type": "x" * 251}}, "ELThirdPartyType"),
    ],
)
def test_a_text_longer_than_its_column_may_be_refused(
    path: str, fields: dict[str, Any], column: str
) -> None:
    calls = tenant(column_lengths=True)
    reply = calls.post(path, _element(calls, path) | fields)
    assert reply.status == 400
    assert f"column '{column}'" in reply.body["Message"]
    unlimited = tenant()
    assert unlimited.post(path, _element(unlimited, path) | fields).status == 200
    older = tenant("plain", column_lengths=True)
    reply = older.post(path, _element(older, path) | fields)
    assert (reply.status, column in reply.body["Message"]) == (500, False)


def _element(calls: TenantCalls, path: str) -> dict[str, Any]:
    client, user = calls.customer() if path == "SalesOrder" else ({"id": 1}, {"id": 0})
    elements: dict[str, dict[str, Any]] = {
        "Users": {"name": "Ada", "site_id": 1},
        "Site": {"name": "Yard", "client_id": 1},
        "Client": {"name": "Acme"},
        "SalesOrder": order("HL-a", client["id"], user_id=user["id"]),
    }
    return elements[path] | SILENT


def test_the_lines_of_an_order_may_be_spelled_otherwise() -> None:
    calls = tenant(line_spelling="quote")
    client, _ = calls.customer()
    unheeded = order("HL-a", client["id"], lines=[_line(quantity=3, tax=1.5)])
    line = calls.made("SalesOrder", unheeded)["lines"][0]
    assert (line["qty_order"], line["total_tax"], line["net_total"]) == (1.0, 0.0, 10.0)
    heeded = order("HL-b", client["id"], lines=[_line(qty_order=3, total_tax=1.5)])
    made = calls.made("SalesOrder", heeded)
    assert made["total"] == 31.5
    assert {"quantity", "tax"}.isdisjoint(made["lines"][0])
    held = calls.rows("select OLorderqty, OLtax from ORDERLINE order by OLid")
    assert [tuple(row.values()) for row in held] == [("1", "0"), ("3", "1.5")]


def _line(**fields: Any) -> dict[str, Any]:
    return {"name": "Mug", "baseprice": 10, **fields}


def test_a_published_order_line_shows_neither_quantity_nor_tax() -> None:
    calls = tenant(halo_shape="published")
    client, _ = calls.customer()
    made = calls.made("SalesOrder", order("HL-a", client["id"], lines=[_line(quantity=3, tax=1)]))
    assert {"quantity", "tax", "seq"}.isdisjoint(made["lines"][0])
    assert (made["lines"][0]["total_tax"], made["lines"][0]["net_total"]) == (1.0, 30.0)
    assert made["total"] == 31.0


def test_an_answer_to_a_write_may_leave_the_lines_out() -> None:
    calls = tenant(halo_shape="printed")
    client, _ = calls.customer()
    made = calls.made("SalesOrder", order("HL-a", client["id"]))
    assert (made["lines"], made["customfields"]) == (None, None)
    read = calls.get(f"SalesOrder/{made['id']}", includedetails="true")
    assert [line["quantity"] for line in read["lines"]] == [1.0]


def test_rows_of_halo_may_hold_nonsense_yet_keep_what_names_them() -> None:
    calls = tenant(nonsense=1.0)
    client, _ = calls.customer()
    plain = tenant()
    plain_client, _ = plain.customer()
    odd = set()
    for at in range(40):
        made = calls.made("SalesOrder", order(f"HL-{at}", client["id"]))
        usual = plain.made("SalesOrder", order(f"HL-{at}", plain_client["id"]))
        assert (made["id"], made["po_number"]) == (usual["id"], f"HL-{at}")
        assert Decimal(str(made["total"])) == 10
        odd |= {key for key in made if made[key] != usual.get(key) and "time" not in key}
    assert odd > {"user_name", "total", "profit", "external_links"}
