from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.syncline.sandbox.tenant_calls import TenantCalls, order, tenant

PROFILES = ["generous", "plain", "awkward"]
LINES = [
    {"name": "Mug", "quantity": 3, "baseprice": 10},
    {"name": "Lamp", "quantity": 1, "baseprice": 25},
]


def sold(halo: TenantCalls, **fields: Any) -> dict[str, Any]:
    return halo.made("SalesOrder", order("HL-1", 1, lines=LINES, **fields))


def consigned(halo: TenantCalls, row: dict[str, Any], quantity: float, **fields: Any) -> Any:
    line = {"salesorder_line": row["lines"][0]["id"], "quantity": quantity}
    return halo.made("Consignment", {"salesorder_id": row["id"], "lines": [line], **fields})


def now(halo: TenantCalls, row: dict[str, Any]) -> Any:
    return halo.get(f"SalesOrder/{row['id']}", includedetails="true")


@pytest.mark.parametrize("profile", PROFILES)
def test_a_consignment_is_answered_and_read_with_its_lines(profile: str) -> None:
    halo = tenant(profile)
    row = sold(halo)
    made = consigned(halo, row, 2, note="Tracking: 1Z9")
    shown = halo.get(f"Consignment/{made['id']}", includedetails="true")
    assert shown == made
    assert (shown["salesorder_id"], shown["note"], shown["is_return"]) == (
        row["id"],
        "Tracking: 1Z9",
        False,
    )
    line = shown["lines"][0]
    assert (line["name"], line["quantity"], line["consignment_id"]) == ("Mug", 2.0, made["id"])
    assert "lines" not in halo.get(f"Consignment/{made['id']}")
    assert "lines" not in halo.get("Consignment")["consignments"][0]


def test_the_orders_lines_follow_their_consignments_and_the_order_counts_as_changed() -> None:
    halo = tenant()
    row = sold(halo)
    halo.pass_time(5)
    first = consigned(halo, row, 1)
    second = consigned(halo, row, 1)
    after = now(halo, row)
    assert after["lines"][0]["quantity_shipped"] == 2.0
    assert after["lines"][0]["consignment_ids"] == [first["id"], second["id"]]
    assert after["lines"][1]["consignment_ids"] == []
    assert after["last_update_time"] > row["last_update_time"]
    assert after["change_seq"] == row["change_seq"] + 2
    halo.send("DELETE", f"/api/Consignment/{first['id']}")
    assert now(halo, row)["lines"][0]["consignment_ids"] == [second["id"]]
    assert halo.send("GET", f"/api/Consignment/{first['id']}").status == 404


def test_a_return_is_taken_off_what_was_shipped() -> None:
    halo = tenant()
    row = sold(halo)
    consigned(halo, row, 3)
    back = consigned(halo, row, 1, is_return=True)
    assert back["lines"][0]["is_return"] is True
    assert now(halo, row)["lines"][0]["quantity_shipped"] == 2.0


@pytest.mark.parametrize("profile", PROFILES)
def test_a_write_of_the_order_leaves_what_was_shipped(profile: str) -> None:
    halo = tenant(profile)
    row = sold(halo)
    made = consigned(halo, row, 2)
    lines = [{"id": line["id"], "name": line["name"]} for line in row["lines"]]
    seq = now(halo, row)["change_seq"]
    again = halo.made("SalesOrder", {"id": row["id"], "lines": lines, "change_seq": seq})
    assert again["lines"][0]["quantity_shipped"] == 2.0
    assert again["lines"][0]["consignment_ids"] == [made["id"]]


def test_more_than_was_ordered_may_be_consigned() -> None:
    halo = tenant()
    row = sold(halo)
    consigned(halo, row, 9)
    assert now(halo, row)["lines"][0]["quantity_shipped"] == 9.0


@pytest.mark.parametrize(
    "wrong",
    [
        {"salesorder_id": 4},
        {"lines": []},
        {"lines": [{"salesorder_line": 99, "quantity": 1}]},
        {"lines": [{"salesorder_line": 1, "quantity": 0}]},
        {"id": 12},
    ],
)
def test_a_consignment_that_points_nowhere_is_refused(wrong: dict[str, Any]) -> None:
    halo = tenant()
    row = sold(halo)
    line = {"salesorder_line": row["lines"][0]["id"], "quantity": 1}
    reply = halo.post("Consignment", {"salesorder_id": row["id"], "lines": [line], **wrong})
    assert reply.status == 400
    assert isinstance(reply.body, str)


def test_the_list_heeds_paging_and_order_and_no_filter_at_all() -> None:
    halo = tenant()
    row = sold(halo)
    ids = [consigned(halo, row, 1)["id"] for _ in range(3)]
    asked = {"pageinate": "true", "page_size": "2", "order": "id", "orderdesc": "true"}
    page = halo.get("Consignment", page_no="1", **asked)
    assert page["record_count"] == 3
    assert [one["id"] for one in page["consignments"]] == [ids[2], ids[1]]
    assert halo.get("Consignment", salesorder_id="1")["record_count"] == 3
    assert halo.get("Consignment", idonly="true")["consignments"][0] == {"id": ids[0]}


def test_a_person_consigns_edits_and_pays_behind_the_api() -> None:
    halo = tenant()
    row = sold(halo)
    some = [[row["lines"][0]["id"], 1]]
    first = halo.admin("consign", order_id=row["id"], lines=some, note="Tracking: A1").body["id"]
    rest = halo.admin("consign", order_id=row["id"]).body["id"]
    lines = halo.get(f"Consignment/{rest}", includedetails="true")["lines"]
    assert [(line["name"], line["quantity"]) for line in lines] == [("Mug", 2.0), ("Lamp", 1.0)]
    assert halo.admin(f"consignment/{first}", note="Tracking: A2").body["note"] == "Tracking: A2"
    bill = {"client_id": 1, "lines": [{"qty_order": 1, "unit_price": 5}]}
    invoice = halo.made("Invoice", bill)
    halo.admin("pay", invoice_id=invoice["id"], amount="5.00")
    assert halo.get(f"Invoice/{invoice['id']}")["amountdue"] == 0.0
    shown = halo.admin("orders").body["orders"]
    assert [one["lines"][0]["quantity_shipped"] for one in shown] == [3.0]
    assert halo.admin("consign", order_id=row["id"]).status == 422


def test_a_custom_field_that_is_not_posted_stays() -> None:
    halo = tenant()
    row = sold(halo, customfields=[{"name": "CFa", "value": "1"}, {"name": "CFb", "value": "2"}])
    changed = {"id": row["id"], "customfields": [{"name": "CFb", "value": "3"}]}
    again = halo.made("SalesOrder", changed)
    assert {one["name"]: one["value"] for one in again["customfields"]} == {"CFa": "1", "CFb": "3"}


def test_reports_read_consignments_and_what_changed_since() -> None:
    halo = tenant()
    row = sold(halo)
    halo.pass_time(60)
    made = consigned(halo, row, 2, note="n")
    consigned(halo, row, 1, is_return=True)
    rows = halo.rows(
        "SELECT CSOHid, CSOHorderid, CSOHisreturn, CSODorderlineid, CSODquantity, OHAccountsRef "
        "FROM CONSIGNMENTHEADER JOIN CONSIGNMENTDETAIL ON CSODheaderid = CSOHid "
        "JOIN ORDERHEAD ON OHid = CSOHorderid WHERE CSOHorderid IN (5001, 5002) "
        "AND CSOHdate >= '2026-03-01T12:00:30' ORDER BY CSOHid"
    )
    assert [one["CSODquantity"] for one in rows] == ["2", "1"]
    assert (rows[0]["CSOHid"], rows[0]["CSOHorderid"]) == (str(made["id"]), str(row["id"]))
    assert [one["CSOHisreturn"] for one in rows] == ["0", "1"]
    since = "SELECT OHid, OHstatus FROM ORDERHEAD WHERE ohlastupdatetime > '2026-03-01T12:00:59'"
    assert halo.rows(since) == [{"OHid": "5001", "OHstatus": "1"}]


@pytest.mark.parametrize(
    ("scope", "status"),
    [("edit:sos", 200), ("edit:sales", 200), ("read:sales", 403), ("edit:items", 403)],
)
def test_consignments_need_the_scopes_of_sales_orders(scope: str, status: int) -> None:
    halo = tenant()
    row = sold(halo)
    halo.token = halo.ask_token(scope=scope).body["access_token"]
    line = {"salesorder_line": row["lines"][0]["id"], "quantity": 1}
    reply = halo.post("Consignment", {"salesorder_id": row["id"], "lines": [line]})
    assert reply.status == status


acts = st.lists(st.tuples(st.integers(1, 5), st.booleans()), max_size=8)


@given(acts)
def test_what_was_shipped_is_the_sum_of_the_consignments(steps: list[tuple[int, bool]]) -> None:
    halo = tenant()
    row = sold(halo)
    ids = [consigned(halo, row, count, is_return=back)["id"] for count, back in steps]
    line = now(halo, row)["lines"][0]
    assert line["quantity_shipped"] == sum(-count if back else count for count, back in steps)
    assert line["consignment_ids"] == ids
