"""Details: the facet of an order that its lines stand in, read for what changed, where needed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from syncline.errors import Absent, Again, Refused, Rejected, SynclineError, Unreadable
from syncline.highlevel.orders import get_order
from syncline.ledger import deliveries
from syncline.ledger.leases import Confirmation, Lease
from syncline.quota.keys import Lane
from syncline.steps.gate import PARALLEL, Gate, NoQuota, Outcome, highlevel_gate
from syncline.steps.hold import in_hand
from syncline.steps.parts import Line, Nudge, Parts
from syncline.steps.record import record
from syncline.steps.stop import stop_connection
from syncline.transport import Permit

TARGET = "highlevel.order"
"""The target of deliveries that ask for an order's detail to be read."""

ROUNDS = 50
RETRY_AFTER = timedelta(seconds=2)


def read_details(parts: Parts, line: Line) -> float | None:
    """Read the details that are due.

    Returns:
        Seconds after which there is more to do, or None when nothing is due.
    """
    gate = highlevel_gate(parts, line, Lane.DELIVERIES)
    for _ in range(ROUNDS):
        with in_hand(parts):
            owner = parts.session()
            leases = parts.ledger.run(
                partial(
                    deliveries.claim,
                    connection_id=line.link.id,
                    target=TARGET,
                    owner=owner,
                    most=PARALLEL,
                )
            )
            if not leases:
                return None
            try:
                _read(parts, line, gate, leases)
            except NoQuota as error:
                _release(parts, leases, error.after)
                return error.after.total_seconds()
            except Again as error:
                _release(parts, leases, max(error.after, RETRY_AFTER))
                return max(error.after, RETRY_AFTER).total_seconds()
            except Refused as error:
                stop_connection(parts, line, error, leases)
                return None
    return 0.05


def _read(parts: Parts, line: Line, gate: Gate, leases: list[Lease]) -> None:
    pending = leases
    while pending:
        outcomes = gate.read_many(
            ["get order"] * len(pending), [_maker(line, lease.source_id) for lease in pending]
        )
        done, pending = pending[: len(outcomes)], pending[len(outcomes) :]
        _write(parts, line, done, outcomes)


def _maker(line: Line, order_id: str) -> Callable[[Permit], dict[str, Any]]:
    return lambda permit: get_order(line.highlevel, permit, order_id)


def _write(parts: Parts, line: Line, leases: list[Lease], outcomes: list[Outcome]) -> None:
    read = {
        lease.source_id: outcome.result
        for lease, outcome in zip(leases, outcomes, strict=True)
        if outcome.error is None
    }

    def work(connection: Connection) -> None:
        record(connection, line.link, line.document, "order", "detail", read, "detail")  # type: ignore[arg-type]  # results of get_order
        deliveries.confirm(
            connection,
            [Confirmation(lease, None, None, None) for lease in leases if lease.source_id in read],
            wrote=False,
        )
        for lease, outcome in zip(leases, outcomes, strict=True):
            if outcome.error is not None:
                _fail(connection, lease, outcome.error)

    parts.ledger.run_patiently(work, sleep=parts.sleep)
    parts.announce([Nudge(line.link.name, "send", "order")])
    for outcome in outcomes:
        if isinstance(outcome.error, Refused):
            raise outcome.error


def _fail(connection: Connection, lease: Lease, error: SynclineError) -> None:
    if isinstance(error, Absent):
        deliveries.park(
            connection, [lease], reason="HighLevel no longer has this order", field=None
        )
    elif isinstance(error, (Unreadable, Rejected)):
        deliveries.park(connection, [lease], reason=error.what, field=None)
    else:
        after = max(error.after, RETRY_AFTER) if isinstance(error, Again) else RETRY_AFTER
        deliveries.give_back(connection, [lease], after=after, why=error.what, failed=True)


def _release(parts: Parts, leases: list[Lease], after: timedelta) -> None:
    parts.ledger.run_patiently(
        lambda connection: deliveries.release(connection, leases, after=after, why=None),
        sleep=parts.sleep,
    )
