"""Runs the processes of `syncline up`: starts them, starts them again when one dies, stops all."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from syncline import machine
from syncline.errors import UnknownName

log = structlog.get_logger()

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)
_LEAST_FREE_BYTES = 1_000_000
"""With less, a process cannot even write down why it ended."""

_LARGEST_LOG_BYTES = 20_000_000
_POLL_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Process:
    """A process to keep running.

    Attributes:
        name: also the name of its log.
        command: program and arguments; no secret, since everyone can read a command line.
        env: variables added to our own; secrets belong here.
    """

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long a process that died waits: `first`, doubled each time up to `longest`.

    One that had lived for `stable` begins at `first` again.
    """

    first: timedelta = timedelta(seconds=0.2)
    longest: timedelta = timedelta(seconds=30)
    stable: timedelta = timedelta(seconds=20)

    def rest(self, deaths: int) -> timedelta:
        """The rest after so many deaths in a row."""
        return min(self.longest, self.first * 2.0 ** min(deaths - 1, 20))


@dataclass(slots=True)
class _Child:
    process: Process
    running: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    start_at: float = 0.0
    deaths: int = 0
    error: OSError | None = None
    sent: signal.Signals | None = None


class Supervisor:
    """Keeps named processes running until it is stopped. They never outlive this process.

    Args:
        logs: the folder in which each process writes NAME.log.
        grace: how long `stop` waits after SIGTERM before it kills.
        backoff: how long a process that died waits.
    """

    def __init__(
        self,
        logs: Path,
        *,
        grace: timedelta = timedelta(seconds=20),
        backoff: Backoff | None = None,
    ) -> None:
        self._logs = logs
        self._grace = grace
        self._backoff = backoff or Backoff()
        self._children: dict[str, _Child] = {}
        self._change = threading.Condition()
        self._stopping = False
        # Children are told of the death of the *thread* that started them, so one thread starts
        # all of them and lives until the last is gone.
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)
        logs.mkdir(parents=True, exist_ok=True)

    def start(self, processes: Iterable[Process]) -> None:
        """Begin to run these processes; returns when each has been started once.

        Raises:
            OSError: a program cannot be started at all.
        """
        with self._change:
            for process in processes:
                self._children[process.name] = _Child(process)
            if not self._thread.ident:
                self._thread.start()
            self._change.notify_all()
            self._change.wait_for(lambda: all(child.started for child in self._children.values()))
            for child in self._children.values():
                if child.error is not None:
                    raise child.error

    def pid(self, name: str) -> int | None:
        """The process's id, or None while it is dead.

        Raises:
            UnknownName: no such process was started.
        """
        with self._change:
            running = self._child(name).running
            return running.pid if running is not None and running.poll() is None else None

    def kill(self, name: str, sign: signal.Signals = signal.SIGKILL) -> int | None:
        """Send it a signal; returns the id of the process that got it, None if none runs.

        Raises:
            UnknownName: no such process was started.
        """
        with self._change:
            child = self._child(name)
            running = child.running
            if running is None or running.poll() is not None:
                return None
            child.sent = sign
            running.send_signal(sign)
            return running.pid

    def stop(self) -> None:
        """End all: SIGTERM, and SIGKILL for those that have not ended after the grace."""
        with self._change:
            self._stopping = True
            running = [child.running for child in self._children.values() if child.running]
        for process in running:
            process.terminate()
        give_up = time.monotonic() + self._grace.total_seconds()
        for process in running:
            try:
                process.wait(max(0.0, give_up - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        with self._change:
            self._change.notify_all()
        if self._thread.ident:
            self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _child(self, name: str) -> _Child:
        if name not in self._children:
            raise UnknownName(
                f"No process {name} runs here.", remedy=f"There are: {', '.join(self._children)}."
            )
        return self._children[name]

    def _watch(self) -> None:
        with self._change:
            while not self._ended():
                for child in self._children.values():
                    self._look_after(child)
                self._change.notify_all()
                self._change.wait(_POLL_SECONDS)

    def _ended(self) -> bool:
        return self._stopping and all(
            child.running is None or child.running.poll() is not None
            for child in self._children.values()
        )

    def _look_after(self, child: _Child) -> None:
        now = time.monotonic()
        if child.running is not None and child.running.poll() is not None:
            self._bury(child, f"exit {child.running.returncode}", now)
        if child.running is None and not self._stopping and now >= child.start_at:
            child.started = now
            try:
                child.running, child.error = self._spawn(child.process), None
            except OSError as error:
                child.error = error
                self._bury(child, str(error), now)

    def _bury(self, child: _Child, why: str, now: float) -> None:
        lived = now - child.started
        # Whoever killed it here knows.
        known = child.running is not None and child.running.returncode == -(child.sent or 0)
        child.running = child.sent = None
        child.deaths = 1 if lived > self._backoff.stable.total_seconds() else child.deaths + 1
        rest = self._backoff.rest(child.deaths)
        child.start_at = now + rest.total_seconds()
        if not self._stopping and not known:
            full = machine.without_room(self._logs, _LEAST_FREE_BYTES)
            log.warning(
                "process ended and is started again",
                process=child.process.name,
                why=why if full is None else f"{why}; {full.what}",
                rest_s=rest.total_seconds(),
                log=str(self._log_of(child.process)),
            )

    def _spawn(self, process: Process) -> subprocess.Popen[bytes]:
        path = self._log_of(process)
        if path.exists() and path.stat().st_size > _LARGEST_LOG_BYTES:
            path.replace(path.with_suffix(".log.1"))
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(handle, "ab") as file:
            return subprocess.Popen(  # noqa: S603 - our own commands
                process.command,
                env={**os.environ, **process.env},
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                # A Ctrl-C at the terminal goes to us alone; we stop them in order.
                start_new_session=True,
                # Nothing but two system calls happens in there, so threads cannot deadlock it.
                preexec_fn=_tie_to(os.getpid()),  # noqa: PLW1509
            )

    def _log_of(self, process: Process) -> Path:
        return self._logs / f"{process.name}.log"


def _tie_to(parent: int) -> Callable[[], None]:
    """What makes a new child end when we end, however we end."""

    def tie() -> None:
        _LIBC.prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
        if os.getppid() != parent:
            os._exit(1)

    return tie
