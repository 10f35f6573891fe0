"""Packages stay small and modules short, so that each can be surveyed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCT = ("syncline", "workers", "tasks", "schedules")
MOST_MODULES = 15
"""Of one package, beside its `__init__.py`; what needs more has parts, and they have names."""
MOST_LINES = 400
"""Of one module; a longer one is about two things, and is split by what they are."""


def modules(*packages: str) -> Iterator[Path]:
    """The modules of packages and of all below them."""
    for package in packages:
        yield from sorted((ROOT / package).rglob("*.py"))


@pytest.mark.parametrize("top", PRODUCT)
def test_a_package_has_no_more_modules_than_can_be_surveyed(top: str) -> None:
    found: dict[str, int] = {}
    for path in modules(top):
        folder = str(path.parent.relative_to(ROOT))
        found[folder] = found.get(folder, 0) + (path.name != "__init__.py")
    assert found
    assert {folder: many for folder, many in found.items() if many > MOST_MODULES} == {}


def test_a_module_is_not_long() -> None:
    lines = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines())
        for path in modules(*PRODUCT, "bench", "tests")
    }
    assert {path: many for path, many in lines.items() if many > MOST_LINES} == {}
