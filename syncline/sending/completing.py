"""Completed: what an answer leaves out of a row is read once by its id, and not sent once more.

The first rows of a kind are read so too, whatever their answer shows: an answer may repeat what was
sent, and not what is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from syncline.calls.calls import ApiCalls, NoQuota
from syncline.calls.context import Line
from syncline.errors import (
    Absent,
    MissingScope,
    Rejected,
    SynclineError,
    Unmappable,
    Unreadable,
)
from syncline.halo.capabilities import Capabilities
from syncline.halo.models import HaloRow
from syncline.transport import Permit

if TYPE_CHECKING:  # a target says how its rows are completed
    from syncline.sending.decide import Write
    from syncline.sending.targets import Target

Row = HaloRow | SynclineError
"""A row that was read, or why it could not be."""

NOT_SHOWN = (Absent, MissingScope, Rejected, Unreadable)
"""How a tenant says that it does not show a row in the way that was tried."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a tenant shows of rows that were written, by the number of the delivery.

    Attributes:
        rows: as they came back, or were read.
        proved: those of which more need not be looked at: they were read whole, or cannot be.
        unfit: rows that were made and cannot be used, and why.
    """

    rows: Mapping[int, HaloRow] = field(default_factory=dict)
    proved: frozenset[int] = frozenset()
    unfit: Mapping[int, Unmappable] = field(default_factory=dict)


def complete(
    line: Line,
    target: Target,
    api: ApiCalls,
    known: Capabilities,
    writes: Iterable[Write],
    came: Mapping[int, HaloRow],
    *,
    reads_back: bool,
) -> Shown:
    """What is known of rows after their answer.

    Args:
        line: the connection.
        target: what was written.
        api: the way out.
        known: what is known of the tenant.
        writes: what was sent.
        came: the rows that came back.
        reads_back: read all of them, whatever the answer shows.
    """
    wanted = {
        write.lease.id: came[write.lease.id]
        for write in writes
        if write.lease.id in came
        and (reads_back or not target.shows_enough(came[write.lease.id].raw, known))
    }
    if not wanted:
        return Shown(came)
    read = target.completes(line, api, target, wanted)
    rows = {key: row for key, row in read.items() if isinstance(row, HaloRow)}
    return Shown(
        rows={**came, **rows},
        proved=frozenset(
            key for key, row in read.items() if isinstance(row, (HaloRow, *NOT_SHOWN))
        ),
        unfit={key: row for key, row in read.items() if isinstance(row, Unmappable)},
    )


def by_id(line: Line, api: ApiCalls, target: Target, rows: Mapping[int, HaloRow]) -> dict[int, Row]:
    """Rows read by their ids, side by side, as far as there is quota; the others are left out."""
    left, found = list(rows), dict[int, Row]()
    while left:
        makes = [_reader(line, target, rows[key].id) for key in left]
        try:
            outcomes = api.read_many([f"GET {target.path}/id"] * len(makes), makes)
        except SynclineError:
            break  # they stay in doubt, and are looked up in their turn
        for key, outcome in zip(left, outcomes, strict=False):
            row: HaloRow = outcome.result  # type: ignore[assignment]  # what the target reads
            found[key] = row if outcome.error is None else outcome.error
        left = left[len(outcomes) :]
    return found


def _reader(line: Line, target: Target, row_id: int) -> Callable[[Permit], HaloRow]:
    return lambda permit: target.reads(line.halo, permit, row_id)


def read_lines(
    line: Line, target: Target, api: ApiCalls, writes: Sequence[Write]
) -> dict[int, Row]:
    """The rows that are to be updated and of whose lines nothing is known, read by id.

    Raises:
        SynclineError: one could not be read for a passing reason.
    """
    blind = {
        write.lease.id: HaloRow.of({"id": write.lease.target_id})
        for write in writes
        if write.lease.target_id is not None
        and "lines" in write.body
        and "lines" not in (write.lease.target_meta or {})
    }
    read = by_id(line, api, target, blind)
    if len(read) < len(blind):
        raise NoQuota(f"The quota is used up before all {target.name}s were read.")
    for one in read.values():
        if isinstance(one, SynclineError) and not isinstance(one, NOT_SHOWN):
            raise one
    return read
