"""The judges of the rate limits: which calls are admitted, which refused, how full a window was.

A judge is told the time; it counts what arrives, not what a client means to send. That makes it
the referee of our own quota: any refusal here is a fault there.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from syncline.sandbox.config import Limit


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a judge said about one call, and what is left after it.

    Attributes:
        admitted: whether the call may go on.
        remaining: calls left in the short window.
        daily_remaining: calls left today, None where there is no daily limit.
        reset_ms: milliseconds until the daily count starts again.
    """

    admitted: bool
    remaining: int
    daily_remaining: int | None = None
    reset_ms: int = 0


@dataclass(slots=True)
class Judge:
    """Holds one limit over a sliding or a fixed window; times are monotonic seconds.

    Attributes:
        rejected: refusals so far.
        max_in_window: most arrivals, refused ones included, in any sliding window of the limit.
    """

    limit: Limit
    rejected: int = 0
    max_in_window: int = 0
    _arrivals: deque[float] = field(default_factory=deque)
    _admitted: deque[float] = field(default_factory=deque)

    def admit(self, now: float) -> bool:
        """Count an arrival at `now`; False if the limit is reached (a refusal uses nothing up)."""
        self._note(now)
        self._forget(now)
        if len(self._admitted) >= self.limit.calls:
            self.rejected += 1
            return False
        self._admitted.append(now)
        return True

    def remaining(self, now: float) -> int:
        """Calls that would still be admitted at `now`."""
        self._forget(now)
        return self.limit.calls - len(self._admitted)

    def take_up(self, now: float) -> None:
        """Go on after a restart at `now`; what another boot's clock has told counts for nothing."""
        for times in (self._arrivals, self._admitted):
            if times and times[-1] > now:
                times.clear()

    def _note(self, now: float) -> None:
        self._arrivals.append(now)
        while self._arrivals[0] <= now - self.limit.seconds:
            self._arrivals.popleft()
        self.max_in_window = max(self.max_in_window, len(self._arrivals))

    def _forget(self, now: float) -> None:
        """Drop admitted calls that no longer count: out of the last W, or of this fixed window."""
        if self.limit.window == "fixed":
            start = now // self.limit.seconds * self.limit.seconds
            while self._admitted and self._admitted[0] < start:
                self._admitted.popleft()
            return
        while self._admitted and self._admitted[0] <= now - self.limit.seconds:
            self._admitted.popleft()


@dataclass(slots=True)
class DailyJudge:
    """Holds a limit of calls a UTC day."""

    calls: int
    rejected: int = 0
    _day: int = 0
    _used: int = 0

    def admit(self, now: datetime) -> bool:
        """Count a call at `now`; False if today's calls are used up."""
        self._turn(now)
        if self._used >= self.calls:
            self.rejected += 1
            return False
        self._used += 1
        return True

    def remaining(self, now: datetime) -> int:
        """Calls left today."""
        self._turn(now)
        return self.calls - self._used

    def _turn(self, now: datetime) -> None:
        day = now.astimezone(UTC).toordinal()
        if day != self._day:
            self._day, self._used = day, 0


@dataclass(slots=True)
class SideLimits:
    """All limits of one side: the short window and, for HighLevel, the day."""

    judge: Judge
    daily: DailyJudge | None = None

    @property
    def limit(self) -> Limit:
        """The short window's limit."""
        return self.judge.limit

    @property
    def rejected(self) -> int:
        """Calls refused by any of the limits."""
        return self.judge.rejected + (self.daily.rejected if self.daily else 0)

    @property
    def max_in_window(self) -> int:
        """Most arrivals seen in any short window."""
        return self.judge.max_in_window

    def admit(self, monotonic: float, now: datetime) -> Allowance:
        """Judge one arriving call by the short window first, then by the day."""
        admitted = self.judge.admit(monotonic)
        if admitted and self.daily is not None:
            admitted = self.daily.admit(now)
        return Allowance(
            admitted=admitted,
            remaining=self.judge.remaining(monotonic),
            daily_remaining=self.daily.remaining(now) if self.daily else None,
            reset_ms=_ms_to_midnight(now),
        )


def _ms_to_midnight(now: datetime) -> int:
    utc = now.astimezone(UTC)
    midnight = utc.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)
    return int((midnight - utc).total_seconds() * 1000)
