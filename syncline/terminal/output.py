"""How commands speak: tables for people, one JSON document for programs, one line for errors."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from syncline import jsontext
from syncline.errors import SynclineError
from syncline.machine import refusal
from syncline.terminal.messages import complain, is_printable, of_a_command, one_line

if TYPE_CHECKING:
    from rich.console import Console, Group, RenderableType
    from rich.text import Text

_UNPIPED_WIDTH = 160
_MINUTE, _HOUR, _DAY = 60, 3600, 86_400

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


class Commands(TyperGroup):
    """A group whose errors of ours end as one line and an exit code, never as a traceback."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command."""
        try:
            return super().invoke(ctx)
        except SynclineError as error:
            raise typer.Exit(complain(of_a_command(error))) from None
        except OSError as error:
            refused = refusal(error)
            if refused is None:
                raise
            raise typer.Exit(complain(refused)) from None


def group(name: str, about: str) -> typer.Typer:
    """An empty group of commands."""
    return typer.Typer(name=name, help=about, cls=Commands, no_args_is_help=True)


def show(as_json: bool, document: object, render: Callable[[], RenderableType]) -> None:  # noqa: FBT001 - the option as it came
    """Print a document for a program, or what `render` makes of it for a person."""
    if as_json:
        typer.echo(jsontext.dumps(document).decode())
    else:
        console().print(render())


def console() -> Console:
    """Standard output; lines are not cut to 80 columns where nobody looks at a terminal."""
    from rich.console import Console  # noqa: PLC0415 - not for a command that prints JSON

    return Console(width=None if sys.stdout.isatty() else _UNPIPED_WIDTH)


@cache
def error_console() -> Console:
    """Standard error. It is one for all, so that bars and words on it know of each other."""
    from rich.console import Console  # noqa: PLC0415 - as `console`

    return Console(stderr=True)


def say(text: str) -> None:
    """One line for a person."""
    typer.echo(one_line(text))


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> RenderableType:
    """A table; columns whose name ends with # are numbers. Cells are shown as they are."""
    from syncline.terminal.fitting import FittingTable  # noqa: PLC0415 - as `console`

    made = FittingTable(
        title=plain(title), title_justify="left", title_style="bold", show_edge=False
    )
    for column in columns:
        made.add_column(
            column.rstrip("#"),
            justify="right" if column.endswith("#") else "left",
            overflow="fold",
        )
    for row in rows:
        made.add_row(*(plain(cell) for cell in row))
    return made


def stack(*parts: RenderableType) -> Group:
    """Parts below each other, an empty line between them."""
    from rich.console import Group  # noqa: PLC0415 - as `console`
    from rich.text import Text  # noqa: PLC0415 - as `console`

    spaced = [item for part in parts for item in (part, Text(""))]
    return Group(*spaced[:-1])


def plain(value: object) -> Text:
    """A value as text that neither marks up nor steers the terminal."""
    from rich.text import Text  # noqa: PLC0415 - as `console`

    shown = "" if value is None else str(value)
    return Text("".join(c if c == "\n" or is_printable(c) else "\ufffd" for c in shown))


def ago(seconds: float) -> str:
    """A length of time in the largest unit that fits."""
    for unit, length in (("d", _DAY), ("h", _HOUR), ("min", _MINUTE)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit} ago"
    return f"{max(seconds, 0):.0f} s ago"
