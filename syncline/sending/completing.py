"""Completed: what an answer leaves out of a row is read once by its id, and not sent once more.

The first rows of a kind are read so too, whatever their answer shows: an answer may repeat what was
sent, and not what is kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from syncline.calls.calls import ApiCalls, NoQuota
from syncline.calls.context import Line
from syncline.engine.failures import is_of_the_record
from syncline.errors import Absent, Again, Doubtful, SynclineError, Unmappable, Unreadable
from syncline.halo.capabilities import Capabilities
from syncline.halo.models import HaloRow
from syncline.sending.decide import Write, is_read_first
from syncline.sending.targets import Target
from syncline.sending.tenant.by_id import NOT_SHOWN, Row, by_id

LATE_TRIES, LATE_PAUSE = 3, timedelta(seconds=1)
"""A row that was made this moment may show only after a while; and one answer that is no row proves
nothing of a kind."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What a tenant shows of rows that were written, by the number of the delivery.

    Attributes:
        rows: as they came back, or were read.
        proved: those of which more need not be looked at: they were read whole, or cannot be.
        read: those that were read by their ids.
        unfit: rows that were made and cannot be used, and why.
        unsettled: rows whose completion was begun and may still be under way, and why.
    """

    rows: Mapping[int, HaloRow] = field(default_factory=dict)
    proved: frozenset[int] = frozenset()
    read: frozenset[int] = frozenset()
    unfit: Mapping[int, Unmappable] = field(default_factory=dict)
    unsettled: Mapping[int, Doubtful] = field(default_factory=dict)


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
    read = target.completes(line, api, target.resource, wanted)
    for _ in range(LATE_TRIES if reads_back else 0):
        late = {
            key: wanted[key] for key, row in read.items() if isinstance(row, (Absent, Unreadable))
        }
        if not late:
            break
        line.worker.sleep(LATE_PAUSE.total_seconds())
        read |= target.completes(line, api, target.resource, late)
    rows = {key: row for key, row in read.items() if isinstance(row, HaloRow)}
    return Shown(
        rows={**came, **rows},
        proved=frozenset(
            key for key, row in read.items() if isinstance(row, (HaloRow, *NOT_SHOWN))
        ),
        read=frozenset(rows) if target.completes is by_id else frozenset(),
        unfit={key: row for key, row in read.items() if isinstance(row, Unmappable)},
        unsettled={key: row for key, row in read.items() if isinstance(row, Doubtful)},
    )


def read_first(
    line: Line, target: Target, api: ApiCalls, writes: Sequence[Write]
) -> dict[int, Row]:
    """The rows that are to be updated and of which something must be known that is not, by id.

    One that could not be read for a reason of its own comes with that.

    Raises:
        SynclineError: they could not be read for a passing reason.
    """
    wanted = {
        write.lease.id: HaloRow.of({"id": write.lease.target_id})
        for write in writes
        if is_read_first(write)
    }
    read = by_id(line, api, target.resource, wanted)
    if len(read) < len(wanted):
        raise NoQuota(f"Not all {target.name}s could be read that are to be updated.")
    for one in read.values():
        if isinstance(one, SynclineError) and not (
            isinstance(one, NOT_SHOWN) or is_of_the_record(one)
        ):
            raise one
    return read


def completed(line: Line, api: ApiCalls, target: Target, row: dict[str, Any]) -> dict[str, Any]:
    """A row that was read by its id, with what the tenant keeps elsewhere.

    Raises:
        Unmappable: it has not what it must have, and gets it not.
        Doubtful: it is not known whether it got that.
        Again: that could not be asked for.
    """
    if target.is_whole(row) or target.completes is by_id:
        return row
    told = target.completes(line, api, target.resource, {0: HaloRow.of(row)}).get(0)
    if isinstance(told, (Doubtful, Unmappable, Again)):
        raise told
    return told.raw if isinstance(told, HaloRow) else row
