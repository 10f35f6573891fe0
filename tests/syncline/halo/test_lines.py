"""The lines of orders: posted as the tenant takes them, read however it shows them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.halo.lines import SPELLINGS, Spelling, from_halo, to_halo
from syncline.halo.models import HaloOrderRow

LINE = {"name": "Tea", "quantity": 2, "baseprice": 3, "tax": 1}


@pytest.mark.parametrize(
    ("spelling", "names"),
    [
        ("order", {"quantity": 2, "tax": 1}),
        ("quote", {"qty_order": 2, "total_tax": 1}),
        ("shown", {"quantity": 2, "total_tax": 1}),
    ],
)
def test_a_line_goes_out_under_the_names_that_the_tenant_takes(
    spelling: Spelling, names: dict[str, Any]
) -> None:
    posted = to_halo({"po_number": "HL-1", "lines": [LINE]}, "order", spelling)
    assert posted == {"po_number": "HL-1", "lines": [{"name": "Tea", "baseprice": 3, **names}]}


@given(st.sampled_from(SPELLINGS), st.integers(0, 9), st.integers(0, 9))
def test_what_was_posted_in_any_spelling_reads_as_it_was(
    spelling: Spelling, quantity: int, tax: int
) -> None:
    order = {"id": 1, "lines": [{**LINE, "quantity": quantity, "tax": tax}]}
    row = from_halo(to_halo(order, "order", spelling), "order")
    told = {name: row["lines"][0][name] for name in LINE}
    assert [told] == order["lines"]
    assert from_halo(row, "order") == row == HaloOrderRow.of(row).raw


def test_our_names_win_and_what_is_not_shown_is_not_there() -> None:
    line = {"quantity": 3, "qty_order": 9, "tax": None, "total_tax": 2}
    (shown,) = from_halo({"lines": [line]}, "order")["lines"]
    assert (shown["quantity"], shown["tax"]) == (3, 2)
    (hidden,) = from_halo({"lines": [{"net_total": 6, "quantity": None}]}, "order")["lines"]
    assert hidden == {"net_total": 6, "quantity": None}


@pytest.mark.parametrize("lines", [None, "x", 3, [None, "x"]])
def test_lines_of_another_shape_are_left_as_they_are(lines: Any) -> None:
    row = {"id": 1, "lines": lines}
    assert from_halo(row, "order") == to_halo(row, "order") == row
    assert HaloOrderRow.of(row).lines == []
