"""One row at which the other side's server fails: it is found and parked, and its neighbours go on.

What fails for everybody blames and parks nobody.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from syncline.alerts.run import evaluate
from syncline.cli.parked_remedies import in_two
from syncline.engine.failures import PARK_AFTER
from syncline.runtime.registry import send
from syncline.sandbox.process import SandboxProcess
from tests.alerting import alerts
from tests.in_between import InBetween, QuotaClock, page
from tests.poison import OWN_500, failures, go_on, parked
from tests.world import NAME, World, Worlds, small


def synced(worlds: Worlds, sandbox: SandboxProcess, **config: Any) -> World:
    """A worker whose tenant's ways are known, and nothing is owed."""
    small(sandbox, orders=6, customers=3, subscriptions=0, **{"transactions": 0, **config})
    world = worlds(style="summary", settle=0.1)
    world.request_pull()
    if config:
        world.request_pull("transaction")
    world.drive()
    return world


def new_orders(world: World, sandbox: SandboxProcess, many: int) -> list[str]:
    new = sandbox.add_orders(many)
    world.pull()
    return new


def posts_of(*references: str, path: str = "/SalesOrder") -> Any:
    """Whether a call writes one of these rows."""
    return lambda call, body: (
        call.startswith("POST")
        and call.endswith(path)
        and any(f'"HL-{one}"'.encode() in body for one in references)
    )


def each_is_there_once(sandbox: SandboxProcess) -> bool:
    many = Counter(row["po_number"] for row in sandbox.halo_orders())
    return max(many.values()) == 1


def test_an_order_at_which_halo_fails_is_found_and_parked_and_its_neighbours_go_on(
    worlds: Worlds, sandbox: SandboxProcess, quota_clock: QuotaClock, in_between: InBetween
) -> None:
    world = synced(worlds, sandbox)
    first = new_orders(world, sandbox, 5)
    bad = first[2]
    in_between.wanted, in_between.answers = posts_of(bad), OWN_500
    go_on(world, quota_clock, 6)
    later = new_orders(world, sandbox, 2)
    go_on(world, quota_clock, 6)
    held = {row["po_number"] for row in sandbox.halo_orders()}
    assert {f"HL-{one}" for one in [*first, *later] if one != bad} <= held
    go_on(world, quota_clock, 60)
    assert set(parked(world)) == {bad}
    assert "An error has occurred." in parked(world)[bad]
    assert "looked up first" in (in_two(parked(world)[bad])[1] or "")
    assert len(in_between.calls) <= PARK_AFTER + 8
    assert each_is_there_once(sandbox)


def test_a_payment_that_a_gateway_never_lets_through_is_found_and_parked(
    worlds: Worlds, sandbox: SandboxProcess, quota_clock: QuotaClock, in_between: InBetween
) -> None:
    world = synced(worlds, sandbox, transactions=2)
    new = sandbox.add_transactions(4)
    bad = new[0]
    in_between.wanted = lambda call, body: (
        call.startswith("POST") and call.endswith("/InvoicePayment") and bad.encode() in body
    )
    in_between.answers = page(504)
    world.pull("transaction")
    go_on(world, quota_clock, 80)
    assert set(parked(world)) == {bad}
    assert "504" in parked(world)[bad]
    assert 1 <= len(in_between.calls) <= PARK_AFTER + 8
    assert world.counts()["payments", "parked"] == 1


def test_the_first_order_of_a_tenant_at_which_halo_fails_holds_up_no_other(
    worlds: Worlds, sandbox: SandboxProcess, quota_clock: QuotaClock, in_between: InBetween
) -> None:
    small(sandbox, orders=6, customers=3, subscriptions=0, transactions=0)
    world = worlds(style="summary", settle=0.1)
    world.pull()
    orders = world.rows("select source_id from delivery where target = 'order' order by id")
    bad = orders[0].source_id
    in_between.wanted, in_between.answers = posts_of(bad), OWN_500
    go_on(world, quota_clock, 80)
    assert set(parked(world)) == {bad}
    assert world.counts()["orders", "delivered"] == 5
    assert len(in_between.calls) <= PARK_AFTER + 4
    assert each_is_there_once(sandbox)


def test_an_urgent_order_at_which_halo_fails_does_not_go_before_those_that_may_pass(
    worlds: Worlds, sandbox: SandboxProcess, quota_clock: QuotaClock, in_between: InBetween
) -> None:
    world = synced(worlds, sandbox)
    [bad] = new_orders(world, sandbox, 1)
    world.do("update delivery set urgent = true where source_id = :bad", bad=bad)
    in_between.wanted, in_between.answers = posts_of(bad), OWN_500
    go_on(world, quota_clock, 12)
    new = new_orders(world, sandbox, 2)
    world.do("update delivery set state = 'due', due_at = now() where source_id = :bad", bad=bad)
    quota_clock.pass_by(60)
    send(world.worker.open_line(NAME), "order")
    assert {f"HL-{one}" for one in new} <= {row["po_number"] for row in sandbox.halo_orders()}


def test_the_only_order_that_is_owed_is_parked_where_halo_answers_without_it(
    worlds: Worlds, sandbox: SandboxProcess, quota_clock: QuotaClock, in_between: InBetween
) -> None:
    world = synced(worlds, sandbox)
    [bad] = new_orders(world, sandbox, 1)
    in_between.wanted, in_between.answers = posts_of(bad), OWN_500
    go_on(world, quota_clock, 20)
    evaluate(world.worker)
    assert [bad in one.detail["text"] for one in alerts(world)] == [True]
    go_on(world, quota_clock, 40)
    assert set(parked(world)) == {bad}
    assert "An error has occurred." in parked(world)[bad]
    assert len(in_between.calls) <= PARK_AFTER + 2
    # What comes after it has nothing to be compared with: until something passes, it is kept.
    [second] = new_orders(world, sandbox, 1)
    in_between.wanted = posts_of(bad, second)
    go_on(world, quota_clock, 40)
    assert set(parked(world)) == {bad}
    in_between.answers = None
    quota_clock.pass_by(60)
    world.drive()
    assert each_is_there_once(sandbox)


@pytest.mark.parametrize("many", [1, 5])
def test_what_fails_for_everybody_parks_and_blames_nobody(
    worlds: Worlds,
    sandbox: SandboxProcess,
    quota_clock: QuotaClock,
    in_between: InBetween,
    many: int,
) -> None:
    world = synced(worlds, sandbox)
    in_between.wanted = lambda call, _: call.startswith("POST") and call.endswith("/SalesOrder")
    in_between.answers = OWN_500
    new_orders(world, sandbox, many)
    for _ in range(120):
        world.follow_all()
        quota_clock.pass_by(5)  # ten minutes in all
    assert not parked(world)
    assert failures(world) < PARK_AFTER / 2
    # Waits of 1, 2, 4 … 60 s, of which chance takes up to half; as many probes where it is alone.
    assert len(in_between.calls) <= (32 if many > 1 else 64)
    in_between.answers = None
    quota_clock.pass_by(60)
    world.drive()
    assert not parked(world)
    assert each_is_there_once(sandbox)


def test_an_outage_in_which_empty_arrays_are_answered_parks_none_of_several(
    worlds: Worlds, sandbox: SandboxProcess, quota_clock: QuotaClock, in_between: InBetween
) -> None:
    world = synced(worlds, sandbox)
    new = new_orders(world, sandbox, 4)
    in_between.wanted, in_between.answers = posts_of(*new), OWN_500
    go_on(world, quota_clock, 60)
    assert not parked(world)
    assert failures(world) < PARK_AFTER / 2
