"""What an array's outcome means for each of its elements, and how that is written.

Elements are matched by reference, never by position, and compared with what was wanted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from syncline.calls.calls import Outcome
from syncline.calls.context import Line
from syncline.deliveries import leased
from syncline.deliveries.causes import HALO_SAYS
from syncline.deliveries.delivery import Confirmation, Lease
from syncline.deliveries.target_rows import note_name_taken
from syncline.engine import suspects
from syncline.engine.failures import (
    BACKOFF,
    NOT_SENT_PAUSE,
    Refusal,
    RefusalPolicy,
)
from syncline.errors import (
    Absent,
    Again,
    BadCredentials,
    Doubtful,
    NotSent,
    Refused,
    Rejected,
    SynclineError,
    Unmappable,
    Unreadable,
)
from syncline.flows.flow import Difference
from syncline.halo.capabilities import Capabilities
from syncline.halo.matching import match, reference
from syncline.halo.models import HaloRow
from syncline.sending.completing import Shown
from syncline.sending.decide import Write
from syncline.sending.targets import Target
from syncline.sending.tenant import currencies, references, taken_names

ANSWERED_SETTLE = timedelta(seconds=1)
"""Least rest before a look-up when the other side has answered, so is done with the call."""

ALONE_AGAIN = (timedelta(seconds=2), timedelta(seconds=10), timedelta(minutes=1))
"""Rests before an element that was refused alone, without a field, is tried once more: Halo may
mean it, or not."""

LEFT_OUT_TWICE = 2
"""After so many failures an element goes alone: its company may be why it is left out."""

_GONE = re.compile(r"not exist|not found|no longer|deleted", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Array:
    """One POST: the elements that go together."""

    writes: tuple[Write, ...]


@dataclass(frozen=True, slots=True)
class SettleTimes:
    """How long a delivery waits before it is looked up.

    Attributes:
        answered: after an answer that did not show it: longer than rows take to be found.
        unknown: without an answer: also longer than the other side may still be working on it.
    """

    answered: timedelta
    unknown: timedelta


def settle_times(line: Line, target: Target, known: Capabilities) -> SettleTimes:
    """The settle times at a tenant, by the lag of the way in which its rows are found."""
    way = known.find_way(target.name)
    proof = None if way is None else known.find_proof(target.name, way)
    seen_after = timedelta(0) if proof is None else 2 * proof.lag
    answered = max(ANSWERED_SETTLE, seen_after)
    return SettleTimes(answered, max(line.link.settle(line.worker.settings.settle), answered))


@dataclass(slots=True)
class ArrayOutcome:
    """What one array's outcome means for each of its elements.

    Attributes:
        size: how many elements it had.
        came: how many of them came back, matched, whatever is believed of their ids.
        error: why there was no answer.
        refusal: what is done where Halo refused.
        counts: whether its failure counts against its elements.
        is_optional: whether Halo may refuse such rows.
        confirmed: rows that hold what was sent.
        missing: elements of which the answer does not show enough.
        unsettled: elements to which something is still being added, as far as is known.
        differing: rows that hold something else.
        reasons: what is said of some of these, by the number of the delivery.
        unfit: rows that Halo made and that cannot be used, and why.
        merged: updated orders that kept lines which they were not sent.
        respelled: rows that are written once more, their lines under other names.
        elements: all of them.
    """

    size: int
    error: SynclineError | None
    refusal: Refusal | None
    counts: bool
    is_optional: bool
    elements: list[Lease]
    came: int = 0
    confirmed: list[Confirmation] = field(default_factory=list)
    missing: list[Lease] = field(default_factory=list)
    unsettled: list[tuple[Lease, Doubtful]] = field(default_factory=list)
    differing: list[tuple[Confirmation, Difference]] = field(default_factory=list)
    reasons: dict[int, str] = field(default_factory=dict)
    unfit: list[tuple[Confirmation, Unmappable]] = field(default_factory=list)
    merged: list[Confirmation] = field(default_factory=list)
    respelled: list[Confirmation] = field(default_factory=list)


def rows_of(target: Target, array: Array, outcome: Outcome) -> dict[int, HaloRow]:
    """The rows that came back for an array's elements, by the number of the delivery."""
    if outcome.error is not None:
        return {}
    rows: Sequence[HaloRow] = outcome.result  # type: ignore[assignment]  # what the target saved
    matched = match([write.body for write in array.writes], rows, target.key)
    return {
        write.lease.id: row
        for write in array.writes
        if (row := matched.found.get(reference(write.body, target.key))) is not None
    }


def judge(
    line: Line,
    target: Target,
    known: Capabilities,
    array: Array,
    outcome: Outcome,
    shown: Shown,
    refusals: RefusalPolicy,
) -> ArrayOutcome:
    """Sort an array's elements by what Halo shows of each.

    Args:
        line: the connection.
        target: what was written.
        known: what is known of the tenant.
        array: what was sent.
        outcome: what became of the call.
        shown: the rows that came back or were read.
        refusals: what is done about refusals of this batch.
    """
    elements = [write.lease for write in array.writes]
    result = ArrayOutcome(
        size=len(array.writes),
        error=outcome.error,
        refusal=refusals.of(outcome.error) if isinstance(outcome.error, Refused) else None,
        counts=suspects.counts(line, elements, outcome.error, suspects.for_nothing(target.path)),
        is_optional=target.gives_up is not None,
        elements=elements,
    )
    for write in array.writes if outcome.error is None else ():
        row = shown.rows.get(write.lease.id)
        if row is not None and write.lease.id in shown.unfit:
            held = Confirmation(write.lease, str(row.id), write.lease.target_meta, None)
            result.unfit.append((held, shown.unfit[write.lease.id]))
        elif write.lease.id in shown.unsettled:
            result.unsettled.append((write.lease, shown.unsettled[write.lease.id]))
        elif row is None or not target.shows_enough(row.raw, known):
            result.missing.append(write.lease)
        else:
            whole = write.lease.id in shown.read
            _compare(line, target, known, write, row, result, whole=whole)
    return result


def _compare(
    line: Line,
    target: Target,
    known: Capabilities,
    write: Write,
    row: HaloRow,
    result: ArrayOutcome,
    *,
    whole: bool,
) -> None:
    held = target.confirmation(write.lease, row.raw, write.projection)
    different = [
        *target.compares(write.projection, row.raw, line.document, write.currency, whole=whole),
        *_rate(known, write, row.raw),
    ]
    if not different:
        result.confirmed.append(held)
    elif references.is_left(target.resource, held, different):
        result.confirmed.append(references.taking(held, different))
    elif known.lines_on_update is None and _keeps_lines(write, different):
        result.merged.append(held)
    else:
        result.differing.append((held, different[0]))
        is_first = target.vital and known.find_way(target.name) is None
        result.reasons |= references.reasons_of(target.resource, held, different, is_first=is_first)


def made(
    arrays: Sequence[Array], rows: Mapping[int, HaloRow]
) -> list[tuple[str, Mapping[str, Any]]]:
    """The rows that arrays have just created, each with its currency."""
    return [
        (write.currency, rows[write.lease.id].raw)
        for array in arrays
        for write in array.writes
        if write.lease.target_id is None and write.currency and write.lease.id in rows
    ]


def _rate(known: Capabilities, write: Write, row: Mapping[str, Any]) -> list[Difference]:
    """Where Halo converted a new row at another rate than its own table has."""
    if write.lease.target_id is not None or not write.currency:
        return []
    differ = currencies.differs(known, write.currency, row)
    return [] if differ is None else [Difference(currencies.FIELD, *differ)]


def _keeps_lines(write: Write, different: Sequence[Difference]) -> bool:
    """Whether an updated order holds more lines than it was sent: the tenant merges lines."""
    return write.lease.target_id is not None and any(
        found.field == "lines" and found.got.isdigit() and int(found.got) > int(found.wanted)
        for found in different
    )


def apply(connection: Connection, result: ArrayOutcome, times: SettleTimes) -> None:
    """Write an outcome into the ledger, in the caller's transaction."""
    leased.confirm(connection, result.confirmed, wrote=True)
    for held, (name, wanted, got) in result.differing:
        reason = result.reasons.get(held.lease.id, f"{name}: wanted {wanted}, Halo holds {got}")
        leased.park(connection, [held.lease], reason=reason, field=name, known=held)
    for held, error in result.unfit:
        leased.park(connection, [held.lease], reason=str(error), field=error.field, known=held)
    for lease, doubt in result.unsettled:
        leased.doubt(connection, [lease], settle=times.unknown, why=doubt.what)
    # Once it is known that lines stay, the next update takes the old ones to nothing.
    leased.learn_target(connection, [*result.merged, *result.respelled])
    for again in (True, False):
        leased.doubt(
            connection,
            [one for one in result.missing if (one.failures >= LEFT_OUT_TWICE) is again],
            settle=times.answered,
            why="Halo's answer did not contain it",
            array_limit=1 if again else None,
        )
    if result.error is not None and result.elements:
        _apply_error(connection, result, result.error, times)


def _apply_error(
    connection: Connection, result: ArrayOutcome, error: SynclineError, times: SettleTimes
) -> None:
    elements = result.elements
    if result.is_optional and isinstance(error, (Rejected, Absent, Refused)):
        # Once it is known to be refused, the next rendering lets it be.
        leased.give_back(connection, elements, after=BACKOFF, why=error.what)
    elif result.refusal is Refusal.PARK or (
        result.refusal is Refusal.ALONE and len(elements) == 1 and not _is_of_token(error, elements)
    ):
        leased.park(connection, elements, reason=str(error), field=None)
    elif result.refusal is not Refusal.ALONE and isinstance(error, (Again, Refused)):
        after = error.after if isinstance(error, Again) else BACKOFF
        if isinstance(error, NotSent):
            after = max(after, NOT_SENT_PAUSE)
        leased.give_back(connection, elements, after=after, why=error.what)
    elif isinstance(error, (Doubtful, Unreadable)):
        leased.doubt(
            connection,
            elements,
            settle=max(times.unknown, suspects.rest(elements, counts=result.counts)),
            why=error.what,
            array_limit=suspects.smaller(elements, error),
            failed=result.counts,
        )
    elif taken_names.is_taken(error, elements):
        note_name_taken(connection, elements[0].id)
        leased.doubt(connection, elements, settle=times.answered, why=error.what, failed=False)
    elif _says_gone(error, elements):
        leased.doubt(connection, elements, settle=times.answered, why=error.what)
    elif is_stale(error) or (isinstance(error, (Rejected, Absent, Refused)) and len(elements) > 1):
        leased.doubt(
            connection,
            elements,
            settle=timedelta(0) if is_stale(error) else times.answered,
            why=error.what,
            array_limit=max(1, len(elements) // 2),
            failed=is_stale(error),  # else it says nothing of any one of them
        )
    elif _may_be_chance(error) and elements[0].failures < len(ALONE_AGAIN):
        rest = max(times.answered, ALONE_AGAIN[elements[0].failures])
        leased.doubt(connection, elements, settle=rest, why=error.what, array_limit=1)
    else:
        text = f"{HALO_SAYS}{error.text}" if isinstance(error, Rejected) else error.what
        named = error.field if isinstance(error, Rejected) else None
        leased.park(connection, elements, reason=text, field=named)


def _says_gone(error: SynclineError, elements: Sequence[Lease]) -> bool:
    """Whether Halo says of an update that there is no such row.

    It is looked up once, since only a row that is known to be gone can be made again. If it is
    there after all, something else is missing, and the next refusal parks it.
    """
    if len(elements) > 1 or elements[0].target_id is None or elements[0].failures:
        return False
    return isinstance(error, Absent) or (
        isinstance(error, Rejected) and _GONE.search(error.text) is not None
    )


def _is_of_token(error: SynclineError, elements: Sequence[Lease]) -> bool:
    """Whether a token died just as one row was written, which says nothing of the row."""
    return isinstance(error, BadCredentials) and elements[0].failures < len(ALONE_AGAIN)


def _may_be_chance(error: SynclineError) -> bool:
    """Whether Halo refused one row without saying what is wrong with it."""
    return isinstance(error, (Absent, BadCredentials)) or (
        isinstance(error, Rejected) and error.field is None
    )


def is_stale(error: SynclineError) -> bool:
    """Whether Halo refused an update because the row has moved on since we read it."""
    return isinstance(error, Rejected) and "change_seq" in error.text
