"""JSON keeps every digit, and equal documents are equal bytes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import Unreadable
from syncline.jsontext import canonical, dumps, loads, without_nul

_PLAIN = (
    st.none()
    | st.booleans()
    | st.integers(-(2**60), 2**60)
    | st.text(st.characters(exclude_categories=["Cs"]))
)
_DOCUMENTS = st.recursive(
    _PLAIN | st.decimals(-(10**12), 10**12, places=4),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner, max_size=4)
    ),
    max_leaves=20,
)


@given(_DOCUMENTS)
def test_a_document_comes_back_as_it_was(document: Any) -> None:
    assert loads(dumps(document)) == document
    assert loads(canonical(document)) == document


@pytest.mark.parametrize("digits", ["10.10", "0.30000000000000004", "123456789012345678.90"])
def test_a_fraction_keeps_the_digits_that_were_written(digits: str) -> None:
    read = loads(f'{{"amount":{digits}}}')
    assert read == {"amount": Decimal(digits)}
    assert isinstance(read["amount"], Decimal)
    assert dumps(read) == f'{{"amount":{digits}}}'.encode()


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), _PLAIN, min_size=2))
def test_the_order_of_keys_does_not_reach_the_canonical_form(document: dict[str, Any]) -> None:
    turned = dict(reversed(document.items()))
    assert canonical({"in": turned, "and": 1}) == canonical({"and": 1, "in": document})


@pytest.mark.parametrize(
    "text", [b"", b"{", b"nope", b"<html>", b"\xff\xfe", b"[1,]", b"NaN", b"[" * 100_000]
)
def test_what_is_not_json_is_unreadable_and_says_where_to_look(text: bytes) -> None:
    with pytest.raises(Unreadable, match="Look at the call's answer"):
        loads(text)


def test_nul_is_replaced_in_keys_values_and_depth_and_nothing_else_is() -> None:
    document = {"a\x00": ["b\x00", {"c": "\x00"}], "d": Decimal("1.10"), "e": None}
    assert without_nul(document) == {
        "a\ufffd": ["b\ufffd", {"c": "\ufffd"}],
        "d": Decimal("1.10"),
        "e": None,
    }


def test_a_number_larger_than_any_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="larger than any"):
        loads(b'{"amount": 1e99999999999999999999}')


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (r'"x\ud83d"', "x\ufffd"),
        (r'"\ud83d\ude00 \ude00"', "\U0001f600 \ufffd"),
        (r'"\\ud83d"', r"\ud83d"),
        (r'"\\\ud83d"', "\\\ufffd"),
        (r'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
    ],
)
def test_half_a_character_is_replaced_and_whole_ones_stay(written: str, read: str) -> None:
    assert loads(written) == read
    assert loads(written.encode()) == read
