"""Details: the facet that alone tells an order's lines and a subscription's schedule.

It is read for what changed, where the mapping needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from syncline.errors import Absent, Again, Refused, Rejected, SynclineError, Unreadable
from syncline.highlevel.client import HighLevelClient
from syncline.highlevel.orders import get_order
from syncline.highlevel.subscriptions import get_subscription
from syncline.ledger import deliveries, records
from syncline.ledger.leases import Confirmation, Lease
from syncline.quota.keys import Lane
from syncline.steps.gate import PARALLEL, Gate, NoQuota, Outcome, highlevel_gate
from syncline.steps.hold import in_hand
from syncline.steps.parts import Line, Nudge, Parts
from syncline.steps.record import record
from syncline.steps.stop import stop_connection
from syncline.transport import Permit


@dataclass(frozen=True, slots=True)
class _Detail:
    """One kind of detail: how it is read, and whose deliveries may wait for it."""

    kind: str
    operation: str
    reads: Callable[[HighLevelClient, Permit, str], dict[str, Any]]
    wakes: tuple[str, ...]


TARGETS = {
    "highlevel.order": _Detail("order", "get order", get_order, ("order", "invoice", "recurring")),
    "highlevel.subscription": _Detail(
        "subscription", "get subscription", get_subscription, ("recurring",)
    ),
}
"""The targets of deliveries that ask for a detail to be read."""

ROUNDS = 50
RETRY_AFTER = timedelta(seconds=2)


def read_details(parts: Parts, line: Line, target: str) -> float | None:
    """Read the details of one kind that are due.

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
                    target=target,
                    owner=owner,
                    most=PARALLEL,
                )
            )
            if not leases:
                return None
            try:
                _read(parts, line, gate, TARGETS[target], leases)
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


def _read(parts: Parts, line: Line, gate: Gate, detail: _Detail, leases: list[Lease]) -> None:
    pending = _still_wanted(parts, line, detail, leases)
    while pending:
        outcomes = gate.read_many(
            [detail.operation] * len(pending),
            [_maker(line, detail, lease.source_id) for lease in pending],
        )
        done, pending = pending[: len(outcomes)], pending[len(outcomes) :]
        _write(parts, line, detail, done, outcomes)


def _still_wanted(parts: Parts, line: Line, detail: _Detail, leases: list[Lease]) -> list[Lease]:
    """Without those of orders that were to be read only because they were not known, and came."""
    sought = [lease for lease in leases if lease.wanted_version == 0]
    if not sought:
        return leases

    def work(connection: Connection) -> set[int]:
        ids = [lease.source_id for lease in sought]
        known = records.versions(connection, line.link.location_place, detail.kind, ids)
        came = [lease for lease in sought if lease.source_id in known]
        settled = [Confirmation(lease, None, None, None) for lease in came]
        return deliveries.confirm(connection, settled, wrote=False)

    settled = parts.ledger.run(work)
    return [lease for lease in leases if lease.id not in settled]


def _maker(line: Line, detail: _Detail, record_id: str) -> Callable[[Permit], dict[str, Any]]:
    return lambda permit: detail.reads(line.highlevel, permit, record_id)


def _write(
    parts: Parts, line: Line, detail: _Detail, leases: list[Lease], outcomes: list[Outcome]
) -> None:
    read: dict[str, Any] = {
        lease.source_id: outcome.result
        for lease, outcome in zip(leases, outcomes, strict=True)
        if outcome.error is None
    }

    def work(connection: Connection) -> None:
        record(connection, line.link, line.document, detail.kind, "detail", read, "detail")
        deliveries.confirm(
            connection,
            [Confirmation(lease, None, None, None) for lease in leases if lease.source_id in read],
            wrote=False,
        )
        for lease, outcome in zip(leases, outcomes, strict=True):
            if outcome.error is not None:
                _fail(connection, detail, lease, outcome.error)

    parts.ledger.run_patiently(work, sleep=parts.sleep)
    parts.announce([Nudge(line.link.name, "send", name) for name in detail.wakes])
    for outcome in outcomes:
        if isinstance(outcome.error, Refused):
            raise outcome.error


def _fail(connection: Connection, detail: _Detail, lease: Lease, error: SynclineError) -> None:
    if isinstance(error, Absent):
        reason = f"HighLevel no longer has this {detail.kind}"
        deliveries.park(connection, [lease], reason=reason, field=None)
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
