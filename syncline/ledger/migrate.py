"""Brings a database to the newest shape of the ledger."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from syncline.ledger.database import connect
from syncline.ledger.partitions import ensure_partitions

SCRIPTS = Path(__file__).parents[2] / "migrations"


def configuration(database_url: str) -> Config:
    """Alembic's settings for a database, without any file of its own."""
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    engine = connect(database_url, connections=1)
    config.attributes["url"] = engine.url
    engine.dispose()
    return config


def pending(database_url: str) -> list[str]:
    """The migrations that are missing, in their order."""
    scripts = ScriptDirectory.from_config(configuration(database_url))
    engine = connect(database_url, connections=1)
    with engine.begin() as connection:
        at = MigrationContext.configure(connection).get_current_revision()
    engine.dispose()
    known = [script.revision for script in scripts.walk_revisions()]
    missing = known[: known.index(at)] if at in known else known
    return missing[::-1]


def upgrade(database_url: str) -> None:
    """Apply every migration that is missing and make the months ahead ready to be written."""
    command.upgrade(configuration(database_url), "head")
    engine = connect(database_url, connections=1)
    with engine.begin() as connection:
        ensure_partitions(connection)
    engine.dispose()
