"""The migrations make exactly the tables that the models say."""

from __future__ import annotations

from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import CheckConstraint, inspect

from syncline.ledger.database import connect
from syncline.ledger.tables import Base

MADE_UP = [[("modify_default", "alert", "source_id")]]
"""A default that chance makes is never equal to itself, so it always seems to differ."""


def test_the_migrations_and_the_models_agree(database: str) -> None:
    engine = connect(database, connections=1)
    modelled = set(Base.metadata.tables)

    def is_ours(_object: object, name: str | None, kind: str, *_rest: object) -> bool:
        return kind != "table" or name in modelled  # partitions are in no model

    options = {"compare_type": True, "compare_server_default": True, "include_object": is_ours}
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts=options)
        found = compare_metadata(context, Base.metadata)
        assert [
            [(one[0], *one[2:4]) for one in told] if isinstance(told, list) else told
            for told in found
        ] == MADE_UP
        shown = inspect(connection)
        for table in Base.metadata.sorted_tables:
            checks = {
                str(one.name) for one in table.constraints if isinstance(one, CheckConstraint)
            }
            assert {one["name"] for one in shown.get_check_constraints(table.name)} == checks
    engine.dispose()
