"""Who may take how much when several want the same key: lanes first, then connections in turn."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from syncline.errors import Refused
from syncline.queues import Lane
from syncline.quota.keys import Limit


@dataclass(frozen=True, slots=True)
class Fairness:
    """The rules of sharing, as data; `bucket.lua` applies them.

    Attributes:
        reserve: the share of each limit that is kept for events.
        reserve_memory: the reserve is kept this long after an event last took a call. Without
            events, a reserve would only waste calls.
        person_memory: likewise after a call by hand was asked for: a command makes several.
        waiting_memory: a connection that was sent away counts as wanting from the moment it was
            told to come back until this much later.
        turn: how long a connection that was just served waits for one that was not.

    Raises:
        Refused: a reserve that is no share.
    """

    reserve: float = 0.10
    reserve_memory: timedelta = timedelta(minutes=15)
    person_memory: timedelta = timedelta(seconds=30)
    waiting_memory: timedelta = timedelta(seconds=2)
    turn: timedelta = timedelta(milliseconds=50)

    def __post_init__(self) -> None:
        if not 0 <= self.reserve < 1:
            raise Refused(
                f"A reserve of {self.reserve} is no share of a limit.",
                remedy="Set it between 0 and 1, such as 0.10.",
            )

    def kept(self, limit: Limit) -> int:
        """Calls of this limit that are kept for events: the share, and at least one."""
        return max(1, int(limit.calls * self.reserve))


BY_HAND = "person"
"""In whose name calls are taken that a person waits for: they may go into the reserve too."""


def queue_of(lane: Lane) -> str:
    """The queue in which a lane's connections take turns: events never wait for other lanes."""
    return "events" if lane is Lane.EVENTS else "work"
