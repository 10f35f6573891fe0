"""Brings a database to the newest shape of the ledger."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config

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


def upgrade(database_url: str) -> None:
    """Apply every migration that is missing and make the months ahead ready to be written."""
    command.upgrade(configuration(database_url), "head")
    engine = connect(database_url, connections=1)
    with engine.begin() as connection:
        ensure_partitions(connection)
    engine.dispose()
