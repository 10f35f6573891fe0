"""The two servers of an installation: those of the settings, else embedded ones that start here.

Embedded servers are shared by all processes of the installation and survive a crash of any of
them. Each process that uses them holds a shared lock; the last one to leave stops them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

import psycopg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from syncline.errors import Unreachable
from syncline.settings import Settings
from workers.embedded.broker import ensure_redis
from workers.embedded.data_folder import make_usable
from workers.embedded.locks import FileLock, alone
from workers.embedded.postgres import Postgres
from workers.embedded.redis_server import RedisServer
from workers.embedded.server import Server, ensure_running, ensure_stopped, hold, is_running

_CONNECT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class Servers:
    """Where PostgreSQL and Redis are. Both URLs hold a password, so neither is shown."""

    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)


def ensure(settings: Settings) -> Servers:
    """Find both servers, starting the embedded ones where no URL is given.

    Raises:
        Unreachable: a server of the settings does not answer.
        Refused: an embedded server does not start.
    """
    if settings.database_url is not None:
        database_url = settings.database_url.get_secret_value()
        _check_database(database_url)
    else:
        postgres = Postgres(settings.data)
        with alone(settings.data / "servers.lock"):
            database_url = postgres.url(ensure_running(postgres))
    return Servers(database_url, ensure_redis(settings))


def are_running(settings: Settings) -> bool:
    """Whether those that the settings do not name run already in the data folder."""
    return all(is_running(server) for server in of(settings))


def stop_if_unused(settings: Settings) -> bool:
    """Stop the embedded servers unless some process holds them; says whether they are stopped.

    Raises:
        Refused: one does not end.
    """
    if not settings.data.is_dir():
        return True
    with FileLock(settings.data / "users.lock") as users:
        if not users.try_take():
            return False
        with alone(settings.data / "servers.lock"):
            for server in (RedisServer(settings.data), Postgres(settings.data)):
                ensure_stopped(server)
    return True


@contextmanager
def using(settings: Settings) -> Iterator[Servers]:
    """Both servers for the length of a block; the last process to leave stops embedded ones.

    Raises:
        Refused: as `ensure`; or the data folder cannot be used.
    """
    if settings.database_url is not None and settings.redis_url is not None:
        yield ensure(settings)
        return
    if not (settings.data.is_dir() and are_running(settings)):
        make_usable(settings.data)
    held = hold(settings)
    try:
        yield ensure(settings)
    finally:
        held.close()
        stop_if_unused(settings)


def of(settings: Settings) -> list[Server]:
    """The servers that the settings do not name."""
    found: list[Server] = []
    if settings.database_url is None:
        found.append(Postgres(settings.data))
    if settings.redis_url is None:
        found.append(RedisServer(settings.data))
    return found


@cache
def _check_database(url: str) -> None:
    """Whether it lets us in; once it has, this process does not ask again."""
    remedy = "Check SYNCLINE_DATABASE_URL, or leave it out to use the embedded PostgreSQL."
    try:
        place = make_url(url).set(drivername="postgresql")
    except ArgumentError:
        raise Unreachable("SYNCLINE_DATABASE_URL is not a URL.", remedy=remedy) from None
    try:
        psycopg.connect(
            place.render_as_string(hide_password=False), connect_timeout=_CONNECT_SECONDS
        ).close()
    except psycopg.Error as error:
        reason = next(iter(str(error).strip().splitlines()), "no answer")
        raise Unreachable(
            f"PostgreSQL at {place.host or 'the local socket'} does not let us in ({reason}).",
            remedy=remedy,
        ) from None
