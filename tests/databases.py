"""The databases of tests: made once from a template, lent, and emptied for the next test."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from sqlalchemy.engine import make_url

from tests.engines import Engines

NUMBERS = itertools.count(1)
"""So that no two databases have one name."""


class Databases:
    """Databases with the ledger's tables, empty: emptied after a test, for the next one.

    Making one anew for each test would take most of the tests' time.
    """

    def __init__(self, server_url: str, template: str, engines: Engines) -> None:
        self._server_url = server_url
        self._template = template
        self._engines = engines
        with administering(server_url, template) as connection:
            self._shape = connection.execute(_SHAPE).fetchone()
        self._free: list[str] = []

    @contextmanager
    def lent(self) -> Iterator[str]:
        """The URL of an empty database, which is taken back at the end."""
        name = self._take()
        yield self._url(name)
        self._give_back(name)

    def _take(self) -> str:
        if self._free:
            return self._free.pop()
        name = f"ledger_{next(NUMBERS)}"
        self._copy(self._template, name)
        return name

    def _url(self, name: str) -> str:
        return sibling(self._server_url, name)

    def keep(self, url: str) -> str:
        """Make a copy of this database, which nobody uses now; returns the copy's name."""
        kept = f"kept_{next(NUMBERS)}"
        self._engines.let_go(url)
        self._copy(url.rsplit("/", 1)[1], kept)
        return kept

    def put_back(self, url: str, kept: str) -> None:
        """Let this database, which nobody uses now, be as the copy."""
        name = url.rsplit("/", 1)[1]
        self._engines.let_go(url)
        administer(self._server_url, f'drop database "{name}" with (force)')
        self._copy(kept, name)

    def _copy(self, name: str, copy: str) -> None:
        administer(self._server_url, f'create database "{copy}" template "{name}"')

    @contextmanager
    def _signed_in(self, name: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """A session in the database: one that rests, where there is one."""
        resting = self._engines.session(self._url(name))
        if resting is None:
            with administering(self._server_url, name) as connection:
                yield connection
        else:
            with resting as connection:
                yield connection

    def _give_back(self, name: str) -> None:
        """End sessions in it and empty it; one whose shape a test has changed is dropped."""
        with self._signed_in(name) as connection:
            connection.execute(_END_OTHERS, [self._engines.resting(self._url(name))])
            is_as_made = connection.execute(_SHAPE).fetchone() == self._shape
            if is_as_made:
                connection.execute(_EMPTY)
        if is_as_made:
            self._free.append(name)
        else:
            administer(self._server_url, f'drop database "{name}" with (force)')


_SHAPE = b"""
select concat_ws(
    '/',
    (select string_agg(relname, ',' order by relname)
     from pg_class where relnamespace = 'public'::regnamespace),
    (select count(*) from pg_attribute join pg_class on pg_class.oid = attrelid
     where relnamespace = 'public'::regnamespace and not attisdropped),
    (select count(*) from pg_trigger), (select count(*) from pg_constraint),
    (select count(*) from pg_rewrite), (select count(*) from pg_proc))"""

_END_OTHERS = b"""
select pg_terminate_backend(pid, 5000) from pg_stat_activity
where datname = current_database() and backend_type = 'client backend'
  and pid <> pg_backend_pid() and pid <> all(%s)"""

# To delete a few rows takes a quarter of the time of a TRUNCATE, which makes new files. What has
# grown, by many rows or by many tests, is truncated. A replica's role fires no triggers.
_EMPTY = b"""
do $$
declare
    one record;
    grown text[] := '{}';
begin
    perform set_config('session_replication_role', 'replica', true);
    for one in select oid::regclass::text as name, pg_relation_size(oid) as size from pg_class
               where relkind = 'r' and relnamespace = 'public'::regnamespace
                 and relname <> 'alembic_version' and pg_relation_size(oid) > 0
    loop
        if one.size > 262144 then
            grown := grown || one.name;
        else
            execute 'delete from ' || one.name;
        end if;
    end loop;
    if grown <> '{}' then
        execute 'truncate ' || array_to_string(grown, ', ') || ' cascade';
    end if;
    perform setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false)
    from pg_sequences where last_value is not null;
end $$"""


def hash_password_once(url: str) -> None:
    """Signing in is else as much work as all else of a short session: 4,096 rounds of a hash."""
    place = make_url(url)
    with administering(url) as connection:
        connection.execute("set scram_iterations = 1")
        connection.execute(f"alter user \"{place.username}\" password '{place.password}'".encode())


def sibling(url: str, database: str) -> str:
    return f"{url.rsplit('/', 1)[0]}/{database}"


def administering(url: str, database: str = "postgres") -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(sibling(url, database).replace("+psycopg", "", 1), autocommit=True)


def administer(url: str, statement: str) -> None:
    with administering(url) as connection:
        connection.execute(statement.encode())
