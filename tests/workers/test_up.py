"""`syncline up` keeps the embedded servers running, as it keeps its processes."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from syncline.errors import Refused
from syncline.settings import Settings
from workers.console import up
from workers.embedded import servers as embedded


class Asked(threading.Event):
    """Is asked to stop after so many looks, and waits for nothing."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self._looks = looks

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002 - as an event is asked
        self._looks -= 1
        return self._looks < 0


@pytest.mark.parametrize(
    ("seen", "starts"),
    [
        ([True, True, True], 0),
        ([True, False, True, False, True], 0),  # by hand: stopped, then started
        ([True, False, False, True], 1),
        ([False, False, False, False], 3),
    ],
)
def test_a_server_that_stays_down_is_started_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seen: list[bool], starts: int
) -> None:
    started: list[Settings] = []

    def start(settings: Settings) -> None:
        started.append(settings)
        raise Refused("The disk is full.")  # it goes on looking all the same

    looks = iter(seen)
    monkeypatch.setattr(embedded, "are_running", lambda _: next(looks))
    monkeypatch.setattr(embedded, "ensure", start)
    up.keep_servers(Settings(data=tmp_path), Asked(len(seen)))
    assert len(started) == starts
