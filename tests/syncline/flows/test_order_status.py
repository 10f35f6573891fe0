from __future__ import annotations

from typing import Any

import pytest

from syncline.flows import order_status, orders
from syncline.mapping.document import Document
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document

TABLE = """
[[orders.status]]
payment = ["refunded", "partially_refunded"]
halo = 40
[[orders.status]]
payment = "paid"
fulfillment = "fulfilled"
halo = 30
[[orders.status]]
order = "Completed"
fulfillment = ["partially_fulfilled"]
halo = 20
[[orders.status]]
order = "completed"
payment = "unpaid"
halo = 10
"""
ORDER: dict[str, Any] = {
    "id": "o1",
    "status": "completed",
    "currency": "USD",
    "amount": "30.00",
    "items": [{"price_id": "p1", "qty": "2"}, {"price_id": "p2", "qty": "1"}],
}


def paid(amount: str, status: str = "succeeded", **more: Any) -> dict[str, Any]:
    return {"amount": amount, "status": status, "currency": "USD", "live_mode": True, **more}


def sent(**quantities: str) -> dict[str, Any]:
    return {"items": [{"price_id": price, "qty": qty} for price, qty in quantities.items()]}


def mapping(text: str = TABLE) -> Document:
    return load(text)


@pytest.mark.parametrize(
    ("transactions", "status"),
    [
        ([], "unpaid"),
        ([paid("30.00", "failed"), paid("30.00", "pending")], "unpaid"),
        ([paid("30.00", "who knows")], "unpaid"),
        ([paid("10.00")], "partially_paid"),
        ([paid("10.00"), paid("20.00", "captured")], "paid"),
        ([paid("31.00")], "paid"),
        ([paid("30.00", amount_refunded="5.00")], "partially_refunded"),
        ([paid("30.00", amount_refunded="30.00")], "refunded"),
        ([paid("10.00", amount_refunded="10.00"), paid("20.00")], "partially_refunded"),
        ([paid("30.00", currency="EUR")], "unpaid"),
        ([paid("30.00", live_mode=False)], "unpaid"),
    ],
)
def test_payment_follows_the_transactions(transactions: list[dict[str, Any]], status: str) -> None:
    assert order_status.payment_of(ORDER, transactions, mapping()) == status


def test_an_order_over_nothing_is_paid() -> None:
    assert order_status.payment_of({**ORDER, "amount": "0.00"}, [], mapping()) == "paid"


@pytest.mark.parametrize(
    ("made", "word", "status"),
    [
        ([], None, "unfulfilled"),
        ([], "Partially_Fulfilled", "partially_fulfilled"),
        ([], "a word nobody knows", "unfulfilled"),
        ([sent(p1="2")], "fulfilled", "partially_fulfilled"),
        ([sent(p1="1"), sent(p1="1", p2="1")], "partially_fulfilled", "fulfilled"),
        ([sent(p1="3", p2="1")], None, "fulfilled"),
    ],
)
def test_fulfillment_follows_the_quantities_else_highlevels_word(
    made: list[dict[str, Any]], word: str | None, status: str
) -> None:
    order = {**ORDER, "fulfillments": made, "fulfillment_status": word}
    assert order_status.fulfillment_of(order) == status


@pytest.mark.parametrize(
    ("order", "transactions", "status"),
    [
        ({}, [], 10),
        ({"fulfillments": [sent(p1="1")]}, [], 20),
        ({"fulfillments": [sent(p1="2", p2="1")]}, [paid("30.00")], 30),
        ({"status": "pending"}, [paid("30.00", amount_refunded="1.00")], 40),
        ({"status": "pending"}, [], None),
        ({}, [paid("30.00")], None),
    ],
)
def test_the_first_row_that_fits_decides_and_without_one_nothing_is_written(
    order: dict[str, Any], transactions: list[dict[str, Any]], status: int | None
) -> None:
    assert order_status.halo_status({**ORDER, **order}, transactions, mapping()) == status


def test_without_a_table_no_status_is_written() -> None:
    shipped = load(default_document("detail"))
    assert order_status.halo_status(ORDER, [], shipped) is None
    assert not orders.status_depends_on_payments(shipped)
    assert orders.status_depends_on_payments(mapping())
    assert orders.status_depends_on_fulfillments(mapping())
    assert not orders.status_depends_on_payments(mapping("[[orders.status]]\nhalo = 1"))
