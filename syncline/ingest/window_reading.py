"""One window is read page by page, and closed with its certificate or narrowed to what is refused.

The certificate holds only if `totalCount` was the same on every page and the ids seen match it;
else the window is read again. Where no page tells it, all is recorded, and it stays in doubt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls.calls import ApiCalls, NoQuota, highlevel_calls
from syncline.calls.context import Line, Nudge
from syncline.engine.failures import backoff
from syncline.errors import SynclineError
from syncline.highlevel import paging
from syncline.highlevel.pages import UnreadableRow
from syncline.highlevel.records import RECORDS, Span, list_records
from syncline.ingest import missed, pull_windows, refused, unreadable
from syncline.ingest.record import Recorded, record
from syncline.ingest.unreadable import UnreadableRecord
from syncline.queues import Lane
from syncline.transport import Permit

PAGE = 100
"""Rows asked for a page; the largest that third parties are known to use."""

BATCH = 8
"""Pages that are read side by side and recorded in one transaction, once the total is known."""

MOST_REREADS = 3
"""How often a window that moves under the reading is begun again before that is said."""

DOUBTED_AGAIN = timedelta(hours=1)
"""When a window that moved each time is read once more, if no schedule does so sooner: at first."""

DOUBTED_AT_LAST = timedelta(days=1)
"""The same after many times in a row: what its list says of itself may be wrong for ever."""


@dataclass(frozen=True, slots=True)
class _PageRead:
    """What is needed of a page; its rows as they read would take as much memory again."""

    total_count: int | None
    headers: Mapping[str, str]
    ids: tuple[str, ...]
    created: tuple[datetime | None, ...]
    unreadable: Sequence[UnreadableRow]
    inside: Mapping[str, Mapping[str, Any]]


class WindowReading:
    """One reading of a window that is in this worker's hands.

    Args:
        line: the connection.
        kind: of the rows in the list.
        window: its days.
        lane: in whose name.
        opened: the window as the ledger has it.
        owner: the session that holds it.

    Attributes:
        new: records that were not known.
        changed: known ones with a new version.
        went_on: whether a page was read.
    """

    def __init__(
        self,
        line: Line,
        kind: str,
        window: paging.Window,
        lane: Lane,
        opened: pull_windows.OpenPull,
        owner: UUID,
    ) -> None:
        self._line = line
        self._kind = kind
        self._window = window
        self._lane = lane
        self._opened = opened
        self._owner = owner
        self.new = self.changed = 0
        self.went_on = False

    def read(self) -> str:
        """Read the window to its end; returns the state in which it is left."""
        api = highlevel_calls(self._line, self._lane)
        refusals = refused.RefusedPages(self._line, self._kind, self._lane, self._opened.failures)
        walk = paging.Certificate.resume(self._window, PAGE, self._opened.pages)
        rereads = self._opened.rereads
        while True:
            order = self._walk(api, refusals, walk)
            outcome = walk.outcome()
            if not (walk.done and isinstance(outcome, paging.Reread)):
                break
            if rereads >= MOST_REREADS:
                return self._doubted(outcome.reason)
            rereads += 1
            self._begin_again(outcome.reason)
            walk = paging.Certificate(self._window, PAGE)
        if isinstance(outcome, paging.Certified):
            return self._certified()
        if isinstance(outcome, paging.Uncounted):
            return self._doubted(
                f"{outcome.seen} rows were seen, and HighLevel does not tell how many there are"
            )
        if not walk.is_shown and self._window.margin and self._window.is_a_day:
            # Days around it may be what is refused: the day alone may be shown.
            alone = paging.Certificate(replace(self._window, margin=timedelta(0)), PAGE)
            self._walk(api, refusals, alone)
        return self._narrowed(walk, order)

    def _walk(
        self, api: ApiCalls, refusals: refused.RefusedPages, walk: paging.Certificate
    ) -> paging.CreationOrder:
        order, is_first = paging.CreationOrder(), walk.window == self._window
        while not (walk.done or refused.is_given_up(walk)):
            failed = self._batch(api, walk, order)
            if failed is not None:
                said = refusals.said(failed)
                if is_first and refused.is_as_before(self._line, self._kind, walk):
                    is_first = False
                    continue
                is_first = False
                if walk.limit == 1:
                    order.refused(walk.next_offset)
                    self._note_refused(walk, said)
                walk.refuse(said)
        return order

    def _batch(
        self, api: ApiCalls, walk: paging.Certificate, order: paging.CreationOrder
    ) -> SynclineError | None:
        """Read the next pages side by side, and keep those that follow each other.

        Returns:
            Why the next one behind them was not read, where it was asked for.
        """
        offsets = walk.ahead(BATCH)
        outcomes = api.read_many(
            [f"list {self._kind}s"] * len(offsets), [self._maker(walk, at) for at in offsets]
        )
        pages: list[paging.PullPage] = []
        inside: dict[str, Mapping[str, Any]] = {}
        bad: list[UnreadableRecord] = []
        place = walk.window.in_words(self._kind)
        failed: SynclineError | None = None
        for offset, outcome in zip(offsets, outcomes, strict=False):
            if walk.done or offset != walk.next_offset:
                break
            if outcome.error is not None:
                failed = outcome.error
                break
            page: _PageRead = outcome.result  # type: ignore[assignment]  # what _maker makes
            walk.add(offset, page.total_count, page.ids)
            order.shown(page.created)
            pages.append(paging.PullPage(offset, page.total_count, page.ids))
            bad += unreadable.rows_of(place, offset, page.unreadable, self._window.days)
            inside |= page.inside
        if pages:
            self._record(self._own(walk, pages), inside, bad)
        return failed

    def _own(
        self, walk: paging.Certificate, pages: Sequence[paging.PullPage]
    ) -> Sequence[paging.PullPage]:
        """Those of the window's own list: no page of another one may ever certify it."""
        return pages if walk.window == self._window else []

    def _note_refused(self, walk: paging.Certificate, said: str) -> None:
        """Keep that a row is refused: a reading that is resumed goes on behind it."""
        row = paging.PullPage(walk.next_offset, walk.total_count, (), said)
        self._line.worker.ledger.run(
            lambda connection: self._add(connection, self._own(walk, [row]))
        )

    def _maker(self, walk: paging.Certificate, offset: int) -> Callable[[Permit], _PageRead]:
        window = walk.window
        span = Span(walk.limit, offset, window.first, window.last)

        def read(permit: Permit) -> _PageRead:
            page = list_records(self._line.highlevel, permit, RECORDS[self._kind], span)
            inside = {
                row.id: row.payload for row in page.rows if window.holds(row.model.created_at)
            }
            created = tuple(row.model.created_at for row in page.rows)
            return _PageRead(
                page.total_count, page.headers, page.ids, created, page.unreadable, inside
            )

        return read

    def _record(
        self,
        pages: Sequence[paging.PullPage],
        inside: Mapping[str, Mapping[str, Any]],
        bad: Sequence[UnreadableRecord],
    ) -> None:
        line, kind, pull_id = self._line, self._kind, self._opened.id

        def write(connection: Connection) -> Recorded:
            cause = f"pull {pull_id}"
            done = record(connection, line.link, line.document, kind, "list", inside, cause)
            unreadable.park(connection, line.link, kind, bad, cause)
            self._add(connection, pages, done.new, done.changed, len(bad))
            missed.expect(connection, line.link.location, kind, done.unannounced)
            return done

        done = line.worker.ledger.run(write)
        self.new, self.changed, self.went_on = (
            self.new + done.new,
            self.changed + done.changed,
            True,
        )
        line.worker.announce(
            Nudge(line.link.name, "send", target) for target in sorted(done.targets)
        )

    def _add(
        self,
        connection: Connection,
        pages: Sequence[paging.PullPage],
        new: int = 0,
        changed: int = 0,
        unreadable: int = 0,
    ) -> None:
        ours = pull_windows.add_pages(
            connection,
            self._opened.id,
            self._owner,
            pages,
            new=new,
            changed=changed,
            unreadable=unreadable,
        )
        if not ours:
            raise NoQuota("This pull has gone on to another worker.")

    def _begin_again(self, why: str) -> None:
        self._line.worker.ledger.run(
            lambda connection: pull_windows.begin_again(
                connection, self._opened.id, self._owner, why
            )
        )

    def _certified(self) -> str:
        line, kind, days, pull_id = self._line, self._kind, self._window.days, self._opened.id
        state = "provisional" if self._window.provisional else "certified"

        def close(connection: Connection) -> None:
            shown = partial(pull_windows.shown, connection, pull_id)
            heal = partial(unreadable.heal_gone, connection, line.link, kind, days, shown)
            pull_windows.close(connection, pull_id, self._owner, state, None, heal)

        line.worker.ledger.run(close)
        return state

    def _doubted(self, why: str) -> str:
        line, kind, days, opened = self._line, self._kind, self._window.days, self._opened
        link_id, after = line.link.id, backoff(opened.doubts, DOUBTED_AGAIN, DOUBTED_AT_LAST)

        def close(connection: Connection) -> None:
            closed = pull_windows.close(connection, opened.id, self._owner, "uncertain", why)
            # Each schedule makes windows of other days around the same rows: one reader is enough.
            if closed and not pull_windows.are_covered(connection, link_id, kind, *days):
                pull_windows.request_windows(
                    connection, link_id, kind, [days], after=after, doubts=opened.doubts + 1
                )

        line.worker.ledger.run(close)
        return "uncertain"

    def _narrowed(self, walk: paging.Certificate, order: paging.CreationOrder) -> str:
        """Have the days of what is refused read by themselves; a single day stays open."""
        line, window, opened = self._line, self._window, self._opened
        days = refused.days_refused(walk, order)
        note = refused.told(self._kind, walk, order)

        def keep_open(connection: Connection) -> None:
            refused.keep_places(connection, opened.id, walk)
            pull_windows.leave_failed(
                connection,
                opened.id,
                self._owner,
                refused.rest(opened.failures),
                failures=opened.failures + 1,
                note=note,
                refused=True,
            )

        def close(connection: Connection) -> None:
            if pull_windows.close(connection, opened.id, self._owner, "incomplete", note):
                refused.keep_places(connection, opened.id, walk)
                pull_windows.request_windows(
                    connection, line.link.id, self._kind, days, failures=opened.failures
                )

        is_smallest = window.days in days
        line.worker.ledger.run(keep_open if is_smallest else close)
        return "refused" if is_smallest else "incomplete"
