"""One pending nudge for each (connection, lane, target), so that tasks do not pile up."""

from __future__ import annotations

from datetime import timedelta

from redis import Redis

from syncline.queues import Lane

_SHORTEST = timedelta(milliseconds=1)
"""Redis counts a flag's life in milliseconds."""


class Nudges:
    """Flags in Redis that say "a task is under way that will look here".

    A lost flag costs one doubled task, which costs nothing; a forgotten one costs a nudge for at
    most `forget`, after which the sweep's next tick nudges again.

    Args:
        redis: the broker's or any other database.
        prefix: of every key.
        forget: a flag that nobody cleared goes by itself after this time.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        prefix: str = "syncline:nudge:",
        forget: timedelta = timedelta(seconds=30),
    ) -> None:
        self._redis = redis
        self._prefix = prefix
        self._forget = forget

    def claim(
        self, connection: str, lane: Lane, target: str, *, forget: timedelta | None = None
    ) -> bool:
        """Whether the caller is the one to publish the nudge: none is pending yet.

        Args:
            connection: whose nudge.
            lane: its lane.
            target: what it points at.
            forget: the flag goes by itself after this time; by default that of all flags.
        """
        key = self._key(connection, lane, target)
        lasts = self._forget if forget is None else max(forget, _SHORTEST)
        return bool(self._redis.set(key, b"1", nx=True, px=lasts))

    def is_pending(self, connection: str, lane: Lane, target: str) -> bool:
        """Whether a claim would be refused now."""
        return bool(self._redis.exists(self._key(connection, lane, target)))

    def clear(self, connection: str, lane: Lane, target: str) -> None:
        """Let the next nudge through; called by the task BEFORE it reads its work.

        Cleared after the reading, a nudge for work that came in between would be lost.
        """
        self._redis.delete(self._key(connection, lane, target))

    def _key(self, connection: str, lane: Lane, target: str) -> str:
        return f"{self._prefix}{connection}:{lane}:{target}"
