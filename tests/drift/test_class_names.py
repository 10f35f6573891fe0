"""A class name stands once, so that a name says which class is meant wherever it is read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
PRODUCT = ("syncline", "workers", "tasks", "schedules")
SANDBOX = ROOT / "syncline" / "sandbox"
"""A program of its own, which imports nothing of ours: it has its own names."""


def classes() -> Iterator[tuple[str, str]]:
    """The name and the file of every class of the product, nested ones too."""
    for package in PRODUCT:
        for path in sorted((ROOT / package).rglob("*.py")):
            if not path.is_relative_to(SANDBOX):
                for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                    if isinstance(node, ast.ClassDef):
                        yield node.name, str(path.relative_to(ROOT))


def test_a_class_name_stands_once() -> None:
    found: dict[str, list[str]] = {}
    for name, path in classes():
        found.setdefault(name, []).append(path)
    assert len(found) > 100
    assert {name: paths for name, paths in found.items() if len(paths) > 1} == {}
