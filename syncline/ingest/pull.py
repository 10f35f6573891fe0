"""Noticed: read the rows of a window page by page, and close it with a certificate.

A pull that is killed goes on where its pages end. The certificate holds only if `totalCount` was
the same on every page and the ids seen match it; else the window is read again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls.calls import ApiCalls, NoQuota, highlevel_calls
from syncline.calls.context import Line, Nudge, in_hand
from syncline.engine.connection_rules import stop_if_all_is_refused
from syncline.engine.failures import BACKOFF, TROUBLED
from syncline.errors import Again, Refused, SynclineError
from syncline.highlevel import paging
from syncline.highlevel.pages import UnreadableRow
from syncline.highlevel.records import RECORDS, Span, list_records
from syncline.ingest import missed, pull_windows, unreadable
from syncline.ingest.record import Recorded, record
from syncline.ingest.unreadable import UnreadableRecord
from syncline.queues import Lane
from syncline.transport import Permit

PAGE = 100
"""Rows asked for a page; the largest that third parties are known to use."""

HOT = timedelta(days=1)
WARM = timedelta(days=7)
COLD = timedelta(days=90)
"""Trailing windows that are read again, each on a cadence of its own."""

BATCH = 8
"""Pages that are read side by side and recorded in one transaction, once the total is known."""

MOST_REREADS = 3
"""How often a window that moves under the reading is begun again before that is said."""

KINDS = tuple(RECORDS)
"""What can be pulled."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a pull came to; `again_after` is set when quota ran out before its end."""

    new: int
    changed: int
    states: tuple[str, ...]
    again_after: float | None


@dataclass(frozen=True, slots=True)
class _PageRead:
    """What is needed of a page; its rows as they read would take as much memory again."""

    total_count: int
    headers: Mapping[str, str]
    ids: tuple[str, ...]
    unreadable: Sequence[UnreadableRow]
    inside: Mapping[str, Mapping[str, Any]]


def pull(line: Line, kind: str, since: date, until: date, lane: Lane) -> Finished:
    """Read every window from `since` to `until`, both included.

    Raises:
        SynclineError: a page could not be read; the pull stays open and is resumed by the sweep.
    """
    new = changed = 0
    states: list[str] = []
    windows = paging.windows(since, until, today=line.worker.now().date())
    line.worker.ledger.run(
        lambda connection: request_windows(connection, line.link.id, kind, windows)
    )
    for window in windows:
        try:
            state, recorded = _read(line, kind, window, lane)
        except NoQuota as error:
            return Finished(new, changed, tuple(states), error.after.total_seconds())
        except Refused as error:
            stop_if_all_is_refused(line, error)
            raise
        states.append(state)
        new, changed = new + recorded[0], changed + recorded[1]
    return Finished(new, changed, tuple(states), None)


def request_windows(
    connection: Connection, connection_id: int, kind: str, windows: Sequence[paging.Window]
) -> None:
    """Note the windows that must be read, in the caller's transaction."""
    days = [(window.since, window.until) for window in windows]
    pull_windows.request_windows(connection, connection_id, kind, days)


def _read(line: Line, kind: str, window: paging.Window, lane: Lane) -> tuple[str, tuple[int, int]]:
    with in_hand(line.worker):
        owner = line.worker.session()
        opened = line.worker.ledger.run(
            lambda connection: pull_windows.open_window(
                connection, line.link.id, kind, window.since, window.until, owner
            )
        )
    if opened is None:
        return "read by another worker", (0, 0)
    try:
        return _pages(line, kind, window, lane, opened, owner)
    except BaseException as error:
        after = _rest(error)
        with in_hand(line.worker):
            line.worker.ledger.run_patiently(
                lambda connection: pull_windows.leave(connection, opened.id, owner, after),
                sleep=line.worker.sleep,
            )
        raise


def _rest(error: BaseException) -> timedelta:
    """How long the sweep leaves a window alone that could not be read."""
    if isinstance(error, NoQuota):
        return error.after
    return max(error.after, BACKOFF) if isinstance(error, Again) else TROUBLED


def _pages(
    line: Line,
    kind: str,
    window: paging.Window,
    lane: Lane,
    opened: pull_windows.OpenPull,
    owner: UUID,
) -> tuple[str, tuple[int, int]]:
    api = highlevel_calls(line, lane)
    walk = paging.Certificate.resume(
        window, PAGE, [(page.offset, page.total, page.ids) for page in opened.pages]
    )
    new = changed = 0
    rereads = opened.rereads
    while True:
        while not walk.done:
            recorded = _batch(line, kind, window, api, (opened.id, owner), walk)
            new, changed = new + recorded.new, changed + recorded.changed
        outcome = walk.outcome()
        if isinstance(outcome, paging.Certified) or rereads >= MOST_REREADS:
            break
        rereads += 1
        why = outcome.reason
        line.worker.ledger.run(
            lambda connection: pull_windows.begin_again(connection, opened.id, owner, why)  # noqa: B023 - run at once
        )
        walk = paging.Certificate(window, PAGE)
    state, note = _certificate(window, outcome)

    def end(connection: Connection) -> None:
        if isinstance(outcome, paging.Certified):
            shown = partial(pull_windows.shown, connection, opened.id)
            unreadable.heal_gone(connection, line.link, kind, window.days, shown)
        pull_windows.close(connection, opened.id, owner, state, note)

    line.worker.ledger.run(end)
    return state, (new, changed)


def _certificate(
    window: paging.Window, outcome: paging.Certified | paging.Reread
) -> tuple[str, str | None]:
    if isinstance(outcome, paging.Reread):
        return "uncertain", outcome.reason
    return ("provisional" if window.provisional else "certified"), None


def _batch(
    line: Line,
    kind: str,
    window: paging.Window,
    api: ApiCalls,
    mine: tuple[int, UUID],
    walk: paging.Certificate,
) -> Recorded:
    """Read the next pages side by side; those that follow each other are kept, up to an error."""
    offsets = walk.ahead(BATCH)
    outcomes = api.read_many(
        [f"list {kind}s"] * len(offsets), [_maker(line, kind, window, at) for at in offsets]
    )
    pages: list[pull_windows.PullPage] = []
    inside: dict[str, Mapping[str, Any]] = {}
    bad: list[UnreadableRecord] = []
    place = f"the {kind}s created from {window.first} to {window.last}"
    failure: SynclineError | None = None
    for offset, outcome in zip(offsets, outcomes, strict=False):
        if outcome.error is not None:
            failure = outcome.error
            break
        if walk.done or offset != walk.next_offset:
            break
        page: _PageRead = outcome.result  # type: ignore[assignment]  # what _maker makes
        walk.add(offset, page.total_count, page.ids)
        pages.append(pull_windows.PullPage(offset, page.total_count, page.ids))
        bad += unreadable.rows_of(place, offset, page.unreadable, window.days)
        inside |= page.inside
    done = _recorded(line, kind, mine, pages, inside, bad)
    if failure is not None:
        raise failure
    return done


def _maker(
    line: Line, kind: str, window: paging.Window, offset: int
) -> Callable[[Permit], _PageRead]:
    span = Span(PAGE, offset, window.first, window.last)

    def read(permit: Permit) -> _PageRead:
        page = list_records(line.highlevel, permit, RECORDS[kind], span)
        inside = {row.id: row.payload for row in page.rows if window.holds(row.model.created_at)}
        return _PageRead(page.total_count, page.headers, page.ids, page.unreadable, inside)

    return read


def _recorded(
    line: Line,
    kind: str,
    mine: tuple[int, UUID],
    pages: Sequence[pull_windows.PullPage],
    inside: Mapping[str, Mapping[str, Any]],
    bad: Sequence[UnreadableRecord],
) -> Recorded:
    if not pages:
        return Recorded(0, 0, 0, frozenset())
    pull_id, owner = mine

    def write(connection: Connection) -> Recorded:
        cause = f"pull {pull_id}"
        done = record(connection, line.link, line.document, kind, "list", inside, cause)
        unreadable.park(connection, line.link, kind, bad, cause)
        ours = pull_windows.add_pages(
            connection,
            pull_id,
            owner,
            pages,
            new=done.new,
            changed=done.changed,
            unreadable=len(bad),
        )
        if not ours:
            raise NoQuota("This pull has gone on to another worker.")
        missed.expect(connection, line.link.location, kind, done.unannounced)
        return done

    done = line.worker.ledger.run(write)
    line.worker.announce(Nudge(line.link.name, "send", target) for target in sorted(done.targets))
    return done
