"""One line of the log for many refusals: bad requests must not flood the log."""

from __future__ import annotations

import time
from collections import Counter

import structlog

log = structlog.get_logger()

EVERY_SECONDS = 10.0
"""Between two lines about refusals for the same reason."""


class Refusals:
    """Counts refusals by reason. Nothing that a sender wrote goes into the log."""

    def __init__(self) -> None:
        self._since: Counter[str] = Counter()
        self._told: dict[str, float] = {}

    def note(self, status: int, reason: str) -> None:
        """One more; it is told at once, or with the next one after a while."""
        self._since[reason] += 1
        now = time.monotonic()
        if now - self._told.get(reason, -EVERY_SECONDS) >= EVERY_SECONDS:
            self._told[reason] = now
            log.warning("requests refused", status=status, why=reason, count=self._since[reason])
            self._since[reason] = 0
