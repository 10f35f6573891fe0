"""What the demo shows while it runs: bars on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from math import ceil
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table
from rich.text import Text

from syncline.quota.bucket import WindowLeft
from workers.demo.sight import Sight

_LINE_EVERY_SECONDS = 5.0
_FAR = {
    "orders": "orders in the ledger",
    "details": "details read",
    "in_line": "in line in Halo",
}
_QUOTAS = {"highlevel": "HighLevel's calls left", "halo": "Halo's calls left"}
_BAR = 20
"""Columns of a bar: with its words, a line fits into 80."""


class View:
    """Shows how far it is, on standard error, so that standard output holds the report alone.

    Args:
        orders: how many orders there are.
    """

    def __init__(self, orders: int) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description:>22}"),
            BarColumn(_BAR),
            MofNCompleteColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._console,
        )
        self._far = {
            name: self._progress.add_task(said, total=orders, note="")
            for name, said in _FAR.items()
        }
        self._quotas = {
            name: self._progress.add_task(said, total=None, note="")
            for name, said in _QUOTAS.items()
        }
        self._waits = Text()
        self._live = (
            Live(Group(self._progress, self._waits), console=self._console, refresh_per_second=4)
            if self._console.is_terminal
            else None
        )
        self._began = time.monotonic()
        self._line_at = 0.0

    def say(self, text: str) -> None:
        """One line about what happens now."""
        self._console.print(
            f"[{time.monotonic() - self._began:5.1f} s] {text}", markup=False, soft_wrap=True
        )

    def show(self, sight: Sight) -> None:
        """Show how far it is, what both quotas have left, and what it waits for."""
        if self._live is not None:
            for name, bar in self._far.items():
                self._progress.update(bar, completed=getattr(sight, name))
            for name, bar in self._quotas.items():
                self._show_quota(bar, getattr(sight, name))
            self._waits.plain = f"waits for {sight.waits_for()}"
        elif time.monotonic() >= self._line_at:
            self._line_at = time.monotonic() + _LINE_EVERY_SECONDS
            self.say(told(sight))

    def _show_quota(self, bar: TaskID, left: WindowLeft) -> None:
        self._progress.update(bar, completed=left["left"], total=left["calls"], note=_note(left))

    def __enter__(self) -> Self:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()


def told(sight: Sight) -> str:
    """How far it is, both quotas and what it waits for, in a line."""
    far = [f"{said} {getattr(sight, name)}" for name, said in _FAR.items()]
    quotas = [f"{said} {_in_words(getattr(sight, name))}" for name, said in _QUOTAS.items()]
    return f"{', '.join([*far, *quotas])}. It waits for {sight.waits_for()}."


def _in_words(left: WindowLeft) -> str:
    note = _note(left)
    return f"{left['left']} of {left['calls']}{f' ({note})' if note else ''}"


def _note(left: WindowLeft) -> str:
    """When calls come back."""
    if left["next_s"] > 0:
        return f"next in {ceil(left['next_s'])} s, all in {ceil(left['all_s'])} s"
    return f"all back in {ceil(left['all_s'])} s" if left["all_s"] > 0 else ""


_SIDES = {"highlevel": "HighLevel", "halo": "Halo"}
_STRANGERS = {"html": "web page", "truncated": "cut short"}
_OWED = "_owed"
_REPORTED: Mapping[str, str] = {
    "orders": "orders in line",
    "transactions": "payments in line",
    "refunds": "refunds in line",
    "subscriptions": "subscriptions in line",
    "missing": "rows that Halo lacks",
    "duplicates": "rows that Halo has twice",
    "wrong_amounts": "rows with wrong values in Halo",
    "rejected_429": "calls refused by a limit (429)",
    "kills": "workers killed in the middle of a write",
    "seconds": "seconds until both sides agreed",
    "quota_bound_seconds": "seconds that HighLevel's limit alone needs",
    "highlevel_calls": "calls to HighLevel until then",
    "halo_calls": "calls to Halo until then",
    "changed": "orders changed after that",
    "rewritten_after_change": "orders written again in Halo after that",
}
"""Figure → what a person is told that it is, in the order of the report."""


def report(figures: Mapping[str, Any]) -> Table:
    """The report as a table; of what Halo shall have, how much is in line."""
    table = Table("what", "came to", title="syncline demo")
    for name, said in _REPORTED.items():
        value, owed = figures[name], figures.get(f"{name}{_OWED}")
        table.add_row(said, f"{value:,}" if owed is None else f"{value:,} of {owed:,}")
    strangers = {_stranger(name): many for name, many in figures["foreign_answers"].items()}
    table.add_row("answers of strangers in an API's place", _counts(strangers))
    for side, shapes in figures["shapes"].items():
        table.add_row(f"records that {_SIDES[side]} showed, by shape", _counts(shapes))
    return table


def _stranger(name: str) -> str:
    kind, _, status = name.rpartition("_")
    return f"{_STRANGERS.get(kind, kind)} ({status})"


def _counts(by_name: Mapping[str, int]) -> str:
    return ", ".join(f"{name}: {many:,}" for name, many in sorted(by_name.items()))


def sums(by_currency: Mapping[str, Mapping[str, Mapping[str, str]]]) -> Table:
    """What both sides hold, by currency: the same to the last minor unit, or it says so."""
    table = Table("currency", "what", "HighLevel", "Halo", "", title="sums on both sides")
    for column in table.columns[2:4]:
        column.justify = "right"
    for currency, sides in by_currency.items():
        for what, said in sides["highlevel"].items():
            held = sides["halo"][what]
            table.add_row(currency, what, said, held, "equal" if said == held else "DIFFERENT")
    return table
