"""Real servers for all tests: PostgreSQL and Redis as syncline starts them, and the sandbox.

Imports stand inside the fixtures, so that a test of pure logic starts nothing.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from syncline.sandbox.process import SandboxProcess

# How long an example takes says something about the machine and nothing about the code.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    # Not below pytest's own folder: that one is closed to PostgreSQL's user when tests run as root.
    with tempfile.TemporaryDirectory(
        prefix="syncline-tests-", ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def redis_server_url(servers_folder: Path) -> Iterator[str]:
    from workers.redis_server import RedisServer  # noqa: PLC0415
    from workers.server import ensure_running, ensure_stopped  # noqa: PLC0415

    server = RedisServer(servers_folder)
    yield server.url(ensure_running(server))
    ensure_stopped(server)


@pytest.fixture
def redis_url(redis_server_url: str) -> str:
    """An empty Redis."""
    from redis import Redis  # noqa: PLC0415

    with Redis.from_url(redis_server_url) as client:
        client.flushall()
    return redis_server_url


@pytest.fixture(scope="session")
def database_url(servers_folder: Path) -> Iterator[str]:
    """A PostgreSQL with a database that holds nothing of ours."""
    from workers.postgres import Postgres  # noqa: PLC0415
    from workers.server import ensure_running, ensure_stopped  # noqa: PLC0415

    server = Postgres(servers_folder)
    yield server.url(ensure_running(server))
    ensure_stopped(server)


@pytest.fixture(scope="session")
def _template(database_url: str) -> str:
    from syncline.ledger.migrate import upgrade  # noqa: PLC0415

    _administer(database_url, 'create database "template_ledger"')
    upgrade(_sibling(database_url, "template_ledger"))
    return "template_ledger"


@pytest.fixture
def database(database_url: str, _template: str) -> Iterator[str]:
    """The URL of a fresh database with the ledger's tables."""
    name = f"ledger_{next(_NUMBERS)}"
    _administer(database_url, f'create database "{name}" template "{_template}"')
    yield _sibling(database_url, name)
    _administer(database_url, f'drop database "{name}" with (force)')


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SandboxProcess]:
    from syncline.sandbox.process import SandboxProcess  # noqa: PLC0415

    with SandboxProcess() as process:
        yield process


@pytest.fixture
def sandbox(sandbox_process: SandboxProcess) -> SandboxProcess:
    """Both emulated APIs, as new; `.reset(...)` starts over with another config."""
    sandbox_process.reset()
    return sandbox_process


def _sibling(url: str, database: str) -> str:
    return f"{url.rsplit('/', 1)[0]}/{database}"


def _administer(url: str, statement: str) -> None:
    import psycopg  # noqa: PLC0415

    place = _sibling(url, "postgres").replace("+psycopg", "", 1)
    with psycopg.connect(place, autocommit=True) as connection:
        connection.execute(statement.encode())
