from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.syncline.sandbox.tenant_calls import JPY, KWD, TenantCalls, order, tenant

PROFILES = ["generous", "plain", "awkward"]


@pytest.mark.parametrize("profile", PROFILES)
def test_a_single_order_is_answered_whole(profile: str) -> None:
    halo = tenant(profile)
    client, user = halo.customer()
    row = halo.made("SalesOrder", order("HL-1", client["id"], user_id=user["id"]))
    assert (row["po_number"], row["total"], row["currency_code_name"]) == ("HL-1", 10.0, "USD")
    assert (row["site_id"], row["user_name"]) == (client["main_site_id"], "Ada")
    assert row["lines"][0]["net_total"] == 10.0
    shown = halo.get(f"SalesOrder/{row['id']}", includedetails="true")
    assert shown["lines"] == row["lines"]
    assert "lines" not in halo.get(f"SalesOrder/{row['id']}")


def test_a_generous_tenant_saves_a_whole_array_and_answers_in_order() -> None:
    halo = tenant()
    reply = halo.post("SalesOrder", *(order(f"HL-{n}", 1) for n in range(100)))
    assert [row["po_number"] for row in reply.body] == [f"HL-{n}" for n in range(100)]
    assert len(halo.halo.orders) == 100


def test_a_plain_tenant_saves_only_the_first_element_and_answers_an_object() -> None:
    halo = tenant("plain")
    reply = halo.post("SalesOrder", order("HL-1", 1), order("HL-2", 1))
    assert reply.body["po_number"] == "HL-1"
    assert len(halo.halo.orders) == 1


def test_an_awkward_tenant_drops_every_third_element_and_answers_out_of_order() -> None:
    halo = tenant("awkward")
    reply = halo.post("SalesOrder", *(order(f"HL-{n}", 1) for n in range(5)))
    assert reply.status == 201
    assert [row["po_number"] for row in reply.body] == ["HL-4", "HL-3", "HL-1", "HL-0"]


@pytest.mark.parametrize(("profile", "saved"), [("generous", 0), ("awkward", 1)])
def test_a_bad_element_refuses_the_array_with_halos_text(profile: str, saved: int) -> None:
    halo = tenant(profile)
    halo.admin("refuse", po_numbers=["HL-2"], text="Purchase order is locked")
    reply = halo.post("SalesOrder", order("HL-1", 1), order("HL-2", 1))
    assert (reply.status, reply.body) == (400, "Purchase order is locked")
    assert len(halo.halo.orders) == saved


@pytest.mark.parametrize("fields", [{"client_id": 9}, {"currency_code": 99}, {"user_id": 4}])
def test_an_order_that_points_nowhere_is_refused(fields: dict[str, int]) -> None:
    reply = tenant().post("SalesOrder", {**order("HL-1", 1), **fields})
    assert reply.status == 400
    assert isinstance(reply.body, str)


def test_an_update_leaves_fields_that_were_not_posted() -> None:
    halo = tenant()
    row = halo.made("SalesOrder", order("HL-1", 1, note="first"))
    halo.pass_time(1)
    again = halo.made("SalesOrder", {"id": row["id"], "summary": "paid"})
    assert (again["note"], again["summary"], again["total"]) == ("first", "paid", 10.0)
    assert again["last_update_time"] > row["last_update_time"]
    assert again["change_seq"] == row["change_seq"] + 1
    assert len(halo.halo.orders) == 1


@pytest.mark.parametrize(("profile", "left"), [("generous", 1), ("plain", 1), ("awkward", 2)])
def test_posted_lines_replace_the_set_or_are_merged_by_id(profile: str, left: int) -> None:
    halo = tenant(profile)
    lines = [{"name": name, "quantity": 1, "baseprice": 5} for name in ("a", "b")]
    row = halo.made("SalesOrder", order("HL-1", 1, lines=lines))
    kept = {"id": row["lines"][1]["id"], "baseprice": 7}
    again = halo.made(
        "SalesOrder", {"id": row["id"], "change_seq": row["change_seq"], "lines": [kept]}
    )
    assert len(again["lines"]) == left
    assert again["lines"][-1]["id"] == kept["id"]
    assert again["lines"][-1]["name"] == "b"
    assert again["total"] == 7.0 + 5.0 * (left - 1)


@pytest.mark.parametrize("sequence", [{}, {"change_seq": 1}])
def test_an_awkward_tenant_refuses_an_update_without_the_current_change_seq(
    sequence: dict[str, int],
) -> None:
    halo = tenant("awkward")
    row = halo.made("SalesOrder", order("HL-1", 1))
    halo.made("SalesOrder", {"id": row["id"], "change_seq": row["change_seq"], "note": "x"})
    reply = halo.post("SalesOrder", {"id": row["id"], "note": "y", **sequence})
    assert reply.status == 400
    assert "change_seq" in reply.body


def test_posted_totals_are_overruled_with_a_warning() -> None:
    halo = tenant()
    row = halo.made("SalesOrder", order("HL-1", 1, total=99.5))
    assert row["total"] == 10.0
    assert "99.5" in row["_warning"]
    assert "_warning" not in halo.made("SalesOrder", order("HL-2", 1, total=10.0))
    assert "_warning" not in halo.get(f"SalesOrder/{row['id']}", includedetails="true")


@pytest.mark.parametrize(
    ("currency", "price", "total"), [(JPY, 1999.5, 2000.0), (KWD, 1.2345, 1.235), (1, 0.125, 0.13)]
)
def test_lines_are_rounded_to_the_minor_digits_of_the_currency(
    currency: int, price: float, total: float
) -> None:
    lines = [{"name": "Mug", "quantity": 1, "baseprice": price}]
    row = tenant().made("SalesOrder", order("HL-1", 1, currency_code=currency, lines=lines))
    assert row["total"] == total


amounts = st.decimals(-9999, 9999, places=2, allow_nan=False)
posted_lines = st.lists(st.tuples(st.integers(1, 9), amounts, amounts), max_size=6)


@given(posted_lines)
def test_the_totals_are_the_exact_sums_of_the_lines(
    lines: list[tuple[int, Decimal, Decimal]],
) -> None:
    halo: TenantCalls = tenant()
    posted = [
        {"name": "x", "quantity": count, "baseprice": float(price), "tax": float(tax)}
        for count, price, tax in lines
    ]
    row = halo.made("SalesOrder", order("HL-1", 1, lines=posted))
    net = sum((count * price for count, price, _ in lines), Decimal(0))
    taxes = sum((tax for _, _, tax in lines), Decimal(0))
    got = [Decimal(str(row[key])) for key in ("revenue", "tax_total", "total")]
    assert got == [net, taxes, net + taxes]


def test_a_removed_order_is_gone_with_its_links() -> None:
    halo = tenant()
    link = {"third_party_id": "HL-1", "third_party_type": "syncline"}
    row = halo.made("SalesOrder", order("HL-1", 1, new_external_link=link))
    assert halo.send("DELETE", f"/api/SalesOrder/{row['id']}").status == 200
    assert halo.send("GET", f"/api/SalesOrder/{row['id']}").status == 404
    assert halo.get("ExternalLink", third_party_id="HL-1")["links"] == []


def test_writes_that_reach_the_outside_world_are_remembered() -> None:
    halo = tenant()
    halo.made("SalesOrder", order("HL-1", 1, _create_invoice=True))
    halo.made("SalesOrder", order("HL-2", 1, _dont_fire_automations=False))
    client, _ = halo.customer()
    welcome = {"name": "B", "site_id": client["main_site_id"], "sendwelcomeemail": True}
    halo.made("Users", welcome)
    kinds = [effect.kind for effect in halo.halo.side_effects]
    assert kinds == ["generated", "automation", "mailed"]


def test_an_order_edited_by_hand_moves_its_change_seq_and_totals() -> None:
    halo = tenant("awkward")
    row = halo.made("SalesOrder", order("HL-1", 1))
    line = {"id": row["lines"][0]["id"], "baseprice": 11.5}
    edited = halo.admin(f"order/{row['id']}", lines=[line]).body
    assert (edited["total"], edited["change_seq"]) == (11.5, row["change_seq"] + 1)
