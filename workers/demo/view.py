"""What the demo shows while it runs: bars on a terminal, a line every few seconds elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

_LINE_EVERY_SECONDS = 5.0
_BARS = {
    "orders": "orders in the ledger",
    "details": "details read",
    "in_line": "in line in Halo",
    "quota": "HighLevel's quota left",
}


@dataclass(frozen=True, slots=True)
class Sight:
    """How far it is: records in the ledger, details read, orders confirmed, calls left."""

    orders: int
    transactions: int
    subscriptions: int
    details: int
    in_line: int
    quota: int


class View:
    """Shows how far it is, on standard error, so that standard output holds the report alone.

    Args:
        orders: how many orders there are.
        calls: how many calls HighLevel's limit allows.
    """

    def __init__(self, orders: int, calls: int) -> None:
        self._console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description:>22}"),
            BarColumn(40),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        totals = {name: calls if name == "quota" else orders for name in _BARS}
        self._bars = {
            name: self._progress.add_task(said, total=totals[name]) for name, said in _BARS.items()
        }
        self._began = time.monotonic()
        self._line_at = 0.0

    def say(self, text: str) -> None:
        """One line about what happens now."""
        self._console.print(
            f"[{time.monotonic() - self._began:5.1f} s] {text}", markup=False, soft_wrap=True
        )

    def show(self, sight: Sight) -> None:
        """Show how far it is."""
        if self._console.is_terminal:
            for name, bar in self._bars.items():
                self._progress.update(bar, completed=getattr(sight, name))
        elif time.monotonic() >= self._line_at:
            self._line_at = time.monotonic() + _LINE_EVERY_SECONDS
            self.say(", ".join(f"{said} {getattr(sight, name)}" for name, said in _BARS.items()))

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()


_OWED = "_owed"


def report(figures: Mapping[str, object]) -> Table:
    """The report as a table; of what Halo shall have, how much is in line."""
    table = Table("figure", "value", title="syncline demo")
    for name, value in figures.items():
        if name.endswith(_OWED) or isinstance(value, dict):
            continue
        owed = figures.get(f"{name}{_OWED}")
        told = str(value) if owed is None else f"{value} of {owed} in line"
        table.add_row(name.replace("_", " "), told)
    return table


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
