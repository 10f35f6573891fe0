"""Paced: a part-filled array waits for company, and the longer the scarcer the quota has become.

Rows come in batches, and several senders look at once. If each took what it found, a tenant of 300
calls in 300 s would see its calls go out on arrays of one or two rows, and on more of them the
slower the machine is. An array that can be filled to a proved size is never held back, nor is one
to which nothing more will come. What an event asks for does not come here: it leaves at once, and
fills its arrays by itself where quota makes it wait.
"""

from __future__ import annotations

from datetime import timedelta

from redis.exceptions import RedisError

from syncline.calls.context import Line
from syncline.deliveries import outstanding
from syncline.engine.rounds import NextRun
from syncline.halo.array_size import ArraySize
from syncline.queues import Lane
from syncline.quota.keys import Limit

SCARCE = 120
"""By how many times the time of a call a pause grows while the whole quota is used up."""

LONGEST = 10
"""A pause is no longer than a window by this, so that what is there leaves several times in it."""

LOOKS_AGAIN = timedelta(seconds=2)
"""How soon it is looked again whether an array is full by now."""


def hold_back(line: Line, target: str, size: ArraySize, *, waits: bool = True) -> NextRun | None:
    """When to look again, for more rows or since none is due; None to send at once.

    Args:
        line: the connection.
        target: what is to be written.
        size: how many elements the target takes; one that is not proved is tried in turn, also
            where it can be filled, so that senders do not all try it before one has learnt from it.
        waits: whether it may wait for company; what tells people of troubles does not.
    """
    found, more = line.worker.ledger.run(
        lambda connection: (
            outstanding.count_due(connection, line.link.id, target, size.next()),
            waits and outstanding.more_to_come(connection, line.link.id, target),
        )
    )
    if not found:
        return NextRun.when_due()
    is_full = found >= size.next()
    if size.next() <= size.proved and (is_full or not more):
        return None
    limit, used = _scarcest(line)
    pause = pause_of(limit, used if more and not is_full else 0.0)
    turn = f"array:{target}"
    if line.worker.nudges.claim(line.link.tenant_place, Lane.DELIVERIES, turn, forget=pause):
        return None
    return NextRun.later(min(pause, LOOKS_AGAIN))


def pause_of(limit: Limit, used: float) -> timedelta:
    """The time between two part-filled arrays, when such a share of a limit is used up."""
    a_call = limit.window / limit.calls
    return max(a_call, min(a_call * (1 + SCARCE * used), limit.window / LONGEST))


def _scarcest(line: Line) -> tuple[Limit, float]:
    """The limit of which the largest share is used, and that share."""
    limits = line.halo_key.limits
    try:
        windows = line.worker.quota.left(line.halo_key)["windows"]
    except RedisError:
        return limits[0], 0.0  # who sends asks the quota anyway
    shares = [1 - max(window["left"], 0) / window["calls"] for window in windows]
    share = max(shares)
    return limits[shares.index(share)], share
