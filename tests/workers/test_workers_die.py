"""Real worker processes, killed, stopped and deprived of their servers in the middle of the work.

Everything is driven by beat alone. The settle time is longer than a call may be held up before it
leaves, as it must be. One installation goes through all of it; each test gives it new work.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from redis import Redis

from syncline.sandbox.process import SandboxProcess
from syncline.settings import Settings
from tests.sandboxes import SharedSandbox
from tests.world import World, small
from workers import processes
from workers.crews import EVERYTHING
from workers.embedded.postgres import Postgres
from workers.embedded.server import ensure_running, ensure_stopped
from workers.supervisor import Backoff, Supervisor

ENVIRONMENT = {
    "HEARTBEAT": "0.2",
    "DEAD_AFTER": "1",
    "SETTLE": "4",
    "DEADLINE": "5",
    "SWEEP": "0.3",
    "TICK": "0.5",
    # What changed may have been made weeks ago, so all of it is read again and again.
    **dict.fromkeys(("PULL_HOT", "PULL_WARM", "PULL_COLD"), "2"),
    "WORKER_THREADS": "4",
    "KEY": "k" * 40,
}
QUICK = Backoff(first=timedelta(milliseconds=50), longest=timedelta(milliseconds=500))
NAMES = ("one", "other")
NEW_ORDERS = 36
"""More than one worker sends at once."""
_NEVER = threading.Event()


@pytest.fixture(scope="module")
def database(new_database: Callable[[], AbstractContextManager[str]]) -> Iterator[str]:
    with new_database() as url:
        yield url


@pytest.fixture(scope="module")
def redis_url(redis_server_url: str) -> str:
    with Redis.from_url(redis_server_url) as redis:
        redis.flushall()
    return redis_server_url


@pytest.fixture(scope="module")
def sandbox(sandbox_process: SharedSandbox) -> SandboxProcess:
    small(sandbox_process, profile="plain", orders=0, customers=8)
    sandbox_process.faults(kind="latency", probability=1, min_ms=60, max_ms=300)
    return sandbox_process


@pytest.fixture(scope="module")
def world(database: str, redis_url: str, sandbox: SandboxProcess) -> Iterator[World]:
    """What is in the ledger, looked at from outside; it takes no part in the work."""
    made = World(database, redis_url, sandbox, settle=4)
    yield made
    made.close()


@pytest.fixture(scope="module")
def crew(
    world: World, database: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Supervisor]:
    """Two workers and a beat."""
    data = tmp_path_factory.mktemp("workers")
    environment = {**ENVIRONMENT, "DATABASE_URL": database, "REDIS_URL": redis_url}
    with pytest.MonkeyPatch.context() as patched:
        for name, value in environment.items():
            patched.setenv(f"SYNCLINE_{name}", value)
        settings = Settings(data=data)
        crews = [replace(EVERYTHING, name=name) for name in NAMES]
        with Supervisor(data / "logs", grace=timedelta(seconds=8), backoff=QUICK) as supervisor:
            supervisor.start(
                [*(processes.worker(crew, settings) for crew in crews), processes.beat(settings)]
            )
            yield supervisor


@pytest.fixture
def workers(crew: Supervisor, world: World, sandbox: SandboxProcess) -> Supervisor:
    """Both workers at work: of the new orders something is delivered and many are not."""
    before = delivered_orders(world)
    sandbox.add_orders(NEW_ORDERS)
    until(lambda: delivered_orders(world) >= before + 4)
    sandbox.add_orders(NEW_ORDERS // 2)  # however quick they were with the first
    return crew


def test_a_worker_killed_again_and_again_loses_and_doubles_nothing(
    workers: Supervisor, world: World, sandbox: SandboxProcess
) -> None:
    killed = []
    for name in (*NAMES, NAMES[0]):
        killed.append(workers.kill(name))
        before = delivered_orders(world)
        until(lambda before=before: delivered_orders(world) > before or in_line(world, sandbox))  # type: ignore[misc]  # mypy knows no default in a lambda
    until(lambda: in_line(world, sandbox))
    assert None not in killed
    assert sandbox.audit()["clean"]


def test_a_worker_stopped_beyond_its_heartbeat_finds_its_rows_gone_and_doubles_nothing(
    workers: Supervisor, world: World, sandbox: SandboxProcess
) -> None:
    assert workers.kill(NAMES[0], signal.SIGSTOP)
    until(lambda: in_line(world, sandbox))
    assert workers.kill(NAMES[0], signal.SIGCONT)
    sandbox.change_orders(5, fields="amount")
    assert workers.kill(NAMES[1], signal.SIGSTOP)
    until(lambda: in_line(world, sandbox))
    assert workers.kill(NAMES[1], signal.SIGCONT)
    assert sandbox.audit()["clean"]


def test_redis_emptied_in_the_middle_costs_nothing_but_a_moment(
    workers: Supervisor, world: World, sandbox: SandboxProcess, redis_url: str
) -> None:
    with Redis.from_url(redis_url) as redis:
        redis.flushall()
        before = delivered_orders(world)
        until(lambda: delivered_orders(world) > before or in_line(world, sandbox))
        redis.flushall()
    until(lambda: in_line(world, sandbox))
    assert sandbox.audit()["clean"]


def test_postgresql_restarted_in_the_middle_loses_and_doubles_nothing(
    workers: Supervisor, world: World, sandbox: SandboxProcess, servers_folder: Path
) -> None:
    server = Postgres(servers_folder)
    pids = [workers.pid(name) for name in NAMES]
    ensure_stopped(server)
    ensure_running(server)
    until(lambda: in_line(world, sandbox))
    assert [workers.pid(name) for name in NAMES] == pids
    assert sandbox.audit()["clean"]


def delivered_orders(world: World) -> int:
    return world.counts().get(("orders", "delivered"), 0)


def in_line(world: World, sandbox: SandboxProcess) -> bool:
    """By the sandbox's verdict, and with nothing left to do in the ledger."""
    if world.open_deliveries():
        return False
    verdict = sandbox.audit()
    return bool(verdict["orders_in_line"] == verdict["orders_owed"])


def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, "this did not come true"
        _NEVER.wait(0.05)
