"""Where an installation is, and where none is: looking makes none, and a folder is told why."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from syncline import machine
from syncline.errors import Refused
from syncline.settings import Settings
from workers.console import main, opening
from workers.embedded import data_folder, running
from workers.embedded.running import RunningInstallation

ROOT = Path(__file__).parents[2]

LOOKING = (
    "status",
    "status --json",
    "parked list",
    "parked retry --all",
    "show order 1",
    "show transaction 1 --at 2026-01-01",
    "discrepancies list",
    "reconcile list acme",
    "reconcile run acme",
    "audit list",
    "audit verify",
    "events list",
    "alerts list",
    "connection list",
    "connection check acme",
    "connection start acme",
    "credentials list",
    "credentials set acme private-token --secret-env HOME",
    "mapping show acme",
    "dry-run acme",
    "golive show acme",
    "provider list acme",
    "halo webhooks show acme",
    "halo dashboard show acme",
    "enqueue sweep",
    "migrate --dry-run",
    "run deliver",
    "down",
    "health",
    "sandbox send OrderCreate",
    (
        "connection add acme --location l --halo-url https://acme.example --halo-client-id c"
        " --highlevel-token-env HOME --halo-secret-env HOME --dry-run"
    ),
)


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that is not there, which the environment names."""
    for name in list(os.environ):
        if name.startswith("SYNCLINE_"):
            monkeypatch.delenv(name)
    folder = tmp_path / "other" / "data"
    monkeypatch.setenv("SYNCLINE_DATA", str(folder))
    return folder


@pytest.mark.parametrize("line", LOOKING)
def test_a_command_that_looks_makes_nothing_and_says_that_nothing_is_there(
    nowhere: Path, line: str
) -> None:
    ended = CliRunner().invoke(main.app, line.split())
    assert ended.exit_code == 2
    assert ended.stdout == ""
    [told] = ended.stderr.splitlines()
    assert str(nowhere) in told
    assert "syncline up" in told
    assert not nowhere.parent.exists()


def test_only_a_command_by_which_a_person_begins_makes_an_installation() -> None:
    """What else opens one refuses where none is."""
    found = [
        str(path.relative_to(ROOT))
        for path in sorted((ROOT / "syncline").rglob("*.py"))
        if ".open_or_make()" in path.read_text(encoding="utf-8")
    ]
    assert found == ["syncline/connections/cli.py"]


class Pretended(NamedTuple):
    data: Path
    process: subprocess.Popen[bytes]


@contextmanager
def pretended(data: Path, *words: str, **environment: str) -> Iterator[Pretended]:
    """A process that looks as one of ours does, and does nothing."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SYNCLINE_")}
    with subprocess.Popen(
        [sys.executable, "-c", "print(flush=True); input()", *words],
        env={**ours, "SYNCLINE_DATA": str(data), **environment},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield Pretended(data, process)
        process.communicate(b"\n")


def test_the_installation_that_runs_is_named(nowhere: Path, tmp_path: Path) -> None:
    with pretended(tmp_path / "mine", "-m", "workers.celery_process", "worker"):
        told = CliRunner().invoke(main.app, ["parked", "list"]).stderr
    assert f"{tmp_path / 'mine'}" in told
    assert "To use it: export SYNCLINE_DATA=" in told


@pytest.mark.parametrize("words", [("-m", "workers.console.main", "up"), ("/bin/syncline", "up")])
def test_an_installation_that_just_starts_is_seen(tmp_path: Path, words: tuple[str, ...]) -> None:
    with pretended(tmp_path, *words):
        assert RunningInstallation(tmp_path, is_embedded=True) in running.installations()
        assert data_folder.is_made(Settings(data=tmp_path))
    assert not data_folder.is_made(Settings(data=tmp_path))


def test_looking_is_not_running(tmp_path: Path) -> None:
    with pretended(tmp_path, "/bin/syncline", "status"):
        assert tmp_path not in [one.data for one in running.installations()]


def test_one_that_runs_on_a_database_of_its_settings_is_no_embedded_one(
    nowhere: Path, tmp_path: Path
) -> None:
    """Without the variable, a second terminal would find an empty PostgreSQL in the same folder."""
    address = {"SYNCLINE_DATABASE_URL": "postgresql://db/one"}
    with (
        pretended(tmp_path / "another", "workers.celery_process"),
        pretended(nowhere, "workers.celery_process", **address),
    ):
        assert not data_folder.is_made(Settings(data=nowhere))
        told = CliRunner().invoke(main.app, ["status"])
    assert told.exit_code == 2
    assert "SYNCLINE_DATABASE_URL" in told.stderr


def test_a_database_without_a_ledger_is_not_looked_at(
    empty_database: str, redis_url: str, tmp_path: Path
) -> None:
    settings = Settings(
        data=tmp_path, database_url=SecretStr(empty_database), redis_url=SecretStr(redis_url)
    )
    with (
        pytest.raises(Refused, match="There is no ledger in the database") as refused,
        opening.opened(settings),
    ):
        raise AssertionError
    assert "syncline migrate" in refused.value.remedy
    with opening.opened(settings, make=True):
        pass
    with opening.opened(settings):
        pass


@pytest.mark.parametrize("line", ["up", "migrate", "demo"])
@pytest.mark.parametrize("place", ["a file", "a file/below", "/proc/nowhere"])
def test_a_data_folder_that_cannot_be_made_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, place: str
) -> None:
    (tmp_path / "a file").touch()
    monkeypatch.setenv("SYNCLINE_DATA", str(tmp_path / place))
    ended = CliRunner().invoke(main.app, [line])
    assert ended.exit_code == 2
    told = ended.stderr.splitlines()[-1]
    assert told.startswith("error: ")
    assert "SYNCLINE_DATA" in told
    assert "Traceback" not in ended.output


@pytest.mark.parametrize(
    ("number", "says"),
    [
        (errno.ENOSPC, "the disk is full"),
        (errno.EDQUOT, "may not take up more"),
        (errno.EROFS, "may only be read"),
        (errno.EACCES, "no right to it"),
    ],
)
def test_why_a_folder_cannot_be_written_to_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, says: str
) -> None:
    def refuse(path: Path, _: bytes) -> int:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(Refused, match=says):
        data_folder.make_usable(tmp_path / "data")


def test_a_full_disk_is_told_before_a_server_says_that_data_is_corrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=3_000_000))
    monkeypatch.setenv("SYNCLINE_DATA", str(tmp_path))
    for line in ("migrate", "up"):
        ended = CliRunner().invoke(main.app, [line])
        assert ended.exit_code == 2
        error = ended.stderr.splitlines()[-1]
        assert error.startswith(f"error: The disk of {tmp_path} is full: 3 MB are free")
        assert "backup" not in ended.output


@pytest.mark.skipif(os.geteuid() != 0, reason="a small disk is mounted, which only root may")
def test_a_disk_that_really_is_full_is_one_line(tmp_path: Path) -> None:
    script = """
        mount -t tmpfs -o size=1m tmpfs "$0" || exit 99
        cat /dev/zero > "$0/full" 2>/dev/null
        SYNCLINE_DATA="$0/data" "$1" -m workers.console.main migrate
    """
    ended = subprocess.run(
        ["unshare", "--mount", "sh", "-c", script, str(tmp_path), sys.executable],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if ended.returncode in {1, 99}:
        pytest.skip(f"no disk can be mounted here: {ended.stderr}")
    assert ended.returncode == 2
    [making, told] = ended.stderr.splitlines()
    assert making.startswith("note: A new installation is made in ")
    assert "the disk is full. Make room" in told


def test_what_the_machine_refuses_is_no_bug_and_all_else_is() -> None:
    refused = machine.refusal(OSError(errno.ENOSPC, "No space left on device"))
    assert refused is not None
    assert refused.what == "A file cannot be written: the disk is full."
    assert machine.refusal(FileNotFoundError(errno.ENOENT, "No such file", "x")) is None
