"""Webhooks of the emulated HighLevel: sent beside the API's work, sent again by policy.

Sources: HighLevel's help article for the policy `429-only-6`, later notes of its guide for
`non2xx-12`, whose waits are not published.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from syncline.sandbox.highlevel.events.signing import Signatures, SigningKeys

if TYPE_CHECKING:
    import httpx

IN_FLIGHT = 32
"""Most deliveries on the wire at once, so that a receiver that stands still costs no memory."""

Policy = Literal["non2xx-12", "429-only-6"]


class Dial(BaseModel):
    """Where events go and what goes wrong on the way.

    Attributes:
        url: the receiver; None sends nothing.
        policy: what is tried again: up to twelve times all that is not answered 2xx, at doubling
            intervals; or up to six times a 429, at even ones.
        retry_after: seconds before the first retry; None is HighLevel's ten minutes where they are
            even, and ten seconds where they double, which ends within half a day.
        duplicates: chance that an event is sent a second time.
        disorder: chance that an event is held back for a while, so that later ones pass it.
        loss: chance that an event is never sent.
        delay: seconds before an event is sent at all.
        held: seconds that an event is held back for, where it is.
        signatures: which ones are sent.
        rate: most events a second; None is as fast as they come.
        timeout: seconds that an answer may take. Source: HighLevel states none, its users are told
            to answer within ten.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str | None = None
    policy: Policy = "non2xx-12"
    retry_after: float | None = Field(default=None, gt=0)
    duplicates: float = Field(default=0.0, ge=0, le=1)
    disorder: float = Field(default=0.0, ge=0, le=1)
    loss: float = Field(default=0.0, ge=0, le=1)
    delay: float = Field(default=0.0, ge=0)
    held: float = Field(default=0.5, ge=0)
    signatures: Signatures = "both"
    rate: float | None = Field(default=None, gt=0)
    timeout: float = Field(default=10.0, gt=0)

    @property
    def retries(self) -> int:
        """Most attempts after the first one."""
        return 12 if self.policy == "non2xx-12" else 6

    def tries_again(self, answer: Answer) -> bool:
        """Whether the policy has an answer followed by another attempt."""
        if self.policy == "429-only-6":
            return answer.status == 429
        return not answer.acknowledges

    def wait(self, retry: int, rng: random.Random) -> float:
        """Seconds before a retry, counted from 1; a part of them is chance."""
        doubles = self.policy == "non2xx-12"
        first = self.retry_after or (10.0 if doubles else 600.0)
        return first * (2 ** (retry - 1) if doubles else 1) * rng.uniform(1.0, 1.25)


@dataclass(frozen=True, slots=True)
class Event:
    """One event as it is sent: the same id and bytes each time."""

    kind: str
    webhook_id: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back to one attempt: a status, or why there is none."""

    status: int | None
    error: str | None
    seconds: float

    @property
    def acknowledges(self) -> bool:
        """Whether the receiver took the event."""
        return self.status is not None and 200 <= self.status < 300


@dataclass(slots=True)
class Tally:
    """What became of the events.

    Attributes:
        sent: events that were to be sent and not lost, each once.
        acknowledged: ids of events that were answered 2xx, in that order.
        retried: attempts after a first one.
        duplicated: events that were sent a second time.
        given_up: events whose last attempt was not answered 2xx.
        lost: events that were never sent.
        answers: attempts by what was answered.
        under_way: how many times each event is being sent now.
    """

    sent: int = 0
    acknowledged: dict[str, None] = field(default_factory=dict)
    retried: int = 0
    duplicated: int = 0
    given_up: int = 0
    lost: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    under_way: Counter[str] = field(default_factory=Counter)


class Outbox:
    """Sends events by tasks of their own in the running loop.

    Attributes:
        dial: where to and how well; may be turned at any time.
        tally: what became of the events so far.
        is_muted: whether nothing is sent, for what is only repeated after a restart.
    """

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys
        self._tasks: set[asyncio.Task[None]] = set()
        self.is_muted = False
        self.reset(seed=1)

    @cached_property
    def _client(self) -> httpx.AsyncClient:
        import httpx  # noqa: PLC0415 - large, and many a sandbox sends no event

        limits = httpx.Limits(max_connections=2 * IN_FLIGHT, max_keepalive_connections=IN_FLIGHT)
        return httpx.AsyncClient(trust_env=False, limits=limits)

    def reset(self, *, seed: int, dial: Dial | None = None, tally: Tally | None = None) -> None:
        """Start over: what is under way is dropped.

        Args:
            seed: fixes the chances.
            dial: how to send from now on; None sends nothing.
            tally: what became of earlier events; None for none.
        """
        for task in self._tasks:
            task.cancel()
        self._tasks = set()
        self._room = asyncio.Semaphore(IN_FLIGHT)
        self._rng = random.Random(f"webhooks {seed}")
        self._next_slot = 0.0
        self.dial = dial or Dial()
        self.tally = tally or Tally()

    def send(self, event: Event) -> None:
        """Send an event as the dial says; comes back at once."""
        dial, rng = self.dial, self._rng
        if self.is_muted:
            return
        if rng.random() < dial.loss:
            self.tally.lost += 1
            return
        wait = dial.delay + self._until_slot(dial)
        if rng.random() < dial.disorder:
            wait += dial.held * rng.uniform(0.5, 1.0)
        self.tally.sent += 1
        self._start(event, wait)
        if rng.random() < dial.duplicates:
            self.tally.duplicated += 1
            self._start(event, wait + dial.held * rng.random())

    async def send_once(self, event: Event, url: str) -> Answer:
        """Make one attempt, whatever the dial says, and tell what was answered."""
        async with self._room:
            return await self._attempt(event, self.dial.model_copy(update={"url": url}))

    def figures(self) -> dict[str, Any]:
        """What became of the events, as JSON can hold it; `pending` is what is still under way."""
        tally = self.tally
        return {
            "url": self.dial.url,
            "sent": tally.sent,
            "acknowledged": len(tally.acknowledged),
            "retried": tally.retried,
            "duplicated": tally.duplicated,
            "given_up": tally.given_up,
            "lost": tally.lost,
            "pending": len(self._tasks),
            "answers": dict(tally.answers),
            "acknowledged_ids": list(tally.acknowledged),
        }

    def _until_slot(self, dial: Dial) -> float:
        """Seconds until the next event may leave under the dial's rate."""
        if dial.rate is None:
            return 0.0
        now = time.monotonic()
        at = max(now, self._next_slot)
        self._next_slot = at + 1 / dial.rate
        return at - now

    def _start(self, event: Event, wait: float) -> None:
        self.tally.under_way[event.webhook_id] += 1
        delivering: Coroutine[Any, Any, None] = self._deliver(event, wait, self.tally)
        task = asyncio.get_running_loop().create_task(delivering)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver(self, event: Event, wait: float, tally: Tally) -> None:
        retry = 0
        while True:
            await asyncio.sleep(wait)
            dial = self.dial
            if dial.url is None:
                break
            async with self._room:
                answer = await self._attempt(event, dial)
            tally.answers[str(answer.status or answer.error)] += 1
            if answer.acknowledges:
                tally.acknowledged[event.webhook_id] = None
                break
            if retry == dial.retries or not dial.tries_again(answer):
                break
            retry += 1
            tally.retried += 1
            wait = dial.wait(retry, self._rng)
        tally.under_way[event.webhook_id] -= 1
        if not tally.under_way[event.webhook_id] and event.webhook_id not in tally.acknowledged:
            tally.given_up += 1

    async def _attempt(self, event: Event, dial: Dial) -> Answer:
        import httpx  # noqa: PLC0415 - large, and many a sandbox sends no event

        began = time.monotonic()
        # A signature by RSA takes about a millisecond, which is a call's time of the emulated API.
        signed = await asyncio.to_thread(self._keys.headers, event.body, dial.signatures)
        headers = {"content-type": "application/json", **signed}
        status, error = None, None
        try:
            # The client's own limit is one for each step of a call, this one is for all of it.
            async with asyncio.timeout(dial.timeout):
                response = await self._client.post(
                    dial.url or "", content=event.body, headers=headers, timeout=None
                )
            status = response.status_code
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as problem:
            error = type(problem).__name__
        return Answer(status, error, time.monotonic() - began)
