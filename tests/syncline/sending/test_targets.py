"""What a row of Halo must show before it is compared, in whatever shape it comes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.halo.capabilities import Capabilities
from syncline.halo.round_trip import ROW, RoundTrip
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document
from syncline.sending.targets import TARGETS

AT = datetime(2026, 3, 1, tzinfo=UTC)
FIELDS = """
    lines total tax_total amount invoice_id main_site_id site_id po_number thirdpartyinvoicenumber
    intent_id currency_code note customfields date name client_id last_update_time disabled
"""
DOCUMENT = load(default_document("detail"))
LINES = [{"id": 1, "name": "Tea", "quantity": 1, "baseprice": 3, "tax": 0}]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=6,
)


@pytest.mark.parametrize(
    ("row", "lacking"),
    [
        ({"total": 3, "lines": LINES}, []),
        ({"total": "3.00", "lines": []}, []),
        ({"total": None, "lines": LINES}, ["total"]),
        ({"total": "three", "lines": LINES}, ["total"]),
        ({"total": 3, "lines": None}, ["lines"]),
        ({"total": 3, "lines": [None]}, ["lines"]),
        ({"total": 3, "lines": "x"}, ["lines"]),
        ({}, ["total", "lines"]),
    ],
)
def test_an_order_shows_its_total_and_lines_that_can_be_read(
    row: dict[str, Any], lacking: list[str]
) -> None:
    order = TARGETS["order"]
    assert order.lacks(row) == lacking
    proved = Capabilities().with_round_trip(
        "order", RoundTrip(frozenset({ROW})), found_at=AT, how="a test"
    )
    assert order.shows_enough(row, Capabilities()) is (lacking == [])
    assert order.shows_enough(row, proved) is (lacking == [])
    header = {"tax_total": 0, "client_id": 7, "currency_code": 1}
    assert order.shows_enough({**row, **header}, proved) is (lacking in ([], ["lines"]))


@pytest.mark.parametrize("site", [None, 0, "", "none", {"id": 3}])
def test_a_client_without_a_site_that_can_be_read_lacks_it(site: Any) -> None:
    assert TARGETS["client"].lacks({"main_site_id": site}) == ["main_site_id"]
    assert TARGETS["client"].lacks({"main_site_id": "12.0"}) == []
    assert TARGETS["client"].meta({"id": 7, "main_site_id": "12.0"})["site_id"] == 12


@pytest.mark.parametrize(
    ("target", "field"), [("order", "note"), ("invoice", "internal_note"), ("user", "phonenumber")]
)
def test_a_text_that_was_sent_and_is_null_is_missing_where_the_row_was_read_whole(
    target: str, field: str
) -> None:
    compares = TARGETS[target].compares
    row = {field: None}
    assert [one for one in compares({field: "x"}, row, DOCUMENT, "USD") if one.field == field] == []
    [missing] = compares({field: "x"}, row, DOCUMENT, "USD", whole=True)
    assert (missing.field, missing.wanted, missing.got) == (field, "x", "")
    assert compares({field: ""}, row, DOCUMENT, "USD", whole=True) == []


@given(
    target=st.sampled_from(sorted(TARGETS)),
    row=st.fixed_dictionaries(
        {"id": st.integers(1, 99)}, optional=dict.fromkeys(FIELDS.split(), ANYTHING)
    ),
)
def test_no_shape_of_a_row_is_a_crash(target: str, row: dict[str, Any]) -> None:
    kind = TARGETS[target]
    kind.lacks(row)
    kind.meta(row)
    kind.compares({"total": "3.00", "lines": "1"}, kind.resource.incoming(row), DOCUMENT, "USD")
    kind.resource.model.of(row)
