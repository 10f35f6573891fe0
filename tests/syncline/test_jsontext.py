"""JSON keeps every digit, and equal documents are equal bytes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import Unreadable
from syncline.jsontext import (
    DEEPEST,
    TOO_DEEP,
    canonical,
    dumps,
    is_flat,
    loads,
    without_nul,
)

_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
_PLAIN = st.none() | st.booleans() | st.integers(-(2**60), 2**60) | _TEXTS
_DOCUMENTS = st.recursive(
    _PLAIN | st.decimals(-(10**12), 10**12, places=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXTS, inner, max_size=4),
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


@given(st.dictionaries(_TEXTS, _PLAIN, min_size=2))
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


@pytest.mark.parametrize(
    "number",
    [
        "1e400",
        "-1e99999999999999999999",
        "1e-200000",
        "9" * 5000,
        "-" + "9" * 5000,
        "0." + "3" * 200,
        "NaN",
        "-Infinity",
    ],
)
def test_a_number_that_nothing_can_hold_is_a_text_and_its_neighbours_are_read(number: str) -> None:
    read = loads(f'{{"bad": {number}, "rows": [1, {number}], "name": "NaN"}}')
    assert read == {"bad": number, "rows": [1, number], "name": "NaN"}
    assert loads(dumps(read)) == read


def test_what_nests_too_deep_is_a_text_and_its_neighbours_are_read() -> None:
    deep = "[" * 5000 + '"]"' + "]" * 5000
    read = loads(f'{{"rows": [{{"a": {deep}}}, {{"b": "[{{"}}], "c": {deep}, "d": NaN}}')
    innermost = read["rows"][0]["a"]
    depth = 3
    while isinstance(innermost, list):
        (innermost,) = innermost
        depth += 1
    assert (innermost, depth) == (TOO_DEEP, DEEPEST)
    assert read["rows"][1] == {"b": "[{"}
    assert (read["d"], loads(dumps(read))) == ("NaN", read)


@given(st.integers(1, 2 * DEEPEST), st.sampled_from(["", "[", "}{", '\\"]', "[]" * 50]))
def test_what_is_flat_enough_is_found_by_its_depth_alone(depth: int, text: str) -> None:
    inner = dumps([text] * 40)
    body = b'{"a":' * (depth - 1) + inner + b"}" * (depth - 1)
    assert is_flat(body) == (depth <= DEEPEST)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b'{"a": "caf\xe9", "b": 1}', {"a": "caf\ufffd", "b": 1}),
        (b'{"a": "one\ntwo\x00", "b": 1}', {"a": "one\ntwo\ufffd", "b": 1}),
        (rb'{"a\u0000": "\u0000 \\u0000"}', {"a\ufffd": "\ufffd \\u0000"}),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
    ],
)
def test_a_text_that_is_none_spoils_nothing_but_itself(written: bytes, read: Any) -> None:
    assert loads(written) == read


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
