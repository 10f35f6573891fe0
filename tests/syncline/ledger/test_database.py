"""The pool of connections to PostgreSQL, and what is told of its errors."""

from __future__ import annotations

from contextlib import suppress

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DataError

from syncline.errors import Again, Refused
from syncline.ledger.database import Ledger, connect


def test_a_connection_that_the_server_closed_at_rest_costs_nobody_a_failure(database: str) -> None:
    ours, another = Ledger(connect(database, connections=1)), Ledger(connect(database))
    try:
        before = ours.run(lambda c: c.execute(text("select pg_backend_pid()")).scalar_one())
        another.run(
            lambda c: c.execute(text("select pg_terminate_backend(:id, 5000)"), {"id": before})
        )
        after = ours.run(lambda c: c.execute(text("select pg_backend_pid()")).scalar_one())
        assert after != before
    finally:
        ours.engine.dispose()
        another.engine.dispose()


def test_a_connection_that_was_closed_here_is_replaced(database: str) -> None:
    ledger = Ledger(connect(database, connections=1))
    with suppress(Again):  # its own transaction cannot be committed any more
        ledger.run(lambda c: c.connection.driver_connection.close())  # type: ignore[union-attr]  # it is there
    try:
        assert ledger.run(lambda c: c.execute(text("select 1")).scalar_one()) == 1
    finally:
        ledger.engine.dispose()


def test_a_transaction_costs_no_ping_before_it(database: str) -> None:
    ledger = Ledger(connect(database, connections=1))
    count = text("select xact_commit from pg_stat_database where datname = current_database()")
    try:
        before = int(ledger.run(lambda c: c.execute(count).scalar_one()))
        for _ in range(20):
            ledger.run(lambda c: c.execute(text("select 1")))
        ledger.run(lambda c: c.execute(text("select pg_stat_force_next_flush()")))
        after = int(ledger.run(lambda c: c.execute(count).scalar_one()))
        assert after - before <= 25
    finally:
        ledger.engine.dispose()


def test_an_error_of_the_database_does_not_tell_what_was_written(ledger: Ledger) -> None:
    with pytest.raises(DataError) as raised, ledger.begin() as connection:
        connection.execute(text("select cast(:text as bigint), :who"), {"text": "x", "who": "Ann"})
    assert "Ann" not in str(raised.value)


@pytest.mark.parametrize("state", ["53100", "53200", "53300"])
def test_a_server_without_room_is_tried_again_and_says_what_it_lacks(
    ledger: Ledger, state: str
) -> None:
    """53100 is a full disk."""
    with (
        pytest.raises(Again, match=r"has no room left .*of the disk"),
        ledger.begin() as connection,
    ):
        connection.execute(text(_RAISING.format(state)))


def test_a_standby_is_named_as_what_it_is(ledger: Ledger) -> None:
    with pytest.raises(Refused, match="read-only") as told, ledger.begin() as connection:
        connection.execute(text("set transaction read only; create table t (n int)"))
    assert "standby" in told.value.remedy


_RAISING = "do $$ begin raise exception 'no space of the disk' using errcode = '{}'; end $$"
