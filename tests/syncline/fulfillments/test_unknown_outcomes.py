"""A fulfillment of unknown outcome is posted again only where its absence is really shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from syncline.actor import actor
from syncline.deliveries import target_rows, unleased
from syncline.engine.failures import PARK_AFTER
from syncline.repair.accept import accept, plan_parked
from syncline.runtime.registry import look_up, send
from syncline.sandbox.process import SandboxProcess
from tests.in_between import InBetween, page, said
from tests.shipping import (
    TRACKED,
    an_order,
    fulfillments,
    goods,
    halo_orders,
    hint,
    noticed,
    posts,
    shipping,
    the_row,
)
from tests.spoiling import spoil
from tests.world import World, Worlds

POST = "POST /payments/orders/{id}/fulfillments"
NO_ORDER = said(404, {"statusCode": 404, "message": "Order not found"})


@pytest.fixture
def world(worlds: Worlds, sandbox: SandboxProcess) -> World:
    return shipping(worlds, sandbox)


def in_doubt(world: World, sandbox: SandboxProcess, fault: str = "cut_after") -> tuple[str, int]:
    """A shipment whose call was not answered: HighLevel's order, and Halo's consignment."""
    order_id, order, line = an_order(sandbox)
    sandbox.faults(side="highlevel", operation=POST, kind=fault, next=1)
    number = sandbox.consign(order["id"], [(line["id"], 1)], TRACKED)
    hint(world, "consignment", number)
    noticed(world)
    world.follow_all()
    assert the_row(world).state == "doubtful"
    return order_id, number


def test_one_that_was_made_and_shows_no_goods_asks_a_person_and_is_not_doubled(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id, _ = in_doubt(world, sandbox)
    spoil(monkeypatch, f"/{order_id}/fulfillments", without_goods)
    world.drive()
    row = the_row(world)
    assert (row.state, row.field, posts(sandbox)) == ("parked", "items", 1)
    assert "shown none; trackings: sent 1Z999 | UPS" in row.reason


def without_goods(document: Any) -> Any:
    return {**document, "data": [{**row, "items": []} for row in document["data"]]}


def shows(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Any], Any]:
    """HighLevel shows the trackings of its fulfillments in its own way."""

    def changed(document: Any) -> Any:
        rows = [
            {**row, "trackings": [change(one) for one in row["trackings"]]}
            for row in document["data"]
        ]
        return {**document, "data": rows}

    return changed


OTHERWISE = {
    "carrier": lambda one: {**one, "shippingCarrier": "United Parcel Service"},
    "address": lambda one: {**one, "trackingUrl": "https://track.example.com/1Z999/"},
    "no address": lambda one: {key: one[key] for key in ("trackingNumber", "shippingCarrier")},
}


@pytest.mark.parametrize("shown", OTHERWISE)
def test_one_that_was_made_and_shows_its_tracking_otherwise_asks_a_person_and_is_not_doubled(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, shown: str
) -> None:
    order_id, _ = in_doubt(world, sandbox)
    spoil(monkeypatch, f"/{order_id}/fulfillments", shows(OTHERWISE[shown]))
    world.drive()
    [made] = fulfillments(sandbox, order_id)
    row = the_row(world)
    assert (row.state, row.field) == ("parked", "trackings")
    assert f"HighLevel shows fulfillment {made['_id']} since this was sent" in row.reason
    assert "syncline parked accept ID" in row.reason


def test_what_a_person_does_about_one_that_may_be_there_never_doubles_it(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id, number = in_doubt(world, sandbox)
    spoil(monkeypatch, f"/{order_id}/fulfillments", shows(OTHERWISE["carrier"]))
    world.drive()
    retry(world)
    world.drive()
    assert (the_row(world).state, posts(sandbox)) == ("parked", 1)
    accepted(world)
    assert (the_row(world).state, the_row(world).target_id) == ("delivered", None)
    sandbox.edit_consignment(number, note=f"{TRACKED}\nThe gate was closed.")
    hint(world, "consignment", number)
    world.drive()
    assert (the_row(world).state, posts(sandbox)) == ("parked", 1)


def retry(world: World) -> None:
    """Look up again what is parked and was sent, as `parked retry` has it done."""
    world.worker.ledger.run(lambda connection: unleased.retry(connection, None))


def accepted(world: World) -> None:
    line = world.reopened()
    number = the_row(world).id
    known = world.worker.ledger.run(partial(target_rows.of_ids, ids=[number]))
    plans = plan_parked(line, list(known.values()))
    assert [plan.takes for plan in plans] == ["Nothing more is posted of this consignment."]
    assert accept(line, plans, "parked accept", actor(world.settings)) == plans


def test_one_that_was_not_made_goes_though_other_goods_were_sent_by_hand_meanwhile(
    world: World, sandbox: SandboxProcess
) -> None:
    order_id, order, line = an_order(sandbox, least=3)
    price = line["item_external_reference"].removeprefix("HL-")
    sandbox.faults(side="highlevel", operation=POST, kind="cut_before", next=1)
    hint(world, "consignment", sandbox.consign(order["id"], [(line["id"], 1)], TRACKED))
    noticed(world)
    world.follow_all()
    sandbox.fulfill_by_hand(order_id, [(price, 2)])
    world.drive()
    assert (the_row(world).state, len(fulfillments(sandbox, order_id))) == ("delivered", 2)


def test_one_that_was_refused_for_a_while_waits_for_another_of_its_order_that_is_in_doubt(
    world: World, sandbox: SandboxProcess
) -> None:
    order_id, order, line = an_order(sandbox)
    sandbox.faults(side="highlevel", operation=POST, kind="429", next=1)
    hint(world, "consignment", sandbox.consign(order["id"], [(line["id"], 1)], "Tracking: 1Z1"))
    noticed(world)
    world.follow_all()
    world.do("update delivery set state = 'parked' where flow = 'fulfillments' and state = 'due'")
    sandbox.faults(side="highlevel", operation=POST, kind="cut_after", next=1)
    hint(world, "consignment", sandbox.consign(order["id"], [(line["id"], 1)], "Tracking: 1Z2"))
    noticed(world)
    while "doubtful" not in states(world):
        world.follow_all()
    world.do("update delivery set state = 'due' where flow = 'fulfillments' and state = 'parked'")
    send(world.reopened(), "fulfillment")
    assert states(world) == ["due", "doubtful"]
    world.drive()
    assert states(world) == ["delivered", "delivered"]
    assert len(fulfillments(sandbox, order_id)) == 2


def states(world: World) -> list[str]:
    """The states of the shipments, the oldest first."""
    rows = world.rows("select state from delivery where flow = 'fulfillments' order by id")
    return [row.state for row in rows]


def failed(world: World, many: int) -> None:
    """So many failures in a row, of whatever kind."""
    world.do(
        "update delivery set failures = :many where flow = 'fulfillments' and state <> 'delivered'",
        many=many,
    )


def is_list(order_id: str) -> Callable[[str, bytes], bool]:
    return lambda call, _: call.startswith("GET") and f"/orders/{order_id}/fulfillments" in call


def look_twice(world: World, in_between: InBetween) -> None:
    give_up = time.monotonic() + 20
    while len(in_between.calls) < 2:
        world.follow_all()
        time.sleep(0.05)
        assert time.monotonic() < give_up, the_row(world)


def test_a_list_that_says_it_failed_is_no_proof_of_absence(
    world: World, sandbox: SandboxProcess, in_between: InBetween
) -> None:
    order_id, _ = in_doubt(world, sandbox)
    in_between.wanted = is_list(order_id)
    in_between.answers = said(200, {"status": False, "data": []})
    look_twice(world, in_between)
    assert (the_row(world).state, posts(sandbox)) == ("doubtful", 1)
    assert "may have failed: with it came status: false" in the_row(world).reason
    in_between.answers = None
    world.drive()
    assert (the_row(world).state, posts(sandbox)) == ("delivered", 1)


def test_a_list_that_says_it_failed_for_a_while_lets_the_shipment_go_afterwards(
    world: World, sandbox: SandboxProcess, in_between: InBetween
) -> None:
    order_id, order, line = an_order(sandbox)
    in_between.wanted = is_list(order_id)
    in_between.answers = said(200, {"status": False, "data": []})
    hint(world, "consignment", sandbox.consign(order["id"], [(line["id"], 1)], TRACKED))
    noticed(world)
    look_twice(world, in_between)
    assert (the_row(world).state, posts(sandbox)) == ("due", 0)
    in_between.answers = None
    world.drive()
    assert (the_row(world).state, posts(sandbox)) == ("delivered", 1)


def test_an_order_that_is_not_there_for_once_leaves_its_shipment_in_doubt_whatever_failed_before(
    world: World, sandbox: SandboxProcess, in_between: InBetween
) -> None:
    order_id, _ = in_doubt(world, sandbox)
    failed(world, PARK_AFTER - 2)
    in_between.wanted = is_list(order_id)
    in_between.answers = NO_ORDER
    look_twice(world, in_between)
    assert the_row(world).state == "doubtful"
    in_between.answers = None
    world.drive()
    assert (the_row(world).state, posts(sandbox)) == ("delivered", 1)


def test_an_order_that_stays_away_while_its_shipment_is_in_doubt_says_that_it_may_be_posted(
    world: World, sandbox: SandboxProcess, in_between: InBetween
) -> None:
    order_id, _ = in_doubt(world, sandbox)
    failed(world, PARK_AFTER)
    in_between.wanted = is_list(order_id)
    in_between.answers = NO_ORDER
    world.drive()
    row = the_row(world)
    assert (row.state, len(in_between.calls)) == ("parked", 1)
    assert row.reason.startswith(
        f"HighLevel does not show the order {order_id}; this shipment may have been posted there."
    )
    assert "nothing is posted" not in row.reason
    in_between.answers = None
    retry(world)
    world.drive()
    assert (the_row(world).state, posts(sandbox)) == ("delivered", 1)


def test_a_shipment_that_was_sent_before_its_order_went_away_is_not_said_to_be_unposted(
    world: World, sandbox: SandboxProcess, in_between: InBetween
) -> None:
    order_id, order, line = an_order(sandbox)
    sandbox.faults(side="highlevel", operation=POST, kind="429", next=1)
    hint(world, "consignment", sandbox.consign(order["id"], [(line["id"], 1)], TRACKED))
    noticed(world)
    world.follow_all()
    in_between.wanted = is_list(order_id)
    in_between.answers = NO_ORDER
    world.drive()
    assert "may have been posted there" in the_row(world).reason


def test_what_another_consignment_has_surely_made_puts_none_in_doubt(
    world: World, sandbox: SandboxProcess, in_between: InBetween
) -> None:
    order_id, order, line = an_order(sandbox)
    sandbox.faults(side="highlevel", operation=POST, kind="cut_before", next=1)
    hint(world, "consignment", sandbox.consign(order["id"], [(line["id"], 1)], "Tracking: 1Z1"))
    noticed(world)
    world.follow_all()
    in_between.wanted = is_list(order_id)
    in_between.answers = NO_ORDER
    world.drive()
    in_between.answers = None
    sandbox.faults(side="highlevel", operation=POST, kind="cut_after", next=1)
    hint(world, "consignment", sandbox.consign(order["id"], [(line["id"], 1)], "Tracking: 1Z2"))
    noticed(world)
    world.follow_all()
    world.do("update delivery set due_at = now() + interval '1 hour' where state = 'doubtful'")
    retry(world)
    look_up(world.reopened(), "fulfillment")
    assert states(world) == ["doubtful", "doubtful"]  # the first one waits for the second one
    world.do("update delivery set sent_at = sent_at - interval '1 minute' where state = 'doubtful'")
    world.drive()
    rows = world.rows("select state, target_id from delivery where flow = 'fulfillments'")
    made = {one["_id"] for one in fulfillments(sandbox, order_id)}
    assert ({row.state for row in rows}, len(made)) == ({"delivered"}, 2)
    assert {row.target_id for row in rows} == made


UNSHOWN = {
    "Just a moment": page(),
    "does not have access": said(
        403, {"statusCode": 403, "message": "The token does not have access to this location."}
    ),
    "may have failed": said(200, {"status": False, "data": []}),
}


def of_several_orders(world: World, sandbox: SandboxProcess) -> list[str]:
    """A consignment of each of several orders: HighLevel's ids."""
    some = list(halo_orders(sandbox).items())[: len(UNSHOWN) + 1]
    for _, order in some:
        number = sandbox.consign(order["id"], [(goods(order)[0]["id"], 1)], TRACKED)
        hint(world, "consignment", number)
        noticed(world)
    return [order_id for order_id, _ in some]


def stand_before(monkeypatch: pytest.MonkeyPatch, order_ids: list[str]) -> None:
    """Each of these orders but the last has its list answered in a way of its own."""
    for order_id, answer in zip(order_ids, UNSHOWN.values(), strict=False):
        InBetween(answer, is_list(order_id)).stand(monkeypatch)


def look_up_all(world: World) -> list[Any]:
    """Look up what is in doubt, settled or not; the shipments by then."""
    world.do("update delivery set due_at = clock_timestamp() where state = 'doubtful'")
    look_up(world.reopened(), "fulfillment")
    return by_order(world)


def by_order(world: World) -> list[Any]:
    return world.rows("select * from delivery where flow = 'fulfillments' order by id")


def test_an_order_that_cannot_be_read_leaves_no_other_in_doubt_and_its_failures_count_alone(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_ids = of_several_orders(world, sandbox)
    sandbox.faults(side="highlevel", operation=POST, kind="cut_after", next=len(order_ids))
    send(world.reopened(), "fulfillment")
    assert states(world) == ["doubtful"] * len(order_ids)
    stand_before(monkeypatch, order_ids)
    assert look_up_all(world)[-1].state == "delivered"
    failed(world, 1)
    *others, _ = look_up_all(world)
    assert [(row.state, row.failures) for row in others] == [("doubtful", 2)] * len(UNSHOWN)
    failed(world, PARK_AFTER)
    *others, _ = look_up_all(world)
    for row, order_id, text in zip(others, order_ids, UNSHOWN, strict=False):
        assert row.state == "parked"
        assert f"of the order {order_id}, 12 times in a row" in row.reason
        assert text in row.reason
    assert world.rows("select state from connection")[0].state == "active"


def test_a_look_up_that_is_refused_as_everything_is_stops_the_connection_and_decides_nothing(
    world: World, sandbox: SandboxProcess, in_between: InBetween
) -> None:
    in_doubt(world, sandbox)
    in_between.answers = said(401, {"statusCode": 401, "message": "Invalid Private Integration"})
    assert [row.state for row in look_up_all(world)] == ["doubtful"]
    assert world.rows("select state from connection")[0].state == "stopped"


def test_an_order_that_cannot_be_read_keeps_no_other_shipment_from_leaving(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_ids = of_several_orders(world, sandbox)
    stand_before(monkeypatch, order_ids)
    # So nobody can tell what the refusal concerns.
    InBetween(page(), lambda call, _: call.endswith("/payments/orders")).stand(monkeypatch)
    send(world.reopened(), "fulfillment")
    *others, last = by_order(world)
    assert last.state == "delivered"
    assert [(row.state, row.failures) for row in others] == [("due", 1), ("due", 0), ("due", 1)]
    failed(world, PARK_AFTER)
    world.do("update delivery set due_at = clock_timestamp() where flow = 'fulfillments'")
    send(world.reopened(), "fulfillment")
    assert states(world) == ["parked", "due", "parked", "delivered"]
