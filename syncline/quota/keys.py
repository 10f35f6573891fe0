"""Which limits an API key has, and what the other side's answers say about them.

Everything here is a pure function of values. HighLevel speaks through headers, Halo through the
text of its 429.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple

from syncline.errors import Refused
from syncline.retry_after import stated_limit

_NOTHING = timedelta(0)
_LONGEST_REST = timedelta(days=1)
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
        age: how long ago the server may have counted: the time that the whole call took.
    """

    calls: int | None = None
    window: timedelta | None = None
    remaining: int | None = None
    daily_remaining: int | None = None
    daily_reset: timedelta | None = None
    age: timedelta = _NOTHING


def highlevel_hint(headers: Mapping[str, str], *, took: timedelta = _NOTHING) -> QuotaHint:
    """Read HighLevel's rate limit headers, which every direct answer carries.

    Args:
        headers: names in lower case.
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
        age=took,
    )


def halo_hint(text: str) -> QuotaHint:
    """The limit that Halo names in the text of its 429, whether bare or inside JSON."""
    limit = stated_limit(text)
    return QuotaHint() if limit is None else QuotaHint(calls=limit.calls, window=limit.window)


def _count(value: str | None) -> int | None:
    text = (value or "").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= _LONGEST_COUNT):
        return None
    return int(text)


def _milliseconds(value: str | None) -> timedelta | None:
    count = _count(value)
    return None if count is None else min(timedelta(milliseconds=count), _LONGEST_REST)
