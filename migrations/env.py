"""How a migration runs: one migrator at a time, bounded waits, all of it or nothing."""

from alembic import context
from sqlalchemy import create_engine

from syncline.ledger.migrate import take_turn

engine = create_engine(context.config.attributes["url"])
with engine.connect() as connection:
    context.configure(connection=connection)
    with context.begin_transaction():
        take_turn(connection)
        context.run_migrations()
engine.dispose()
