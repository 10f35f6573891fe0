"""Where the sandbox of `syncline up` keeps what it holds, and what is said if it cannot go on."""

from __future__ import annotations

from pathlib import Path

import pytest

from syncline.errors import Refused
from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.restart import restarted
from syncline.settings import Settings
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
