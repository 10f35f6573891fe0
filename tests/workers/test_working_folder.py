"""Files in the folder where somebody starts syncline are theirs: no process imports them."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.process import SandboxProcess
from syncline.settings import Settings
from workers import flower, processes
from workers.console.up import sandbox_process

SYNCLINE = Path(sys.executable).with_name("syncline")

_NAMES = (
    *("httpx", "h2", "json", "kombu", "redis", "celeryconfig", "flowerconfig", "tasks", "syncline"),
    *("orjson", "prometheus_client", "dotenv", "uvloop", "socksio", "brotli"),
)
_TRAP = """
import pathlib
(pathlib.Path(__file__).parent / "imported.txt").open("a").write(__name__ + "\\n")
raise RuntimeError("this file is somebody else's")
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One that is full of files whose names are those of modules."""
    made = tmp_path / "somebody's"
    made.mkdir()
    for name in _NAMES:
        (made / f"{name}.py").write_text(_TRAP, encoding="utf-8")
    return made


def test_everything_works_beside_files_that_are_named_as_our_modules(
    folder: Path, tmp_path: Path, database: str, redis_url: str
) -> None:
    environment = {
        **{name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        "SYNCLINE_DATA": str(tmp_path / "data"),
        "SYNCLINE_DATABASE_URL": database,
        "SYNCLINE_REDIS_URL": redis_url,
        "SYNCLINE_FLOWER_PORT": "0",
        "SYNCLINE_RECEIVER_PORT": "0",
    }
    with _up(folder, environment) as adding:
        token, secret, _syncline, *words = shlex.split(adding)
        added = subprocess.run(
            [SYNCLINE, *words],
            cwd=folder,
            env=environment | dict(word.split("=", 1) for word in (token, secret)),
            capture_output=True,
            text=True,
            check=False,
        )
        assert added.returncode == 0, added.stderr
        _wait_for(database, "select 1 from delivery where state = 'delivered' limit 1")
        logs = (tmp_path / "data" / "logs").iterdir()
        failed = [log.name for log in logs if "Traceback" in log.read_text(encoding="utf-8")]
    assert not failed
    assert not (folder / "imported.txt").exists()


def test_the_emulation_starts_there_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    sandbox = SandboxProcess(**SandboxConfig(orders=1).model_dump(mode="json"))
    sandbox.stop()
    assert not (folder / "imported.txt").exists()


def test_no_process_of_ours_looks_for_modules_in_the_folder_it_stands_in(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    every = [
        *processes.workers(settings),
        *processes.receivers(settings, 8080),
        flower.flower(settings, 5999),
        sandbox_process(settings),
    ]
    assert [one.command[:3] for one in every] == [(sys.executable, "-P", "-m")] * len(every)


@contextmanager
def _up(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    """Everything runs for the length of the block; gives the line that adds the emulation."""
    with subprocess.Popen(
        [SYNCLINE, "up", "--sandbox"],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as up:
        assert up.stdout is not None
        try:
            told = next(line for line in up.stdout if line.startswith("Try it with: "))
            yield told.removeprefix("Try it with: ")
        finally:
            up.send_signal(signal.SIGTERM)
            up.stdout.read()


def _wait_for(database: str, query: str) -> None:
    """Until a query finds something; the test's own time-out ends a wait in vain."""
    url = database.replace("+psycopg", "")
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(query).fetchone() is None:
            connection.execute("select pg_sleep(0.2)")
