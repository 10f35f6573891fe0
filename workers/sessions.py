"""This process's session: begun when it starts to work, kept alive by a thread of its own."""

from __future__ import annotations

import os
import socket
import threading
import time
from datetime import timedelta
from uuid import UUID, uuid4

import structlog
from sqlalchemy.exc import SQLAlchemyError

from syncline.errors import SynclineError
from syncline.ledger import sessions
from syncline.ledger.database import Ledger

log = structlog.get_logger()


class SessionKeeper:
    """Holds the id under which this process owns rows, and beats its heart.

    A session that was found dead, or was abandoned, is replaced by a new one; rows of the old one
    are freed by the sweep.
    """

    def __init__(self, ledger: Ledger, every: timedelta, dead_after: timedelta) -> None:
        self._ledger = ledger
        self._every = every.total_seconds()
        self._dead_after = dead_after
        self._lock = threading.Lock()
        self._id: UUID | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def current(self) -> UUID:
        """The session's id; begins one if there is none."""
        with self._lock:
            if self._id is None:
                self._id = self._begin()
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._beat_for_ever, name="heartbeat", daemon=True
                )
                self._thread.start()
            return self._id

    def abandon(self) -> None:
        """Give the session up: its rows are freed as those of a dead worker."""
        with self._lock:
            old, self._id = self._id, None
        if old is not None:
            self._ledger.run_patiently(
                lambda connection: sessions.end(connection, old), sleep=time.sleep
            )

    def close(self) -> None:
        """End the session of a process that stops, and wait until its heartbeat has stopped."""
        self._stop.set()
        self.abandon()
        if self._thread is not None:
            self._thread.join()

    def _begin(self) -> UUID:
        made = uuid4()
        name = f"{socket.gethostname()}:{os.getpid()}"
        self._ledger.run(lambda connection: sessions.begin(connection, made, name))
        return made

    def _beat_for_ever(self) -> None:
        while not self._stop.wait(self._every):
            try:
                self._beat()
            except (SynclineError, SQLAlchemyError) as error:
                log.warning("heartbeat failed", error=str(error))

    def _beat(self) -> None:
        with self._lock:
            mine = self._id
        if mine is None:
            return
        alive = self._ledger.run(
            lambda connection: sessions.beat(connection, mine, self._dead_after)
        )
        if not alive:
            log.warning("this worker was declared dead and begins anew", session=str(mine))
            with self._lock:
                if self._id == mine:
                    self._id = None
