"""Tables fit a narrow terminal: words stay whole where they can, and nothing is left out."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from syncline.terminal.fitting import shares
from syncline.terminal.output import table

CELL = st.text("ab \n", max_size=40)


def printed(width: int) -> str:
    pull = "provisional 85 of 85, 2026-11-27 to 2026-11-28, 5 s ago"
    columns = ("kind", "seen#", "in line#", "waiting#", "doubtful#", "parked#", "last pull")
    console = Console(width=width, file=io.StringIO())
    console.print(table("acme", columns, [["subscriptions", 100, 97, 0, 0, 0, pull]]))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


def test_a_narrow_terminal_breaks_no_word() -> None:
    assert "┃" in printed(160)
    narrow = printed(72)
    assert max(map(len, narrow.splitlines())) <= 72
    for word in ("subscriptions", "doubtful", "provisional", "2026-11-27"):
        assert word in narrow


@given(st.lists(st.lists(CELL, min_size=1, max_size=3), min_size=1, max_size=5), st.integers(5, 60))
def test_columns_share_what_there_is(columns: list[list[str]], width: int) -> None:
    found = shares(columns, width)
    assert sum(found) <= width
    assert min(found) >= 1
