"""A ledger that this version cannot work with: every command says so in one line."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

ROOT = Path(__file__).parents[2]
_OLDER = "add each connection there with --adopt"


@pytest.mark.parametrize(
    ("command", "revision", "says"),
    [
        (("migrate",), "0007", _OLDER),
        (("up",), "0007", _OLDER),
        (("status",), "0007", _OLDER),
        (("migrate", "--dry-run"), "9999_newer", "a newer one made it"),
    ],
)
def test_a_ledger_of_another_time_is_one_line_and_exit_2(
    empty_database: str,
    redis_url: str,
    tmp_path: Path,
    command: tuple[str, ...],
    revision: str,
    says: str,
) -> None:
    engine = create_engine(empty_database)
    with engine.begin() as connection:
        connection.execute(text("create table alembic_version (version_num varchar(32))"))
        connection.execute(text("insert into alembic_version values (:at)"), {"at": revision})
    engine.dispose()
    ended = subprocess.run(
        [sys.executable, "-m", "workers.console.main", *command],
        cwd=ROOT,
        env={
            **os.environ,
            "SYNCLINE_DATA": str(tmp_path / "data"),
            "SYNCLINE_DATABASE_URL": empty_database,
            "SYNCLINE_REDIS_URL": redis_url,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert line.startswith("error: The ledger in the database ")
    assert says in line
