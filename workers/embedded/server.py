"""One embedded server, whichever it is: started once, found again by all, restarted when dead.

A server holds the lock of its own file for as long as any of its processes lives: it inherits the
open file. So whether it runs is asked of the kernel and not of a process id, which may be stale
after a reboot or belong to someone else by now.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

from syncline.errors import Refused
from syncline.settings import Settings
from workers.embedded import ports
from workers.embedded.locks import FileLock

_WAIT_SECONDS = 90.0
_TRIES = 3
_PAUSE_SECONDS = 0.05
_TAIL_LINES = 3


class Server(Protocol):
    """What differs between PostgreSQL and Redis."""

    name: str
    home: Path
    log: Path

    def prepare(self) -> None:
        """Make the files that a first start needs."""

    def launch(self, port: int, lock: int) -> None:
        """Start the server as a daemon that inherits the file descriptor `lock`."""

    def is_ready(self, port: int) -> bool:
        """Whether it answers on that port as this installation's own."""

    def shut_down(self, port: int) -> None:
        """Ask it to end."""


def lock_path(server: Server) -> Path:
    """The file whose lock the running server holds."""
    return server.home.with_name(f"{server.name}.running")


def port_path(server: Server) -> Path:
    """The file that says on which port it listens."""
    return server.home.with_name(f"{server.name}.port")


def hold(settings: Settings) -> FileLock:
    """Say that this process uses the embedded servers, until the answer is closed or it ends."""
    lock = FileLock(settings.data / "users.lock")
    lock.share()
    return lock


def ensure_running(server: Server) -> int:
    """Start the server unless it runs; returns its port when it answers.

    Callers exclude each other.

    Raises:
        Refused: it does not come up.
    """
    give_up = time.monotonic() + _WAIT_SECONDS
    for _ in range(_TRIES):
        with FileLock(lock_path(server)) as lock:
            if lock.try_take():
                server.prepare()
                server.launch(ports.choose(port_path(server)), lock.fd)
        port = ports.remembered(port_path(server))
        if port is not None and _answers(server, port, give_up):
            return port
    raise Refused(
        f"The embedded {server.name} does not start: {_last_words(server.log)}",
        remedy=f"Its log is {server.log}.",
    )


def ensure_stopped(server: Server) -> None:
    """Stop the server if it runs, and wait until its last process is gone.

    Raises:
        Refused: it does not end.
    """
    give_up = time.monotonic() + _WAIT_SECONDS
    with FileLock(lock_path(server)) as lock:
        if lock.try_take():
            return
        port = ports.remembered(port_path(server))
        if port is not None:
            server.shut_down(port)
        while time.monotonic() < give_up:
            if lock.try_take():
                return
            time.sleep(_PAUSE_SECONDS)
    raise Refused(f"The embedded {server.name} does not stop.", remedy=f"See {server.log}.")


def _answers(server: Server, port: int, give_up: float) -> bool:
    """Wait for an answer for as long as the server lives."""
    while time.monotonic() < give_up:
        if server.is_ready(port):
            return True
        with FileLock(lock_path(server)) as lock:
            if lock.try_take():
                return False
        time.sleep(_PAUSE_SECONDS)
    return False


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return "it wrote no log."
    return " / ".join(line.strip() for line in lines[-_TAIL_LINES:]) or "it wrote no log."
