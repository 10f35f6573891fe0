"""Help, completion and suggestions work over commands whose modules are not imported yet."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.completion import get_completion_inspect_parameters
from typer.core import TyperGroup
from typer.testing import CliRunner

from workers.console import main
from workers.console.main import COMMANDS

ROOT = Path(__file__).parents[2]
HEAVY = {
    *("sqlalchemy", "alembic", "psycopg", "httpx", "redis", "celery", "kombu"),
    *("pydantic", "pydantic_settings", "cryptography", "starlette", "uvicorn"),
}
ALSO_HEAVY = HEAVY - {"pydantic"}
"""What reading a command line imports none of either; Typer itself checks arguments by pydantic."""

_HIGH = {"tasks", "schedules", "migrations", "bench", "tests"}
"""Packages that no command stands in."""

every_name = pytest.mark.parametrize("name", COMMANDS)


def loaded_after(*words: str, complete: dict[str, str] | None = None) -> tuple[set[str], str]:
    """The modules that a fresh process has imported after a command line, and what it said."""
    program = (
        "import sys\nfrom workers.console.main import main\n"
        f"sys.argv = ['syncline', *{words!r}]\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('loaded:', *sys.modules)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **(complete or {}), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    said, _, loaded = ended.stdout.partition("loaded:")
    return set(loaded.split()), said + ended.stderr


def root() -> TyperGroup:
    found = typer.main.get_command(main.app)
    assert isinstance(found, TyperGroup)
    return found


def short_help(command: Any) -> str:
    text: str = command.short_help or command.help or ""
    return " ".join(text.split("\n\n", maxsplit=1)[0].split())


@pytest.fixture(scope="module")
def help_of_all() -> tuple[set[str], str]:
    return loaded_after("--help")


def test_help_imports_nothing_heavy_and_no_command(help_of_all: tuple[set[str], str]) -> None:
    loaded, _ = help_of_all
    assert "workers.console.main" in loaded
    assert not {name.partition(".")[0] for name in loaded} & HEAVY
    assert not loaded & {one.target.partition(":")[0] for one in COMMANDS.values()}


@every_name
def test_help_shows_the_line_of_every_command(name: str, help_of_all: tuple[set[str], str]) -> None:
    line = COMMANDS[name].help.replace("`", "")
    assert re.search(rf"│ {name} +{re.escape(line)} +│", help_of_all[1])


@every_name
def test_the_line_of_a_command_is_its_own_short_help(name: str) -> None:
    assert COMMANDS[name].help == short_help(root().commands[name])


@every_name
def test_a_command_has_help_of_its_own(name: str) -> None:
    shown = CliRunner().invoke(main.app, [name, "--help"])
    assert shown.exit_code == 0
    assert f"Usage: syncline {name}" in " ".join(shown.stdout.split())


def test_a_command_imports_its_own_module_and_that_of_no_other() -> None:
    loaded, _ = loaded_after("show", "--help")
    modules = {one.target.partition(":")[0] for one in COMMANDS.values()}
    assert loaded & modules == {COMMANDS["show"].target.partition(":")[0]}


@every_name
def test_the_module_of_a_command_exists_and_has_what_is_named(name: str) -> None:
    for target in (COMMANDS[name].target, *COMMANDS[name].brought.values()):
        module, _, attribute = target.partition(":")
        assert find_spec(module) is not None
        assert hasattr(import_module(module), attribute)


@every_name
def test_a_command_stands_where_the_table_may_point(name: str) -> None:
    """The import contract does not see arrows that are strings."""
    for target in (COMMANDS[name].target, *COMMANDS[name].brought.values()):
        package, *below = target.partition(":")[0].split(".")
        assert package in {"syncline", "workers"}
        assert package not in _HIGH
        if package != "syncline":
            continue
        # A module of commands: of the command line itself, or of one capability.
        assert below[0] == "cli" or re.fullmatch(r"(\w+_)?cli", below[-1])
        assert below[0] != "sandbox"


def test_no_command_imports_the_table_back() -> None:
    modules = sorted({one.target.partition(":")[0] for one in COMMANDS.values()})
    program = (
        f"import sys, importlib\nfor name in {modules!r}:\n    importlib.import_module(name)\n"
        "print('workers.console.main' in sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert told.stdout == "False\n"


@every_name
def test_a_typo_is_answered_with_the_command_that_was_meant(name: str) -> None:
    ended = CliRunner().invoke(main.app, [f"{name}x"])
    assert ended.exit_code == 2
    assert re.search(rf"Did you mean [^?]*'{name}'", " ".join(ended.output.split()))


def test_a_typo_imports_no_command() -> None:
    loaded, said = loaded_after("stauts")
    assert "Did you mean 'status'?" in said
    assert not {name.partition(".")[0] for name in loaded} & ALSO_HEAVY


def bash(line: str) -> dict[str, str]:
    words = line.split(" ")
    return {
        "_SYNCLINE_COMPLETE": "complete_bash",
        "COMP_WORDS": line,
        "COMP_CWORD": str(len(words) - 1),
    }


def test_completion_of_a_command_imports_none() -> None:
    loaded, said = loaded_after(complete=bash("syncline "))
    assert said.split() == list(COMMANDS)
    assert not {name.partition(".")[0] for name in loaded} & ALSO_HEAVY


def completed(line: str) -> list[str]:
    """What this process says to bash for a line."""
    return CliRunner().invoke(main.app, [], env=bash(line)).stdout.split()


@pytest.fixture
def shells() -> None:
    get_completion_inspect_parameters()


def groups() -> Iterator[str]:
    return (name for name, one in root().commands.items() if isinstance(one, TyperGroup))


@pytest.mark.usefixtures("shells")
@pytest.mark.parametrize("name", list(groups()))
def test_completion_goes_on_inside_every_group(name: str) -> None:
    group = root().commands[name]
    assert isinstance(group, TyperGroup)
    assert completed(f"syncline {name} ") == list(group.commands)


@pytest.mark.usefixtures("shells")
def test_completion_knows_the_options_of_a_command() -> None:
    assert {"--connection", "--json", "--watch", "--help"} <= set(completed("syncline status --"))


def test_completion_shows_the_line_of_a_command() -> None:
    zsh = {"_SYNCLINE_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "syncline mapp"}
    _, said = loaded_after(complete=zsh)
    [(name, line)] = re.findall(r'"([^"]+)":"([^"]+)"', said)
    assert name == "mapping"
    assert COMMANDS["mapping"].help.startswith(line.removesuffix("..."))
