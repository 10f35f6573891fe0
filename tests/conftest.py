"""Real servers for all tests: PostgreSQL and Redis as syncline starts them, and the sandbox.

Imports stand inside the fixtures, so that a test of pure logic starts nothing.
"""

from __future__ import annotations

import gc
import os
import ssl
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.memory import roomy_memory

if TYPE_CHECKING:
    from syncline.sandbox.process import SandboxProcess
    from tests.databases import Databases
    from tests.engines import Engines
    from tests.in_between import InBetween, QuotaClock
    from tests.installations import Installations
    from tests.sandboxes import SharedSandbox
    from tests.world import Worlds

# How long an example takes says something about the machine and nothing about the code. Each run
# draws others: half as many as usual, every time, come to more than a thousand within a month.
settings.register_profile(
    "untimed", max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("untimed")

# Tests start many Python processes: without bytecode each of them compiles all of syncline.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# What collecting makes lives to the end. Looking through it for garbage, meanwhile and after every
# few tests, would find none.
gc.disable()

_CHUNK = 12
"""How many tests xdist hands to a process at a time: `--maxschedchunk` in pyproject.toml."""

_LONGEST = ("test_workers_die.py", "test_demo.py", "test_compose.py")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--soak",
        action="store_true",
        help="Run what is left to chance, with many more tries: what `bench soak` runs.",
    )


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The longest begin first, a file in a chunk: begun last, one would keep all others waiting."""
    _leave_out_other_variants(config, items)
    longest = {name: [one for one in items if one.path.name == name] for name in _LONGEST}
    others = [item for item in items if item.path.name not in _LONGEST]
    for at, together in enumerate(longest.values()):
        others[at * _CHUNK : at * _CHUNK] = together
    items[:] = others


def _leave_out_other_variants(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave variants for a soak to it, and let it run only what is left to chance."""
    soaks = config.getoption("soak")
    wanted: list[pytest.Item] = []
    left_out: list[pytest.Item] = []
    for item in items:
        is_for_a_soak = item.get_closest_marker("soak") is not None
        is_a_promise = item.path.parent.name == "promises"
        runs = (is_for_a_soak or is_a_promise) if soaks else not is_for_a_soak
        (wanted if runs else left_out).append(item)
    config.hook.pytest_deselected(items=left_out)
    items[:] = wanted


@pytest.fixture(scope="session", autouse=True)
def _command_line_is_built_once() -> Iterator[None]:
    """As in a real process; typer's runner builds all commands anew for every line it runs."""
    import typer.testing  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(typer.testing, "_get_command", cache(typer.main.get_command))
        yield


@pytest.fixture(scope="session", autouse=True)
def _certificates_are_read_once() -> Iterator[None]:
    """To read all the authorities' takes 20 ms, and a client of httpx does it when it is made."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(ssl, "create_default_context", cache(ssl.create_default_context))
        yield


@pytest.fixture(scope="session", autouse=True)
def _logs_are_plain() -> None:
    """As workers write them; structlog's own default paints a traceback for a third of a second."""
    import structlog  # noqa: PLC0415

    structlog.configure(
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(default=str)]
    )


@pytest.fixture(scope="session")
def _engines() -> Iterator[Engines]:
    import workers.context  # noqa: PLC0415
    from syncline.ledger.database import connect  # noqa: PLC0415
    from tests.engines import Engines  # noqa: PLC0415

    with pytest.MonkeyPatch.context() as patched, Engines(connect) as engines:
        patched.setattr(workers.context, "connect", engines.connect)
        yield engines


@pytest.fixture(scope="session")
def servers_folder() -> Iterator[Path]:
    # Not below pytest's own folder: that one is closed to PostgreSQL's user when tests run as root.
    with tempfile.TemporaryDirectory(
        prefix="syncline-tests-", dir=roomy_memory(), ignore_cleanup_errors=True
    ) as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def redis_server_url(servers_folder: Path) -> Iterator[str]:
    from workers.embedded.redis_server import RedisServer  # noqa: PLC0415
    from workers.embedded.server import ensure_running, ensure_stopped  # noqa: PLC0415

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
    from tests.databases import administer, hash_password_once  # noqa: PLC0415
    from workers.embedded.postgres import Postgres  # noqa: PLC0415
    from workers.embedded.server import ensure_running, ensure_stopped  # noqa: PLC0415

    server = Postgres(servers_folder)
    url = server.url(ensure_running(server))
    # Many small databases, each visited in turn for a few rows, are most of its work otherwise.
    administer(url, "alter system set autovacuum = off")
    administer(url, "select pg_reload_conf()")
    hash_password_once(url)
    yield url
    ensure_stopped(server)


@pytest.fixture(scope="session")
def _template(database_url: str) -> str:
    from syncline.ledger.migrate import upgrade  # noqa: PLC0415
    from tests.databases import administer, administering, sibling  # noqa: PLC0415
    from tests.moves import guard  # noqa: PLC0415

    administer(database_url, 'create database "template_ledger"')
    upgrade(sibling(database_url, "template_ledger"))
    with administering(database_url, "template_ledger") as connection:
        connection.execute(guard().encode())
    return "template_ledger"


@pytest.fixture(scope="session")
def _databases(database_url: str, _template: str, _engines: Engines) -> Databases:
    from tests.databases import Databases  # noqa: PLC0415

    return Databases(database_url, _template, _engines)


@pytest.fixture(scope="session")
def installations(_databases: Databases, sandbox_process: SharedSandbox) -> Installations:
    from tests.installations import Installations  # noqa: PLC0415

    return Installations(_databases, sandbox_process)


@pytest.fixture(scope="session")
def new_database(_databases: Databases) -> Callable[[], AbstractContextManager[str]]:
    return _databases.lent


@pytest.fixture
def database(_databases: Databases) -> Iterator[str]:
    """The URL of an empty database with the ledger's tables."""
    with _databases.lent() as url:
        yield url


@pytest.fixture
def empty_database(database_url: str) -> Iterator[str]:
    """The URL of a database without anything in it."""
    from tests.databases import NUMBERS, administer, sibling  # noqa: PLC0415

    name = f"empty_{next(NUMBERS)}"
    administer(database_url, f'create database "{name}"')
    yield sibling(database_url, name)
    administer(database_url, f'drop database "{name}" with (force)')


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator[SharedSandbox]:
    from tests.sandboxes import SharedSandbox  # noqa: PLC0415

    with SharedSandbox() as process:
        yield process


@pytest.fixture
def sandbox(sandbox_process: SharedSandbox) -> SandboxProcess:
    """Both emulated APIs, as new; `.reset(...)` starts over with another config."""
    sandbox_process.start_over()
    return sandbox_process


@pytest.fixture
def in_between(monkeypatch: pytest.MonkeyPatch) -> InBetween:
    """Somebody who may answer in place of the APIs; nobody until its `answers` are set."""
    from tests.in_between import InBetween  # noqa: PLC0415

    made = InBetween()
    made.stand(monkeypatch)
    return made


@pytest.fixture
def quota_clock(monkeypatch: pytest.MonkeyPatch) -> QuotaClock:
    """Moves the time that waits are measured by; without it they take their time."""
    from tests.in_between import QuotaClock  # noqa: PLC0415

    made = QuotaClock()
    made.rule(monkeypatch)
    return made


@pytest.fixture
def worlds(
    database: str, redis_url: str, sandbox: SandboxProcess, installations: Installations
) -> Iterator[Worlds]:
    """Makes workers of one installation over real servers and the sandbox."""
    from tests.world import opening  # noqa: PLC0415

    with opening(database, redis_url, sandbox, installations) as make:
        yield make
