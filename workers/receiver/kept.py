"""A value that is read in a thread of its own and kept for a while: one reading serves all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Generic, TypeVar

from syncline.errors import Again

T = TypeVar("T")


class Cached(Generic[T]):
    """What `read` gave, not older than `lasts`.

    Args:
        read: reads it; may block.
        lasts: how long a value is good.
        within: how long anybody waits for it.
    """

    def __init__(self, read: Callable[[], T], *, lasts: timedelta, within: timedelta) -> None:
        self._read = read
        self._lasts = lasts.total_seconds()
        self._within = within.total_seconds()
        self._reading = asyncio.Lock()
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="look")
        self._kept: tuple[float, T] | None = None

    async def value(self) -> T:
        """The value.

        Raises:
            Again: it cannot be read in time.
        """
        try:
            async with asyncio.timeout(self._within), self._reading:
                if self._kept is None or time.monotonic() - self._kept[0] > self._lasts:
                    loop = asyncio.get_running_loop()
                    found = await loop.run_in_executor(self._thread, self._read)
                    self._kept = (time.monotonic(), found)
                return self._kept[1]
        except TimeoutError:
            raise Again("PostgreSQL does not answer in time.") from None

    def close(self) -> None:
        """Let go of the thread."""
        self._thread.shutdown(wait=False, cancel_futures=True)
