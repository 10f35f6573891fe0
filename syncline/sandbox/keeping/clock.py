"""The sandbox's clock, which can be held: an effect happens at one moment, also when repeated."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime


def utc_now() -> datetime:
    """The system's clock."""
    return datetime.now(UTC)


class Clock:
    """Tells the time, aware UTC.

    Args:
        source: what tells it while it is not held.
    """

    def __init__(self, source: Callable[[], datetime] = utc_now) -> None:
        self._source = source
        self._held: datetime | None = None

    def __call__(self) -> datetime:
        """The time now, or the moment at which the clock is held."""
        return self._held or self._source()

    @contextmanager
    def held(self, at: datetime | None = None) -> Iterator[datetime]:
        """Let the clock stand at a moment, by default at this one."""
        self._held, before = at or self(), self._held
        try:
            yield self._held
        finally:
            self._held = before
