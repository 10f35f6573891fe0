"""Both sides are compared with what Halo really holds, and only what is real is a difference."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from syncline.errors import SynclineError
from syncline.flows import certificates
from syncline.ledger import reconciliation
from syncline.ledger.reconciliation import Run
from syncline.sandbox.process import SandboxProcess
from syncline.steps.reconcile import advance, begin, plan
from syncline.steps.reconcile_due import period_of
from syncline.steps.schedule import due_pulls
from tests.from_halo import last_call, readings, writes
from tests.shipping import TRACKED, an_order, hint
from tests.world import NAME, World, Worlds, opening, small


@pytest.fixture
def worlds(database: str, redis_url: str, sandbox: SandboxProcess) -> Iterator[Worlds]:
    with opening(database, redis_url, sandbox) as make:
        yield make


class Killed(BaseException):
    """What ends a worker in the middle of its work."""


def in_line(worlds: Worlds, sandbox: SandboxProcess, **config: Any) -> World:
    """A world in which both sides hold the same."""
    asked = {"orders": 14, "transactions": 16, "subscriptions": 3, "money": True, **config}
    small(sandbox, **asked)
    world = worlds()
    for kind in ("order", "transaction", "subscription"):
        world.pull(kind)
    world.drive()
    assert sandbox.audit()["clean"]
    return world


def reconciled(world: World, *, sample: int | None = None) -> Run:
    """A run to its end, as a worker and its nudges bring it there."""
    line = world.reopened()
    period = period_of(world.parts, line.link, date(2026, 1, 1), None)
    run_id = begin(world.parts, line.link, period, "test", sample=sample)
    return finished(world, run_id)


def finished(world: World, run_id: int | None) -> Run:
    while True:
        came = advance(world.parts, world.parts.open_line(NAME), lambda *_: None)
        assert came is not None
        if came.again_after is None:
            break
    found = world.parts.ledger.run(lambda c: reconciliation.by_id(c, run_id))
    assert found is not None
    return found


def certified(run: Run) -> dict[str, Any]:
    assert run.certificate is not None, run.note
    return run.certificate


def pairs(world: World, state: str = "open") -> set[tuple[str, str]]:
    """(HighLevel's id, cause) of the differences in a state."""
    found = world.rows("select source_id, cause from discrepancy where state = :s", s=state)
    return {(row.source_id, row.cause) for row in found}


TAMPERED = {
    "order_deleted": "missing",
    "order_doubled": "doubled",
    "order_price": "changed_in_halo",
    "order_currency": "changed_in_halo",
    "order_reference_removed": "changed_in_halo",
    "invoice_deleted": "missing",
    "invoice_voided": "changed_in_halo",
    "invoice_amount": "changed_in_halo",
    "payment_deleted": "missing",
    "payment_doubled": "doubled",
    "payment_amount": "changed_in_halo",
    "credit_amount": "changed_in_halo",
    "recurring_deleted": "missing",
    "recurring_amount": "changed_in_halo",
    "recurring_enabled": "changed_in_halo",
}


def tampered(sandbox: SandboxProcess, *kinds: str) -> dict[str, dict[str, Any]]:
    done = {kind: sandbox.tamper(kind, 1) for kind in kinds}
    return {kind: one[0] for kind, one in done.items() if one}


@pytest.mark.parametrize("profile", ["generous", "plain", "awkward"])
def test_what_people_did_is_found_and_nothing_is_invented(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = in_line(worlds, sandbox, profile=profile)
    clean = certified(reconciled(world))
    assert (clean["clean"], pairs(world)) == (True, set())
    assert all(one["highlevel"] == one["halo"] for one in clean["kinds"])
    if profile == "plain":
        a_sample(world, sandbox)
    before = last_call(sandbox)
    done = tampered(sandbox, *TAMPERED)
    assert len(done) >= 13
    wanted = {(one["source"], TAMPERED[kind]) for kind, one in done.items()}
    run = reconciled(world)
    assert pairs(world) == wanted
    assert (run.found > 0, certified(run)["clean"]) == (True, False)
    assert not writes(sandbox, before)
    [price] = world.rows(
        "select * from discrepancy where source_id = :s and field = 'total'",
        s=done["order_price"]["source"],
    )
    assert (price.theirs, price.ours) == (
        f"{float(done['order_price']['after']):.2f}",
        f"{float(done['order_price']['before']):.2f}",
    )
    assert price.ours == price.delivered
    again = reconciled(world)
    assert again.found == run.found
    assert {row.found_by for row in world.rows("select found_by from discrepancy")} == {run.id}


def test_what_people_decided_stands_and_what_was_put_right_heals(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = in_line(worlds, sandbox)
    done = tampered(sandbox, "order_currency", "order_deleted", "order_doubled")
    reconciled(world)
    closing = "closed_at = clock_timestamp()"
    for kind, change in {
        "order_deleted": f"state = 'accepted', {closing}",
        "order_doubled": "state = 'marked'",
    }.items():
        world.do(
            f"update discrepancy set {change} where source_id = :s",  # noqa: S608
            s=done[kind]["source"],
        )
    currency = done["order_currency"]
    sandbox.edit_halo_order(currency["halo_id"], currency_code=currency["before"])
    certificate = certified(reconciled(world))
    told = [certificate[name] for name in ("differences", "marked", "accepted", "clean")]
    assert told == [0, 1, 1, True]
    assert pairs(world) == set()
    assert pairs(world, "healed") == {(currency["source"], "changed_in_halo")}
    assert pairs(world, "accepted") == {(done["order_deleted"]["source"], "missing")}
    a_side_fails(world, sandbox)


def a_side_fails(world: World, sandbox: SandboxProcess) -> None:
    """The run ends with a note, and the next one is well."""
    sandbox.faults(side="highlevel", kind="500", probability=1)
    with pytest.raises(SynclineError):
        reconciled(world)
    [failed] = world.rows("select state, note from reconciliation order by id desc limit 1")
    assert (failed.state, bool(failed.note)) == ("failed", True)
    sandbox.faults()
    assert certified(reconciled(world))["clean"]
    world.do("delete from cursor where kind <> 'reconciliation'")
    world.do("update cursor set due_at = clock_timestamp()")
    [due] = [nudge for nudge in due_pulls(world.parts) if nudge.task == "reconcile"]
    world.follow(due)
    [last] = world.rows("select cause, state from reconciliation order by id desc limit 1")
    assert (last.cause, last.state) == ("schedule weekly", "done")
    assert "reconcile" not in [nudge.task for nudge in due_pulls(world.parts)]


_POSTED = "select source_id from delivery where flow = 'fulfillments'"


def a_shipment(world: World, sandbox: SandboxProcess) -> None:
    """Goods leave, and HighLevel is told; then Halo's consignment is deleted by hand."""
    _, order, line = an_order(sandbox, 1)
    hint(world, "consignment", sandbox.consign(order["id"], [(line["id"], 1)], TRACKED))
    world.drive()
    shipped = [
        one for one in certified(reconciled(world))["kinds"] if one["kind"] == "fulfillments"
    ]
    assert [(one["highlevel"], one["halo"], one["differences"]) for one in shipped] == [
        ({"count": 1, "total": None}, {"count": 1, "total": None}, 0)
    ]
    assert len(sandbox.tamper("consignment_deleted", 1)) == 1


def test_what_is_on_its_way_is_none_and_what_is_owed_for_long_is_one(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = in_line(worlds, sandbox)
    a_shipment(world, sandbox)
    sandbox.add_orders(1)
    certificate = certified(reconciled(world))
    gone = {(row.source_id, "missing") for row in world.rows(_POSTED)}
    assert pairs(world) == gone | {("order", "not_in_ledger")}
    assert [one["equal"] for one in certificate["complete"]] == [False, True, True]
    assert "orders of HighLevel: it has 15, 14 were read" in certificates.lines(certificate)
    world.drive()  # the window is owed again
    moved, late, lost = sandbox.change_orders(3)
    world.pull()
    older = "noticed_at = noticed_at - interval '2 h', changed_at = changed_at - interval '2 h'"
    world.do(f"update record set {older} where foreign_id = any(:i)", i=[late, lost])  # noqa: S608
    world.do("delete from delivery where source_id = :i and flow = 'orders'", i=lost)
    certificate = certified(reconciled(world))
    assert pairs(world, "healed") == {("order", "not_in_ledger")}
    assert certificate["on_the_way"] >= 1
    assert pairs(world) == gone | {
        (late, "not_delivered"),
        (lost, "not_delivered"),
        (lost, "unknown_in_halo"),
    }
    assert moved not in {source for source, _ in pairs(world)}


def test_a_run_that_was_cut_goes_on_where_it_was(worlds: Worlds, sandbox: SandboxProcess) -> None:
    world = in_line(worlds, sandbox, profile="plain", orders=105, transactions=0, subscriptions=0)
    line = world.parts.open_line(NAME)
    period = period_of(world.parts, line.link, date(2026, 1, 1), None)
    run_id = begin(world.parts, line.link, period, "test")
    assert begin(world.parts, line.link, period, "another") is None

    def die(_what: str, calls: int, _of: int) -> None:
        if calls > 1:
            raise Killed

    before = last_call(sandbox)
    with pytest.raises(Killed):
        advance(world.parts, line, die)
    [running] = world.rows("select state, owner, progress from reconciliation")
    assert (running.state, running.owner) == ("running", None)
    assert certified(finished(world, run_id))["clean"]
    assert readings(sandbox, "halo", before).count("GET /SalesOrder") == 2
    assert world.rows("select count(*) from reconciliation_row") == [(0,)]


def a_sample(world: World, sandbox: SandboxProcess) -> None:
    """It says how much may differ; and a plan makes no call."""
    sample = certified(reconciled(world, sample=20))
    assert sample["statement"] == (
        "0 of 20 sampled differ: with 95 % confidence under 13.91 % of all do"
    )
    line, before = world.parts.open_line(NAME), last_call(sandbox)
    planned = plan(world.parts, line, (date(2026, 1, 1), date(2026, 12, 31)), None)
    assert [one.what for one in planned][:2] == ["HighLevel's own counts", "list of orders"]
    assert last_call(sandbox) == before
