"""A worker that dies, or stands still, at a chosen point of its work, and what others then see.

Its points are the moments between which a crash makes a difference: before and after each commit,
before and after each call. A dead worker does nothing more: it commits nothing, calls nobody, and
does not even say that it ends.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from redis import Redis
from sqlalchemy import Connection

from tests.world import World, Worlds

Strike = Callable[[int, str], None]


class Killed(BaseException):
    """SIGKILL, as the process itself would see it if it could; nobody may catch it by mistake."""


class Mortal:
    """Puts points into a world's ledger and transport, and calls `strike` at each.

    Args:
        world: the worker to watch.
        strike: (number of the point, its name) → may raise `Killed`, or do what happens meanwhile.
    """

    def __init__(self, world: World, strike: Strike) -> None:
        self.world = world
        self.dead = False
        self.points = 0
        self._strike = strike
        self._lock = threading.RLock()
        keeper: Any = world.worker.session
        self._keeper = keeper.__self__
        self._sessions: list[UUID] = [self._keeper._id] if self._keeper._id else []
        self._note_sessions()
        self._watch_ledger()
        self._watch_transport()

    def silence(self) -> None:
        """Let everyone see that the worker is silent, without waiting for it.

        Flags that it set in Redis forget themselves after half a minute; here they do so now.
        """
        with Redis.from_url(self.world.redis_url) as redis:
            for flag in redis.scan_iter("syncline:nudge:*"):
                redis.delete(flag)
        self.world.do(
            """
            update session set heartbeat_at = heartbeat_at - interval '1 hour'
            where id = any(:ids)
            """,
            ids=self._sessions,
        )

    def _point(self, name: str) -> None:
        with self._lock:
            if self.dead:
                raise Killed
            self.points += 1
            try:
                self._strike(self.points, name)
            except Killed:
                self.dead = True
                self._keeper._stop.set()
                raise

    def _note_sessions(self) -> None:
        begin = self._keeper._begin

        def noted() -> UUID:
            made: UUID = begin()
            self._sessions.append(made)
            return made

        self._keeper._begin = noted

    def _watch_ledger(self) -> None:
        ledger: Any = self.world.worker.ledger
        begin = ledger.begin

        @contextmanager
        def watched() -> Iterator[Connection]:
            if self.dead:
                raise Killed
            heart = threading.current_thread().name == "heartbeat"
            with begin() as connection:
                yield connection
                if not heart:
                    self._point("before commit")
            if not heart:
                self._point("after commit")

        ledger.begin = watched

    def _watch_transport(self) -> None:
        lines: Any = self.world.worker.open_line
        transport = lines._lines()._transport
        send = transport.send

        def watched(method: str, url: str, **rest: Any) -> Any:
            self._point(f"before {method}")
            answer = send(method, url, **rest)
            self._point(f"after {method}")
            return answer

        transport.send = watched


def die_one_after_the_other(
    worlds: Worlds, first: World, chance: random.Random, *, most_points: int, seconds: float = 20
) -> list[str]:
    """Workers that each die at a point that chance chooses, until nothing is open any more.

    Returns:
        The points at which they died.
    """
    deaths: list[str] = []
    while first.open_deliveries() or first.open_pulls():
        last = chance.randint(2, most_points)

        def strike(point: int, name: str, last: int = last) -> None:
            if point == last:
                deaths.append(name)
                raise Killed

        worker = worlds(joins=True)
        mortal = Mortal(worker, strike)
        try:
            worker.drive(seconds)
        except Killed:
            mortal.silence()
            worker.close()
    return deaths
