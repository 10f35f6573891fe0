"""How a migration runs: bounded waits, one migrator at a time, models and tables compared."""

from alembic import context
from sqlalchemy import Connection, create_engine, text

from syncline.ledger.tables import Base

_ONE_AT_A_TIME = 0x5E11
LOCK_TIMEOUT_MS = 5_000
STATEMENT_TIMEOUT_MS = 600_000


def _is_no_partition(name: str | None, kind: str, _parents: object) -> bool:
    """Partitions belong to their table; the models do not know them one by one."""
    return kind != "table" or name is None or not name.startswith(("record_", "change_", "call_"))


def _migrate(connection: Connection) -> None:
    connection.execute(text(f"set lock_timeout = {LOCK_TIMEOUT_MS}"))
    connection.execute(text(f"set statement_timeout = {STATEMENT_TIMEOUT_MS}"))
    connection.commit()
    context.configure(
        connection=connection, target_metadata=Base.metadata, include_name=_is_no_partition
    )
    with context.begin_transaction():
        connection.execute(text(f"select pg_advisory_xact_lock({_ONE_AT_A_TIME})"))
        context.run_migrations()


engine = create_engine(context.config.attributes["url"])
with engine.connect() as connection:
    _migrate(connection)
engine.dispose()
