"""A command by which a person decides about many things: it asks, works in batches, and reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from syncline.calls.context import Line, WorkerContext
from syncline.terminal.output import plain, stack, table
from syncline.terminal.progress import progress_bars
from syncline.terminal.prompts import agreed

if TYPE_CHECKING:
    from rich.console import RenderableType

BATCH = 100
"""Things that are looked at and written down together."""

SHOWN = 50
"""Rows of a table; `--json` has them all."""


class HasConnection(Protocol):
    """Something that belongs to one connection."""

    @property
    def connection(self) -> str:
        """The connection's name."""


Thing = TypeVar("Thing", bound=HasConnection)
Done = TypeVar("Done")


@dataclass(frozen=True, slots=True)
class Deciding(Generic[Thing]):
    """How things of one kind are decided about.

    Attributes:
        one: what one of them is called.
        many: what several are called.
        together: a key, the same for those that must be in one batch.
    """

    one: str
    many: str
    together: Callable[[Thing], Any]

    def each(
        self,
        worker: WorkerContext,
        found: Sequence[Thing],
        step: Callable[[Line, Sequence[Thing]], Sequence[Done]],
        *,
        ask: str | None,
        yes: bool,
    ) -> list[Done]:
        """Ask, then do the step for each batch of one connection.

        Args:
            worker: the process's context.
            found: what is decided about.
            step: returns what became of each.
            ask: the question, `{}` for how many; None where nothing is changed.
            yes: whether the person has agreed already.
        """
        if ask is not None:
            agreed(ask.format(self._several(len(found))), yes=yes)
        done: list[Done] = []
        with progress_bars() as tell:
            for name, batch in self._batches(found):
                done += step(worker.open_line(name), batch)
                tell(self.many, len(done), len(found))
        return done

    def sentence(self, number: int, state: str, *, dry_run: bool) -> str:
        """That so many of them are so now, or would be."""
        is_ = "would be" if dry_run else "is" if number == 1 else "are"
        return f"{self._several(number)} {is_} {state}"

    def _several(self, number: int) -> str:
        return f"{number} {self.one if number == 1 else self.many}"

    def _batches(self, found: Sequence[Thing]) -> Iterator[tuple[str, list[Thing]]]:
        ordered = sorted(found, key=lambda one: (one.connection, self.together(one)))
        for name, of_connection in groupby(ordered, key=lambda one: one.connection):
            batch: list[Thing] = []
            for _, group in groupby(of_connection, key=self.together):
                batch += group
                if len(batch) >= BATCH:
                    yield name, batch
                    batch = []
            if batch:
                yield name, batch


def report(
    title: str, columns: Sequence[str], rows: Sequence[Sequence[object]], sentence: str, left: int
) -> RenderableType:
    """A table of the first rows, and the sums in a sentence."""
    first = f", the first {SHOWN} of {len(rows)}" if len(rows) > SHOWN else ""
    alone = f", {left} left alone" if left else ""
    return stack(table(f"{title}{first}", columns, rows[:SHOWN]), plain(f"{sentence}{alone}."))
