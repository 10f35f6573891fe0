"""The parts of a process: what they open is closed with them."""

from __future__ import annotations

import threading
from typing import Any, NoReturn

import pytest

import workers.context
from syncline.ledger.database import connect
from syncline.sandbox.process import SandboxProcess
from tests.receiving import stored, until
from tests.world import Worlds, small

SESSIONS = """
    select count(*) from pg_stat_activity
    where datname = current_database() and pid <> pg_backend_pid()
"""


@pytest.fixture(autouse=True)
def _engines_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests share engines, which outlive whoever closes them."""
    monkeypatch.setattr(workers.context, "connect", connect)


def test_closing_ends_the_session_and_leaves_no_thread_and_no_connection(
    worlds: Worlds, sandbox: SandboxProcess, database: str
) -> None:
    small(sandbox, orders=2)
    before, sessions = set(threading.enumerate()), stored(database, SESSIONS)
    world = worlds()
    world.pull()
    world.drive()
    session = world.worker.session()
    assert {thread.name for thread in set(threading.enumerate()) - before} >= {"heartbeat"}
    world.worker.close()
    assert set(threading.enumerate()) - before == set()
    until(lambda: stored(database, SESSIONS) == sessions)
    ended = f"select count(*) from session where id = '{session}' and ended_at is not null"  # noqa: S608
    assert stored(database, ended) == [1]
    world.worker.close()


def test_a_session_that_cannot_be_ended_leaves_nothing_open_either(
    worlds: Worlds, database: str
) -> None:
    before, sessions = set(threading.enumerate()), stored(database, SESSIONS)
    world = worlds()
    world.worker.session()
    ledger: Any = world.worker.ledger
    ledger.begin = _fails
    with pytest.raises(RuntimeError, match="disk full"):
        world.worker.close()
    until(lambda: set(threading.enumerate()) - before == set())
    until(lambda: stored(database, SESSIONS) == sessions)


def _fails() -> NoReturn:
    raise RuntimeError("disk full")
