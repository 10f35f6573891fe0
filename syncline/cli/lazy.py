"""A group of commands that imports the module of a command only when that command is called.

Help, completion and suggestions need the names and one line of each command: these stand in a
table. A command that was called is imported whole, its options and its own help with it.
"""

from __future__ import annotations

import copy
from collections import UserDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, ClassVar

import typer
import typer.main
from typer.core import TyperCommand, TyperGroup

from syncline.terminal.output import Commands


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """Where a command, or a group of commands, is.

    Attributes:
        target: `module:attribute` of the command's function, or of the group's Typer.
        help: its short help, word for word.
        brought: commands of the group that other capabilities bring, by their names: each is
            imported with the group.
    """

    target: str
    help: str
    brought: Mapping[str, str] = field(default_factory=dict)


class LazyGroup(Commands):
    """A group over a table of commands. Subclasses name theirs."""

    table: ClassVar[Mapping[str, LazyCommand]] = {}

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.commands = _Loading(self.table, self.rich_markup_mode)

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - Typer's signature
        """The names, in the order of the table."""
        return list(self.commands)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help of the group, with the table's line for each command."""
        outline = copy.copy(self)
        outline.commands = {name: self._line(name) for name in self.commands}
        TyperGroup.format_help(outline, ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """The commands and options that begin with `incomplete`."""
        nothing_loaded = copy.copy(ctx)
        nothing_loaded.command = copy.copy(self)
        nothing_loaded.command.commands = {name: self._line(name) for name in self.commands}
        return TyperGroup.shell_complete(nothing_loaded.command, nothing_loaded, incomplete)

    def _line(self, name: str) -> TyperCommand:
        """A command that has nothing but its name and its short help."""
        return TyperCommand(name, help=self.table[name].help)


class _Loading(UserDict[str, Any]):
    """Commands by name; each is imported when it is looked up, and no sooner."""

    def __init__(self, table: Mapping[str, LazyCommand], markup: Any) -> None:
        super().__init__(table)
        self._markup = markup

    def __getitem__(self, name: str) -> Any:
        found = self.data[name]
        if isinstance(found, LazyCommand):
            loaded = self._load(name, found.target)
            for brought, target in found.brought.items():
                loaded.commands[brought] = self._load(brought, target)
            found = self.data[name] = loaded
        return found

    def _load(self, name: str, target: str) -> Any:
        module, _, attribute = target.partition(":")
        found = getattr(import_module(module), attribute)
        around = typer.Typer(rich_markup_mode=self._markup)
        if isinstance(found, typer.Typer):
            around.add_typer(found, name=name)
        else:
            around.command(name)(found)
        return typer.main.get_group(around).commands[name]
