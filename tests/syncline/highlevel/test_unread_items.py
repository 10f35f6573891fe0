"""What of an order's items is nonsense costs what it says, and makes up nothing in its place."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.highlevel import canonical
from syncline.leniency import noting
from tests.syncline.highlevel.location import DETAIL, ORDER_ROW


def _read(**fields: Any) -> tuple[dict[str, Any], set[str]]:
    with noting() as noted:
        form = canonical.order_from_detail({**DETAIL, **fields})
    return form, {one.path for one in noted}


@pytest.mark.parametrize(
    ("qty", "told"),
    [
        ("1 000", "1 000"),
        ("1,5", "1,5"),
        ("NaN", "NaN"),
        ("1e400", "1e400"),
        ({}, "{}"),
        ({"a": {}}, '{"a":{}}'),
        ([2], "[2]"),
        (True, "true"),
        (10**400, f"{10**400}"[:60]),
    ],
)
def test_a_quantity_that_is_none_is_kept_as_it_came_and_counted(qty: Any, told: str) -> None:
    form, left_out = _read(items=[{"name": "Tea", "qty": qty, "price": {"amount": 5}}])
    [item] = form["items"]
    assert "qty" not in item
    assert "amount" not in item
    assert item["unreadable_qty"][:60] == told
    assert left_out == {"items[].qty"}


@pytest.mark.parametrize("qty", [None, "", ...])
def test_a_quantity_that_is_not_told_is_no_nonsense(qty: Any) -> None:
    told = {} if qty is ... else {"qty": qty}
    form, left_out = _read(items=[{"name": "Tea", "price": {"amount": 5}, **told}])
    assert not {"qty", "unreadable_qty"} & form["items"][0].keys()
    assert left_out == set()


def test_what_is_no_item_is_one_that_says_nothing() -> None:
    form, left_out = _read(items=["x", {"name": "Tea", "qty": 1}, 5, None])
    assert [one.get("name") for one in form["items"]] == [None, "Tea", None, None]
    assert left_out == {"items[]"}


@pytest.mark.parametrize("code", ["abc", "$", "US Dollar", 840, {}, ["USD"], True, "1e400"])
def test_an_items_currency_that_is_none_is_left_out_and_its_orders_is_taken(code: Any) -> None:
    price = {"amount": 5, "currency": code}
    form, left_out = _read(items=[{"name": "Tea", "qty": 1, "price": price}])
    assert (form["items"][0]["currency"], form["items"][0]["amount"]) == ("USD", "5.00")
    assert left_out == {"items[].price.currency"}


def test_another_currency_of_an_item_is_kept_and_an_empty_one_is_none() -> None:
    found = [
        _read(items=[{"price": {"currency": code, "amount": 5}}])[0]["items"][0]["currency"]
        for code in (" eur ", "", None)
    ]
    assert found == ["EUR", "USD", "USD"]


@pytest.mark.parametrize("odd", ["x", {"amount": "much"}, {}, None])
def test_a_tax_that_does_not_tell_what_it_comes_to_leaves_the_sum_untold(odd: Any) -> None:
    form, _ = _read(amountSummary={"subtotal": 90}, taxSummary=[{"amount": 10}, odd])
    assert "tax" not in form


@pytest.mark.parametrize("email", ["abc", "1 000", "a@b@c", "x" * 9000, "a b@c.de"])
def test_an_address_that_is_none_is_left_out_and_counted(email: str) -> None:
    form, left_out = _read(contactSnapshot={"name": "Ada", "email": email})
    assert form["contact"]["name"] == "Ada"
    assert "email" not in form["contact"]
    assert left_out == {"contactSnapshot.email"}
    with noting() as noted:
        listed = canonical.order_from_list({**ORDER_ROW, "contactEmail": email})
    assert "email" not in listed["contact"]
    assert [one.path for one in noted] == ["contactEmail"]
    assert _read(contactSnapshot={"name": "Ada", "email": ""})[1] == set()


@pytest.mark.parametrize("odd", ["abc", {}, [1], True, "1e400"])
def test_money_of_a_fulfillment_is_dispensable_since_it_has_none(odd: Any) -> None:
    made = {"_id": "f1", "items": [{"_id": "p1", "qty": 1}]}
    payload = {"data": [{**made, "amount": odd, "currency": odd}]}
    assert canonical.order_from_fulfillments(payload)["fulfillments"] == [
        {"id": "f1", "items": [{"price_id": "p1", "qty": "1"}], "trackings": []}
    ]
