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


@pytest.fixture(scope="session")
def _databases(database_url: str, _template: str) -> _Databases:
    return _Databases(database_url, _template)


@pytest.fixture
def database(_databases: _Databases) -> Iterator[str]:
    """The URL of an empty database with the ledger's tables."""
    name = _databases.take()
    yield _databases.url(name)
    _databases.give_back(name)


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


class _Databases:
    """Databases with the ledger's tables, empty: emptied after a test, for the next one.

    Making one anew for each test would take most of the tests' time.
    """

    def __init__(self, server_url: str, template: str) -> None:
        self._server_url = server_url
        self._template = template
        self._shape = self._shape_of(template)
        self._free: list[str] = []

    def take(self) -> str:
        if self._free:
            return self._free.pop()
        name = f"ledger_{next(_NUMBERS)}"
        _administer(self._server_url, f'create database "{name}" template "{self._template}"')
        return name

    def url(self, name: str) -> str:
        return _sibling(self._server_url, name)

    def give_back(self, name: str) -> None:
        """End every session in it and empty it; one whose shape a test has changed is dropped."""
        if self._shape_of(name) == self._shape:
            _administer(self._server_url, _EMPTY, database=name)
            self._free.append(name)
        else:
            _administer(self._server_url, f'drop database "{name}" with (force)')

    def _shape_of(self, name: str) -> str:
        return _administer(self._server_url, _SHAPE, database=name)


_SHAPE = """
select concat_ws(
    '/',
    (select string_agg(relname, ',' order by relname)
     from pg_class where relnamespace = 'public'::regnamespace),
    (select count(*) from pg_attribute join pg_class on pg_class.oid = attrelid
     where relnamespace = 'public'::regnamespace and not attisdropped),
    (select count(*) from pg_trigger), (select count(*) from pg_constraint),
    (select count(*) from pg_rewrite), (select count(*) from pg_proc))"""

_EMPTY = """
do $$
declare
    one text;
    filled text[] := '{}';
    is_filled boolean;
begin
    perform pg_terminate_backend(pid, 5000) from pg_stat_activity
    where datname = current_database() and backend_type = 'client backend'
      and pid <> pg_backend_pid();
    for one in select oid::regclass::text from pg_class
               where relkind = 'r' and relnamespace = 'public'::regnamespace
                 and relname <> 'alembic_version'
    loop
        execute format('select exists (select 1 from %s)', one) into is_filled;
        if is_filled then filled := filled || one; end if;
    end loop;
    if filled <> '{}' then
        execute 'truncate ' || array_to_string(filled, ', ') || ' cascade';
    end if;
    perform setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
    from pg_sequences where last_value is not null;
end $$"""


def _sibling(url: str, database: str) -> str:
    return f"{url.rsplit('/', 1)[0]}/{database}"


def _administer(url: str, statement: str, database: str = "postgres") -> str:
    """Run a statement; returns what stands first in its answer, "" where it has none."""
    import psycopg  # noqa: PLC0415

    place = _sibling(url, database).replace("+psycopg", "", 1)
    with psycopg.connect(place, autocommit=True) as connection:
        done = connection.execute(statement.encode())
        row = None if done.description is None else done.fetchone()
        return "" if row is None else str(row[0])
