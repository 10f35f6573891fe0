"""The demo waits as long as the quotas may ask for, whatever the machine, and says for what."""

from __future__ import annotations

import io
from dataclasses import fields
from typing import Any

import pytest
from rich.console import Console

from syncline.quota.bucket import WindowLeft
from workers.demo.run import Ending
from workers.demo.sight import Patience, Sight
from workers.demo.view import View, report, told


def left(calls: int, left: int, next_s: float = 0, all_s: float = 0) -> WindowLeft:
    return WindowLeft(calls=calls, seconds=10, left=left, next_s=next_s, all_s=all_s)


def sight(**given: Any) -> Sight:
    standing: dict[str, Any] = {
        "orders": 0,
        "transactions": 0,
        "subscriptions": 0,
        "details": 0,
        "in_line": 0,
        "confirmed": 0,
        "outstanding": {},
        "highlevel": left(100, 100),
        "halo": left(300, 300),
    }
    return Sight(**{**standing, **given})


def test_a_slow_machine_is_waited_for_as_long_as_anything_moves() -> None:
    now = 0.0
    patience = Patience(300, lambda: now)
    for moved in range(50):
        now += 299
        assert not patience.is_over(moved)


def test_a_standstill_that_a_quota_explains_is_waited_for_and_a_longer_one_is_not() -> None:
    now = 0.0
    patience = Patience(300, lambda: now)
    assert not patience.is_over(7)
    now = 300
    assert not patience.is_over(7)
    now = 301
    assert patience.is_over(7)


def test_going_back_and_forth_is_no_progress() -> None:
    now = 0.0
    patience = Patience(300, lambda: now)
    for moved in (7, 5, 6, 7, 5):
        now += 100
        patience.is_over(moved)
    assert patience.standstill(7) == 400


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "HighLevel's lists, which are being read"),
        ({"all_read": True}, "nothing: all that was read is in line"),
        ({"outstanding": {"waiting": 3}, "all_read": True}, "3 that need another row first"),
        (
            {"halo": left(300, 0, 41.2, 290)},
            "Halo's quota: the next call may leave in 42 s",
        ),
        (
            {"outstanding": {"leased": 2, "sending": 3, "doubtful": 4}},
            "5 being sent; 4 in doubt, looked up after the settle time",
        ),
    ],
)
def test_what_is_waited_for_is_said(given: dict[str, Any], says: str) -> None:
    assert sight(**given).waits_for() == says


def test_a_connection_that_is_stopped_is_told_before_all_else() -> None:
    stopped = sight(stopped="The token is wrong.", halo=left(300, 0, 41.2, 290))
    assert stopped.needs_a_person
    assert stopped.waits_for() == ("a person, since the connection is stopped: The token is wrong.")


def test_only_what_is_parked_needs_a_person() -> None:
    assert sight(outstanding={"parked": 1}).needs_a_person
    assert not sight(outstanding={"parked": 1, "due": 1}).needs_a_person
    assert not sight().needs_a_person


def test_a_line_shows_both_quotas_and_when_calls_come_back() -> None:
    shown = told(sight(highlevel=left(100, 0, 3.1, 9.2), halo=left(300, 299, 0, 288.4)))
    assert "HighLevel's calls left 0 of 100 (next in 4 s, all in 10 s)" in shown
    assert "Halo's calls left 299 of 300 (all back in 289 s)" in shown


@pytest.mark.parametrize("width", [80, 120])
def test_a_terminal_shows_both_quotas_in_lines_that_fit(
    monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, color_system=None)
    monkeypatch.setattr("workers.demo.view.Console", lambda **_: console)
    used_up = left(300, 0, 299.5, 299.9)
    with View(1000) as view:
        view.show(sight(orders=1000, in_line=1000, highlevel=left(100, 0, 9.5, 9.9), halo=used_up))
    shown = " ".join(out.getvalue().split())
    assert "Halo's calls left" in shown
    assert "0/300 next in 300 s, all in 300 s" in shown
    assert "0/100 next in 10 s, all in 10 s" in shown
    assert "waits for HighLevel's quota" in shown


def test_the_report_tells_every_figure_in_words() -> None:
    figures: dict[str, Any] = {one.name: 7 for one in fields(Ending)}
    shapes = {"published": 1, "printed": 2, "rich": 3}
    figures |= {"shapes": {"highlevel": shapes, "halo": shapes}, "foreign_answers": {"html_403": 4}}
    out = io.StringIO()
    Console(file=out, width=100).print(report(figures))
    said = out.getvalue()
    assert "orders in line" in said
    assert "7 of 7" in said
    assert "web page (403): 4" in said
    assert "printed: 2, published: 1, rich: 3" in said
    told = {f"{name}_owed" for name in figures} | {"clean", "sums"}
    lines = len([line for line in said.splitlines() if line.startswith("│")])
    assert lines == len(figures.keys() - told) + 1
