"""A fingerprint tells a changed record from one that only looks different."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.fingerprint import fingerprint

_RECORDS = st.dictionaries(
    st.text("abcdefgh", min_size=1), st.integers(-(2**60), 2**60) | st.booleans() | st.none()
)


@given(_RECORDS)
def test_the_order_of_keys_does_not_matter(record: dict[str, Any]) -> None:
    turned = dict(reversed(record.items()))
    assert fingerprint({"inner": record}) == fingerprint({"inner": turned})
    assert fingerprint(record) == fingerprint(turned)


@given(_RECORDS, st.text())
def test_a_volatile_key_does_not_matter_and_the_record_keeps_it(
    record: dict[str, Any], trace: str
) -> None:
    traced = {**record, "traceId": trace.encode(errors="replace").decode()}
    before = dict(traced)
    assert fingerprint(traced) == fingerprint(record)
    assert traced == before


def test_a_volatile_key_counts_below_the_top_level() -> None:
    assert fingerprint({"meta": {"traceId": "1"}}) != fingerprint({"meta": {"traceId": "2"}})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"amount": Decimal("1.00")}, {"amount": Decimal("1.01")}),
        ({"amount": 1}, {"amount": "1"}),
        ({"note": None}, {}),
        ({"items": [1, 2]}, {"items": [2, 1]}),
    ],
)
def test_what_differs_has_another_fingerprint(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert fingerprint(one) != fingerprint(other)


def test_a_fingerprint_has_32_bytes() -> None:
    assert len(fingerprint({})) == 32
