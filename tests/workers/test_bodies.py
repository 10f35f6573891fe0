"""What counts as JSON: by its syntax and its depth, in a time that does not depend on its shape."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.jsontext import DEEPEST
from workers.receiver.bodies import is_json

JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(JSON, st.booleans())
def test_what_is_json_is_taken_for_it(document: object, escaped: bool) -> None:
    text = json.dumps(document, ensure_ascii=escaped).encode(errors="replace")
    assert is_json(text)
    assert not is_json(text + b"}")


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[1,]",
        b"{'a':1}",
        b'{"a":NaN}',
        b"\xff\xfe{\x00}\x00",
        b'{"a":"\xff"}',
        b'"\x00"',
        b"a=1&b=2",
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_not_json_is_not(body: bytes) -> None:
    assert not is_json(body)


def test_half_a_character_and_a_number_without_end_are_json_all_the_same() -> None:
    assert is_json(b'{"name":"cut off \\ud83d"}')
    assert is_json(b"[1e999999999999999999999," + b"9" * 10_000 + b"]")


@pytest.mark.parametrize(("opening", "closing"), [(b"[", b"]"), (b'{"a":', b"}")])
def test_the_depth_is_bounded(opening: bytes, closing: bytes) -> None:
    inner = b"1"
    assert is_json(opening * DEEPEST + inner + closing * DEEPEST)
    assert not is_json(opening * (DEEPEST + 1) + inner + closing * (DEEPEST + 1))


def test_brackets_in_texts_and_beside_each_other_are_no_depth() -> None:
    assert is_json(json.dumps(["[" * 1000, '\\"[{', *([[]] * 1000)]).encode())


@pytest.mark.parametrize(
    "body", [b"[" * 1_000_000, b"[]" * 500_000, b'"' + b'\\"' * 500_000, b'"' * 999_999 + b"[" * 70]
)
def test_a_body_made_to_be_slow_is_not(body: bytes) -> None:
    assert not is_json(body)
