"""What syncline advises can be typed as it is said: each command with all that it needs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main

from workers.console.main import app

ROOT = Path(__file__).parents[2]
PATHS = [
    path
    for package in ("syncline", "workers")
    for path in sorted((ROOT / package).rglob("*.py"))
    if "sandbox" not in path.relative_to(ROOT).parts[1:2]
]
_ADVICE = re.compile(r"syncline ([a-z][^`\"';,.()\n]*)")
ROOT_COMMAND: Any = typer.main.get_command(app)
_VALUE = "VALUE"
"""Stands for what a text puts in; it may be a part of a word."""


def _texts(path: Path) -> Iterator[str]:
    """The texts that people may see; docstrings are for those who read the code."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    unseen = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    unseen |= {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)
        for part in node.values
    }  # fmt: skip
    for node in ast.walk(tree):
        if id(node) not in unseen and (text := _text(node)):
            yield text


def _text(node: ast.AST) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else _VALUE for part in node.values
        )
    return ""


def _lacks(advice: str) -> str:
    """What a command lacks; empty if nothing, or if it is none of ours."""
    command = ROOT_COMMAND
    words = advice.split()
    while words and hasattr(command, "commands"):
        if _VALUE in words[0]:
            return ""  # which of its commands it is follows from the value
        below = command.get_command(None, words[0])
        if below is None:
            break
        command, words = below, words[1:]
    if command.name is None or len(words) == len(advice.split()):
        return ""
    if hasattr(command, "commands"):
        return "a command of this group"
    needed = [one.name for one in command.params
              if one.param_type_name == "argument" and one.required]  # fmt: skip
    given = [word for word in words if not word.startswith("-")]
    return ", ".join(map(str, needed[len(given) :]))


def test_every_advised_command_has_the_arguments_that_it_needs() -> None:
    found = [
        f"{path.relative_to(ROOT)}: {advised[0]!r} lacks {lacks}"
        for path in PATHS
        for text in _texts(path)
        for advised in _ADVICE.finditer(text)
        if (lacks := _lacks(advised[1]))
    ]
    assert found == []
