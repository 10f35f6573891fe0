"""The shared budget of calls of one API key, in Redis: taken before a call, back after its answer.

A limit of L calls per W is L tokens. A token comes back W after its answer arrived, so in any W the
server sees at most L of our calls, whatever the latency and the number of workers, and whether its
window slides or is fixed. An endpoint that fails for everybody is held back by a breaker. What each
operation does stands in `bucket.lua`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import TypedDict
from uuid import uuid4

from redis import Redis

from syncline.errors import Refused
from syncline.queues import Lane
from syncline.quota.breakers import WHOLE_KEY, Breaker, Endpoint, FailingEndpoint, Said
from syncline.quota.fairness import BY_HAND, Fairness, queue_of
from syncline.quota.keys import QuotaHint, QuotaKey

_ATTEMPTS = 3
"""Redis would have to be emptied between each two of our steps to need more."""
_NOT_REBUILT = timedelta(seconds=1)
_UNSEEDED = -1
_MICROSECOND = timedelta(microseconds=1)
_SECOND = 1_000_000
"""Microseconds."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

Argument = str | int


@dataclass(frozen=True, slots=True)
class Spent:
    """A call that the ledger knows of, and when it stops counting in the longest window."""

    token: str
    back_at: datetime


Recover = Callable[[str, timedelta], Sequence[Spent]]
"""(name of the key, its longest window) -> the calls that may still count in such a window.

A call without an answer comes back a window and a deadline after the last moment at which it may
still be sent (its row's time and how long its permit holds): counted from its row alone, a call
sent late would be forgotten too early. Read in a transaction of its own, so that every call row
committed before is in it.
"""


RecoverFailures = Callable[[str], Sequence[FailingEndpoint]]
"""(name of the key) -> the endpoints of it whose breakers were open, by the ledger's calls."""


@dataclass(frozen=True, slots=True)
class QuotaGrant:
    """What `Quota.take` gave.

    Attributes:
        tokens: leave for one call each; fewer than asked, or none, is usual.
        wait: where there are none, when to come back; else zero.
        key: the key they are for.
        failing: whether it is no matter of quota: the endpoint fails for everybody.
    """

    tokens: tuple[str, ...]
    wait: timedelta
    key: QuotaKey
    failing: bool = False


class WindowLeft(TypedDict):
    """One window of a key: calls it allows, its length, calls that may be made now.

    `next_s` is in how many seconds one may be made, `all_s` in how many all of them: 0 is now.
    """

    calls: int
    seconds: float
    left: int
    next_s: float
    all_s: float


class Left(TypedDict):
    """What is left of a key, for status pages."""

    windows: list[WindowLeft]
    """Those of the key, then what the server named beside them."""

    frozen_until: datetime | None
    daily_left: int | None


class Quota:
    """The quotas of all keys; safe to share between threads.

    Args:
        redis: any database of a Redis from 6.2 on.
        recover: reads from the ledger what Redis lost.
        recover_failures: the same of breakers.
        breaker: when what fails is asked again.
        chance: a number from 0 to 1, by which waits differ.
        reserve: the share of each limit that is kept for events while there are events.
        prefix: of every key in Redis.
        reserve_memory: how long after the last event the reserve is still kept.
        new_token: makes ids for tokens; they serve as ids of calls.
        clock: what time it is, for tests; Redis's own clock otherwise, one for all workers.

    Raises:
        Refused: the reserve is no share.
    """

    def __init__(
        self,
        redis: Redis,
        *,
        recover: Recover,
        recover_failures: RecoverFailures = lambda _key: (),
        breaker: Breaker | None = None,
        chance: Callable[[], float] = lambda: 1.0,
        reserve: float = 0.10,
        prefix: str = "syncline:quota:",
        reserve_memory: timedelta = timedelta(minutes=15),
        new_token: Callable[[], str] = lambda: str(uuid4()),
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        self._fairness = Fairness(reserve=reserve, reserve_memory=reserve_memory)
        self._recover = recover
        self._recover_failures = recover_failures
        self._breaker = breaker or Breaker()
        self._chance = chance
        self._prefix = prefix
        self._new_token = new_token
        self._clock = clock
        text = files("syncline.quota").joinpath("bucket.lua").read_text(encoding="utf-8")
        self._script = redis.register_script(text)

    def take(
        self,
        key: QuotaKey,
        calls: int,
        *,
        lane: Lane,
        connection: str,
        deadline: timedelta,
        by_hand: bool = False,
        endpoint: Endpoint = WHOLE_KEY,
        insists: bool = False,
    ) -> QuotaGrant:
        """Take up to `calls` tokens, for all windows of the key at once.

        Of an endpoint that fails for everybody, one caller gets one token once the wait is over.

        Each is to be given back, whatever happens; one that never is (a dead holder) comes back
        `deadline` plus the window after it was taken.

        Args:
            key: whose budget.
            calls: most tokens wanted.
            lane: in whose name; events go first.
            connection: who asks; connections of a key take turns.
            deadline: longest time until the call is answered or given up.
            by_hand: whether a person waits for it: it may go into the reserve, as events do.
            endpoint: what will be asked.
            insists: whether it is asked although it fails for everybody: a person wants to know.

        Raises:
            Refused: fewer than one call is asked for.
        """
        if calls < 1:
            raise Refused(f"{calls} calls cannot be taken.", remedy="Take at least one.")
        fair = self._fairness
        tokens = tuple(self._new_token() for _ in range(calls))
        granted, *more = self._seeded(
            "take",
            key,
            BY_HAND if by_hand else lane,
            connection,
            _us(deadline),
            _us(fair.reserve_memory),
            _us(fair.person_memory),
            _us(fair.waiting_memory),
            _us(fair.turn),
            endpoint.name,
            int(insists),
            *tokens,
            lane=Lane.EVENTS if by_hand else lane,
        )
        if granted == _UNSEEDED:
            return QuotaGrant((), _NOT_REBUILT, key)
        wait, failing = more
        return QuotaGrant(tokens[:granted], timedelta(microseconds=wait), key, bool(failing))

    def hold(self, key: QuotaKey, tokens: Sequence[str], deadline: timedelta) -> bool:
        """Whether these calls may be sent now; asked after their rows are committed.

        Normally the bucket knows the tokens. If Redis was emptied since they were taken, they are
        added again if there is room. The deadline counts anew from here.

        Returns:
            False if there is no room, or a 429 froze the key meanwhile: nothing may be sent, and
            the tokens are to be given back as not sent.
        """
        if not tokens:
            return True
        return self._seeded("hold", key, _us(deadline), *tokens)[0] == 1

    def give_back(
        self,
        key: QuotaKey,
        tokens: Sequence[str],
        *,
        sent: bool = True,
        said: Said = Said.NOTHING,
        endpoint: Endpoint = WHOLE_KEY,
    ) -> bool:
        """Let the tokens come back: a window from now if their calls were sent, else at once.

        To be called whatever the outcome, with any token, as often as one likes.

        Args:
            key: whose budget.
            tokens: those to give back.
            sent: whether their calls were sent.
            said: what their ends say of the endpoint.
            endpoint: what was asked.

        Returns:
            Whether the endpoint, or the whole key, fails for everybody by now.
        """
        if not tokens:
            return False
        answer = self._call(
            "give_back",
            key,
            int(sent),
            said.value,
            endpoint.name,
            WHOLE_KEY.opens_after,
            endpoint.opens_after,
            int(self._chance() * 1_000_000),
            *tokens,
        )
        return answer[0] == 1

    def held_back(self, key: QuotaKey, endpoints: Sequence[Endpoint]) -> timedelta:
        """How long none of these can be asked because one of them fails for everybody.

        Zero also where the wait is over: whoever takes a token then is the one who tries.
        """
        wait = self._call("held", key, *(endpoint.name for endpoint in endpoints))[0]
        return timedelta(microseconds=wait)

    def freeze(self, key: QuotaKey, for_: timedelta) -> None:
        """Let nobody take or send with this key for so long: the server answered 429."""
        self._call("freeze", key, _us(for_))

    def learn(self, key: QuotaKey, hint: QuotaHint) -> None:
        """Correct the key by what an answer said: only ever to fewer calls, except a day's.

        A limit that the server names holds beside ours until it names another for the same window,
        or does not name it again for an hour. One that was read in a text is not believed where
        far more calls were made; calls it counted and we did not make are occupied for a window.
        """
        self._call(
            "learn",
            key,
            _or_empty(hint.calls),
            _or_empty(hint.window),
            _or_empty(hint.remaining),
            _or_empty(hint.daily_remaining),
            _or_empty(hint.daily_reset),
            _us(hint.age),
        )

    def left(self, key: QuotaKey) -> Left:
        """What is left of the key now. A key that nobody used yet is all left."""
        frozen, daily, *windows = self._call("left", key)
        return Left(
            windows=[
                WindowLeft(
                    calls=calls,
                    seconds=length / _SECOND,
                    left=left,
                    next_s=soon / _SECOND,
                    all_s=full / _SECOND,
                )
                for length, calls, left, soon, full in zip(
                    *(windows[at::5] for at in range(5)), strict=True
                )
            ],
            frozen_until=_EPOCH + timedelta(microseconds=frozen) if frozen else None,
            daily_left=None if daily < 0 else daily,
        )

    def _seeded(
        self, operation: str, key: QuotaKey, *arguments: Argument, lane: Lane = Lane.UPKEEP
    ) -> list[int]:
        """Run an operation on a bucket that is rebuilt first where Redis does not know it.

        The ledger is read after the bucket was found empty. A call row committed later is followed
        by a `hold`, which then finds the bucket without it: so no call is forgotten.
        """
        for _ in range(_ATTEMPTS):
            answer = self._call(operation, key, *arguments, lane=lane)
            if answer[0] != _UNSEEDED:
                return answer
            spent = self._recover(key.name, key.longest)
            self._reopen(key)
            seeds = [part for one in spent for part in (one.token, _us(one.back_at - _EPOCH))]
            self._call("seed", key, *seeds)
        return [_UNSEEDED]

    def _reopen(self, key: QuotaKey) -> None:
        """Open breakers that were open. Nobody takes a token before the bucket is seeded."""
        failing = [
            part
            for one in self._recover_failures(key.name)
            for part in (
                one.endpoint,
                one.failures,
                _us(one.since - _EPOCH),
                _us(one.last - _EPOCH),
                int(one.shut),
            )
        ]
        if failing:
            self._call("reopen", key, *failing)

    def _call(
        self, operation: str, key: QuotaKey, *arguments: Argument, lane: Lane = Lane.UPKEEP
    ) -> list[int]:
        # Braces: in a cluster, all keys of one quota live in one slot.
        root = f"{self._prefix}{{{key.name}}}:"
        queue = queue_of(lane)
        names = [f"{root}state", f"{root}waiting:{queue}", f"{root}served:{queue}"]
        limits: list[Argument] = []
        for limit in key.limits:
            names.append(f"{root}window:{_us(limit.window)}")
            limits += [limit.calls, _us(limit.window), self._fairness.kept(limit)]
        now: Argument = "" if self._clock is None else _us(self._clock() - _EPOCH)
        daily = -1 if key.daily is None else key.daily
        rules = self._breaker
        waits = (rules.first, rules.longest, rules.first_shut, rules.longest_shut)
        head: list[Argument] = [operation, now, daily, *map(_us, waits), len(key.limits), *limits]
        answer: list[int] = self._script(keys=names, args=[*head, *arguments])
        return answer


def _us(length: timedelta) -> int:
    return length // _MICROSECOND


def _or_empty(value: int | timedelta | None) -> Argument:
    if value is None:
        return ""
    return _us(value) if isinstance(value, timedelta) else value
