"""When an endpoint that fails for everybody is asked again: by one caller at a time, ever later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

OPENS_AFTER = 5
"""Failures in a row: one call in a hundred that goes astray holds nothing back."""


class Said(StrEnum):
    """What a call's end says of the endpoint that was asked."""

    SPOKE = "spoke"
    """The other side answered itself, whatever it said."""

    FAILED = "failed"
    """Nobody answered, somebody else did, or the other side's own server failed."""

    SHUT = "shut"
    """The other side keeps the whole account shut for now."""

    NOTHING = ""
    """Nothing: it did not leave for reasons of ours, or met the rate limit."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """The rules, as data; `bucket.lua` applies them.

    A wait doubles with each caller that tried in vain, and chance takes up to half of it away.

    Attributes:
        first: the wait after the breaker has opened, and the least one.
        longest: of all waits.
        first_shut: the same where the other side says that it is shut.
        longest_shut: likewise.
    """

    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(seconds=60)
    first_shut: timedelta = timedelta(minutes=1)
    longest_shut: timedelta = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """What is asked, as the breaker tells it apart from the rest of its key.

    Attributes:
        name: the operation, as call rows have it.
        opens_after: failures of it in a row that open its breaker.
    """

    name: str
    opens_after: int = OPENS_AFTER


WHOLE_KEY = Endpoint("")
"""All endpoints of a key together: failures in a row, whatever was asked."""


@dataclass(frozen=True, slots=True)
class FailingEndpoint:
    """An endpoint that has failed in a row, as the ledger's calls show it.

    Attributes:
        endpoint: its name; "" for all of the key.
        failures: how many.
        since: when the first of them came.
        last: when the last one came.
        shut: whether the other side keeps itself shut.
    """

    endpoint: str
    failures: int
    since: datetime
    last: datetime
    shut: bool = False
