"""Paced: a part-filled array waits for company, and the longer the scarcer the quota has become.

Rows come in batches, and several senders look at once. If each took what it found, a tenant of 300
calls in 300 s would see its calls go out on arrays of one or two rows, and on more of them the
slower the machine is. An array that is as large as is proved is never held back, nor is one to
which nothing more will come. What an event asks for does not come here: it leaves at once, and
fills its arrays by itself where quota makes it wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from redis.exceptions import RedisError

from syncline.calls.context import Line
from syncline.deliveries import outstanding
from syncline.engine.rounds import NextRun
from syncline.halo.array_size import ArraySize
from syncline.queues import Lane
from syncline.quota.keys import Limit
from syncline.sending.outcomes import Array

SCARCE = 120
"""By how many times the time of a call a pause grows while the whole quota is used up."""

LONGEST = 10
"""A pause is no longer than a window by this, so that what is there leaves several times in it."""

LOOKS_AGAIN = timedelta(seconds=2)
"""How soon it is looked again whether an array is full by now."""


def hold_back(line: Line, target: str, size: ArraySize) -> NextRun | None:
    """When to look again, since nothing is due or it would not leave; None to claim what is due.

    Args:
        line: the connection.
        target: what is to be written.
        size: how many elements the target takes.
    """
    found, more = line.worker.ledger.run(
        lambda connection: (
            outstanding.count_due(connection, line.link.id, target, size.next()),
            outstanding.more_to_come(connection, line.link.id, target),
        )
    )
    if not found:
        return NextRun.when_due()
    waits = more and found < size.next()
    if size.next() <= size.proved and not waits:
        return None
    turn = _turn(target, waits=waits)
    taken = line.worker.nudges.is_pending(line.link.tenant_place, Lane.DELIVERIES, turn)
    return NextRun.later(LOOKS_AGAIN) if taken else None


def let_go(
    line: Line, target: str, size: ArraySize, arrays: Sequence[Array]
) -> tuple[list[Array], list[Array]]:
    """The arrays that leave now, and the part-filled one that waits for company.

    A size that is not proved yet is tried in turn, also where it is filled, so that senders do not
    all try it before one has learnt from it.
    """
    if not arrays:
        return [], []
    *others, last = arrays
    is_full = len(last.writes) >= size.next() or any(one.lease.array_limit for one in last.writes)
    waits = not is_full and line.worker.ledger.run(
        lambda connection: outstanding.more_to_come(connection, line.link.id, target)
    )
    if size.next() <= size.proved and not waits:
        return [*arrays], []
    pause = max(pause_of(limit, used if waits else 0.0) for limit, used in _limits(line))
    turn, place = _turn(target, waits=waits), line.link.tenant_place
    if line.worker.nudges.claim(place, Lane.DELIVERIES, turn, forget=pause):
        return [*arrays], []
    return others, [last]


def pause_of(limit: Limit, used: float) -> timedelta:
    """The time between two part-filled arrays, when such a share of a limit is used up."""
    a_call = limit.window / limit.calls
    return max(a_call, min(a_call * (1 + SCARCE * used), limit.window / LONGEST))


def _turn(target: str, *, waits: bool) -> str:
    """What a sender takes so that others let it go first: to wait for company, or to try a size."""
    return f"{'array' if waits else 'size'}:{target}"


def _limits(line: Line) -> list[tuple[Limit, float]]:
    """The limits that hold for the tenant's calls, and the share of each that is used."""
    try:
        windows = line.worker.quota.left(line.halo_key)["windows"]
    except RedisError:
        return [(limit, 0.0) for limit in line.halo_key.limits]  # who sends asks the quota anyway
    return [
        (
            Limit(window["calls"], timedelta(seconds=window["seconds"])),
            1 - window["left"] / window["calls"],
        )
        for window in windows
    ]
