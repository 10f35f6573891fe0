"""How long a delivery rests before it is tried again, and when a person is asked instead."""

from __future__ import annotations

from datetime import timedelta

BACKOFF = timedelta(seconds=2)
"""First pause after a failure that may heal by itself; doubles up to the longest."""

LONGEST_BACKOFF = timedelta(minutes=5)

NOT_SENT_PAUSE = timedelta(seconds=3)
"""Pause after a call that could not leave. It says nothing about the row, so it is no failure."""

TROUBLED = timedelta(seconds=30)
"""Pause after a failure that another try at once does not heal."""

PARK_AFTER = 12
"""Failures in a row after which a person is asked, so that nothing is retried without limit."""


def backoff(
    failures: int, first: timedelta = BACKOFF, longest: timedelta = LONGEST_BACKOFF
) -> timedelta:
    """The pause after so many failures in a row."""
    return min(first * (1 << min(failures, 16)), longest)
