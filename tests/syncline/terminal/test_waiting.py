"""A command that waits for quota says so, waits no longer than a window, and can be stopped."""

from __future__ import annotations

import io
from datetime import timedelta

import pytest
from rich.console import Console

from syncline.quota.keys import Limit, QuotaKey
from syncline.terminal.waiting import OF_A_PERSON

KEY = QuotaKey("halo:1", (Limit(300, timedelta(seconds=300)),))


def rest(seconds: float) -> list[float]:
    slept: list[float] = []
    OF_A_PERSON.rest(KEY, seconds, slept.append)
    return slept


def test_a_moment_is_worth_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert rest(0.4) == [0.4]
    assert capsys.readouterr().err == ""


def test_where_nobody_looks_a_plain_line_says_for_what(capsys: pytest.CaptureFixture[str]) -> None:
    assert rest(6.2) == [6.2]
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        "note: Waiting for Halo's quota, which the workers use too: the next call may leave in 7 s."
        "\n"
    )


def test_a_terminal_shows_a_bar_and_leaves_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr("syncline.terminal.waiting.error_console", lambda: terminal)
    assert sum(rest(3)) == pytest.approx(3)
    assert "Waiting for Halo's quota, which the workers use too" in out.getvalue()
    assert out.getvalue().endswith("\x1b[2K")  # the line is empty again


def test_it_can_be_stopped_while_it_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    terminal = Console(file=out, force_terminal=True, width=80, color_system=None)
    monkeypatch.setattr("syncline.terminal.waiting.error_console", lambda: terminal)

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        OF_A_PERSON.rest(KEY, 60, interrupted)
    assert out.getvalue().endswith("\x1b[2K")
