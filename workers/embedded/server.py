"""One embedded server, whichever it is: started once, found again by all, restarted when dead.

A server holds the lock of its own file for as long as any of its processes lives: it inherits the
open file. So whether it runs is asked of the kernel and not of a process id, which may be stale
after a reboot or belong to someone else by now. One that a person started, such as by pg_ctl, has
no such file: it is known by standing in the folder whose pid file names it, and used as it is.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Protocol

from syncline import machine
from syncline.errors import Refused
from syncline.settings import Settings
from workers.embedded import ports
from workers.embedded.locks import FileLock

_FOR_A_NEW_ONE = 100 << 20
"""Bytes: PostgreSQL's new cluster takes half of that."""

_FOR_ONE_THAT_IS_THERE = 24 << 20
"""Bytes: PostgreSQL's log grows by segments of 16 MB."""

_WAIT_SECONDS = 90.0
_TRIES = 3
_PAUSE_SECONDS = 0.05
_TAIL_LINES = 3


class Server(Protocol):
    """What differs between PostgreSQL and Redis."""

    name: str
    home: Path
    log: Path

    @property
    def is_made(self) -> bool:
        """Whether it was ever started here."""

    def running_port(self) -> int | None:
        """The port of the one that runs in its folder, whoever started it; None for none."""

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
            if _is_down(server, lock):
                _refuse_without_room(server)
                server.prepare()
                server.launch(ports.choose(port_path(server)), lock.fd)
        port = _port_of(server)
        if port is not None and _answers(server, port, give_up):
            return port
    _refuse_without_room(server)
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
        if _is_down(server, lock):
            return
        port = _port_of(server)
        if port is not None:
            server.shut_down(port)
        while time.monotonic() < give_up:
            if _is_down(server, lock):
                return
            time.sleep(_PAUSE_SECONDS)
    raise Refused(f"The embedded {server.name} does not stop.", remedy=f"See {server.log}.")


def is_running(server: Server) -> bool:
    """Whether it runs now, whoever started it."""
    with FileLock(lock_path(server)) as lock:
        return not _is_down(server, lock)


def _is_down(server: Server, lock: FileLock) -> bool:
    """Whether no process of it lives; the lock is ours then."""
    return lock.try_take() and server.running_port() is None


def _port_of(server: Server) -> int | None:
    """Where the running one listens: what its own files say, or what we chose a moment ago."""
    port = server.running_port()
    if port is None:
        return ports.remembered(port_path(server))
    ports.remember(port_path(server), port)
    return port


def _answers(server: Server, port: int, give_up: float) -> bool:
    """Wait for an answer for as long as the server lives."""
    while time.monotonic() < give_up:
        if server.is_ready(port):
            return True
        if not is_running(server):
            return False
        time.sleep(_PAUSE_SECONDS)
    return False


def _refuse_without_room(server: Server) -> None:
    """A full disk is told before anything else: what a server says of it leads people astray."""
    needed = _FOR_ONE_THAT_IS_THERE if server.is_made else _FOR_A_NEW_ONE
    full = machine.without_room(server.home.parent, needed)
    if full is not None:
        raise full


def _last_words(log: Path) -> str:
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    except OSError:
        return "it wrote no log."
    return " / ".join(line.strip() for line in lines[-_TAIL_LINES:]) or "it wrote no log."
