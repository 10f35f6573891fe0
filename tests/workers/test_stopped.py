"""Commands on an installation that does not run: they say so, answer, and leave nothing running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from syncline.ledger.migrate import upgrade
from syncline.settings import Settings
from workers.embedded import servers as embedded
from workers.embedded.server import is_running

COMMAND = (sys.executable, "-m", "workers.console.main")
READING = (
    *("status", "parked list", "events list", "alerts list", "discrepancies list"),
    *("connection list", "audit list", "migrate --dry-run"),
)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An installation with servers of its own, none of which runs."""
    settings = Settings(data=tmp_path_factory.mktemp("stopped"))
    with embedded.using(settings) as servers:
        upgrade(servers.database_url)
    assert not embedded.are_running(settings)
    return settings


def environment(settings: Settings) -> dict[str, str]:
    ours = {name: value for name, value in os.environ.items() if not name.startswith("SYNCLINE_")}
    return {**ours, "SYNCLINE_DATA": str(settings.data)}


@pytest.mark.parametrize("line", READING)
def test_a_reading_command_says_that_nothing_runs_and_leaves_nothing_running(
    stopped: Settings, line: str
) -> None:
    ended = subprocess.run(
        [*COMMAND, *line.split()],
        env=environment(stopped),
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    assert f"note: syncline does not run in {stopped.data}: its servers are" in ended.stderr
    assert not any(is_running(server) for server in embedded.of(stopped))


def heed_signals() -> None:
    """As in a shell: whoever runs the tests in the background may have them ignored."""
    for sign in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(sign, signal.default_int_handler if sign is signal.SIGINT else signal.SIG_DFL)


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_command_that_is_ended_stops_the_servers_that_it_started(
    stopped: Settings, sign: signal.Signals
) -> None:
    with subprocess.Popen(
        [*COMMAND, "status", "--watch"],
        env=environment(stopped),
        cwd=Path(__file__).parents[2],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        preexec_fn=heed_signals,  # noqa: PLW1509 - nothing else runs in the child
    ) as watching:
        assert watching.stdout is not None
        assert watching.stdout.readline()  # the servers run: it shows what they hold
        watching.send_signal(sign)
        watching.stdout.read()
    assert not any(is_running(server) for server in embedded.of(stopped))
    expected = 0 if sign is signal.SIGINT else 128 + sign
    assert watching.returncode == expected
