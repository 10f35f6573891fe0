"""Tells the workers that events wait, from a thread of its own: Redis may be slow, or away."""

from __future__ import annotations

import threading
from collections.abc import Callable

import structlog

log = structlog.get_logger()


class Nudger:
    """Calls `publish` once for any number of wakes that came in the meantime.

    The thread is a daemon: a nudge that is lost costs one sweep, so nobody waits for it at the end.

    Args:
        publish: sends the nudge; whatever it raises is logged.
    """

    def __init__(self, publish: Callable[[], None]) -> None:
        self._publish = publish
        self._wanted = threading.Event()
        threading.Thread(target=self._run, name="nudge", daemon=True).start()

    def wake(self) -> None:
        """Ask for a nudge; returns at once."""
        self._wanted.set()

    def _run(self) -> None:
        while self._wanted.wait():
            self._wanted.clear()
            try:
                self._publish()
            except Exception as error:  # noqa: BLE001 - this thread must outlive any of them
                log.warning("a nudge was not published", error=type(error).__name__)
