"""How far a long command has come, on standard error, so that --json prints nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from syncline.terminal.messages import remark
from syncline.terminal.output import error_console

Tell = Callable[[str, int, int], None]
"""(what is done, how many of it, of how many; 0 where that is not known)."""


@contextmanager
def progress_bars() -> Iterator[Tell]:
    """One bar for each thing that is told of, where somebody looks at it; else a line for each."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = error_console()
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        rows: dict[str, object] = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in rows:
                rows[what] = bar.add_task(what, total=None)
                if not console.is_terminal:
                    remark(f"{what}.")
            bar.update(rows[what], completed=done, total=of or None)  # type: ignore[arg-type]  # an id of rich

        yield tell
