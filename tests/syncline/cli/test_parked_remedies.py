"""Every remedy that an error carries is told apart from what happened."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import syncline
from syncline.cli.parked_remedies import in_two
from syncline.errors import Unmappable

WHAT = "lines.baseprice: the table prices. Two has no row for 'Add. Set it.'."


def _remedies() -> Iterator[str]:
    """The remedy of every Unmappable of the code; "x" stands for what is put in."""
    for path in sorted(Path(syncline.__file__).parent.rglob("*.py")):
        source = path.read_text(encoding="utf-8")
        if "Unmappable(" not in source:
            continue
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "Unmappable":
                yield from (_text(one.value) for one in node.keywords if one.arg == "remedy")


def _text(node: ast.expr) -> str:
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return "".join(str(one.value) if isinstance(one, ast.Constant) else "x" for one in parts)


@pytest.mark.parametrize("remedy", sorted(set(_remedies())))
def test_a_remedy_is_told_apart_from_what_happened(remedy: str) -> None:
    assert in_two(str(Unmappable(WHAT, field="lines", remedy=remedy))) == (WHAT, remedy)


@pytest.mark.parametrize(
    "reason",
    [
        "total: wanted 1.00, Halo holds 2.00",
        "Halo holds several rows with reference HL-1: 3, 4",
        "order 7 was there and is gone from Halo",
        "sent 12 times in a row without effect; total: wanted 1, Halo holds 2",
        "HighLevel no longer has this order",
    ],
)
def test_reasons_without_a_remedy_get_one(reason: str) -> None:
    said, remedy = in_two(reason)
    assert said == reason
    assert remedy


def test_halos_own_words_are_left_alone() -> None:
    said, remedy = in_two("Invalid site. Please contact us.")
    assert said == "Invalid site. Please contact us."
    assert remedy is not None
    assert "the other side's own words" in remedy
