"""What the commands work with; put in place by whoever runs them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:  # to say what a command works with, nothing of it needs to be there
    from syncline.calls.context import WorkerContext
    from syncline.settings import Settings


@dataclass(frozen=True, slots=True)
class CommandContext:
    """How a command gets at the installation. Nothing is opened before a command asks.

    Attributes:
        settings: reads the settings.
        open: the context to work in, for the length of a block, over running servers. Where there
            is no installation it refuses.
        make: likewise, for a command by which a person begins: it makes what is missing. None: as
            `open`.
    """

    settings: Callable[[], Settings]
    open: Callable[[], AbstractContextManager[WorkerContext]]
    make: Callable[[], AbstractContextManager[WorkerContext]] | None = None

    def open_or_make(self) -> AbstractContextManager[WorkerContext]:
        """The context to work in, of an installation that is made where there is none."""
        return self.open() if self.make is None else self.make()


def command_context(context: typer.Context) -> CommandContext:
    """The installation that a command works with."""
    found: CommandContext = context.find_root().obj
    return found
