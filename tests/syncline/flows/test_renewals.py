"""A subscription's charge pays for its order as far as that is open; beyond that, it is asked."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.errors import Unmappable
from syncline.flows.renewals import order_charged, refuse_renewal
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document

DOCUMENT = load(default_document("detail"))


def charge(day: int, amount: str = "100", **changed: Any) -> dict[str, Any]:
    return {
        "id": f"t{day}",
        "created_at": f"2026-11-{day:02}T10:00:00Z",
        "amount": amount,
        "currency": "USD",
        "status": "succeeded",
        "entity_type": "order",
        "entity_id": "o1",
        "subscription_id": "sub_1",
        **changed,
    }


def asked(amount: str, *charges: dict[str, Any]) -> list[str]:
    """The charges that are asked about, on an order of this amount."""
    order = {"id": "o1", "amount": amount, "currency": "USD"}
    found = []
    for one in charges:
        try:
            refuse_renewal(one, order, reversed(charges), DOCUMENT)
        except Unmappable as error:
            found.append((one["id"], error.field))
    assert {field for _, field in found} <= {"subscription_id"}
    return [one for one, _ in found]


@pytest.mark.parametrize(
    ("amount", "charges", "found"),
    [
        ("100", [charge(1), charge(2), charge(3)], ["t2", "t3"]),
        # A payment plan: three charges of one order.
        ("300", [charge(1), charge(2), charge(3)], []),
        ("300", [charge(1), charge(2), charge(3), charge(4)], ["t4"]),
        # A trial's order is open for nothing.
        ("0", [charge(1), charge(2)], ["t1", "t2"]),
        # A first charge of more than the order is paid too much, as of any order.
        ("100", [charge(1, "115")], []),
        # One that did not come in, or bounced, leaves the order open.
        ("100", [charge(1, status="failed"), charge(2), charge(3)], ["t3"]),
        ("100", [charge(1), charge(2, status="failed")], []),
        ("100", [charge(1, status="failed"), charge(2, "50")], []),
        # What pays the order without a subscription counts too, and is never asked about.
        ("100", [charge(1, subscription_id=None), charge(2)], ["t2"]),
        ("100", [charge(1), charge(2, subscription_id=None)], []),
        ("100", [charge(1, currency="EUR"), charge(2)], []),
        ("150", [charge(1), charge(2)], ["t2"]),
    ],
)
def test_what_an_order_is_not_open_for_any_more_is_asked_about(
    amount: str, charges: list[dict[str, Any]], found: list[str]
) -> None:
    assert asked(amount, *charges) == found


def test_a_refunded_renewal_is_one_all_the_same() -> None:
    refunded = charge(2, status="refunded", amount_refunded="100")
    assert asked("100", charge(1), refunded) == ["t2"]


def test_without_an_order_or_its_amount_there_is_nothing_to_be_told() -> None:
    refuse_renewal(charge(1), None, [], DOCUMENT)
    refuse_renewal(charge(2), {"id": "o1", "amount": None}, [charge(1)], DOCUMENT)
    assert order_charged(charge(1, entity_type="invoice")) is None
    assert order_charged(charge(1, subscription_id=None)) is None
