"""Statistics for PostgreSQL's planner of tables that were empty until now.

Autovacuum gathers them too, but up to some minutes later, and a first load is over by then. Until
they are there the planner takes each condition to be met by one row in two hundred, and so reads
thousands of rows where the key says which one.
"""

from __future__ import annotations

from sqlalchemy import Connection

from syncline.ledger.database import text

ENOUGH = 1_000
"""Rows from which on it matters how a table is read."""


def missing(connection: Connection) -> list[str]:
    """The tables, as SQL names them, that hold enough and of which PostgreSQL knows nothing."""
    found = connection.execute(
        text(
            """
            select oid::regclass::text from pg_class
            where relkind = 'r' and relnamespace = current_schema()::regnamespace
              and reltuples < 0  -- neither analysed nor vacuumed ever
              and pg_stat_get_live_tuples(oid) >= :enough
            """
        ),
        {"enough": ENOUGH},
    )
    return list(found.scalars())


def gather(connection: Connection, table: str) -> None:
    """Have a table analysed; one that somebody else has in hand is left to them."""
    connection.execute(text(f"analyze (skip_locked) {table}"))
