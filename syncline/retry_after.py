"""What an answer asks: to be left alone, by `Retry-After`; to keep to a limit that it names."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

LEAST_REST = timedelta(seconds=1)
"""A wait of nothing would be a second call at once."""

LONGEST_REST = timedelta(days=1)
"""A longer wait is a mistake of somebody in between, and must not stop a key for good."""

_EPOCH = 1_000_000_000
"""So many seconds are no wait but a moment, as Unix counts it: some gateways write it so."""

_SECONDS = re.compile(r"[+-]?\d{1,400}(?:\.\d{0,400})?")

_LIMIT = re.compile(
    r"""(?<!\d)(?P<calls>\d{1,9})\s*
        (?:(?:api\s+)?(?:requests?|calls?)\s*(?:/|per|in|every)|(?:/|per|every))\s*
        (?:an?\s+|any\s+)?(?:rolling\s+)?
        (?P<length>\d{1,5})?\s*-?\s*(?P<unit>s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:ours?)?)\b""",
    re.IGNORECASE | re.VERBOSE,
)
"""Without a word for calls, `in` says when to come again: "Retry 1 in 60 seconds"."""

_UNITS = {"s": 1, "m": 60, "h": 3600}


@dataclass(frozen=True, slots=True)
class StatedLimit:
    """A limit that a side named in words: so many calls in a window."""

    calls: int
    window: timedelta


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


def stated_limit(text: str) -> StatedLimit | None:
    """The limit that a text names, such as `300 Requests per rolling 5 minute window`.

    Source: Halo's own text, quoted by its users: "Rate Limit Reached - 300 Requests per rolling
        5 minute window"; its Fair Use Policy says 500 / 3 min. Neither is in the contract.
    """
    found = _LIMIT.search(text)
    if found is None:
        return None
    calls = int(found["calls"])
    window = timedelta(seconds=int(found["length"] or 1) * _UNITS[found["unit"][0].lower()])
    return StatedLimit(calls, window) if calls and window else None


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
