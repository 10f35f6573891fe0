"""Consignments of Halo become fulfillments in HighLevel, once, or a person is told why not."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.ledger import history
from syncline.mapping.shipped import default_document
from syncline.sandbox.process import SandboxProcess
from tests.shipping import (
    TRACKED,
    an_order,
    fulfillments,
    goods,
    hint,
    in_line,
    map_as,
    posts,
    shipping,
    the_row,
)
from tests.spoiling import spoil
from tests.world import INCLUDING_TESTS, World, Worlds, small

TRACKING_FIELD = """
[[orders.field]]
target = "customfields.CFtracking"
source = "tracking_numbers"
transform = { use = "join", with = ", " }
"""


@pytest.fixture
def world(worlds: Worlds, sandbox: SandboxProcess) -> World:
    return shipping(worlds, sandbox, orders=8)


def an_order_with_more_than_goods(
    sandbox: SandboxProcess,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """An order that has a line for shipping, a discount or an adjustment too, and that line."""
    for order in sandbox.halo_orders():
        extra = [line for line in order["lines"] if line not in goods(order)]
        if extra:
            return order, extra[0]
    raise AssertionError("no order has more than goods")


def told(world: World, number: int) -> None:
    """Let the hint be read and everything be done that is not held."""
    hint(world, "consignment", number)
    for _ in range(6):
        world.follow_all()


def parked(world: World) -> str:
    row = the_row(world)
    assert row.state == "parked", (row.state, row.reason)
    return str(row.reason)


def document(**options: Any) -> str:
    return default_document("detail", {**INCLUDING_TESTS, "fulfillments": options})


def test_a_consignment_with_tracking_is_posted_at_once_and_mails_nobody(
    world: World, sandbox: SandboxProcess
) -> None:
    order_id, order, line = an_order(sandbox)
    told(world, sandbox.consign(order["id"], [(line["id"], 1)], TRACKED))
    [made] = fulfillments(sandbox, order_id)
    assert [item["qty"] for item in made["items"]] == [1]
    assert made["trackings"] == [
        {
            "trackingNumber": "1Z999",
            "shippingCarrier": "UPS",
            "trackingUrl": "https://track.example.com/1Z999",
        }
    ]
    row = the_row(world)
    assert (row.state, row.target_id) == ("delivered", made["_id"])
    assert sandbox.counters()["notified"] == 0
    [entry] = world.rows("select * from audit_entry where flow = 'fulfillments'")
    assert (entry.target_id, entry.effect) == (made["_id"], "create")


def test_without_tracking_it_is_held_and_goes_when_tracking_comes(
    world: World, sandbox: SandboxProcess
) -> None:
    order_id, order, line = an_order(sandbox)
    number = sandbox.consign(order["id"], [(line["id"], 1)], "left at noon")
    told(world, number)
    assert (the_row(world).state, the_row(world).reason) == ("due", "waits for its tracking")
    assert posts(sandbox) == 0
    sandbox.edit_consignment(number, note=TRACKED)
    told(world, number)
    assert len(fulfillments(sandbox, order_id)) == 1
    assert the_row(world).state == "delivered"


def test_after_its_hold_it_goes_without_tracking_and_later_tracking_asks_a_person(
    world: World, sandbox: SandboxProcess
) -> None:
    order_id, order, line = an_order(sandbox)
    number = sandbox.consign(order["id"], [(line["id"], 1)], "left at noon")
    told(world, number)
    world.do(
        "update record set noticed_at = noticed_at - interval '3 hours' where kind = 'consignment'"
    )
    told(world, number)
    [made] = fulfillments(sandbox, order_id)
    assert made["trackings"] == []
    sandbox.edit_consignment(number, note=TRACKED)
    told(world, number)
    reason = parked(world)
    assert made["_id"] in reason
    assert "posted none, now 1Z999 | UPS" in reason
    assert posts(sandbox) == 1


def test_a_later_note_that_changes_nothing_posted_settles(
    world: World, sandbox: SandboxProcess
) -> None:
    _, order, line = an_order(sandbox)
    number = sandbox.consign(order["id"], [(line["id"], 1)], TRACKED)
    told(world, number)
    sandbox.edit_consignment(number, note=f"{TRACKED}\nThe gate was closed.")
    told(world, number)
    row = the_row(world)
    assert (row.state, row.delivered_version, posts(sandbox)) == ("delivered", 2, 1)


def test_two_consignments_of_an_order_are_two_fulfillments(
    world: World, sandbox: SandboxProcess
) -> None:
    order_id, order, line = an_order(sandbox)
    for at in range(2):
        hint(
            world,
            "consignment",
            sandbox.consign(order["id"], [(line["id"], 1)], f"Tracking: 1Z{at}"),
        )
    world.drive()
    numbers = [one["trackings"][0]["trackingNumber"] for one in fulfillments(sandbox, order_id)]
    assert sorted(numbers) == ["1Z0", "1Z1"]
    reads = [call for call in sandbox.calls("highlevel") if call["operation"].startswith("GET")]
    of_lists = [call for call in reads if "fulfillments" in call["operation"]]
    assert len(of_lists) <= 3  # one look before both, and one by the test itself


def test_a_return_is_parked_and_never_posted(world: World, sandbox: SandboxProcess) -> None:
    _, order, line = an_order(sandbox)
    sandbox.consign(order["id"], [(line["id"], 1)], TRACKED)
    told(world, sandbox.consign(order["id"], [(line["id"], 1)], TRACKED, is_return=True))
    [row] = world.rows("select * from delivery where flow = 'fulfillments'")
    assert row.state == "parked"
    assert row.reason.startswith(f"A return of 1 \u00d7 '{line['name']}': HighLevel has no returns")
    assert posts(sandbox) == 0


def test_more_than_was_ordered_is_parked_with_the_figures_also_of_those_made_by_hand(
    world: World, sandbox: SandboxProcess
) -> None:
    order_id, order, line = an_order(sandbox)
    price = line["item_external_reference"].removeprefix("HL-")
    ordered = line["quantity"]
    sandbox.fulfill_by_hand(order_id, [(price, 1)])
    told(world, sandbox.consign(order["id"], [(line["id"], ordered)], TRACKED))
    reason = parked(world)
    assert f"ordered {ordered:g}, shipped already 1, this one {ordered:g}" in reason
    assert posts(sandbox) == 0


def test_an_order_that_highlevel_no_longer_has_is_parked(
    world: World, sandbox: SandboxProcess
) -> None:
    order_id, order, line = an_order(sandbox)
    sandbox.remove_orders([order_id])
    told(world, sandbox.consign(order["id"], [(line["id"], 1)], TRACKED))
    assert f"HighLevel no longer has the order {order_id}" in parked(world)


def without_references(row: dict[str, Any]) -> dict[str, Any]:
    """A row of a tenant that keeps none of our references on lines."""
    names = ("item_external_reference", "item_externalreference")
    lines = [{**line, **dict.fromkeys(names, "")} for line in row["lines"]]
    return {**row, "lines": lines}


@pytest.mark.parametrize("keeps_references", [True, False])
def test_a_shipment_of_an_order_whose_items_are_unknown_waits_for_its_detail(
    worlds: Worlds,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    keeps_references: bool,
) -> None:
    small(sandbox, orders=3, transactions=0, subscriptions=0)
    world = worlds()
    in_line(world)
    order_id, order, line = an_order(sandbox)
    number = sandbox.consign(order["id"], [(line["id"], 1)], TRACKED)
    if not keeps_references:
        spoil(monkeypatch, f"/SalesOrder/{order['id']}", without_references)
        spoil(monkeypatch, f"/Consignment/{number}", without_references)
    world.do("delete from facet where facet = 'detail'")
    world.do(
        """
        update record set canonical = canonical - 'items', fingerprint = '' where kind = 'order'
        """
    )
    world.do("delete from delivery where flow = 'details'")
    hint(world, "consignment", number)
    world.drive()
    assert len(fulfillments(sandbox, order_id)) == 1


def test_a_consignment_of_lines_that_we_made_settles_without_a_call_and_says_so(
    world: World, sandbox: SandboxProcess
) -> None:
    order, extra = an_order_with_more_than_goods(sandbox)
    told(world, sandbox.consign(order["id"], [(extra["id"], 1)], TRACKED))
    assert (the_row(world).state, posts(sandbox)) == ("delivered", 0)
    assert f"it holds only '{extra['name']}'" in the_row(world).reason
    seen = world.worker.ledger.run(lambda c: history.of(c, "order", order["po_number"][3:]))
    assert seen is not None
    [shipment] = [one for one in seen.deliveries if one.flow == "fulfillments"]
    assert shipment.reason == the_row(world).reason


def test_a_consignment_of_all_lines_ships_the_goods(world: World, sandbox: SandboxProcess) -> None:
    order, _ = an_order_with_more_than_goods(sandbox)
    every = [(line["id"], line["quantity"]) for line in order["lines"]]
    told(world, sandbox.consign(order["id"], every, "UPS 1Z 999 AA1 01 2345 6784"))
    [made] = fulfillments(sandbox, order["po_number"][3:])
    assert sum(item["qty"] for item in made["items"]) == sum(
        line["quantity"] for line in goods(order)
    )
    assert [one["trackingNumber"] for one in made["trackings"]] == ["1Z999AA10123456784"]
    assert sandbox.audit()["fulfillments"]["clean"]


def test_nothing_is_posted_where_the_mapping_says_so(world: World, sandbox: SandboxProcess) -> None:
    map_as(world, document(into="none"))
    _, order, line = an_order(sandbox)
    told(world, sandbox.consign(order["id"], [(line["id"], 1)], TRACKED))
    assert world.rows("select 1 from delivery where flow = 'fulfillments'") == []
    assert posts(sandbox) == 0


def test_the_buyer_is_mailed_only_where_the_mapping_says_so(
    world: World, sandbox: SandboxProcess
) -> None:
    map_as(world, document(notify_customer=True))
    _, order, line = an_order(sandbox)
    told(world, sandbox.consign(order["id"], [(line["id"], 1)], TRACKED))
    assert sandbox.counters()["notified"] == 1


def test_what_was_posted_shows_in_halo_without_being_read_again(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=4, transactions=0, subscriptions=0, tracking_field="CFtracking")
    world = worlds()
    map_as(world, document() + TRACKING_FIELD)
    in_line(world)
    order_id, order, line = an_order(sandbox)
    hint(
        world, "consignment", sandbox.consign(order["id"], [(line["id"], 1)], "Tracking: 1Z1, 1Z2")
    )
    world.drive()
    assert len(fulfillments(sandbox, order_id)[0]["trackings"]) == 2
    assert sandbox.audit()["fulfillments"]["clean"]
