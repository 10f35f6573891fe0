"""The engine, transactions, and the database's clock."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, TextClause, create_engine, event
from sqlalchemy.exc import DBAPIError, DisconnectionError, OperationalError

from syncline import jsontext
from syncline.errors import Again, Refused, SynclineError

T = TypeVar("T")

FROZEN_MS = 15_000
"""A process that hangs in the middle of a transaction would hold its locks forever."""

STATEMENT_TIMEOUT_MS = 60_000
_TRIES = 6
_STATEMENTS = 2048
"""More than there are; those that are put together from parts have few forms."""
_NEW = "new"
_RETRYABLE = frozenset({"40001", "40P01"})  # serialization failure, deadlock

_NO_ROOM = "53"
"""The class of the server's errors that pass when it has room again: disk, memory, connections."""

_NOT_ALLOWED = {
    "25006": "It is read-only, such as a standby: name the one that is written to.",
    "42501": "Let its owner grant what is missing, or name another user.",
}
"""Errors of a database that does not let us work, whatever is asked of it, and their remedies."""


class LedgerAway(Again):
    """The database is away, restarting, or has no room; what was committed last is not known."""


def connect(url: str, *, connections: int = 20) -> Engine:
    """An engine whose JSON keeps Decimals and whose statements cannot hang forever.

    Args:
        url: a PostgreSQL URL; any driver part is replaced by psycopg.
        connections: most connections that this process opens.
    """
    scheme, rest = url.split("://", 1)
    engine = create_engine(
        f"{scheme.split('+')[0].replace('postgres:', 'postgresql:')}+psycopg://{rest}",
        pool_size=connections,
        max_overflow=0,
        pool_timeout=30,
        # The connection used last is the next one used: its server process has plans and caches.
        pool_use_lifo=True,
        hide_parameters=True,  # an error's text goes into logs; parameters hold people's data
        json_serializer=_dumps,
        json_deserializer=jsontext.loads,
        connect_args={
            "connect_timeout": 5,
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MS} -c timezone=UTC"
            f" -c idle_in_transaction_session_timeout={FROZEN_MS}",
            "application_name": "syncline",
            "prepare_threshold": 2,
        },
    )
    event.listen(engine, "connect", _note_new)
    event.listen(engine, "checkout", _refuse_closed)
    return engine


def _note_new(_connection: object, record: Any) -> None:
    record.info[_NEW] = True


def _refuse_closed(connection: Any, record: Any, _proxy: object) -> None:
    """Have the pool open another connection where the server has closed this one.

    A server that restarts says so on the socket, and while nothing is asked it says nothing else.
    So a look at the socket tells it, without the round trip and the transaction of a ping. A new
    connection is not looked at: the pool tries twice, and what then ends is an outage like others.
    """
    if record.info.pop(_NEW, False):
        return
    if connection.closed or _is_told_something(connection):
        raise DisconnectionError


def _is_told_something(connection: Any) -> bool:
    waiting = select.poll()
    waiting.register(connection.fileno(), select.POLLIN)
    return bool(waiting.poll(0))


def _dumps(document: Any) -> str:
    return jsontext.dumps(document).decode()


class Ledger:
    """Where every step gets its transactions from."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """One transaction: committed at the end, rolled back on any error.

        Raises:
            LedgerAway: the database is away, restarting, or has no room on its disk.
            Refused: it is read-only, or our user may not do what we must do.
        """
        try:
            with self.engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            known = outage(error)
            if known is None:
                raise
            raise known from error

    def run(self, work: Callable[[Connection], T]) -> T:
        """`work` in one transaction, begun again when PostgreSQL breaks a deadlock."""
        for attempt in range(1, _TRIES + 1):
            try:
                with self.begin() as connection:
                    return work(connection)
            except DBAPIError as error:
                if attempt == _TRIES or _sqlstate(error) not in _RETRYABLE:
                    raise
        raise AssertionError  # pragma: no cover - the loop returns or raises

    def run_patiently(
        self,
        work: Callable[[Connection], T],
        *,
        sleep: Callable[[float], None],
        tries: int = 100,
        pause_s: float = 0.3,
    ) -> T:
        """`run` that outlasts a restart of PostgreSQL: for outcomes that must not be lost."""
        for _ in range(tries):
            try:
                return self.run(work)
            except Again:
                sleep(pause_s)
        return self.run(work)


@lru_cache(maxsize=_STATEMENTS)
def text(sql: str) -> TextClause:
    """A statement with its parameters as `:name`, read once in a process however often it is run.

    To look for the parameters, and to make its key in SQLAlchemy's own cache, anew at each
    execution took a sixteenth of a worker's time.
    """
    return TextClause(sql)


def now(connection: Connection) -> datetime:
    """The database's clock, the only one that decides what is due or dead."""
    moment: datetime = connection.execute(text("select clock_timestamp()")).scalar_one()
    return moment


def is_prepared(connection: Connection) -> bool:
    """Whether the database holds a ledger at all; a new installation's is empty."""
    found = connection.execute(text("select to_regclass('alembic_version') is not null"))
    return bool(found.scalar_one())


def outage(error: DBAPIError) -> SynclineError | None:
    """An error that says how the server is, as one of ours; None for one of a statement."""
    said, state = _first_line(error), _sqlstate(error)
    if state is not None and state.startswith(_NO_ROOM):
        return LedgerAway(
            f"PostgreSQL has no room left ({said}).",
            remedy="Work goes on by itself when it has: look at its disk, memory and connections.",
        )
    if state in _NOT_ALLOWED:
        return Refused(f"PostgreSQL does not let us work ({said}).", remedy=_NOT_ALLOWED[state])
    if isinstance(error, OperationalError) and (error.connection_invalidated or _is_away(state)):
        return LedgerAway(
            f"PostgreSQL is not reachable ({said}).",
            remedy="Work goes on by itself when it is back.",
        )
    return None


def _is_away(sqlstate: str | None) -> bool:
    """No answer at all, a connection exception, or a server that stops or starts."""
    return sqlstate is None or sqlstate.startswith(("08", "57P"))


def _sqlstate(error: DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def _first_line(error: DBAPIError) -> str:
    return str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else "no answer"
