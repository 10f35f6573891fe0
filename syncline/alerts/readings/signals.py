"""Readings that do not end, or do not show all, as signals in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from syncline.alerts.readings.facts import Comparisons, Readings
from syncline.alerts.rules import LONGEST_REASON, Signal, in_lines, shortened
from syncline.ingest.unfinished import UnfinishedWindow

_MOST_WINDOWS = 5
"""Windows that an alert names."""


def pulls(
    found: Readings, late_after: timedelta, now: datetime, connection: str
) -> Iterator[Signal]:
    """Pulls that do not end, or whose windows do not agree with the other side's own count.

    Args:
        found: how the pulls of a kind went.
        late_after: how long none may end, nor a window that was begun be without a page.
        now: the database's time.
        connection: the name of the connection.
    """
    kind = found.kind
    began = found.added_at if found.ended_at is None else found.ended_at
    refused = [one for one in found.unfinished if one.refused]
    late = [one for one in found.unfinished if not one.refused and now - one.moved_at >= late_after]
    if now - began >= late_after:
        yield Signal(
            "pulls",
            f"late {kind}",
            f"No pull of {kind}s has ended for long",
            in_lines(
                [
                    f"The last one ended at {began:%Y-%m-%d %H:%M:%S} UTC."
                    if found.ended_at
                    else "None has ended since the connection was added.",
                    *_windows(late),
                    "See what is read and which workers live with: syncline status",
                ]
            ),
        )
    elif late:
        others = f"Other {kind}s are read. Those created in these days are not:"
        yield _unfinished(
            f"late window {kind}", f"Some {kind}s are not read", others, late, connection
        )
    if refused:
        others = f"All other {kind}s are read. These are seen by events only:"
        title = f"HighLevel does not show some {kind}s"
        yield _unfinished(f"refused {kind}", title, others, refused, connection)
    if found.uncertain:
        yield Signal(
            "pulls",
            f"uncertain {kind}",
            f"Pulls of {kind}s are uncertain",
            in_lines(
                [
                    "HighLevel's lists show other rows than it counts, also when read again;",
                    "or it does not tell how many there are.",
                    "They are read again by themselves; see them with: syncline status",
                ]
            ),
            count=found.uncertain,
            since=found.since,
        )


def not_compared(
    found: Comparisons, late_after: timedelta | None, now: datetime, connection: str
) -> Signal | None:
    """Both sides were not compared: it failed, or has not come to its end for longer than due.

    Args:
        found: how the comparisons went.
        late_after: how long none may come to its end; None: none is due.
        now: the database's time.
        connection: the name of the connection.
    """
    again = f"The next one that is due tries again; at once: syncline reconcile run {connection}"
    if found.failed:
        return Signal(
            "reconciliation",
            "reconciliation failed",
            f"The comparison of both sides of {connection} failed",
            in_lines([shortened(found.why or "It does not say why.", LONGEST_REASON), again]),
            count=found.failed,
            since=found.failed_at,
        )
    began = max(one for one in (found.ended_at or found.added_at, found.at_work) if one)
    if late_after is None or now - began < late_after:
        return None
    said = "None has ended since it was added."
    if found.ended_at is not None:
        said = f"The last comparison ended at {found.ended_at:%Y-%m-%d %H:%M} UTC."
    if found.waits_for is None:
        why = "None has begun since: see with `syncline status` whether workers and beat live."
    else:
        why = f"One is owed and has not come to its end. {found.waits_for}".strip()
    return Signal(
        "reconciliation",
        "reconciliation late",
        f"Both sides of {connection} were not compared for long",
        in_lines([said, why, again]),
    )


def _unfinished(
    cause: str, title: str, others: str, found: Sequence[UnfinishedWindow], connection: str
) -> Signal:
    again = f"They are tried again by themselves; at once with: {found[0].at_once(connection)}"
    return Signal(
        "pulls", cause, title, in_lines([others, *_windows(found), again]), count=len(found)
    )


def _windows(found: Sequence[UnfinishedWindow]) -> list[str]:
    """The oldest of these windows, each with what happened to it."""
    some, more = found[:_MOST_WINDOWS], len(found) - _MOST_WINDOWS
    lines = [f"- {one.days}: {shortened(one.what, LONGEST_REASON)}" for one in some]
    return [*lines, f"- and {more} more, as syncline status tells"] if more > 0 else lines


def not_shown(found: Mapping[str, str], connection: str) -> Iterator[Signal]:
    """Kinds of rows in which Halo lets nobody look for changes.

    Args:
        found: the kind of row, and what Halo said instead of showing its list.
        connection: the name of the connection.
    """
    for noun, said in found.items():
        yield Signal(
            "pulls",
            f"not shown {noun}",
            f"Halo does not show its list of {noun}s",
            in_lines(
                [
                    shortened(said, LONGEST_REASON),
                    "What changes there is not seen while no event tells it.",
                    f"Look at it with: syncline connection check {connection}",
                ]
            ),
        )
