"""HighLevel's side of a reconciliation: counted by HighLevel itself, and of a sample read again.

Where its count is not the ledger's, both ends of its list are looked at: by their rows it shows
which of them HighLevel counts for these days, whatever zone its days are in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import partial
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection

from syncline.calls.calls import ApiCalls, Outcome, highlevel_calls
from syncline.calls.context import PARALLEL, Line, WorkerContext
from syncline.engine.failures import is_of_the_record
from syncline.engine.refusals import shows_list
from syncline.errors import Absent, Again, Refused, Rejected, Unreadable
from syncline.flows import tracking
from syncline.highlevel import paging
from syncline.highlevel.fulfillments import list_fulfillments
from syncline.highlevel.records import RECORDS, Span, get_record, list_records
from syncline.ingest import coverage, rereading
from syncline.ingest.pull import request_windows
from syncline.ingest.record import PARTIALS
from syncline.ingest.window_reading import PAGE
from syncline.ledger import records
from syncline.mapping.document import Document
from syncline.money import quantize
from syncline.queues import Lane
from syncline.reconciliation.rules import ROW
from syncline.transport import Permit

MOST_PAGES = 10
"""Pages of one list that are looked at for its ends."""

FIRST_ROWS = 4
"""Rows of a list of which one at least says how many there are; the others may be refused."""

_NOT_SHOWN = (Absent, Again, Refused, Rejected, Unreadable)
"""How HighLevel may not show something for the sake of one row."""

_COMPARED = ("amount", "currency", "status", "fulfillment_status")
"""What two readings of a record are compared in: what its rows in Halo, or its parcels, rest on."""

_NEEDED = ("amount", "currency", "status")
"""What of this a record has always; where a reading does not tell it, that is no equal one."""


def grace(worker: WorkerContext) -> timedelta:
    """How old a change in HighLevel is before it should have been read: two turns of the pulls."""
    return 2 * worker.settings.pull_hot


@dataclass(slots=True)
class _Ends:
    """Both ends of a list: how many of its rows lie inside of what is compared, and their days.

    Attributes:
        inside: rows of the list that are the ledger's to have.
        first: creation of the oldest row inside.
        last: and of the newest.
    """

    inside: int
    first: datetime | None
    last: datetime | None


class Counting:
    """Counts of one location, one call a kind where they agree.

    Args:
        line: the connection.
        days: first and last day of creation, by UTC.
    """

    def __init__(self, line: Line, days: tuple[date, date]) -> None:
        self._worker = line.worker
        self._line = line
        self._api = highlevel_calls(line, Lane.BACKFILL)
        # The days are asked for with a margin, as every window is.
        self._first = max(days[0] - paging.MARGIN, line.link.start_from)
        self._last = days[1] + paging.MARGIN
        self._days = days
        self.calls = 0

    def count(self, kind: str) -> dict[str, Any]:
        """HighLevel's own count of a kind against the ledger's, and whether it is being read.

        Raises:
            SynclineError: a list cannot be read.
        """
        theirs = self._total(kind)  # where they do not tell it, nothing is equal to it
        # Asked before the ledger is: a reading that ends in between has added to what it counts.
        is_to_come = self._is_to_come(kind)
        ours = self._ledger(kind, None, None)
        if theirs != ours and theirs:
            ends = self._ends_shown(kind)
            if ends is not None:
                theirs = ends.inside
                is_to_come = is_to_come or self._is_to_come(kind)
                ours = self._ledger(kind, ends.first, ends.last) if theirs else 0
        told = {"kind": kind, "highlevel": theirs, "ledger": ours, "equal": theirs == ours}
        return {**told, "being_read": theirs != ours and is_to_come}

    def _total(self, kind: str) -> int | None:
        """How many there are, which any page says: also where the first rows are refused.

        None where none of them says it.
        """
        for offset in range(FIRST_ROWS):
            try:
                total: int | None = self._page(kind, 1, offset).total_count
            except _NOT_SHOWN as error:
                if not is_of_the_record(error) or offset == FIRST_ROWS - 1:
                    raise
            else:
                if total is not None:
                    return total
        return None

    def _ends_shown(self, kind: str) -> _Ends | None:
        """The list's ends; None where a row there is refused: its pulls tell which.

        What may heal by itself is asked once more.

        Raises:
            SynclineError: the list is not shown as a whole.
        """
        for _ in range(2):
            try:
                return self._ends(kind)
            except _NOT_SHOWN as error:
                if not is_of_the_record(error):
                    raise
                self._total(kind)  # other rows of the list are shown
                if not isinstance(error, Again):
                    break
        return None

    def _ends(self, kind: str) -> _Ends | None:
        """What the list's ends show; None where they do not: it does not descend by creation."""
        head = self._page(kind, PAGE, 0)
        total: int | None = head.total_count
        if total is None:
            return None
        newest = self._worker.now() - grace(self._worker)
        begins = datetime.combine(self._line.link.start_from, time(), UTC)
        young, last = self._outside(kind, head, 0, total, lambda at: at > newest)
        old, first = self._outside(kind, None, total, total, lambda at: at < begins)
        if young is None or old is None:
            return None
        return _Ends(total - young - old, first, last)

    def _outside(
        self, kind: str, page: Any, start: int, total: int, is_outside: Callable[[datetime], bool]
    ) -> tuple[int | None, datetime | None]:
        """Rows outside at one end of a list, and the creation of the first one inside."""
        outside, from_end = 0, start > 0
        for turn in range(MOST_PAGES):
            if from_end:
                start = max(0, total - (turn + 1) * PAGE)
                size = min(PAGE, total - turn * PAGE)
                page = self._page(kind, size, start)
            elif turn:
                page = self._page(kind, PAGE, turn * PAGE)
            made = [row.model.created_at for row in page.rows if row.model.created_at]
            if page.total_count != total or any(a < b for a, b in pairwise(made)):
                return None, None
            for at in reversed(made) if from_end else made:
                if not is_outside(at):
                    return outside, at
                outside += 1
            if outside >= total or not made:
                return outside, None
        return None, None

    def _page(self, kind: str, limit: int, offset: int) -> Any:
        span = Span(limit, offset, self._first, self._last)

        def make(permit: Permit) -> Any:
            return list_records(self._line.highlevel, permit, RECORDS[kind], span)

        self.calls += 1
        return self._api.read(f"list {kind}s", make)

    def _is_to_come(self, kind: str) -> bool:
        days = self._days
        return self._worker.ledger.run(
            lambda c: coverage.is_to_come(c, self._line.link, kind, *days)
        )

    def _ledger(self, kind: str, first: datetime | None, last: datetime | None) -> int:
        first = first or datetime.combine(self._first, time(), UTC)
        last = last or datetime.combine(self._last, time.max, UTC)
        place = self._line.link.location_place
        return self._worker.ledger.run(
            partial(records.created, place=place, kind=kind, first=first, last=last)
        )


Wanted = tuple[str, str, str]
"""A reading: kind, id, and whether of the record (`detail`) or of its parcels (`fulfillments`)."""


def readings_of(document: Document, sampled: Iterable[tuple[str, str]]) -> list[Wanted]:
    """What is read again of the records of a sample, given by kind and id."""
    parcels = document.fulfillments.into != "none" or tracking.reads_fulfillments(document)
    wanted: list[Wanted] = []
    for kind, record_id in sampled:
        wanted.append((kind, record_id, "detail"))
        if kind == "order" and parcels:
            wanted.append((kind, record_id, "fulfillments"))
    return wanted


@dataclass(slots=True)
class RecordsReadAgain:
    """What came of reading records once more.

    Attributes:
        done: how many were read.
        differing: what is not as it was read.
        young: how many changed only just now.
        untold: what HighLevel does not tell of them any more, also where it shows nothing of one;
            of each the kind, id and field.
    """

    done: int
    differing: list[dict[str, Any]] = field(default_factory=list)
    young: int = 0
    untold: list[dict[str, Any]] = field(default_factory=list)


def read_some(line: Line, wanted: Sequence[Wanted]) -> RecordsReadAgain:
    """Read the next of them in HighLevel, and set them against the ledger.

    What is not as the ledger has it is requested to be read again by those who record it.

    Raises:
        NoQuota: there is none for longer than a task may sleep.
        SynclineError: one cannot be read, and not for its own sake.
    """
    api: ApiCalls = highlevel_calls(line, Lane.BACKFILL)
    some = list(wanted[:PARALLEL])
    outcomes = api.read_many(
        [f"read {kind} again" for kind, _, _ in some], [_maker(line, one) for one in some]
    )
    done = list(zip(some, outcomes, strict=False))
    for (kind, _, _), outcome in done:
        _raise_of_others(line, kind, outcome)
    newest = line.worker.now() - grace(line.worker)

    def work(connection: Connection) -> RecordsReadAgain:
        place, came = line.link.location_place, RecordsReadAgain(len(done))
        held = records.canonical(connection, [(place, kind, one) for (kind, one, _), _ in done])
        for one, outcome in done:
            version = held.get((place, one[0], one[1]))
            if version is None or "erased" in version[1]:
                continue
            told, changed_at = _differences(one, outcome, version[1])
            came.untold += _untold(one, outcome, version[1])
            if told and changed_at is not None and changed_at > newest:
                came.young += 1
            else:
                came.differing += told
            if told:
                _read_again(connection, line, one, version[1])
        return came

    return line.worker.ledger.run(work)


def _maker(line: Line, wanted: Wanted) -> Callable[[Permit], dict[str, Any]]:
    kind, record_id, facet = wanted
    if facet == "detail":
        return lambda permit: get_record(line.highlevel, permit, RECORDS[kind], record_id)

    def listed(permit: Permit) -> dict[str, Any]:
        rows = list_fulfillments(line.highlevel, permit, record_id)
        return {"_id": record_id, "data": [row.payload for row in rows]}

    return listed


def _raise_of_others(line: Line, kind: str, outcome: Outcome) -> None:
    """Raise what failed not for the sake of the record alone.

    What HighLevel says in place of one record concerns that one; a refusal or a failure does where
    it shows other records.
    """
    error = outcome.error
    if error is None or isinstance(error, (Absent, Rejected, Unreadable)):
        return
    of_one = isinstance(error, (Again, Refused)) and is_of_the_record(error)
    if not of_one or not shows_list(line, Lane.BACKFILL, kind):
        raise error


def _differences(
    wanted: Wanted, outcome: Outcome, held: Mapping[str, Any]
) -> tuple[list[dict[str, Any]], datetime | None]:
    """Where a record is not as the ledger has it, and when it was changed last."""
    kind, record_id, facet = wanted
    if isinstance(outcome.error, Absent):
        gone = _told(kind, record_id, ROW, None, held.get("amount"))
        return ([gone] if facet == "detail" else []), None
    if outcome.error is not None:
        return [], None  # it is not compared, which is told
    payload: Any = outcome.result
    now = PARTIALS[kind, facet](payload)
    if facet == "fulfillments":
        ours, theirs = _parcels(now), _parcels(held)
        return ([_told(kind, record_id, facet, ours, theirs)] if ours != theirs else []), None
    changed_at, known = _moment(now), _moment(held)
    if changed_at is not None and known is not None and known > changed_at:
        return [], None  # an event has told more meanwhile
    both = {name: (now[name], held[name]) for name in _COMPARED if name in now and name in held}
    if kind == "transaction":  # none is told before anything was given back
        both["amount_refunded"] = _refunded(now, held), _refunded(held, held)
    told = [
        _told(kind, record_id, name, ours, theirs)
        for name, (ours, theirs) in both.items()
        if ours != theirs
    ]
    return told, changed_at


def _untold(wanted: Wanted, outcome: Outcome, held: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the ledger has of a record and HighLevel, read once more, does not tell."""
    kind, record_id, facet = wanted
    if isinstance(outcome.error, Absent):
        return []
    payload: Any = outcome.result
    is_shown = outcome.error is None
    now = PARTIALS[kind, facet](payload) if is_shown else {}
    needed = [name for name in _NEEDED if name in held]
    if facet != "detail":
        needed = [] if is_shown else [facet]
    return [{"kind": kind, "id": record_id, "field": name} for name in needed if name not in now]


def _refunded(canonical: Mapping[str, Any], held: Mapping[str, Any]) -> Decimal:
    amount = Decimal(canonical.get("amount_refunded") or 0)
    return quantize(amount, str(held.get("currency") or ""))


def _moment(canonical: Mapping[str, Any]) -> datetime | None:
    text = canonical.get("updated_at")
    return None if text is None else datetime.fromisoformat(str(text))


def _told(kind: str, record_id: str, field: str, ours: Any, theirs: Any) -> dict[str, Any]:
    ours, theirs = (None if one in (None, "") else str(one) for one in (ours, theirs))
    return {"kind": kind, "id": record_id, "field": field, "ours": ours, "theirs": theirs}


def _parcels(canonical: Mapping[str, Any]) -> str:
    """An order's fulfillments by their ids, as text."""
    return ", ".join(sorted(str(one.get("id")) for one in canonical.get("fulfillments") or ()))


def _read_again(
    connection: Connection, line: Line, wanted: Wanted, held: Mapping[str, Any]
) -> None:
    kind, record_id, facet = wanted
    if kind == "order":
        rereading.reread(connection, line.link, [record_id], [facet], "reconciliation")
    elif created := held.get("created_at"):
        day = datetime.fromisoformat(str(created)).astimezone(UTC).date()
        windows = paging.windows(day, day, today=line.worker.now().date())
        request_windows(connection, line.link.id, kind, windows)
