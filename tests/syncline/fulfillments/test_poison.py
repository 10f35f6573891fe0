"""One shipment at which HighLevel fails: it is found and parked, and the others go on.

What fails for everybody blames and parks nobody; and what may have been made is looked up first.
"""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncline.alerts.run import evaluate
from syncline.cli.parked_remedies import in_two
from syncline.engine.failures import PARK_AFTER
from syncline.runtime.registry import send
from syncline.sandbox.process import SandboxProcess
from tests.alerting import alerts
from tests.in_between import InBetween, QuotaClock, Wanted, said
from tests.poison import failures, go_on, parked
from tests.shipping import (
    TRACKED,
    an_order,
    fulfillments,
    goods,
    halo_orders,
    hint,
    noticed,
    shipping,
    the_row,
)
from tests.world import World, Worlds

OWN_500 = said(500, {"statusCode": 500, "message": "Internal server error"})


@pytest.fixture
def world(worlds: Worlds, sandbox: SandboxProcess, quota_clock: QuotaClock) -> World:
    assert quota_clock.ahead == timedelta(0)  # it rules the quota of workers that come after it
    return shipping(worlds, sandbox)


def consigned(world: World, sandbox: SandboxProcess, order_id: str, tracking: str = TRACKED) -> str:
    """A person sends one piece of an order; returns Halo's id of the consignment."""
    order = halo_orders(sandbox)[order_id]
    number = sandbox.consign(order["id"], [(goods(order)[0]["id"], 1)], tracking)
    hint(world, "consignment", number)
    noticed(world)
    return str(number)


def posts_of(*order_ids: str) -> Wanted:
    """Whether a call makes a fulfillment of one of these orders."""
    return lambda call, _: (
        call.startswith("POST") and any(f"/orders/{one}/fulfillments" in call for one in order_ids)
    )


def states(world: World) -> dict[str, str]:
    """The states of shipments, by Halo's id of the consignment."""
    rows = world.rows("select source_id, state from delivery where flow = 'fulfillments'")
    return {row.source_id: row.state for row in rows}


def test_a_shipment_at_which_highlevel_fails_is_found_and_parked_and_the_others_go_on(
    world: World, sandbox: SandboxProcess, quota_clock: QuotaClock, in_between: InBetween
) -> None:
    order_ids = list(halo_orders(sandbox))
    in_between.wanted, in_between.answers = posts_of(order_ids[0]), OWN_500
    bad, *others = [consigned(world, sandbox, one) for one in order_ids[:4]]
    go_on(world, quota_clock, 8)
    assert {states(world)[one] for one in others} == {"delivered"}
    later = consigned(world, sandbox, order_ids[4])
    go_on(world, quota_clock, 60)
    assert states(world) == {**dict.fromkeys([*others, later], "delivered"), bad: "parked"}
    reason = parked(world)[bad]
    assert "Internal server error" in reason
    assert "looked up first" in (in_two(reason)[1] or "")
    assert len(in_between.calls) <= PARK_AFTER + 2
    assert fulfillments(sandbox, order_ids[0]) == []
    evaluate(world.worker)
    [told] = [one for one in alerts(world) if one.kind == "fulfillment"]
    assert f"record {bad}" in told.detail["text"]
    assert "Internal server error" in told.detail["text"]


def test_the_only_shipment_that_is_owed_is_parked_where_highlevel_answers_something_else(
    world: World, sandbox: SandboxProcess, quota_clock: QuotaClock, in_between: InBetween
) -> None:
    first, second, *_ = halo_orders(sandbox)
    in_between.wanted, in_between.answers = posts_of(first, second), OWN_500
    bad = consigned(world, sandbox, first)
    go_on(world, quota_clock, 10)
    evaluate(world.worker)
    [told] = alerts(world)
    assert told.kind == "failing"
    assert f"one record is alone in the call: consignment {bad}." in told.detail["text"]
    go_on(world, quota_clock, 50)
    assert states(world) == {bad: "parked"}
    assert "Internal server error" in parked(world)[bad]
    # What comes after it has nothing to be compared with: until something passes, it is kept.
    kept = consigned(world, sandbox, second)
    go_on(world, quota_clock, 40)
    assert set(parked(world)) == {bad}
    in_between.answers = None
    quota_clock.pass_by(60)
    world.drive()
    assert states(world) == {bad: "parked", kept: "delivered"}
    assert len(fulfillments(sandbox, second)) == 1


@pytest.mark.parametrize("many", [1, 3])
def test_while_highlevel_fails_at_all_calls_no_shipment_is_blamed(
    world: World,
    sandbox: SandboxProcess,
    quota_clock: QuotaClock,
    in_between: InBetween,
    many: int,
) -> None:
    for one in list(halo_orders(sandbox))[:many]:
        consigned(world, sandbox, one)
    in_between.wanted = lambda call, _: sandbox.highlevel_url in call
    in_between.answers = OWN_500
    for _ in range(60):
        world.follow_all()
        quota_clock.pass_by(5)
    assert not parked(world)
    assert failures(world) < PARK_AFTER / 2
    in_between.answers = None
    quota_clock.pass_by(60)
    world.drive()
    assert set(states(world).values()) == {"delivered"}


def test_an_outage_of_the_making_of_fulfillments_alone_parks_none_of_several(
    world: World, sandbox: SandboxProcess, quota_clock: QuotaClock, in_between: InBetween
) -> None:
    order_ids = list(halo_orders(sandbox))[:4]
    in_between.wanted, in_between.answers = posts_of(*order_ids), OWN_500
    for one in order_ids:
        consigned(world, sandbox, one)
    go_on(world, quota_clock, 60)
    assert not parked(world)
    assert failures(world) < PARK_AFTER / 2


def test_one_that_was_made_though_highlevel_failed_is_found_and_not_made_twice(
    world: World, sandbox: SandboxProcess, quota_clock: QuotaClock, in_between: InBetween
) -> None:
    order_id, *_ = halo_orders(sandbox)
    in_between.wanted, in_between.answers = posts_of(order_id), OWN_500
    in_between.effect = True
    consigned(world, sandbox, order_id)
    go_on(world, quota_clock, 20)
    assert (the_row(world).state, len(in_between.calls)) == ("delivered", 1)
    assert len(fulfillments(sandbox, order_id)) == 1


def test_another_shipment_of_the_same_order_goes_before_the_one_that_fails_again(
    world: World, sandbox: SandboxProcess, quota_clock: QuotaClock, in_between: InBetween
) -> None:
    order_id, _, _ = an_order(sandbox)
    in_between.wanted = lambda call, body: posts_of(order_id)(call, body) and b"1ZBAD" in body
    in_between.answers = OWN_500
    bad = consigned(world, sandbox, order_id, "Tracking: 1ZBAD")
    other = consigned(world, sandbox, order_id, "Tracking: 1ZGOOD")
    go_on(world, quota_clock, 8)
    assert states(world)[other] == "delivered"
    go_on(world, quota_clock, 60)
    assert states(world) == {bad: "parked", other: "delivered"}
    assert len(in_between.calls) <= PARK_AFTER + 2


def test_an_urgent_shipment_that_fails_does_not_go_before_those_that_may_pass(
    world: World, sandbox: SandboxProcess, quota_clock: QuotaClock, in_between: InBetween
) -> None:
    first, second, *_ = halo_orders(sandbox)
    in_between.wanted, in_between.answers = posts_of(first), OWN_500
    bad = consigned(world, sandbox, first)
    world.do("update delivery set urgent = true where source_id = :bad", bad=bad)
    go_on(world, quota_clock, 12)
    good = consigned(world, sandbox, second)
    world.do("update delivery set state = 'due', due_at = now() where source_id = :bad", bad=bad)
    quota_clock.pass_by(60)
    send(world.reopened(), "fulfillment")
    assert states(world)[good] == "delivered"
