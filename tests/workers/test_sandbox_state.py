"""Where the sandbox of `syncline up` keeps what it holds, and what is said if it cannot go on."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from syncline.errors import Refused
from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.process import SandboxProcess
from syncline.sandbox.restart import restarted
from syncline.settings import Settings
from tests.world import ROOMY, opening
from workers.console.sandbox import port_file, state_of_sandbox


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path)


def held(path: Path) -> int:
    sandbox = restarted(SandboxConfig(orders=2, transactions=0, subscriptions=0), path, None)
    sandbox.close()
    return len(sandbox.store.orders)


def test_a_new_folder_begins_without_a_word(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    assert state_of_sandbox(settings, afresh=False) == settings.data / "sandbox.state"
    assert capsys.readouterr().out == ""


def test_an_emulation_that_kept_nothing_is_said_to_begin_afresh(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    port_file(settings).write_text("1234", encoding="ascii")
    state = state_of_sandbox(settings, afresh=False)
    assert "begins afresh" in capsys.readouterr().out
    assert held(state) == 2
    assert state_of_sandbox(settings, afresh=False) == state
    assert capsys.readouterr().out == ""


def test_a_state_that_cannot_be_taken_up_is_refused_with_the_way_out(settings: Settings) -> None:
    state = settings.data / "sandbox.state"
    state.write_bytes(b"syncline sandbox state 0\n")
    with pytest.raises(Refused, match="of version 0") as refused:
        state_of_sandbox(settings, afresh=False)
    assert "--fresh-sandbox" in refused.value.remedy
    assert state_of_sandbox(settings, afresh=True) == state
    assert held(state) == 2


def test_work_goes_on_where_it_was_after_the_emulation_was_killed(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    """What was delivered stands there, and the token that was given out is still good."""
    kept = str(tmp_path / "sandbox.state")
    few: dict[str, Any] = {
        "orders": 6,
        "transactions": 0,
        "subscriptions": 0,
        "customers": 3,
        "money": False,
    }
    roomy: dict[str, Any] = {"highlevel_limit": ROOMY, "halo_limit": ROOMY}
    with SandboxProcess(state=kept, **few, **roomy) as first:
        port = int(first.url.rpartition(":")[2])
        with opening(database, redis_url, first) as worlds:
            world = worlds()
            world.pull()
            world.drive()
            os.kill(first.pid, signal.SIGKILL)
            first.stop()
            with SandboxProcess(port, state=kept) as again:
                again.change_orders(2)
                world.pull()
                world.drive()
                assert {state for _, state in world.counts()} == {"delivered"}
                assert again.audit()["clean"]
                assert again.counters()["halo"]["operations"]["POST /auth/token"] == 1
