"""The documents say what is there: every command, task, error, option and link in them exists."""

from __future__ import annotations

import ast
import inspect
import json
import pkgutil
import re
import shlex
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from itertools import takewhile
from math import inf
from pathlib import Path
from typing import Any

import pytest
import typer.main
from celery import Celery
from pydantic import BaseModel
from typer.core import TyperGroup

import tasks
from schedules.ticks import ticks
from syncline import errors
from syncline.mapping import parsing
from syncline.mapping.options import CustomerOptions, OrderOptions
from syncline.mapping.shapes import CUSTOM, FLOWS
from syncline.mapping.transforms import TRANSFORMS
from syncline.queues import Lane
from syncline.settings import PREFIX, Settings
from workers.console.main import app as commands

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")])

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_INLINE = re.compile(r"`([^`\n]+)`")
_ENDS = {"|", ">", "…"}
"""Behind these, nothing more belongs to the command."""
_ASSIGNMENT = re.compile(r"[A-Z_]+=")

a_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


_LANES = {"reconciliation": "backfill"}
"""Tasks that do not stand in a lane of their own name."""


def _queue_of(task: str) -> str:
    name = task.split(".")[1]
    return f"syncline.{_LANES.get(name, name)}"


def _doc(name: str) -> str:
    return (ROOT / "docs" / name).read_text(encoding="utf-8")


def _blocks(text: str, language: str) -> list[str]:
    return [body for spoken, body in _FENCE.findall(text) if spoken == language]


def _rows(text: str) -> dict[str, list[str]]:
    """Rows of all tables whose first cell is code: that code → the other cells."""
    rows = re.findall(r"^ *\| `([^`|]+)` \|(.*)\|$", text, flags=re.MULTILINE)
    return {first: [cell.strip() for cell in rest.split("|")] for first, rest in rows}


def _command_lines(text: str) -> Iterator[list[str]]:
    """Each command of the shell blocks and of inline code, as words; `VARIABLE=…` left out."""
    blocks = "\n".join(_blocks(text, "sh")).replace("\\\n", " ").splitlines()
    lines = [*blocks, *_INLINE.findall(_FENCE.sub("", text))]
    for line in (part for one in lines for part in one.split(" && ")):
        if re.match(r"([A-Z_]+=\S* )*(syncline|make) ", line):
            words = shlex.split(line, comments=True)
            words = list(takewhile(lambda word: word not in _ENDS, words))
            yield [word for word in words if not _ASSIGNMENT.match(word)]


@cache
def _command_tree() -> Any:
    """Every command of ours; building them takes longer than any question about them."""
    return typer.main.get_command(commands)


def _flags(command: Any) -> set[str]:
    return {name for option in command.params for name in (*option.opts, *option.secondary_opts)}


def _resolve(words: list[str]) -> tuple[Any, list[str]]:
    """The command that words name, and the words behind it."""
    command: Any = _command_tree()
    rest = list(words)
    while isinstance(command, TyperGroup) and rest:
        assert rest[0] in command.commands, f"there is no command: syncline {' '.join(words)}"
        command, rest = command.commands[rest[0]], rest[1:]
    return command, rest


def _positional(command: Any, rest: Iterable[str]) -> list[str]:
    """The words that are no options, nor what options are set to."""
    takes = {
        name for one in command.params if not getattr(one, "is_flag", True) for name in one.opts
    }
    found, words = list[str](), iter(rest)
    for word in words:
        if word in takes:
            next(words, None)
        elif not word.startswith("-") or word == "-":
            found.append(word)
    return found


def _places(command: Any) -> float:
    """How many words a command takes beside its options."""
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    return inf if any(one.nargs < 0 for one in arguments) else len(arguments)


def _every_flag(command: Any) -> set[str]:
    inner = command.commands.values() if isinstance(command, TyperGroup) else []
    return _flags(command).union(*(_every_flag(one) for one in inner))


@pytest.fixture(scope="module")
def registered() -> Mapping[str, Any]:
    """Our tasks by name, as a Celery app finds them."""
    for module in pkgutil.iter_modules(tasks.__path__, "tasks."):
        import_module(module.name)
    found = Celery("a reader of the documents", set_as_current=False).tasks
    return {name: task for name, task in found.items() if name.startswith("syncline.")}


@a_page
def test_every_relative_link_leads_somewhere(page: Path) -> None:
    links = _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    places = [link.partition("#")[0] for link in links if "://" not in link]
    assert [place for place in places if place and not (page.parent / place).exists()] == []


@a_page
def test_every_command_that_is_shown_exists_with_its_options(page: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, flags=re.MULTILINE))
    for program, *words in _command_lines(page.read_text(encoding="utf-8")):
        if program == "make":
            assert set(words) <= targets
            continue
        command, rest = _resolve(words)
        flags = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
        assert flags <= _flags(command) | {"--help"}, " ".join(words)
        assert len(_positional(command, rest)) <= _places(command), " ".join(words)


@a_page
def test_every_option_and_setting_that_is_named_exists(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = {word for code in _INLINE.findall(text) for word in re.findall(r"^--[a-z-]+", code)}
    assert named <= _every_flag(_command_tree()) | {"--help", "--json"}
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    assert set(re.findall(rf"\b{PREFIX}[A-Z_]+", text)) <= known


def test_the_readme_shows_the_two_commands() -> None:
    shown = list(_command_lines((ROOT / "README.md").read_text(encoding="utf-8")))
    assert shown[:2] == [["make", "demo"], ["make", "test"]]


def test_every_error_is_explained_and_every_explained_error_exists() -> None:
    known = [
        name
        for name, found in inspect.getmembers(errors, inspect.isclass)
        if found.__module__ == errors.__name__
    ]
    text = _doc("errors.md")
    assert sorted(_rows(text)) == sorted(known)
    drawn = re.findall(r"^[│├└─ ]*(\w+)", _blocks(text, "")[0], flags=re.MULTILINE)
    in_code = re.findall(r"^[│├└─ ]*(\w+)", (errors.__doc__ or "").split("\n\n")[1], re.MULTILINE)
    assert drawn == in_code


def test_every_task_is_documented_with_its_arguments_and_queue(
    registered: Mapping[str, Any],
) -> None:
    rows = {name: cells for name, cells in _rows(_doc("tasks.md")).items() if "." in name}
    assert sorted(rows) == sorted(registered)
    for name, (arguments, lane, beat) in rows.items():
        parameters = inspect.signature(registered[name].run).parameters.values()
        shown = [
            one.name if one.default is one.empty else f"{one.name}={one.default}"
            for one in parameters
        ]
        assert _INLINE.findall(arguments) == shown
        assert _INLINE.findall(lane) == [_queue_of(name)]
        assert (beat != "no") == any(tick.task == name for tick in ticks(Settings()))


def test_every_queue_that_is_named_exists(registered: Mapping[str, Any]) -> None:
    queues = {lane.queue for lane in Lane}
    named = set(re.findall(r"syncline\.[a-z_.]+[a-z]", _doc("tasks.md")))
    assert named == queues | set(registered)


def test_every_example_in_python_sends_a_task_as_it_is(registered: Mapping[str, Any]) -> None:
    sent = [
        node
        for block in _blocks(_doc("tasks.md"), "python")
        for node in ast.walk(ast.parse(block))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "app.send_task"
    ]
    assert sent
    for call in sent:
        name, arguments = (ast.literal_eval(one) for one in call.args)
        inspect.signature(registered[name].run).bind(*arguments)
        (lane,) = (ast.literal_eval(word.value) for word in call.keywords if word.arg == "queue")
        assert lane == _queue_of(name)


def test_every_transform_is_documented_with_its_arguments() -> None:
    rows = _rows(_doc("mapping.md").split("## Transforms")[1])
    assert sorted(rows) == sorted(TRANSFORMS)
    for name, transform in TRANSFORMS.items():
        arguments = [field.alias or key for key, field in transform.model_fields.items()]
        assert _INLINE.findall(rows[name][0]) == arguments


@pytest.mark.parametrize(
    ("section", "options"), [("orders", OrderOptions), ("customers", CustomerOptions)]
)
def test_every_option_of_a_mapping_is_documented_with_its_default(
    section: str, options: type[BaseModel]
) -> None:
    table = _doc("mapping.md").split(f"| option of `[{section}]` |")[1].split("\n\n")[0]
    rows = _rows(table)
    assert list(rows) == list(options.model_fields)
    for name, field in options.model_fields.items():
        default = "none" if field.default is None else f"`{json.dumps(str(field.default))}`"
        assert rows[name][0] == default
        choices = getattr(field.annotation, "__args__", ())
        assert all(f'"{one}"' in rows[name][1] for one in choices if isinstance(one, str))


def test_every_key_of_a_row_is_documented() -> None:
    table = _doc("mapping.md").split("| key of a row |")[1].split("\n\n")[0]
    assert list(_rows(table)) == list(parsing._FieldRow.model_fields)


@pytest.mark.parametrize("flow", FLOWS)
def test_every_target_and_source_is_documented(flow: str) -> None:
    text = _doc("mapping.md")
    targets = _rows(text.split("### Targets")[1].split("### Sources")[0])[f"[[{flow}.field]]"][0]
    named = {name for name in _INLINE.findall(targets) if CUSTOM not in name}
    first, last = "deladdress1", "deladdress5"
    if flow == "orders":
        assert f"`{first}` … `{last}`" in targets
        named |= {f"deladdress{at}" for at in range(1, 6)}
    assert named == set(FLOWS[flow].targets)
    sources = _rows(text.split("### Sources")[1])[f"[[{flow}.field]]"][0]
    assert set(_INLINE.findall(sources)) == set(_paths(FLOWS[flow].source))


def _paths(shape: Mapping[str, Any], above: str = "") -> Iterator[str]:
    for name, inner in shape.items():
        if isinstance(inner, Mapping):
            yield from _paths(inner, f"{above}{name}.")
        elif isinstance(inner, list) and inner[0] is not None:
            yield from _paths(inner[0], f"{above}{name}[].")
        else:
            yield f"{above}{name}"


def test_the_examples_of_a_mapping_are_one_document_that_loads() -> None:
    loaded = parsing.load("\n".join(_blocks(_doc("mapping.md"), "toml")))
    assert loaded.customers.without_email == "default-client"
    assert {row.target for row in loaded.rows["orders"]} >= {"title", "note"}


@a_page
def test_every_file_that_is_named_is_there(page: Path) -> None:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    named = re.findall(
        r"`((?:syncline|workers|schedules|tasks|migrations|tests|bench)/[\w./-]*)`", text
    )
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_the_architecture_names_every_package() -> None:
    rows = _rows(_doc("architecture.md").split("## The packages")[1])
    packages = {f"syncline/{one.parent.name}" for one in ROOT.glob("syncline/*/__init__.py")}
    assert packages == {name for name in rows if name.startswith("syncline/")}


def test_the_architecture_shows_the_layers_of_the_import_contract() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    _, shown = _blocks(_doc("architecture.md"), "")
    packages = [_names(line) for line in shown.splitlines()[:-1]]
    assert packages == [_names(line) for line in layers[: len(packages)]]


def _names(layer: str) -> set[str]:
    return {name.strip().removeprefix("syncline.") for name in layer.split("|")}
