from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import Unmappable
from syncline.flows.lines import is_nothing, lines_of, net_of, onto
from syncline.mapping.options import OrderOptions
from syncline.money import minor_digits
from tests.canonical_orders import item, order, orders

DETAIL = OrderOptions()


def sums(lines: list[dict[str, Any]], currency: str) -> tuple[Decimal, Decimal]:
    """Net and tax as Halo adds them up."""
    net = sum((net_of(line, currency) for line in lines), Decimal(0))
    return net, sum((line["tax"] for line in lines), Decimal(0))


@given(orders())
def test_lines_sum_to_the_amount_and_their_taxes_to_the_tax(canonical: dict[str, Any]) -> None:
    currency = canonical["currency"]
    lines = lines_of(canonical, OrderOptions(adjustment="park"))
    net, tax = sums(lines, currency)
    assert net + tax == Decimal(canonical["amount"])
    assert tax == Decimal(canonical["tax"])
    assert len({line["item_external_reference"] for line in lines}) == len(lines)


@given(orders(rest=st.integers(-5, 5)))
def test_a_small_rest_is_a_line_of_its_own_and_the_sum_is_exact(canonical: dict[str, Any]) -> None:
    options = OrderOptions(adjustment_limit=Decimal(5))
    net, tax = sums(lines_of(canonical, options), canonical["currency"])
    assert net + tax == Decimal(canonical["amount"])
    assert tax == Decimal(canonical["tax"])


@given(orders())
def test_every_amount_is_written_in_whole_minor_units(canonical: dict[str, Any]) -> None:
    digits = minor_digits(canonical["currency"])
    for line in lines_of(canonical, DETAIL):
        assert -line["baseprice"].as_tuple().exponent == digits
        assert -line["tax"].as_tuple().exponent == digits


def test_a_detail_order_has_a_line_for_each_item_discount_and_shipping() -> None:
    canonical = order(
        items=[item("10.00", "2"), item("5.00", key="p2")],
        discount="3.00",
        shipping="4.00",
        tax="2.20",
        amount="28.20",
    )
    lines = lines_of(canonical, DETAIL)
    assert [
        (one["name"], one["quantity"], str(one["baseprice"]), str(one["tax"])) for one in lines
    ] == [
        ("Item p1", 2, "10.00", "1.76"),
        ("Item p2", 1, "5.00", "0.44"),
        ("Discount", 1, "-3.00", "0.00"),
        ("Shipping", 1, "4.00", "0.00"),
    ]
    assert [one["item_external_reference"] for one in lines] == [
        "HL-p1",
        "HL-p2",
        "HL-discount",
        "HL-shipping",
    ]


def test_a_rest_above_the_limit_parks_with_both_figures() -> None:
    canonical = order(items=[item("10.00")], amount="10.06")
    with pytest.raises(Unmappable) as raised:
        lines_of(canonical, DETAIL)
    assert "USD 10.00" in raised.value.what
    assert "USD 10.06" in raised.value.what
    assert raised.value.field == "lines"
    assert raised.value.remedy


def test_any_rest_parks_where_the_mapping_says_so() -> None:
    with pytest.raises(Unmappable):
        lines_of(order(items=[item("10.00")], amount="10.01"), OrderOptions(adjustment="park"))


def test_a_limit_of_cents_allows_no_rest_in_a_currency_without_cents() -> None:
    with pytest.raises(Unmappable):
        lines_of(order("JPY", items=[item("100")], amount="101"), DETAIL)


def test_a_tax_with_nothing_to_spread_on_stands_on_the_adjustment_else_on_the_first_line() -> None:
    free = order(items=[item("0.00")], tax="1.00", amount="1.00")
    assert [str(one["tax"]) for one in lines_of(free, DETAIL)] == ["1.00"]
    adjusted = order(items=[item("0.00")], tax="1.00", amount="1.02")
    assert [str(one["tax"]) for one in lines_of(adjusted, DETAIL)] == ["0.00", "1.00"]
    bare = order(tax="1.00", amount="1.00")
    assert [one["name"] for one in lines_of(bare, DETAIL)] == ["Adjustment"]


def test_a_finer_unit_price_keeps_its_digits_and_the_net_is_rounded() -> None:
    lines = lines_of(order(items=[item("0.0125", "100")], amount="1.25"), DETAIL)
    assert str(lines[0]["baseprice"]) == "0.0125"


def test_a_summary_order_is_one_line_of_the_whole_amount() -> None:
    canonical = order(amount="12.34")
    del canonical["items"]
    (line,) = lines_of(canonical, OrderOptions(lines="summary"))
    assert (line["name"], line["quantity"]) == ("Order HL-o1", 1)
    assert (str(line["baseprice"]), str(line["tax"])) == ("12.34", "0.00")


@pytest.mark.parametrize(
    "wrong",
    [
        order(items=None),
        order(items=[item("1.00", currency="EUR")], amount="1.00"),
        order(items=[{"name": "Tea", "qty": "1"}], amount="1.00"),
        order(items=[item("tea")], amount="1.00"),
        order(items=[item("1.00", "many")], amount="1.00"),
        order(amount="1.005"),
        order(amount=None),
        order(amount="1e400"),
        order(items=[item("1e30", "1e30")], amount="1.00"),
    ],
)
def test_an_order_that_cannot_be_summed_is_parked(wrong: dict[str, Any]) -> None:
    with pytest.raises(Unmappable) as raised:
        lines_of(wrong, DETAIL)
    assert raised.value.field


def test_an_update_gives_each_line_the_id_it_had() -> None:
    wanted = lines_of(order(items=[item("1.00"), item("2.00", key="p2")], amount="3.00"), DETAIL)
    existing: list[dict[str, Any]] = [
        {"id": 8, "item_external_reference": None, "name": "Item p2", "quantity": 1},
        {"id": 7, "item_external_reference": "HL-p1", "name": "Old name", "quantity": 1},
        {"id": 9, "item_external_reference": "HL-gone", "name": "Gone", "quantity": 2},
    ]
    assert [line["id"] for line in onto(wanted, existing, merges=False)] == [7, 8]


def test_a_line_that_is_left_out_is_taken_to_nothing_where_halo_would_keep_it() -> None:
    existing: list[dict[str, Any]] = [
        {"id": 9, "name": "Gone", "quantity": 2, "tax": 0},
        {"id": 10, "name": "Gone before", "quantity": 0, "tax": 0},
    ]
    (gone,) = onto([], existing, merges=True)
    assert gone["id"] == 9
    assert is_nothing(gone)
