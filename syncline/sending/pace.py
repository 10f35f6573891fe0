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
from syncline.sending.targets import Target

SCARCE = 120
"""By how many times the time of a call a pause grows while the whole quota is used up."""

LONGEST = 6
"""A pause is no longer than a window by this, so that what is there leaves several times in it."""

LOOKS_AGAIN = timedelta(seconds=2)
"""How soon it is looked again whether an array is full by now."""


class Pace:
    """The pace of one sender: what it takes part-filled, it takes in turn with the others.

    Args:
        line: the connection.
        target: what is to be written.
    """

    def __init__(self, line: Line, target: Target) -> None:
        self._line = line
        self._target = target
        self._turn: str | None = None

    def hold_back(self, size: ArraySize) -> NextRun | None:
        """When to look again where nothing is due, or none would leave; None to claim what is due.

        The turn is taken before Halo is asked for anything: of several senders only the one whose
        array leaves asks.

        Args:
            size: how many elements the target takes.
        """
        found, more = self._line.worker.ledger.run(
            lambda connection: (
                outstanding.count_due(
                    connection, self._line.link.id, self._target.name, size.next()
                ),
                outstanding.more_to_come(connection, self._line.link.id, self._target.name),
            )
        )
        if not found:
            return NextRun.when_due()
        waits = more and found < size.next()
        if size.next() <= size.proved and not waits:
            return None
        return None if self._takes(waits=waits) else NextRun.later(LOOKS_AGAIN)

    def let_go(self, size: ArraySize, arrays: Sequence[Array]) -> tuple[list[Array], list[Array]]:
        """The arrays that leave now, and the part-filled one that waits for company.

        A size that is not proved yet is tried in turn, also where it is filled, so that senders do
        not all try it before one has learnt from it.
        """
        if not arrays:
            return [], []
        *others, last = arrays
        is_full = len(last.writes) >= size.next() or any(
            one.lease.array_limit for one in last.writes
        )
        waits = not is_full and self._line.worker.ledger.run(
            lambda connection: outstanding.more_to_come(
                connection, self._line.link.id, self._target.name
            )
        )
        goes = (size.next() <= size.proved and not waits) or self._takes(waits=waits)
        if goes:
            self._turn = None  # it is used, by full arrays too
        beside_full_ones = waits and bool(others)  # a small rest, which fills up until the next
        return ([*arrays], []) if goes and not beside_full_ones else (others, [last])

    def give_back(self) -> None:
        """Leave a turn that was taken and not used to others."""
        if self._turn is not None:
            self._line.worker.nudges.clear(*self._place, self._turn)
            self._turn = None

    def _takes(self, *, waits: bool) -> bool:
        """Take the turn, to wait for company or to try a size, unless another sender has it."""
        turn = f"{'array' if waits else 'size'}:{self._target.name}"
        if turn == self._turn:
            return True
        self.give_back()
        pause = max(
            pause_of(limit, used if waits else 0.0, calls=self._target.calls)
            for limit, used in _limits(self._line)
        )
        if not self._line.worker.nudges.claim(*self._place, turn, forget=pause):
            return False
        self._turn = turn
        return True

    @property
    def _place(self) -> tuple[str, Lane]:
        return self._line.link.tenant_place, Lane.DELIVERIES


def pause_of(limit: Limit, used: float, *, calls: int = 1) -> timedelta:
    """The time between two part-filled arrays, when such a share of a limit is used up.

    Args:
        limit: calls in a window.
        used: the share of them that is used, from 0 to 1.
        calls: how many calls each of the arrays takes.
    """
    their_time = calls * limit.window / limit.calls
    return max(their_time, min(their_time * (1 + SCARCE * used), limit.window / LONGEST))


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
