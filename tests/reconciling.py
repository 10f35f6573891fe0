"""Reconciliations for tests: a world in line, a run to its end, what it found."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from syncline.reconciliation import queries
from syncline.reconciliation.due import period_of
from syncline.reconciliation.queries import Run
from syncline.reconciliation.run import advance, begin
from syncline.sandbox.process import SandboxProcess
from tests.world import NAME, World, Worlds, small

FEW = {"orders": 6, "transactions": 5, "subscriptions": 1}


def in_line(worlds: Worlds, sandbox: SandboxProcess, **config: Any) -> World:
    """A world in which both sides hold the same."""
    asked = {"orders": 14, "transactions": 16, "subscriptions": 3, "money": True, **config}
    options = {"pull_hot": timedelta(milliseconds=1)}  # what changed just now is old enough

    def drive() -> World:
        small(sandbox, **asked)
        world = worlds(**options)
        for kind in ("order", "transaction", "subscription"):
            world.pull(kind)
        read_before(world)
        world.drive()
        assert sandbox.audit()["clean"]
        return world

    return worlds.as_after(drive, f"reconciled {sorted(asked.items())}", **options)


def read_before(world: World) -> None:
    """The lists of all days before the last ones, in which nothing was made, were read."""
    world.do(
        """
        insert into pull (connection_id, kind, first, last, state, finished_at)
        select id, kind, start_from, current_date - 31, 'certified', clock_timestamp()
        from connection, unnest(array['order', 'transaction', 'subscription']) as kind
        """
    )


def reconciled(world: World, *, sample: int | None = None) -> Run:
    """A run to its end, as a worker and its nudges bring it there."""
    line = world.reopened()
    period = period_of(world.worker, line.link, date(2026, 1, 1), None)
    run_id = begin(world.worker, line.link, period, "test", sample=sample)
    return finished(world, run_id)


def finished(world: World, run_id: int | None) -> Run:
    while True:
        came = advance(world.worker.open_line(NAME), lambda *_: None)
        assert came is not None
        if came.again_after is None:
            break
    found = world.worker.ledger.run(lambda c: queries.by_id(c, run_id))
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
