"""`syncline reconcile`: what it says before, at its end, and afterwards."""

from __future__ import annotations

import csv
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from syncline.reconciliation import cli
from syncline.reconciliation.reading.paced_calls import Paused, Reader
from syncline.sandbox.process import SandboxProcess
from tests.syncline.cli.conftest import Run, document, runner
from tests.world import NAME, World, opening, small


@pytest.fixture
def run(
    database: str, redis_url: str, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> Run:
    """The command line of an installation whose four orders stand in Halo."""
    monkeypatch.setenv("COLUMNS", "100")
    small(sandbox, orders=4, transactions=0, subscriptions=0)
    with opening(database, redis_url, sandbox) as make:
        world: World = make(style="summary")
        world.pull()
        world.drive()
        urls = {"database_url": SecretStr(database), "redis_url": SecretStr(redis_url)}
        return runner(world.settings.model_copy(update=urls))


def test_it_plans_compares_and_shows(run: Run, sandbox: SandboxProcess, tmp_path: Path) -> None:
    calls = len(sandbox.calls())
    planned = document(run("reconcile", "run", NAME, "--dry-run", "--json"))
    assert {one["side"] for one in planned} == {"halo", "highlevel"}
    assert "None was made." in run("reconcile", "run", NAME, "--dry-run").stdout
    assert len(sandbox.calls()) == calls
    assert run("reconcile", "show").exit_code == 2
    month = f"{datetime.now(UTC):%Y}"
    done = run("reconcile", "run", NAME, "--period", month)
    assert done.exit_code == 0, done.output
    assert "on both sides, 0 differences" in done.stdout
    [changed] = sandbox.tamper("order_deleted", 1)
    wrong = run("reconcile", "run", NAME, "--since", "2026-01-01", "--json")
    assert wrong.exit_code == 1
    told = document(wrong)
    assert told["by_cause"] == {"missing": 1}
    assert changed["source"]
    file = tmp_path / "certificate.csv"
    shown = run("reconcile", "show", str(told["id"]), "--format", "csv", "--output", str(file))
    assert shown.exit_code == 1
    with file.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert sum(int(one["differences"]) for one in rows) == 1
    listed = document(run("reconcile", "list", NAME, "--json"))
    assert [(one["state"], one["clean"]) for one in listed] == [("done", False), ("done", True)]
    assert "differences" in run("reconcile", "list", NAME).stdout


def test_a_period_that_cannot_be_is_refused(run: Run) -> None:
    for wrong in (["--period", "soon"], ["--period", "2026", "--since", "2026-01-01"]):
        assert run("reconcile", "run", NAME, *wrong).exit_code == 2


def test_a_run_that_waits_tells_each_time_how_far_it_came(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    rest, waits = Reader.rest, iter(range(2))

    def pausing(reader: Reader) -> None:
        if next(waits, None) is not None:
            raise Paused("Its share of the quota is used up.", after=timedelta(seconds=3))
        rest(reader)

    monkeypatch.setattr(Reader, "rest", pausing)
    monkeypatch.setattr(cli, "_LONGEST_SLEEP", 0.01)
    monkeypatch.setenv("COLUMNS", "200")
    done = run("reconcile", "run", NAME, "--since", "2026-01-01")
    assert done.exit_code == 0, done.output
    told = [line for line in done.stderr.splitlines() if "It goes on in 3 s" in line]
    assert told
    assert all("is used up. Read so far: 4 orders" in line for line in told)
