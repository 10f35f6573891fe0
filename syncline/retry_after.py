"""How long an answer asks to be left alone: `Retry-After`, in seconds, as a date or a moment."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LEAST_REST = timedelta(seconds=1)
"""A wait of nothing would be a second call at once."""

LONGEST_REST = timedelta(days=1)
"""A longer wait is a mistake of somebody in between, and must not stop a key for good."""

_EPOCH = 1_000_000_000
"""So many seconds are no wait but a moment, as Unix counts it: some gateways write it so."""

_SECONDS = re.compile(r"[+-]?\d{1,400}(?:\.\d{0,400})?")


def retry_after(headers: Mapping[str, str], *, now: datetime) -> timedelta | None:
    """The wait that an answer asks for, at least a second and at most a day; None: for none.

    A date or moment is compared with the answer's own `Date`, so that it does not matter how the
    two clocks differ; where there is none, with ours.

    Args:
        headers: names in lower case.
        now: our clock when the answer came, aware.
    """
    value = headers.get("retry-after", "").strip()
    if _SECONDS.fullmatch(value) and value.isascii():
        seconds = float(value)
        if seconds >= _EPOCH:
            seconds -= (_moment(headers.get("date", "")) or now).timestamp()
        seconds = min(seconds, LONGEST_REST.total_seconds())
        return _within(timedelta(seconds=math.ceil(max(seconds, 0.0))))
    at = _moment(value)
    if at is None:
        return None
    return _within(at - (_moment(headers.get("date", "")) or now))


def _within(wait: timedelta) -> timedelta:
    return min(max(wait, LEAST_REST), LONGEST_REST)


def _moment(value: str) -> datetime | None:
    try:
        at = parsedate_to_datetime(value)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    try:
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None  # at the very edge of what a date can be
