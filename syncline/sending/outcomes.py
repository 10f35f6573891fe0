"""What an array's outcome means for each of its elements, and how that is written.

Elements are matched by reference, never by position, and compared with what was wanted.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from syncline.calls.calls import Outcome
from syncline.calls.context import Line
from syncline.deliveries import leased
from syncline.deliveries.delivery import Confirmation, Lease
from syncline.engine.failures import BACKOFF, NOT_SENT_PAUSE, Refusal
from syncline.errors import (
    Absent,
    Again,
    Doubtful,
    NotSent,
    Refused,
    Rejected,
    SynclineError,
    Unreadable,
)
from syncline.flows.flow import Difference
from syncline.halo.capabilities import Capabilities
from syncline.halo.matching import match, reference
from syncline.halo.models import HaloRow
from syncline.sending import currencies
from syncline.sending.decide import Write
from syncline.sending.targets import Target

ANSWERED_SETTLE = timedelta(seconds=1)
"""Least rest before a look-up when the other side has answered, so is done with the call."""

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

    `refusal` is what is done where Halo refused, `is_optional` whether it may refuse such rows.
    """

    size: int
    error: SynclineError | None
    refusal: Refusal | None
    is_optional: bool
    confirmed: list[Confirmation]
    missing: list[Lease]
    differing: list[tuple[Confirmation, str, str]]
    merged: list[Confirmation]
    elements: list[Lease]

    @property
    def whole(self) -> bool:
        """Whether every element came back, matched."""
        return self.error is None and not self.missing


def judge(
    line: Line, target: Target, known: Capabilities, array: Array, outcome: Outcome
) -> ArrayOutcome:
    """Sort an array's elements: confirmed, missing from the answer, or held otherwise than sent."""
    result = ArrayOutcome(
        size=len(array.writes),
        error=outcome.error,
        refusal=_refusal(line, target, outcome.error),
        is_optional=target.gives_up is not None,
        confirmed=[],
        missing=[],
        differing=[],
        merged=[],
        elements=[write.lease for write in array.writes],
    )
    if outcome.error is not None:
        return result
    rows: Sequence[HaloRow] = outcome.result  # type: ignore[assignment]  # what the target saved
    matched = match([write.body for write in array.writes], rows, target.key)
    for write in array.writes:
        found = matched.found.get(reference(write.body, target.key))
        if found is None or not target.is_whole(found.raw):
            result.missing.append(write.lease)
            continue
        different = [
            *target.compares(write.projection, found.raw, line.document, write.currency),
            *_rate(known, write, found.raw),
        ]
        if different:
            field, wanted, got = different[0]
            held = target.confirmation(write.lease, found.raw, write.projection)
            if known.lines_on_update is None and _keeps_lines(write, different):
                result.merged.append(held)
                continue
            result.differing.append((held, field, f"{field}: wanted {wanted}, Halo holds {got}"))
        else:
            result.confirmed.append(target.confirmation(write.lease, found.raw, write.projection))
    return result


def _refusal(line: Line, target: Target, error: SynclineError | None) -> Refusal | None:
    return target.on_refused(line.link, error) if isinstance(error, Refused) else None


def made(
    arrays: Sequence[Array], outcomes: Sequence[Outcome], target: Target
) -> list[tuple[str, Mapping[str, Any]]]:
    """The rows that arrays have just created, each with its currency."""
    found: list[tuple[str, Mapping[str, Any]]] = []
    for array, outcome in zip(arrays, outcomes, strict=True):
        if outcome.error is not None:
            continue
        rows: Sequence[HaloRow] = outcome.result  # type: ignore[assignment]  # what the target saved
        came = {reference(row.raw, target.key): row.raw for row in rows}
        for write in array.writes:
            row = came.get(reference(write.body, target.key))
            if write.lease.target_id is None and write.currency and row is not None:
                found.append((write.currency, row))
    return found


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
    for held, field, reason in result.differing:
        leased.park(connection, [held.lease], reason=reason, field=field, known=held)
    # Once it is known that lines stay, the next update takes the old ones to nothing.
    leased.learn_target(connection, result.merged)
    leased.doubt(
        connection,
        result.missing,
        settle=times.answered,
        why="Halo's answer did not contain it",
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
    elif result.refusal is Refusal.PARK:
        leased.park(connection, elements, reason=str(error), field=None)
    elif isinstance(error, (Again, Refused)):
        after = error.after if isinstance(error, Again) else BACKOFF
        if isinstance(error, NotSent):
            after = max(after, NOT_SENT_PAUSE)
        leased.give_back(connection, elements, after=after, why=error.what)
    elif isinstance(error, (Doubtful, Unreadable)):
        leased.doubt(connection, elements, settle=times.unknown, why=error.what)
    elif _says_gone(error, elements):
        leased.doubt(connection, elements, settle=times.answered, why=error.what)
    elif is_stale(error) or (isinstance(error, (Rejected, Absent)) and len(elements) > 1):
        leased.doubt(
            connection,
            elements,
            settle=timedelta(0) if is_stale(error) else times.answered,
            why=error.what,
            array_limit=max(1, len(elements) // 2),
        )
    else:
        text = error.text if isinstance(error, Rejected) else error.what
        field = error.field if isinstance(error, Rejected) else None
        leased.park(connection, elements, reason=text, field=field)


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


def is_stale(error: SynclineError) -> bool:
    """Whether Halo refused an update because the row has moved on since we read it."""
    return isinstance(error, Rejected) and "change_seq" in error.text
