"""Which limits an API key has, and what the other side's answers say about them.

Everything here is a pure function of values. HighLevel speaks through headers, Halo through the
text of its 429.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from syncline.errors import Refused

_NOTHING = timedelta(0)
_LONGEST_REST = timedelta(days=1)
_SHORTEST_REST = timedelta(seconds=1)
_LONGEST_COUNT = 15
"""Digits: more than any limit or number of milliseconds has, and exact in Redis."""


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `calls` in any `window`.

    Raises:
        Refused: a limit of less than one call, or a window of no length.
    """

    calls: int
    window: timedelta

    def __post_init__(self) -> None:
        if self.calls < 1 or self.window <= _NOTHING:
            raise Refused(
                f"A limit of {self.calls} calls in {self.window} lets nothing through.",
                remedy="Set at least one call and a window longer than zero.",
            )


class KeyAllowance(NamedTuple):
    """What an API key may do by itself: calls in a window, and calls a day."""

    calls: int
    seconds: int
    daily: int

    @property
    def burst(self) -> str:
        """Calls by seconds, as people write a limit."""
        return f"{self.calls}/{self.seconds}"


HIGHLEVEL_LIVE = KeyAllowance(100, 10, 200_000)
HIGHLEVEL_TRIAL = KeyAllowance(25, 10, 10_000)
"""Source: HighLevel's rate limits. Those of private tokens of sandbox and trial accounts are shared
by all tokens of the account."""


@dataclass(frozen=True, slots=True)
class DailyLimit:
    """At most `calls` a day, counted down to the reset that the server names.

    Raises:
        Refused: a limit of less than one call.
    """

    calls: int

    def __post_init__(self) -> None:
        if self.calls < 1:
            raise Refused(
                f"A daily limit of {self.calls} calls lets nothing through.",
                remedy="Set at least one call a day, or leave the daily limit out.",
            )


@dataclass(frozen=True, slots=True)
class QuotaKey:
    """One API key's budget, shared by all who use the key.

    Attributes:
        name: the same in every process, such as `highlevel:APP:LOCATION` or `halo:TENANT`.
        limits: all the windows that hold at once, each of another length.
        daily: calls a day, where there is such a limit.

    Raises:
        Refused: no limit, or two for the same window.
    """

    name: str
    limits: tuple[Limit, ...]
    daily: int | None = None

    def __post_init__(self) -> None:
        if not self.limits or len({limit.window for limit in self.limits}) < len(self.limits):
            raise Refused(
                f"The quota {self.name} needs limits, each with a window of another length.",
                remedy="Set one number of calls for each window.",
            )
        if self.daily is not None:
            DailyLimit(self.daily)

    @property
    def longest(self) -> timedelta:
        """The longest window: after it, no call counts any more."""
        return max(limit.window for limit in self.limits)


@dataclass(frozen=True, slots=True)
class QuotaHint:
    """What one answer said about its key's quota; None where it said nothing.

    Attributes:
        calls: the limit of the window.
        window: its length.
        remaining: calls left in it when the server counted this one.
        daily_remaining: calls left today.
        daily_reset: time until the daily limit starts anew.
        retry_after: how long the server asks us to wait.
        age: how long ago the server may have counted: the time that the whole call took.
    """

    calls: int | None = None
    window: timedelta | None = None
    remaining: int | None = None
    daily_remaining: int | None = None
    daily_reset: timedelta | None = None
    retry_after: timedelta | None = None
    age: timedelta = _NOTHING

    def rest(self, key: QuotaKey) -> timedelta:
        """How long the key must rest after a 429 with this hint.

        The asked-for wait first, but at least a second; else the daily reset if the day is used
        up; else a whole window, since only then is it sure that nothing counts any more.
        """
        if self.retry_after is not None:
            return max(self.retry_after, _SHORTEST_REST)
        if self.daily_remaining == 0 and self.daily_reset is not None:
            return self.daily_reset
        return self.window or key.longest


def highlevel_hint(
    headers: Mapping[str, str], *, now: datetime, took: timedelta = _NOTHING
) -> QuotaHint:
    """Read HighLevel's rate limit headers, which every direct answer carries.

    Args:
        headers: names in lower case.
        now: for a Retry-After that is a date.
        took: how long the whole call took.

    Source: HighLevel's rate limit page for five of the headers; `X-RateLimit-Daily-Reset` is sent
        but documented nowhere, and is a duration in milliseconds.
    """
    calls = _count(headers.get("x-ratelimit-max"))
    return QuotaHint(
        calls=calls or None,
        window=_milliseconds(headers.get("x-ratelimit-interval-milliseconds")) or None,
        remaining=_count(headers.get("x-ratelimit-remaining")),
        daily_remaining=_count(headers.get("x-ratelimit-daily-remaining")),
        daily_reset=_milliseconds(headers.get("x-ratelimit-daily-reset")),
        retry_after=retry_after(headers.get("retry-after"), now=now),
        age=took,
    )


_HALO_LIMIT = re.compile(
    r"""(?P<calls>\d{1,9})\s*(?:(?:api\s+)?(?:requests?|calls?))?\s*
        (?:/|per|in|every)\s*(?:an?\s+|any\s+)?(?:rolling\s+)?
        (?P<length>\d{1,5})?\s*-?\s*(?P<unit>s(?:ec(?:ond)?s?)?|m(?:in(?:ute)?s?)?|h(?:ours?)?)\b""",
    re.IGNORECASE | re.VERBOSE,
)
_SECONDS = {"s": 1, "m": 60, "h": 3600}


def halo_hint(text: str, headers: Mapping[str, str], *, now: datetime) -> QuotaHint:
    """Read the limit that Halo names in the text of its 429, and Retry-After if it comes.

    Args:
        text: the answer's body, whether bare or inside JSON.
        headers: names in lower case.
        now: for a Retry-After that is a date.

    Source: Halo's own text, quoted by its users: "Rate Limit Reached - 300 Requests per rolling
        5 minute window"; its Fair Use Policy says 500 / 3 min. Neither is in the contract.
    """
    asked = retry_after(headers.get("retry-after"), now=now)
    found = _HALO_LIMIT.search(text)
    if found is None:
        return QuotaHint(retry_after=asked)
    seconds = int(found["length"] or 1) * _SECONDS[found["unit"][0].lower()]
    if int(found["calls"]) == 0 or seconds == 0:
        return QuotaHint(retry_after=asked)
    return QuotaHint(
        calls=int(found["calls"]), window=timedelta(seconds=seconds), retry_after=asked
    )


def retry_after(value: str | None, *, now: datetime) -> timedelta | None:
    """Read a Retry-After header: seconds or an HTTP date; None if absent or unreadable.

    A wait of more than a day is cut to one, so that a wrong header cannot stop a key for good.
    """
    if value is None:
        return None
    seconds = _count(value)
    if seconds is not None:
        return min(timedelta(seconds=min(seconds, 86_400)), _LONGEST_REST)
    try:
        at = parsedate_to_datetime(value)
    except ValueError:
        return None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return min(max(at - now, _NOTHING), _LONGEST_REST)


def _count(value: str | None) -> int | None:
    text = (value or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_COUNT):
        return None
    return int(text)


def _milliseconds(value: str | None) -> timedelta | None:
    count = _count(value)
    return None if count is None else min(timedelta(milliseconds=count), _LONGEST_REST)
