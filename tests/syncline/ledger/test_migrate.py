"""Ledgers are made, brought up to date by one at a time, or refused as they are."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from shutil import copytree, ignore_patterns

import pytest
from sqlalchemy import text

from syncline.errors import Refused
from syncline.ledger import migrate
from syncline.ledger.database import connect
from tests.catalog import shape
from tests.receiving import until

_NEXT = '''
"""Deliveries may hold a remark."""

from alembic import op

revision = "0002_remarks"
down_revision = "0001_baseline"


def upgrade() -> None:
    op.execute("alter table delivery add column remark text")
'''

_LOADED = """
import sys
from syncline.ledger.migrate import pending, upgrade
upgrade(sys.argv[1])
upgrade(sys.argv[1])
print(pending(sys.argv[1]), "alembic" in sys.modules)
"""

_UPGRADE = """
import sys
from pathlib import Path
from syncline.ledger import migrate
migrate.SCRIPTS = Path(sys.argv[2])
migrate.upgrade(sys.argv[1])
"""

_WAITING = """
select count(*) from pg_locks
where locktype = 'advisory' and not granted
  and database = (select oid from pg_database where datname = current_database())
"""


@pytest.fixture
def later_migration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A version of syncline that has one migration more; where its migrations are."""
    scripts = tmp_path / "migrations"
    copytree(migrate.SCRIPTS, scripts, ignore=ignore_patterns("__pycache__"))
    (scripts / "versions" / "0002_remarks.py").write_text(_NEXT, encoding="utf-8")
    monkeypatch.setattr(migrate, "SCRIPTS", scripts)
    return scripts


def test_an_empty_database_becomes_a_ledger_and_nothing_is_pending(empty_database: str) -> None:
    assert migrate.pending(empty_database) == migrate.revisions()
    migrate.upgrade(empty_database)
    assert migrate.pending(empty_database) == []


def test_a_ledger_that_is_up_to_date_stays_as_it_is(database: str) -> None:
    before = shape(database)
    migrate.upgrade(database)
    assert shape(database) == before


def test_a_new_ledger_needs_no_alembic(empty_database: str) -> None:
    told = subprocess.run(
        [sys.executable, "-c", _LOADED, empty_database],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stdout == "[] False\n"


@pytest.mark.usefixtures("later_migration")
def test_a_ledger_of_an_older_version_gets_what_it_lacks_and_keeps_its_rows(
    database: str,
) -> None:
    do(database, "insert into session (id, name) values (gen_random_uuid(), 'kept')")
    before = shape(database)
    assert migrate.pending(database) == ["0002_remarks"]
    migrate.upgrade(database)
    assert migrate.pending(database) == []
    assert {row[1:3] for row in shape(database) - before} == {("delivery", "remark")}
    assert do(database, "select name from session") == "kept"


def test_several_at_once_wait_for_each_other(
    database: str, empty_database: str, later_migration: Path
) -> None:
    engines = [connect(url, connections=1) for url in (database, empty_database)]
    with ExitStack() as stack:
        turns = [stack.enter_context(engine.begin()) for engine in engines]
        for turn in turns:
            migrate.take_turn(turn)
        others = [
            stack.enter_context(upgrading(url, later_migration))
            for url in (database, empty_database)
            for _ in range(2)
        ]
        until(lambda: [turn.execute(text(_WAITING)).scalar() for turn in turns] == [2, 2])
        for turn in turns:
            turn.rollback()
        for other in others:
            assert other.wait(timeout=60) == 0
    for engine in engines:
        engine.dispose()
    assert migrate.pending(database) == migrate.pending(empty_database) == []


@pytest.mark.parametrize("revision", ["0001", "0007"])
def test_a_ledger_from_before_the_first_version_is_refused_and_stays_untouched(
    empty_database: str, revision: str
) -> None:
    made_at(empty_database, revision)
    before = shape(empty_database)
    for what in (migrate.pending, migrate.upgrade):
        with pytest.raises(Refused, match="older than the first version") as refused:
            what(empty_database)
        assert revision in refused.value.what
        assert repr(empty_database.rpartition("/")[2]) in refused.value.what
        for word in ("SYNCLINE_DATABASE_URL", "SYNCLINE_DATA)", "empty database", "--adopt"):
            assert word in refused.value.remedy
    assert shape(empty_database) == before
    assert do(empty_database, "select version_num from alembic_version") == revision


def test_a_ledger_of_a_newer_version_is_refused_and_stays_untouched(empty_database: str) -> None:
    made_at(empty_database, "9999_from_the_future")
    before = shape(empty_database)
    for what in (migrate.pending, migrate.upgrade):
        with pytest.raises(Refused, match="'9999_from_the_future'") as refused:
            what(empty_database)
        assert "a newer one" in refused.value.remedy
    assert shape(empty_database) == before


def made_at(database: str, revision: str) -> None:
    migrate.upgrade(database)
    do(database, "update alembic_version set version_num = :revision", revision=revision)


def upgrading(database: str, scripts: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", _UPGRADE, database, str(scripts)])


def do(database: str, statement: str, **values: str) -> object:
    engine = connect(database, connections=1)
    with engine.begin() as connection:
        done = connection.execute(text(statement), values)
        value: object = done.scalar() if done.returns_rows else None
    engine.dispose()
    return value


def test_tables_named_like_ours_without_a_revision_are_left_alone(empty_database: str) -> None:
    engine = connect(empty_database, connections=1)
    with engine.begin() as connection:
        connection.execute(text("create table call (number text)"))
    for step in (migrate.pending, migrate.upgrade):
        with pytest.raises(Refused, match="names of ours, such as call, but no revision") as told:
            step(empty_database)
        assert "Nothing was changed" in told.value.remedy
    with engine.begin() as connection:
        assert connection.execute(text("select count(*) from call")).scalar_one() == 0
    engine.dispose()


def test_the_database_of_another_program_is_not_taken_for_a_newer_ledger(
    empty_database: str,
) -> None:
    engine = connect(empty_database, connections=1)
    with engine.begin() as connection:
        connection.execute(text("create table alembic_version (version_num varchar(32))"))
        connection.execute(text("insert into alembic_version values ('ae1027a6acf0')"))
    engine.dispose()
    with pytest.raises(Refused, match="tables of another program"):
        migrate.upgrade(empty_database)


def test_a_user_who_may_not_make_tables_is_told_so(empty_database: str) -> None:
    engine = connect(empty_database, connections=1)
    with engine.begin() as connection:
        connection.execute(text("create role reader login password 'reader'"))
    place = engine.url.set(username="reader", password="reader")
    try:
        with pytest.raises(Refused, match=r"does not let us work \(permission denied") as told:
            migrate.upgrade(place.render_as_string(hide_password=False))
        assert "Let its owner grant" in told.value.remedy
    finally:
        with engine.begin() as connection:
            connection.execute(text("drop role reader"))
        engine.dispose()
