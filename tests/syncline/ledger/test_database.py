"""The pool of connections to PostgreSQL."""

from __future__ import annotations

from sqlalchemy import text

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
