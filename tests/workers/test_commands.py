"""The console entry: what it says, how it ends, and that all of it is documented."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
from redis import Redis
from typer.testing import CliRunner

from syncline.terminal.caveats import NO_WORKER
from workers.console import main

ROOT = Path(__file__).parents[2]
COMMAND = (sys.executable, "-m", "workers.console.main")


@pytest.fixture
def environment(tmp_path: Path, database: str, redis_url: str) -> dict[str, str]:
    return {
        **os.environ,
        "SYNCLINE_DATA": str(tmp_path / "data"),
        "SYNCLINE_DATABASE_URL": database,
        "SYNCLINE_REDIS_URL": redis_url,
        "SYNCLINE_FLOWER_PORT": "0",
        "TOKEN": "pit-not-a-real-one",
        "SECRET": "not-a-real-secret",
    }


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def add(environment: dict[str, str]) -> None:
    options = "--location loc1 --halo-url https://acme.example --halo-client-id client"
    secrets = "--highlevel-token-env TOKEN --halo-secret-env SECRET"
    added = run(environment, "connection", "add", "acme", *options.split(), *secrets.split())
    assert added.returncode == 0, added.stderr


def test_an_unknown_connection_is_one_line_and_exit_2(environment: dict[str, str]) -> None:
    ended = run(environment, "connection", "check", "nobody")
    assert ended.returncode == 2
    assert ended.stdout == ""
    [line] = ended.stderr.splitlines()
    assert line.startswith("error: There is no connection named 'nobody'.")
    assert "syncline connection add" in line


def test_a_setting_that_is_wrong_is_one_line_and_exit_2(environment: dict[str, str]) -> None:
    ended = run({**environment, "SYNCLINE_HEARTBEAT": "soon"}, "status")
    assert ended.returncode == 2
    [line] = ended.stderr.splitlines()
    assert "SYNCLINE_HEARTBEAT" in line


def test_a_pull_is_enqueued_as_the_documented_task(
    environment: dict[str, str], redis_url: str
) -> None:
    add(environment)
    ended = run(
        environment, "enqueue", "pull-orders", "--connection", "acme", "--since", "2026-01-01"
    )
    assert (ended.returncode, ended.stderr) == (0, f"note: {NO_WORKER}\n")
    assert ended.stdout == "Enqueued syncline.pulls.orders on syncline.pulls.\n"
    with Redis.from_url(redis_url) as redis:
        [message] = redis.lrange("syncline:syncline.pulls", 0, -1)
    headers = json.loads(message)["headers"]
    assert headers["task"] == "syncline.pulls.orders"
    assert headers["argsrepr"] == "['acme', '2026-01-01', None]"


def test_nothing_is_enqueued_for_a_connection_that_does_not_exist(
    environment: dict[str, str], redis_url: str
) -> None:
    ended = run(environment, "enqueue", "send", "--connection", "nobody")
    assert ended.returncode == 2
    with Redis.from_url(redis_url) as redis:
        assert redis.keys("syncline:syncline.*") == []


def test_up_starts_everything_and_stops_all_of_it_when_asked(environment: dict[str, str]) -> None:
    with subprocess.Popen(
        [*COMMAND, "up", "--sandbox"], cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True
    ) as up:
        assert up.stdout is not None
        told = []
        for line in up.stdout:
            told.append(line)
            if line.startswith("Try it with"):
                break
        children = [
            int(child)
            for listed in Path(f"/proc/{up.pid}/task").glob("*/children")
            for child in listed.read_text(encoding="ascii").split()
        ]
        up.send_signal(signal.SIGTERM)
        rest = up.stdout.read()
    assert up.returncode == 0
    assert rest.endswith("Stopped.\n")
    assert len(children) == 6  # two workers, beat, the receiver, Flower, the sandbox
    assert not any(Path(f"/proc/{child}").exists() for child in children)
    assert any(line.startswith("Flower: http://127.0.0.1:") for line in told)
    logs = {path.name for path in (Path(environment["SYNCLINE_DATA"]) / "logs").iterdir()}
    names = ("deliver", "pull", "beat", "receiver", "flower", "sandbox")
    assert logs == {f"{name}.log" for name in names}


def test_workers_know_every_task_that_is_documented(environment: dict[str, str]) -> None:
    known = "from workers.app import app; app.loader.import_default_modules(); print(*app.tasks)"
    told = subprocess.run(
        [sys.executable, "-c", known],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    documented = re.findall(
        r"^\| `(syncline\.[a-z_.]+)`", (ROOT / "docs" / "tasks.md").read_text(), re.MULTILINE
    )
    assert "syncline.reconciliation.run" in documented
    assert set(documented) <= set(told.stdout.split())


def every_command() -> Iterator[tuple[str, ...]]:
    def walk(group: typer.core.TyperGroup, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for name, command in group.commands.items():
            if isinstance(command, typer.core.TyperGroup):
                yield from walk(command, (*path, name))
            else:
                yield (*path, name)

    root = typer.main.get_command(main.app)
    assert isinstance(root, typer.core.TyperGroup)
    return walk(root, ())


@pytest.mark.parametrize("path", list(every_command()), ids=" ".join)
def test_every_command_has_help_with_an_example_and_is_documented(path: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(main.app, [*path, "--help"])
    assert shown.exit_code == 0
    assert f"Example: syncline {' '.join(path)}" in " ".join(shown.stdout.split())
    manual = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
    assert f"`syncline {' '.join(path)}" in manual
