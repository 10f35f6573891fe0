from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import Unmappable
from syncline.flows.lines import UNTOLD, is_nothing, lines_of, net_of, onto, tax_of
from syncline.mapping.options import OrderOptions
from syncline.money import minor_digits
from tests.canonical_orders import CURRENCIES, item, order, orders

DETAIL = OrderOptions()
ALL_TOLD = {"discount": "0.00", "tax": "0.00", "shipping": "0.00"}
TEN = [{"name": "10%", "rate": "10"}]


def written(lines: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """Name, price and tax of each line."""
    return [(one["name"], f"{one['baseprice']:f}", f"{one['tax']:f}") for one in lines]


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
    canonical = order(items=[item("10.00")], amount="10.06", **ALL_TOLD)
    with pytest.raises(Unmappable) as raised:
        lines_of(canonical, DETAIL)
    assert "USD 10.00" in raised.value.what
    assert "USD 10.06" in raised.value.what
    assert raised.value.field == "lines"
    assert raised.value.remedy


def test_any_rest_parks_where_the_mapping_says_so() -> None:
    with pytest.raises(Unmappable):
        lines_of(
            order(items=[item("10.00")], amount="10.01", **ALL_TOLD),
            OrderOptions(adjustment="park"),
        )


def test_a_limit_of_cents_allows_no_rest_in_a_currency_without_cents() -> None:
    with pytest.raises(Unmappable):
        lines_of(order("JPY", items=[item("100")], amount="101", **ALL_TOLD), DETAIL)


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
        order(items=[item("1.00", currency="EUR")], amount="1.00"),
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


def two_items(**fields: Any) -> dict[str, Any]:
    """A tee of 17 without a tax and a shirt of 121 at 10 %, as the printed event has them."""
    items = [item("17.00", key="tee", taxes=[]), item("121.00", key="shirt", taxes=TEN)]
    return order(items=items, subtotal="138.00", amount="150.10", **fields)


@pytest.mark.parametrize("told", [{"discount": "0.00"}, {}, ALL_TOLD | {"tax": "12.10"}])
def test_a_tax_stands_on_the_items_that_bear_it_told_or_not(told: dict[str, str]) -> None:
    assert written(lines_of(two_items(**told), DETAIL)) == [
        ("Item tee", "17.00", "0.00"),
        ("Item shirt", "121.00", "12.10"),
    ]
    assert tax_of(two_items(**told), DETAIL) == Decimal("12.10")


@pytest.mark.parametrize(
    ("amount", "discount", "taxes", "tax"),
    [
        ("110.00", "0.00", TEN, "10.00"),
        ("117.00", "0.00", [*TEN, {"rate": "7"}], "17.00"),
        ("88.00", "20.00", TEN, "8.00"),
        ("90.00", "20.00", TEN, "10.00"),
    ],
)
def test_rates_explain_an_untold_tax_with_the_discount_taken_off_or_not(
    amount: str, discount: str, taxes: list[dict[str, str]], tax: str
) -> None:
    canonical = order(items=[item("100.00", taxes=taxes)], amount=amount, discount=discount)
    net = Decimal(amount) - Decimal(tax)
    assert sums(lines_of(canonical, DETAIL), "USD") == (net, Decimal(tax))


def test_what_rounding_leaves_of_a_tax_goes_to_the_largest() -> None:
    items = [item(price, key=price, taxes=TEN) for price in ("0.15", "0.25", "10.05")]
    canonical = order(items=items, amount="11.49")
    assert written(lines_of(canonical, DETAIL)) == [
        ("Item 0.15", "0.15", "0.02"),
        ("Item 0.25", "0.25", "0.03"),
        ("Item 10.05", "10.05", "0.99"),
    ]


@pytest.mark.parametrize(
    ("fields", "lines"),
    [
        ({"amount": "22.50"}, [("Item p1", "10.00", "0.00"), (UNTOLD, "12.50", "0.00")]),
        ({"amount": "7.00"}, [("Item p1", "10.00", "0.00"), (UNTOLD, "-3.00", "0.00")]),
        (
            {"amount": "22.50", "tax": "2.50", "discount": "0.00"},
            [("Item p1", "10.00", "2.50"), (UNTOLD, "10.00", "0.00")],
        ),
        ({"amount": "22.50", "items": []}, [(UNTOLD, "22.50", "0.00")]),
        ({"amount": "22.50", "items": None, **ALL_TOLD}, [(UNTOLD, "22.50", "0.00")]),
        (
            {"amount": "22.50", "items": [{"name": "Tea", "qty": "2"}], **ALL_TOLD},
            [("Tea", "0.00", "0.00"), (UNTOLD, "22.50", "0.00")],
        ),
        (
            {"amount": "22.50", "items": [item("10.00", taxes=TEN)]},
            [("Item p1", "10.00", "0.00"), (UNTOLD, "12.50", "0.00")],
        ),
    ],
)
def test_what_nothing_explains_and_nobody_tells_is_a_line_of_its_own(
    fields: dict[str, Any], lines: list[tuple[str, str, str]]
) -> None:
    canonical = order(**{"items": [item("10.00")], **fields})
    assert written(lines_of(canonical, OrderOptions(adjustment="park"))) == lines


@given(orders(), st.sets(st.sampled_from(["items", "discount", "tax", "shipping", "subtotal"])))
def test_whatever_is_not_told_an_order_has_its_amount_and_never_parks(
    canonical: dict[str, Any], untold: set[str]
) -> None:
    told = {name: value for name, value in canonical.items() if name not in untold}
    net, tax = sums(lines_of(told, OrderOptions(adjustment="park")), canonical["currency"])
    assert net + tax == Decimal(canonical["amount"])


@given(
    st.lists(
        st.tuples(st.integers(1, 10**6), st.lists(st.integers(0, 2500), max_size=3)),
        min_size=1,
        max_size=6,
    ),
    st.sampled_from(CURRENCIES),
)
def test_a_tax_reckoned_line_by_line_or_on_the_whole_is_found_by_its_rates(
    priced: list[tuple[int, list[int]]], currency: str
) -> None:
    unit = Decimal(1).scaleb(-minor_digits(currency))
    rates = [[Decimal(rate) / 100 for rate in many] for _, many in priced]
    raw = [
        price * unit * rate / 100
        for (price, _), many in zip(priced, rates, strict=True)
        for rate in many
    ]
    net = sum(price for price, _ in priced) * unit
    items = [
        item(f"{price * unit:f}", key=f"p{at}", taxes=[{"rate": str(one)} for one in many])
        for at, ((price, _), many) in enumerate(zip(priced, rates, strict=True))
    ]
    for tax in (
        sum((one.quantize(unit, ROUND_HALF_UP) for one in raw), Decimal(0)),
        sum(raw, Decimal(0)).quantize(unit, ROUND_HALF_UP),
    ):
        lines = lines_of(order(currency, items=items, amount=f"{net + tax:f}"), DETAIL)
        assert sums(lines, currency) == (net, tax)
        assert all(line["tax"] >= 0 for line in lines)
        taxed = [any(many) for many in rates]
        assert all(is_taxed or not line["tax"] for line, is_taxed in zip(lines, taxed, strict=True))


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
