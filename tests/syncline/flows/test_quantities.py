"""How many were ordered is told, or follows from the amounts, or is asked; it is never made up."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import Unmappable
from syncline.flows.lines import UNTOLD, lines_of
from syncline.flows.order_status import fulfillment_of
from syncline.flows.quantities import are_told, quantities
from syncline.mapping.options import OrderOptions
from tests.canonical_orders import item, order, orders

PARKS = OrderOptions(adjustment="park")
ALL_TOLD = {"discount": "0.00", "tax": "0.00", "shipping": "0.00"}


def unread(unit_price: str, key: str = "p1", said: str | None = "two") -> dict[str, Any]:
    """An item whose quantity is no number, or with None is not there."""
    told = {name: one for name, one in item(unit_price, key=key).items() if name != "qty"}
    return told if said is None else {**told, "unreadable_qty": said}


@pytest.mark.parametrize("said", ["two", None])
@pytest.mark.parametrize(
    ("items", "fields", "many"),
    [
        ([unread("10.00")], {"subtotal": "30.00"}, [3]),
        ([unread("10.00")], {"amount": "30.00", **ALL_TOLD}, [3]),
        (
            [unread("10.00")],
            {"amount": "30.50", "discount": "1.00", "tax": "0.50", "shipping": "1.00"},
            [3],
        ),
        ([item("4.00", "2"), unread("10.00", "p2")], {"subtotal": "28.00"}, [2, 2]),
        ([unread("4.00"), unread("10.00", "p2")], {"subtotal": "14.00"}, [1, 1]),
        ([unread("0.125")], {"subtotal": "0.25"}, [2]),
    ],
)
def test_what_only_one_number_can_be_is_that(
    said: str | None, items: list[dict[str, Any]], fields: dict[str, Any], many: list[int]
) -> None:
    given_items = [
        one if "qty" in one else unread(one["unit_price"], one["key"], said) for one in items
    ]
    asked = order(
        items=given_items,
        amount=fields.get("amount", fields.get("subtotal")),
        **{name: one for name, one in fields.items() if name != "amount"},
    )
    assert quantities(asked) == many
    assert are_told(asked)


UNDECIDED = [
    ([unread("10.00")], {"amount": "30.00"}),
    ([unread("10.00")], {"amount": "30.00", "discount": "0.00", "tax": "0.00"}),
    ([unread("10.00")], {"subtotal": "25.00"}),
    ([unread("10.00")], {"subtotal": "0.00"}),
    ([unread("0.001")], {"subtotal": "0.01"}),
    ([unread("0.00")], {"subtotal": "0.00"}),
    ([unread("-5.00")], {"subtotal": "-5.00"}),
    ([unread("4.00"), unread("10.00", "p2")], {"subtotal": "18.00"}),
    ([unread("10.00"), {"key": "item"}], {"subtotal": "30.00"}),
    ([unread("10.00")], {"subtotal": "30.00", "amount": "20.00", **ALL_TOLD}),
]


@pytest.mark.parametrize(("items", "fields"), UNDECIDED)
def test_a_quantity_that_is_no_number_is_asked_for_with_that_reason(
    items: list[dict[str, Any]], fields: dict[str, Any]
) -> None:
    asked = order(items=items, **{"amount": "30.00", **fields})
    with pytest.raises(Unmappable, match="quantity of the item Item p1 is not readable: 'two'"):
        lines_of(asked, PARKS)
    assert not are_told(asked)
    [line] = lines_of(asked, OrderOptions(lines="summary"))
    assert line["quantity"] == 1


@pytest.mark.parametrize(("items", "fields"), UNDECIDED)
def test_one_that_is_not_told_counts_as_one_and_highlevel_is_not_blamed(
    items: list[dict[str, Any]], fields: dict[str, Any]
) -> None:
    silent = [unread(one.get("unit_price", "0"), one["key"], None) for one in items]
    asked = order(items=silent, **{"amount": "30.00", **ALL_TOLD, **fields, "subtotal": "1.11"})
    lines = lines_of(asked, PARKS)
    assert {line["quantity"] for line in lines} == {Decimal(1)}
    net = sum(line["quantity"] * line["baseprice"] for line in lines)
    assert abs(net - Decimal(asked["amount"])) < Decimal("0.01")
    assert any(line["name"] == UNTOLD for line in lines) or net == Decimal(asked["amount"])


@given(orders(), st.integers(0, 5))
def test_a_quantity_that_is_decided_is_the_one_that_was_not_readable(
    canonical: dict[str, Any], at: int
) -> None:
    items = canonical["items"]
    if at >= len(items):
        return
    spoiled = [
        {**one, "qty": None, "unreadable_qty": "?"} if place == at else one
        for place, one in enumerate(items)
    ]
    asked = {**canonical, "items": spoiled}
    if are_told(asked):
        assert quantities(asked) == [Decimal(one["qty"]) for one in items]
    else:
        with pytest.raises(Unmappable, match="is not readable"):
            quantities(asked)


def test_what_was_sent_is_highlevels_word_where_nobody_knows_how_much_was_ordered() -> None:
    sent = [{"items": [{"price_id": "p1", "qty": "1"}]}]
    asked = order(
        items=[{**unread("10.00"), "price_id": "p1"}],
        fulfillments=sent,
        fulfillment_status="partially_fulfilled",
    )
    assert fulfillment_of(asked) == "partially_fulfilled"
    assert fulfillment_of({**asked, "subtotal": "10.00"}) == "fulfilled"
