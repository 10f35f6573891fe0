"""Noticed: the windows of some days are read one by one, each by the worker that has opened it.

A pull that is killed goes on where its pages end. What HighLevel refuses to show of a window holds
up nothing else: see `refused`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls.calls import NoQuota
from syncline.calls.context import Line, in_hand
from syncline.engine.connection_rules import stop_if_all_is_refused
from syncline.engine.failures import BACKOFF, TROUBLED, backoff
from syncline.errors import Again, Refused, SynclineError
from syncline.highlevel import paging
from syncline.highlevel.records import RECORDS
from syncline.ingest import pull_windows
from syncline.ingest.window_reading import WindowReading
from syncline.queues import Lane

HOT = timedelta(days=1)
WARM = timedelta(days=7)
COLD = timedelta(days=90)
"""Trailing windows that are read again, each on a cadence of its own."""

KINDS = tuple(RECORDS)
"""What can be pulled."""

ELSEWHERE = "read by another worker"
"""The state of a window that is not in this worker's hands."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a pull came to; `again_after` is set when quota ran out before its end."""

    new: int
    changed: int
    states: tuple[str, ...]
    again_after: float | None


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
        return ELSEWHERE, (0, 0)
    reading = WindowReading(line, kind, window, lane, opened, owner)
    try:
        return reading.read(), (reading.new, reading.changed)
    except BaseException as error:
        leave = _left(opened, owner, error, went_on=reading.went_on)
        with in_hand(line.worker):
            line.worker.ledger.run_patiently(leave, sleep=line.worker.sleep)
        raise


def _left(
    opened: pull_windows.OpenPull,
    owner: UUID,
    error: BaseException,
    *,
    went_on: bool,
) -> Callable[[Connection], None]:
    """How a window is given up: a failure counts from the last page on that was read."""
    if isinstance(error, NoQuota) or not isinstance(error, Exception):
        after = error.after if isinstance(error, NoQuota) else TROUBLED
        return lambda connection: pull_windows.leave(connection, opened.id, owner, after)
    failures = 1 if went_on else opened.failures + 1
    after = backoff(failures - 1, TROUBLED)
    if isinstance(error, Again):
        after = max(error.after, BACKOFF)
    what = f"{type(error).__name__}, of which the log tells more"
    said = error.what if isinstance(error, SynclineError) else what
    return lambda connection: pull_windows.leave_failed(
        connection, opened.id, owner, after, failures=failures, note=said
    )
