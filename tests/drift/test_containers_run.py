"""What the containers run starts, gets well and stops when told, without a container engine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from tests.drift.container_files import (
    SERVICES,
    environment_of,
)
from workers.embedded.ports import free_port
from workers.supervisor import _tie_to

_NEVER = threading.Event()


@pytest.fixture
def given(database: str, redis_url: str, tmp_path: Path) -> Mapping[str, str]:
    """What stands in for the containers' names and files; nothing of this process's own."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "SYNCLINE_DATABASE_URL": database,
        "SYNCLINE_REDIS_URL": redis_url,
        "SYNCLINE_DATA": str(tmp_path / "data"),
        "SYNCLINE_FLOWER_PORT": str(free_port()),
        "SYNCLINE_RECEIVER_PORT": str(free_port()),
    }


@contextmanager
def _started(name: str, given: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """What a container runs; it outlives neither the block nor the tests, whatever fails."""
    words = [word for word in SERVICES[name]["command"] if word not in {"--address", "0.0.0.0"}]  # noqa: S104 - left out here
    key = {"SYNCLINE_KEY": "k" * 40} if "SYNCLINE_KEY" in SERVICES[name]["environment"] else {}
    log = Path(given["SYNCLINE_DATA"]).with_name(f"{name}.log")
    with (
        log.open("wb") as out,
        subprocess.Popen(
            [sys.executable, "-m", "workers.console.main", *words],
            env={**environment_of(name), **key, **given},
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            preexec_fn=_tie_to(os.getpid()),  # noqa: PLW1509 - two system calls
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def _log(name: str, given: Mapping[str, str]) -> str:
    return Path(given["SYNCLINE_DATA"]).with_name(f"{name}.log").read_text()


def _is_well(name: str, given: Mapping[str, str]) -> bool:
    _, _, *words = SERVICES[name]["healthcheck"]["test"]
    asked = subprocess.run(
        [sys.executable, *words], env=given, cwd="/", capture_output=True, check=False
    )
    return asked.returncode == 0


def test_what_the_containers_run_starts_gets_well_and_stops_when_told(
    given: Mapping[str, str],
) -> None:
    with _started("migrate", given) as migrate:
        assert migrate.wait(30) == 0, _log("migrate", given)
    names = ["deliver", "beat", "receiver", "flower"]
    assert not Path(given["SYNCLINE_DATA"]).exists()  # whoever is first makes it
    assert not _is_well("deliver", given)
    with ExitStack() as stack:
        running = {name: stack.enter_context(_started(name, given)) for name in names}
        give_up = time.monotonic() + 60
        for name, process in running.items():
            while not _is_well(name, given):
                assert process.poll() is None, _log(name, given)
                assert time.monotonic() < give_up, _log(name, given)
                _NEVER.wait(0.5)  # asking takes from what is starting
        for process in running.values():
            process.send_signal(signal.SIGTERM)
        ended = {name: process.wait(30) for name, process in running.items()}
    assert ended == dict.fromkeys(names, 0)
    written = [path.name for path in Path(given["SYNCLINE_DATA"]).iterdir()]
    marks = ("users.lock", "beat.tick", "beat.schedule", "receiver.port")
    assert [name for name in written if not name.startswith(marks)] == []
