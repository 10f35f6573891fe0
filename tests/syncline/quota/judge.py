"""A world in simulated time: workers that take, send, are cut off or die; and a server that counts.

The server counts a call when it arrives. It knows nothing of the bucket.
"""

from __future__ import annotations

import heapq
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import Enum

from redis import Redis

from syncline.queues import Lane
from syncline.quota.bucket import Quota, Spent
from syncline.quota.keys import Limit, QuotaKey
from tests.syncline.quota.conftest import Clock

DEADLINE = timedelta(seconds=4)
SEND_WITHIN = timedelta(seconds=1)
"""A call is not sent later than this after its row was written: its permit has expired."""


class Fate(Enum):
    """What becomes of a worker's calls."""

    ANSWERED = "answered"
    UNSENT = "given back unsent"
    DIES_BEFORE_SENDING = "dies before sending"
    DIES_AFTER_SENDING = "dies after sending"


@dataclass(frozen=True)
class Ask:
    """One worker's wish; all lengths in milliseconds."""

    at: int
    calls: int
    until_row: int
    until_sent: int
    until_arrived: int
    until_answered: int
    fate: Fate
    lane: Lane


@dataclass
class World:
    """Plays asks against the real bucket and keeps what the server saw."""

    redis: Redis
    clock: Clock
    key: QuotaKey
    arrivals: list[float] = field(default_factory=list)
    _rows: dict[str, tuple[timedelta, timedelta | None]] = field(default_factory=dict)
    _due: list[tuple[float, int, Callable[[], None]]] = field(default_factory=list)
    _number: int = 0

    def __post_init__(self) -> None:
        self._start = self.clock.now
        self.quota = Quota(self.redis, recover=self._recover, clock=self.clock)

    def play(self, asks: Sequence[Ask], flushes: Sequence[int]) -> None:
        for ask in asks:
            self._at(ask.at, lambda ask=ask: self._take(ask))  # type: ignore[misc]
        for flush in flushes:
            self._at(flush, self.redis.flushdb)
        while self._due:
            at, _, do = heapq.heappop(self._due)
            self.clock.now = self._start + timedelta(milliseconds=at)
            do()

    def most_in_a_sliding_window(self, limit: Limit) -> int:
        seen = sorted(self.arrivals)
        length = limit.window / timedelta(milliseconds=1)
        return max(
            (n + 1 - bisect_right(seen, at - length) for n, at in enumerate(seen)), default=0
        )

    def most_in_a_fixed_window(self, limit: Limit, offset: int) -> int:
        length = limit.window / timedelta(milliseconds=1)
        counts: dict[float, int] = {}
        for at in self.arrivals:
            window = (at + offset) // length
            counts[window] = counts.get(window, 0) + 1
        return max(counts.values(), default=0)

    def _now(self) -> float:
        return (self.clock.now - self._start) / timedelta(milliseconds=1)

    def _at(self, when: float, do: Callable[[], object]) -> None:
        self._number += 1
        heapq.heappush(self._due, (when, self._number, lambda: (do(), None)[1]))

    def _after(self, length: int, do: Callable[[], object]) -> None:
        self._at(self._now() + length, do)

    def _take(self, ask: Ask) -> None:
        grant = self.quota.take(
            self.key, ask.calls, lane=ask.lane, connection="acme", deadline=DEADLINE
        )
        if grant.tokens:
            self._after(ask.until_row, lambda: self._write_rows(ask, grant.tokens))

    def _write_rows(self, ask: Ask, tokens: tuple[str, ...]) -> None:
        for token in tokens:
            self._rows[token] = (self.clock.now - self._start, None)
        self._after(ask.until_sent, lambda: self._send(ask, tokens))

    def _send(self, ask: Ask, tokens: tuple[str, ...]) -> None:
        if ask.fate is Fate.DIES_BEFORE_SENDING:
            return
        is_late = any(self._late(token) for token in tokens)
        if ask.fate is Fate.UNSENT or is_late or not self.quota.hold(self.key, tokens, DEADLINE):
            self.quota.give_back(self.key, tokens, sent=False)
            for token in tokens:
                del self._rows[token]
            return
        self._after(ask.until_arrived, lambda: self._arrive(ask, tokens))

    def _late(self, token: str) -> bool:
        return self.clock.now - self._start > self._rows[token][0] + SEND_WITHIN

    def _arrive(self, ask: Ask, tokens: tuple[str, ...]) -> None:
        self.arrivals += [self._now()] * len(tokens)
        if ask.fate is Fate.ANSWERED:
            self._after(ask.until_answered, lambda: self._answer(tokens))

    def _answer(self, tokens: tuple[str, ...]) -> None:
        for token in tokens:
            self._rows[token] = (self._rows[token][0], self.clock.now - self._start)
        self.quota.give_back(self.key, tokens)

    def _recover(self, _name: str, window: timedelta) -> list[Spent]:
        """As the ledger does it: answered calls by their answer, others by the last they can be."""
        back = {
            token: (answered or at + SEND_WITHIN + DEADLINE) + window
            for token, (at, answered) in self._rows.items()
        }
        return [
            Spent(token, self._start + after)
            for token, after in back.items()
            if self._start + after > self.clock.now
        ]
