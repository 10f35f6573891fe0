"""The schema is said once: migrations come to it, and what Python knows of it agrees."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import get_args, get_type_hints

import psycopg
import pytest
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import make_url, text

from syncline.alerts.rules import Severity
from syncline.deliveries.states import State
from syncline.golive.queries import What
from syncline.ledger.database import connect
from syncline.ledger.migrate import SCRIPTS, revisions, schema
from syncline.repair import cli
from syncline.webhooks.queue import Handled
from tests.catalog import TABLES, shape
from tests.moves import guard

TYPES = {
    *("text", "bigint", "boolean", "date", "timestamp with time zone"),
    *("uuid", "bytea", "jsonb", "text[]"),
}
NAMED = {"constraints", "indexes"}


def alembic() -> Config:
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    return config


def test_migrations_come_to_the_shape_of_a_new_ledger(database: str, empty_database: str) -> None:
    config = alembic()
    config.attributes["url"] = make_url(empty_database)
    command.upgrade(config, "head")
    with psycopg.connect(empty_database.replace("+psycopg", "", 1)) as connection:
        connection.execute(guard().encode())  # as every database of the tests has it
    migrated, new = shape(empty_database), shape(database)
    assert sorted(migrated - new) == []
    assert sorted(new - migrated) == []


def test_a_shape_tells_every_kind_of_difference(database: str, empty_database: str) -> None:
    """That two are equal says something only if nothing escapes the comparison."""
    changes = (
        "alter table delivery add column more text",
        "alter table delivery alter column cause drop not null",
        "alter table delivery alter column attempt set default 1",
        "alter table delivery alter column attempt type integer",
        "alter table delivery drop constraint ck_delivery_state",
        "alter table wait drop constraint fk_wait_delivery_id",
        "drop index ix_delivery_source",
        "alter table reconciliation_row set logged",
        "drop table record_7",
        "create function nothing() returns trigger language plpgsql as 'begin return null; end'",
        "create trigger at_once after insert on wait execute function nothing()",
        "create table further (id bigint)",
    )
    new = shape(database)
    engine = connect(database, connections=1)
    for change in changes:
        with engine.connect() as connection:
            connection.execute(text(change))
            connection.commit()
        changed = shape(database)
        assert changed != new, change
        new = changed
    engine.dispose()


def test_revisions_are_named_as_their_files_and_follow_each_other() -> None:
    scripts = ScriptDirectory.from_config(alembic())
    chain = [script.revision for script in scripts.walk_revisions()]
    assert chain[::-1] == revisions()
    assert all(re.fullmatch(r"\d{4}_[a-z0-9_]{1,27}", name) for name in revisions())


def test_every_table_of_the_schema_says_what_it_is_for(database: str) -> None:
    explained = re.findall(r"^--.*\ncreate (?:unlogged )?table (\w+) \($", schema(), re.MULTILINE)
    assert sorted(explained) == tables(database)


def test_every_column_has_one_of_few_types(database: str) -> None:
    assert {row[3] for row in shape(database) if row[0] == "columns"} == TYPES


def test_constraints_and_indexes_are_named_for_their_table(database: str) -> None:
    """So that a migration can name them, and an error of PostgreSQL says where it comes from."""
    ours = tables(database)
    names = [(row[1], row[2]) for row in shape(database) if row[0] in NAMED]
    of_tables = [
        (table, name) for table, name in names if table in ours and not name.endswith("_not_null")
    ]
    assert {table for table, _ in of_tables} == set(ours)
    assert [
        name
        for table, name in of_tables
        if name != f"pk_{table}" and not re.match(rf"(fk|uq|ck|ix)_{table}_", name)
    ] == []


@pytest.mark.parametrize(
    ("constraint", "values"),
    [
        ("ck_delivery_state", list(State)),
        ("ck_alert_severity", get_args(Severity)),
        ("ck_discrepancy_state", list(cli.DiscrepancyState)),
        ("ck_event_state", {"new", *get_args(get_type_hints(Handled)["state"])}),
        ("ck_golive_what", get_args(What)),
    ],
)
def test_a_column_may_hold_what_python_knows_and_nothing_else(
    database: str, constraint: str, values: Collection[str]
) -> None:
    [says] = {
        row[5]
        for row in shape(database)
        if row[0] == "constraints" and row[2] == constraint and row[1] in tables(database)
    }
    assert set(re.findall(r"'(\w+)'", says)) == set(values)


def tables(database: str) -> list[str]:
    engine = connect(database, connections=1)
    with engine.connect() as connection:
        found = [row.relname for row in connection.execute(text(TABLES))]
    engine.dispose()
    return found
