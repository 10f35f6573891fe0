"""A command that waits for quota says so, waits no longer than a window, and can be stopped."""

from __future__ import annotations

import io
import threading

import pytest
from rich.console import Console

from syncline.terminal import waiting as module
from syncline.terminal.waiting import OF_A_PERSON, waiting


def rest(seconds: float, what_for: str = "halo:1") -> list[float]:
    slept: list[float] = []
    OF_A_PERSON.rest(what_for, seconds, slept.append)
    return slept


def test_a_moment_is_worth_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    assert rest(0.4) == [0.4]
    assert capsys.readouterr().err == ""


def test_where_nobody_looks_a_plain_line_says_for_what(capsys: pytest.CaptureFixture[str]) -> None:
    assert rest(6.2) == [6.2]
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        "note: Waiting for Halo's quota, which the workers use too: it goes on in 7 s.\n"
    )


def test_what_else_a_command_waits_for_is_said_in_its_own_words(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rest(3, "The connection was cut.")
    assert capsys.readouterr().err == "note: The connection was cut: it goes on in 3 s.\n"


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
        OF_A_PERSON.rest("halo:1", 60, interrupted)
    assert out.getvalue().endswith("\x1b[2K")


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_side_that_does_not_answer_is_told_of_while_it_is_asked(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    said, told = threading.Event(), io.StringIO()
    shown = Console(file=told, force_terminal=is_terminal, width=80, color_system=None)

    def says(*words: object, **_given: object) -> None:
        told.write(" ".join(map(str, words)).removeprefix("note: "))
        said.set()

    monkeypatch.setattr(module, "error_console", lambda: shown)
    monkeypatch.setattr(module, "remark", says)
    monkeypatch.setattr(shown, "print", says)
    monkeypatch.setattr(module, "SILENT_S", 0.0)
    with OF_A_PERSON.asking("halo:1"):
        assert said.wait(60)
    assert told.getvalue() == "Waiting for an answer of Halo."


def test_a_side_that_answers_is_worth_no_word(capsys: pytest.CaptureFixture[str]) -> None:
    with OF_A_PERSON.asking("halo:1"):
        pass
    assert capsys.readouterr().err == ""


def test_what_is_waited_for_is_said_once_where_nobody_looks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with waiting() as tell:
        for what in ("an order", "an order", "a payment", "an order"):
            tell(what)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == "note: Waiting: an order.\nnote: Waiting: a payment.\n"
