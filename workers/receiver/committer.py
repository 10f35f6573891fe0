"""Group commit: what arrives while one commit is under way shares the next one.

One thread writes. A request waits until its event is on disk, or until the time for that is over.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from types import TracebackType
from typing import Self

import structlog

from syncline.errors import Again
from syncline.ledger.database import Ledger
from syncline.webhooks import events
from syncline.webhooks.events import Arrived

log = structlog.get_logger()

MOST_WAITING = 10_000
MOST_WAITING_BYTES = 64 << 20
LARGEST_BATCH = 500
LARGEST_BATCH_BYTES = 8 << 20


@dataclass(frozen=True, slots=True)
class _Waiting:
    arrived: Arrived
    stored: asyncio.Future[bool]


class Committer:
    """Stores webhooks; used inside `async with`, whose end waits until all is stored.

    Args:
        ledger: where they are stored.
        within: the longest that a request waits.
        committed: called after each commit that stored something new; must return at once.
    """

    def __init__(self, ledger: Ledger, within: timedelta, committed: Callable[[], None]) -> None:
        self._ledger = ledger
        self._within = within.total_seconds()
        self._committed = committed
        self._queue: deque[_Waiting] = deque()
        self._bytes = 0
        self._wake = asyncio.Event()
        self._closing = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._run())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._closing = True
        self._wake.set()
        if self._task is not None:
            # A server that hangs must not keep this process: its senders were told to wait.
            with suppress(TimeoutError):
                await asyncio.wait_for(self._task, self._within)
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def store(self, arrived: Arrived) -> bool:
        """Whether it was new, once it is on disk.

        Raises:
            Again: it may not be stored, and shall be sent again.
        """
        size = len(arrived.body)
        if len(self._queue) >= MOST_WAITING or self._bytes + size > MOST_WAITING_BYTES:
            raise Again("Too much waits to be stored.")
        waiting = _Waiting(arrived, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._bytes += size
        self._wake.set()
        try:
            async with asyncio.timeout(self._within):
                return await waiting.stored
        except TimeoutError:
            raise Again("Storing takes too long.") from None

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        while self._queue or not self._closing:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
                continue
            batch = self._take()
            if batch:
                found = await loop.run_in_executor(
                    self._thread, self._store, [one.arrived for one in batch]
                )
                self._tell(batch, found)

    def _take(self) -> list[_Waiting]:
        """The next batch, without those whose sender was already told to come again."""
        batch: list[_Waiting] = []
        size = 0
        while self._queue and len(batch) < LARGEST_BATCH and size < LARGEST_BATCH_BYTES:
            one = self._queue.popleft()
            self._bytes -= len(one.arrived.body)
            if not one.stored.done():
                batch.append(one)
                size += len(one.arrived.body)
        return batch

    def _tell(self, batch: Sequence[_Waiting], found: Sequence[bool | Again]) -> None:
        if any(outcome is True for outcome in found):
            self._committed()
        for one, outcome in zip(batch, found, strict=True):
            if one.stored.done():
                continue
            if isinstance(outcome, Again):
                one.stored.set_exception(outcome)
            else:
                one.stored.set_result(outcome)

    def _store(self, batch: Sequence[Arrived]) -> list[bool | Again]:
        """In the writing thread: one transaction; where it fails for one event, one for each."""
        try:
            return [*self._ledger.run(lambda connection: events.store(connection, batch))]
        except Again as away:
            log.warning("webhooks cannot be stored", error=away.what, count=len(batch))
            return [away] * len(batch)
        except Exception as error:  # noqa: BLE001 - the one thread that stores must outlive any
            # Its first line: a statement with its traceback would take longer than senders wait.
            log.warning(
                "storing webhooks failed",
                error=f"{type(error).__name__}: {error}".partition("\n")[0],
                count=len(batch),
            )
            if len(batch) > 1:
                return [outcome for one in batch for outcome in self._store([one])]
            return [Again("It cannot be stored.")]
