"""How many webhooks the receiver takes in, how fast, and that a kill loses none it acknowledged.

A real receiver over an embedded PostgreSQL with fsync and synchronous commit, every event signed
with Ed25519 and verified, and the sender on the same machine. Nothing handles the events here.
"""

from __future__ import annotations

import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

import httpx
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench.events.sending import Plan, Sent, send
from syncline.ledger.migrate import upgrade
from workers.embedded.ports import free_port
from workers.embedded.postgres import Postgres
from workers.embedded.redis_server import RedisServer
from workers.embedded.server import ensure_running, ensure_stopped
from workers.supervisor import Process, Supervisor

RATE = 500
SECONDS = 20.0
STEP_SECONDS = 6.0
STEPS = (750, 1000, 1250, 1500, 1750, 2000, 2500, 3000, 3500, 4000, 5000)
SANE_P95_MS = 250.0
"""A rate at which answers take longer than this is more than the receiver can take."""

KILL_RATE = 500
KILL_SECONDS = 10.0
KILL_AT = (2.5, 5.0, 7.5)

_NAME = "receiver"
_SPAWN = multiprocessing.get_context("spawn")

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class _Stand:
    """The receiver under its supervisor, its ledger, and what its senders sign with."""

    supervisor: Supervisor
    port: int
    database: str
    key: bytes

    def stored(self) -> Sequence[str]:
        """The id of every stored event."""
        with psycopg.connect(self.database) as connection:
            rows = connection.execute("select webhook_id from event")
            return [row[0] for row in rows]

    def measure(
        self, rate: float, seconds: float, seed: int, beside: Callable[[], None] | None = None
    ) -> Sent:
        """Send on a schedule from a process of its own; do something else beside it."""
        ours, theirs = _SPAWN.Pipe()
        plan = Plan(rate, seconds, self.port, self.key, seed)
        process = _SPAWN.Process(target=send, args=(plan, theirs), daemon=True)
        process.start()
        theirs.close()
        ours.recv()
        ours.send("go")
        if beside is not None:
            beside()
        sent: Sent = ours.recv()
        process.join()
        return sent

    def kill_repeatedly(self) -> None:
        """SIGKILL at each of the moments; the supervisor starts it again."""
        begun = time.monotonic()
        for at in KILL_AT:
            time.sleep(max(0.0, begun + at - time.monotonic()))
            self.supervisor.kill(_NAME)


def run(progress: Progress) -> dict[str, Any]:
    """Measure; takes about two minutes."""
    with (
        tempfile.TemporaryDirectory(prefix="syncline-bench-", ignore_cleanup_errors=True) as folder,
        _stand(Path(folder)) as stand,
    ):
        progress("warming up …")
        stand.measure(RATE, 3.0, seed=1)
        progress(f"{RATE}/s for {SECONDS:.0f} s …")
        steady = stand.measure(RATE, SECONDS, seed=2)
        lost = steady.unacknowledged + _missing(stand, steady)
        max_rate = _climb(stand, progress) if not lost else 0
        progress(f"{KILL_RATE}/s, killed {len(KILL_AT)} times …")
        killed = stand.measure(KILL_RATE, KILL_SECONDS, seed=3, beside=stand.kill_repeatedly)
        stored = stand.stored()
        return {
            "lost": lost,
            "lost_on_kill": _missing(stand, killed) + killed.unacknowledged,
            "ack_p50_ms": _percentile_ms(steady, 50),
            "ack_p95_ms": _percentile_ms(steady, 95),
            "ack_p99_ms": _percentile_ms(steady, 99),
            "max_rate": max_rate,
            "events": len(steady.acknowledged),
            "kills": len(KILL_AT),
            "sent_again_after_kill": killed.retried,
            "doubled": len(stored) - len(set(stored)),
        }


def _climb(stand: _Stand, progress: Progress) -> int:
    """The highest rate at which nothing is lost, refused or late."""
    best = RATE
    for number, rate in enumerate(STEPS):
        progress(f"{rate}/s for {STEP_SECONDS:.0f} s …")
        sent = stand.measure(rate, STEP_SECONDS, seed=100 + number)
        lost = sent.unacknowledged + sent.retried + _missing(stand, sent)
        p95 = _percentile_ms(sent, 95)
        progress(f"  lost {lost}, p95 {p95:.1f} ms")
        if lost or p95 > SANE_P95_MS:
            return best
        best = rate
    return best


def _missing(stand: _Stand, sent: Sent) -> int:
    """Acknowledged events that the ledger does not hold."""
    return len(set(sent.acknowledged) - set(stand.stored()))


def _percentile_ms(sent: Sent, percent: int) -> float:
    return round(quantiles(sent.latencies, n=100)[percent - 1] * 1000, 2)


@contextmanager
def _stand(folder: Path) -> Iterator[_Stand]:
    postgres, redis = Postgres(folder), RedisServer(folder)
    key = Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    try:
        database, queues = (one.url(ensure_running(one)) for one in (postgres, redis))
        upgrade(database)
        port = free_port()
        receiver = Process(
            _NAME,
            (sys.executable, "-m", "workers.receiver"),
            {
                "SYNCLINE_DATA": str(folder),
                "SYNCLINE_DATABASE_URL": database,
                "SYNCLINE_REDIS_URL": queues,
                "SYNCLINE_RECEIVER_PORT": str(port),
                "SYNCLINE_HIGHLEVEL_PUBLIC_KEYS": public.decode(),
                "SYNCLINE_LOG_LEVEL": "warning",
            },
        )
        with Supervisor(folder / "logs") as supervisor:
            supervisor.start([receiver])
            _until_ready(port)
            at = database.replace("+psycopg", "", 1)
            yield _Stand(supervisor, port, at, key.private_bytes_raw())
    finally:
        for one in (redis, postgres):
            ensure_stopped(one)


def _until_ready(port: int) -> None:
    give_up = time.monotonic() + 60
    while True:
        try:
            answer = httpx.get(f"http://127.0.0.1:{port}/readyz", trust_env=False)
        except httpx.TransportError:
            answer = None
        if answer is not None and answer.is_success:
            return
        if time.monotonic() > give_up:
            raise RuntimeError("The receiver did not get ready within 60 s.")
        time.sleep(0.05)
