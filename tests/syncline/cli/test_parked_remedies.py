"""Every remedy that an error carries is told apart from what happened."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import syncline
from syncline.cli.parked_remedies import in_two
from syncline.deliveries.causes import HALO_SAYS, HIGHLEVEL_SAYS
from syncline.errors import Unmappable
from syncline.sending import existing_users
from syncline.sending.restored.ownership import no_longer_ours

THEIRS = "the other side's own words"
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


@pytest.mark.parametrize(
    "reason",
    [
        f"{HALO_SAYS}Invalid site. Please contact us.",
        f"{HALO_SAYS}The site is closed. Add another one.",
        f"{HIGHLEVEL_SAYS}items: Set a quantity. Set it.",
        "Halo answered POST /SalesOrder with 404: no such client",
        "HighLevel answered GET /payments/orders/7 with 422: not this one",
    ],
)
def test_the_others_own_words_are_left_alone_and_said_to_be_theirs(reason: str) -> None:
    said, remedy = in_two(reason)
    assert said == reason
    assert THEIRS in str(remedy)


@pytest.mark.parametrize(
    "reason",
    [
        str(existing_users.not_shown()),
        "looked up: Halo's answer proves neither presence nor absence, 12 times in a row",
        "could not be looked up, 12 times in a row: Halo answered GET /Users with 500: no",
        "could not be done, 12 times in a row: no whole answer came",
        "client 7 is there, and not whole: Halo was asked for a site.",
        "HighLevel takes no such fulfillment: items: too few.",
        "Row 3 of the list of orders: it has no id",
        "The answer is not a list.",
    ],
)
def test_what_we_say_is_not_said_to_be_the_others_words(reason: str) -> None:
    said, remedy = in_two(reason)
    assert reason.startswith(said)
    assert remedy
    assert THEIRS not in remedy


def test_a_row_that_is_no_longer_ours_is_never_advised_to_be_written() -> None:
    said, remedy = in_two(no_longer_ours("order", "134", "PO-134"))
    assert said == "order 134 in Halo is no longer ours: it carries PO-134."
    assert remedy is not None
    assert "looked up by its reference" in remedy


def test_a_client_that_is_no_longer_ours_is_never_advised_to_be_left_away() -> None:
    _, remedy = in_two(no_longer_ours("client", "134", "HL-2"))
    assert remedy is not None
    assert "looked up by its reference" in remedy
    assert "accept" not in remedy
