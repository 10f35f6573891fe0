"""What becomes of readings of Halo: done with, parked, waiting, or to be read once more."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from syncline.calls.calls import Outcome
from syncline.calls.context import Line, Nudge
from syncline.deliveries import leased, waits
from syncline.deliveries.delivery import Confirmation, Lease
from syncline.deliveries.target_rows import ACCEPTED, AS_READ, accepted_in
from syncline.engine.failures import (
    BACKOFF,
    PARK_AFTER,
    Refusal,
    RefusalPolicy,
    backoff,
    is_of_the_record,
)
from syncline.errors import (
    Absent,
    Again,
    BadDocument,
    MissingScope,
    Refused,
    Rejected,
    SynclineError,
    Unmappable,
    Unreadable,
)
from syncline.halo.entities.resources import CONSIGNMENT, INVOICE, ORDER, PAYMENT, AnyResource
from syncline.halo.models import ConsignmentRow, HaloOrderRow
from syncline.halo.sql.changes import Noun
from syncline.halo_changes.consignments import consignment_gone, order_of, record_consignments
from syncline.halo_changes.lost_rows import find_stray, part_with
from syncline.halo_changes.row_changes import (
    judge_absent,
    judge_invoice,
    judge_order,
    judge_payment,
)
from syncline.halo_changes.unit_of_work import ReadAgain, UnitOfWork, Waits

Fate = SynclineError | ReadAgain | Waits | None
"""What becomes of a reading: None is done, Again is retried, ReadAgain too but not for ever, Waits
waits, the rest is parked."""


@dataclass(frozen=True, slots=True)
class HaloReading:
    """One kind of reading: the noun, the resource that is read, and what a row of it means.

    `judges` is None for consignments, which are recorded together with their orders.
    """

    noun: Noun
    resource: AnyResource
    judges: Callable[[UnitOfWork, Lease, Any], Fate] | None
    capability: str


TARGETS: dict[str, HaloReading] = {
    f"halo.{one.noun}": one
    for one in (
        HaloReading("salesorder", ORDER, judge_order, "order"),
        HaloReading("consignment", CONSIGNMENT, None, ""),
        HaloReading("invoice", INVOICE, judge_invoice, "invoice"),
        HaloReading("payment", PAYMENT, judge_payment, "payment"),
    )
}
"""The targets of deliveries that ask for a row of Halo to be read."""


def write(
    line: Line,
    reading: HaloReading,
    began: datetime,
    came: list[tuple[Lease, Outcome]],
    sold: dict[int, HaloOrderRow | SynclineError],
) -> None:
    """Do what the rows mean and close their readings, in one transaction."""
    refusals = RefusalPolicy(line)
    failures = [*(one.error for _, one in came), *sold.values()]
    refused = [
        (error, refusals.of(error))
        for error in failures
        if isinstance(error, Refused) and not isinstance(error, MissingScope)
    ]
    alone = {id(error) for error, refusal in refused if refusal is Refusal.ALONE}

    def work(connection: Connection) -> list[Nudge]:
        unit = UnitOfWork(connection, line, began)
        fates = [(lease, _fate(unit, reading, lease, outcome, sold)) for lease, outcome in came]
        leased.confirm(
            connection, [_done(lease) for lease, fate in fates if fate is None], wrote=False
        )
        edges = {lease.id: [fate.edge] for lease, fate in fates if isinstance(fate, Waits)}
        leases = [lease for lease, _ in came]
        waits.wait(connection, line.link.tenant, leases[0].owner, edges, leases)
        for lease, fate in fates:
            if isinstance(fate, ReadAgain):
                _read_again(connection, lease, fate.why)
            if not isinstance(fate, SynclineError):
                continue
            if id(fate) in alone:
                _ask(connection, lease, fate)
            elif fate in failures and _fails_alone(fate, lease):
                _ask(connection, lease, _in_vain(fate))
            else:
                fail(connection, lease, fate, failed=fate in failures)
        return list(unit.nudges)

    line.worker.announce(line.worker.ledger.run_patiently(work, sleep=line.worker.sleep))
    for error, refusal in refused:
        if refusal is not Refusal.ALONE:
            raise error


def _fate(
    unit: UnitOfWork,
    reading: HaloReading,
    lease: Lease,
    outcome: Outcome,
    sold: dict[int, HaloOrderRow | SynclineError],
) -> Fate:
    """What becomes of one reading; an answer that says nothing clear may be clear the next time."""
    try:
        fate = _judged(unit, reading, lease, outcome, sold)
    except Unreadable as error:
        return ReadAgain(error)
    return ReadAgain(fate) if isinstance(fate, Unreadable) else fate


def _judged(
    unit: UnitOfWork,
    reading: HaloReading,
    lease: Lease,
    outcome: Outcome,
    sold: dict[int, HaloOrderRow | SynclineError],
) -> Fate:
    try:
        if isinstance(outcome.error, Absent):
            gone = judge_absent if reading.judges is not None else consignment_gone
            return gone(unit, lease)
        if outcome.error is not None:
            return outcome.error
        if reading.judges is not None:
            stray = find_stray(unit, reading.noun, outcome.result)  # type: ignore[arg-type]  # a row
            if stray is not None:
                return part_with(unit, lease, stray)
            return reading.judges(unit, lease, outcome.result)
        row: ConsignmentRow = outcome.result  # type: ignore[assignment]  # what the reading gave
        return record_consignments(unit, lease, row, sold.get(order_of(row) or 0))
    except BadDocument as error:
        return Unmappable(
            f"The mapping of its connection cannot be read: {error.what}",
            field="mapping",
            remedy="Correct the mapping, then retry.",
        )


def _read_again(connection: Connection, lease: Lease, why: Unmappable | Unreadable) -> None:
    """Halo may show it in a moment; where it does not, a person is asked."""
    if lease.failures < PARK_AFTER:
        after = backoff(lease.failures)
        leased.give_back(connection, [lease], after=after, why=why.what, failed=True)
    else:
        _ask(connection, lease, why)


def _fails_alone(error: SynclineError, lease: Lease) -> bool:
    """Whether one row, or its order, keeps failing while others are answered, whoever answers."""
    fails = isinstance(error, Again) and is_of_the_record(error)
    return fails and lease.failures >= PARK_AFTER


def _in_vain(error: SynclineError) -> Unreadable:
    return Unreadable(
        f"It was read in vain, {PARK_AFTER} times in a row: {error.what}",
        remedy="Compare the row in Halo, and what stands between syncline and it, then retry.",
    )


def _done(lease: Lease) -> Confirmation:
    """It was read: what a person accepted of what it said before is over."""
    kept = lease.target_meta or {}
    meta = {key: value for key, value in kept.items() if key != ACCEPTED}
    return Confirmation(lease, None, meta if ACCEPTED in kept else None, None)


def _ask(connection: Connection, lease: Lease, why: SynclineError) -> None:
    """Park it, so that a person is asked, unless one has accepted just this before."""
    if accepted_in(lease.target_meta).get(AS_READ, [""])[0] == str(why):
        leased.confirm(connection, [Confirmation(lease, None, None, None)], wrote=False)
        return
    field = why.field if isinstance(why, (Unmappable, Rejected)) else None
    leased.park(connection, [lease], reason=str(why), field=field)


def fail(connection: Connection, lease: Lease, fate: SynclineError, *, failed: bool) -> None:
    """Park it or have it retried; a row whose call `failed` comes ever more seldom."""
    if isinstance(fate, (Absent, MissingScope, Rejected, Unmappable)):
        _ask(connection, lease, fate)
    else:
        after = max(fate.after, BACKOFF) if isinstance(fate, Again) else BACKOFF
        failed = failed and is_of_the_record(fate)
        after = max(after, backoff(lease.failures)) if failed else after
        leased.give_back(connection, [lease], after=after, why=fate.what, failed=failed)
