"""Makes a new ledger, and brings one of an older version to the shape that the schema says.

The schema, `schema/*.sql`, says the whole shape of a ledger, and a new one is made from it at once.
One that is there already gets the migrations that it lacks. Alembic is imported only then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine

from syncline.errors import Refused
from syncline.ledger.database import Ledger, connect, is_prepared, text
from syncline.ledger.partitions import ensure_partitions

SCRIPTS = Path(__file__).parents[2] / "migrations"
LOCK_TIMEOUT_MS: Final = 5_000
STATEMENT_TIMEOUT_MS: Final = 600_000

_SCHEMA = Path(__file__).parent / "schema"
_ONE_AT_A_TIME = 0x5E11
_TABLE = re.compile(r"^create table (\w+)", re.MULTILINE)
_NUMBERED = re.compile(r"\d{4}(_|$)")
"""How revisions of ours begin; Alembic's own are random."""

_SHOWN = 3
_BEFORE_THE_BASELINE = frozenset(f"000{number}" for number in range(1, 8))

# As Alembic makes it itself for a database that has none.
_VERSION_TABLE = """
create table if not exists alembic_version (
    version_num varchar(32) not null constraint alembic_version_pkc primary key
)
"""


def schema() -> str:
    """The statements that make a new ledger."""
    return "\n".join(part.read_text(encoding="utf-8") for part in sorted(_SCHEMA.glob("*.sql")))


def revisions() -> list[str]:
    """All revisions, in their order: each is named as its file, and files are numbered."""
    return sorted(script.stem for script in (SCRIPTS / "versions").glob("[0-9]*.py"))


def pending(database_url: str) -> list[str]:
    """The migrations that are missing, in their order; all of them where there is no ledger yet.

    Raises:
        Refused: the ledger is from before the first version, or from a newer syncline; or the
            database is somebody else's.
        Again: the database is away.
    """
    with _opened(database_url) as engine, Ledger(engine).begin() as connection:
        return _missing(connection)


def is_made(connection: Connection) -> bool:
    """Whether the database holds a ledger of ours; a new installation's is empty.

    Raises:
        Refused: the ledger is from before the first version, or from a newer syncline.
    """
    at = _revision(connection)
    if at is not None and at not in revisions():
        raise _refusal(at, connection)
    return at is not None


def upgrade(database_url: str) -> None:
    """Make the ledger or bring it up to date, and make the months ahead ready to be written.

    Raises:
        Refused: as `pending`; or our user may not make tables there.
        Again: the database is away, or has no room.
    """
    with _opened(database_url) as engine:
        ledger = Ledger(engine)
        with ledger.begin() as connection:
            take_turn(connection)
            if _revision(connection) is None:
                _make(connection)
            is_behind = bool(_missing(connection))
        if is_behind:
            _migrate(engine)
        with ledger.begin() as connection:
            take_turn(connection)
            ensure_partitions(connection)


def take_turn(connection: Connection) -> None:
    """Wait until no one else migrates; nobody else does until this transaction ends.

    A migration takes as long as it takes, so for its end we wait longer than for any table's lock.
    """
    connection.execute(text(f"set statement_timeout = {STATEMENT_TIMEOUT_MS}"))
    connection.execute(text("set lock_timeout = 0"))
    connection.execute(text(f"select pg_advisory_xact_lock({_ONE_AT_A_TIME})"))
    connection.execute(text(f"set lock_timeout = {LOCK_TIMEOUT_MS}"))


@contextmanager
def _opened(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url, connections=1)
    try:
        yield engine
    finally:
        engine.dispose()


def _make(connection: Connection) -> None:
    _refuse_tables_without_revision(connection)
    connection.exec_driver_sql(schema())
    connection.execute(text(_VERSION_TABLE))
    connection.execute(
        text("insert into alembic_version (version_num) values (:newest)"),
        {"newest": revisions()[-1]},
    )


def _revision(connection: Connection) -> str | None:
    if not is_prepared(connection):
        return None
    at: str | None = connection.execute(text("select version_num from alembic_version")).scalar()
    return at


def _missing(connection: Connection) -> list[str]:
    at, known = _revision(connection), revisions()
    if at is None:
        _refuse_tables_without_revision(connection)
        return known
    if at not in known:
        raise _refusal(at, connection)
    return known[known.index(at) + 1 :]


def _refuse_tables_without_revision(connection: Connection) -> None:
    """Tables named like ours, without the revision that ours have, are not ours to change."""
    named = _ours(connection)
    if named:
        raise Refused(
            f"In {_named(connection.engine)} stand tables with names of ours, such as "
            f"{', '.join(named[:_SHOWN])}, but no revision of a ledger: another program made them, "
            "or a dump was restored in part.",
            remedy="Nothing was changed. Restore the whole dump into an empty database, or name an "
            "empty one in SYNCLINE_DATABASE_URL.",
        )


def _ours(connection: Connection) -> list[str]:
    """The tables of our schema that stand in the database."""
    found = connection.execute(
        text(
            """
            select relname from pg_class
            where relnamespace = current_schema()::regnamespace and relname = any(:names)
            order by relname
            """
        ),
        {"names": _TABLE.findall(schema())},
    )
    return list(found.scalars())


def no_ledger(engine: Engine) -> Refused:
    """That the database holds nothing of ours, and how it comes to."""
    return Refused(
        f"There is no ledger in {_named(engine)}.",
        remedy="If it is elsewhere, name its place in SYNCLINE_DATABASE_URL or SYNCLINE_DATA; "
        "to make one here: syncline migrate",
    )


def _named(engine: Engine) -> str:
    named = f"the database {engine.url.database!r}"
    return f"{named} at {engine.url.host}" if engine.url.host else named


def _refusal(at: str, connection: Connection) -> Refused:
    where = _named(connection.engine)
    if not _NUMBERED.match(at) and not _ours(connection):
        return Refused(
            f"In {where} are the tables of another program (of its revision {at!r}).",
            remedy="Nothing was changed; name a database of its own in SYNCLINE_DATABASE_URL.",
        )
    if at in _BEFORE_THE_BASELINE:
        return Refused(
            f"The ledger in {where} is older than the first version of syncline"
            f" (its shape is {at}), and nothing brings it up to date.",
            remedy="Leave it as it is, name an empty database in SYNCLINE_DATABASE_URL (or, with"
            " the embedded PostgreSQL, another folder in SYNCLINE_DATA), and add each connection"
            " there with --adopt, so that Halo gets nothing twice.",
        )
    return Refused(
        f"The ledger in {where} has the shape {at!r}, which this version of syncline does not"
        " know: a newer one made it.",
        remedy="Nothing was changed; use the version that ran on it last, or a newer one.",
    )


def _migrate(engine: Engine) -> None:
    from alembic import command  # noqa: PLC0415 - takes long to import, and is seldom needed
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(SCRIPTS))
    config.attributes["url"] = engine.url
    command.upgrade(config, "head")
