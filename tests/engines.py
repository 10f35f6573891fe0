"""Engines that outlive the worlds they serve.

A session of PostgreSQL that begins anew reads the catalogue and plans every statement again. For
hundreds of small worlds, one after the other over the same database, that was most of its work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from types import TracebackType
from typing import Any, Self

import psycopg
from sqlalchemy import Engine, event
from sqlalchemy.pool import ConnectionPoolEntry


@contextmanager
def _driver(engine: Engine) -> Iterator[psycopg.Connection[Any]]:
    with engine.begin() as connection:
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)
        yield driver


class Engines:
    """Makes an engine for each database once; whoever disposes of it only gives it back.

    Args:
        make: makes an engine, as `syncline.ledger.database.connect` does.
    """

    def __init__(self, make: Callable[..., Engine]) -> None:
        self._make = make
        self._kept: dict[tuple[str, int], Engine] = {}
        self._resting: dict[str, dict[ConnectionPoolEntry, int]] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for engine in self._kept.values():
            engine.pool.dispose()

    def connect(self, url: str, *, connections: int = 20) -> Engine:
        """The engine of this database, made anew where there is none yet."""
        key = (url, connections)
        if key not in self._kept:
            self._kept[key] = engine = self._make(url, connections=connections)
            self._note_resting(engine, self._resting.setdefault(url, {}))
            engine.dispose = lambda close=True: None  # type: ignore[method-assign]  # noqa: ARG005
        return self._kept[key]

    def session(self, url: str) -> AbstractContextManager[psycopg.Connection[Any]] | None:
        """One of the database's sessions, committed at the end; None where none rests."""
        for (served, _), engine in self._kept.items():
            if served == url and self._resting.get(url):
                return _driver(engine)
        return None

    def let_go(self, url: str) -> None:
        """End the database's sessions, which nobody may use now."""
        for (served, _), engine in self._kept.items():
            if served == url:
                engine.pool.dispose()
                engine.pool = engine.pool.recreate()
        self._resting.get(url, {}).clear()

    def resting(self, url: str) -> list[int]:
        """The process ids of the database's sessions that nobody uses now."""
        return list(self._resting.get(url, {}).values())

    @staticmethod
    def _note_resting(engine: Engine, resting: dict[ConnectionPoolEntry, int]) -> None:
        @event.listens_for(engine, "checkin")
        def came_back(connection: Any, entry: ConnectionPoolEntry) -> None:
            if connection is not None:
                resting[entry] = connection.info.backend_pid

        @event.listens_for(engine, "checkout")
        def went_out(connection: Any, entry: ConnectionPoolEntry, _: Any) -> None:
            resting.pop(entry, None)
