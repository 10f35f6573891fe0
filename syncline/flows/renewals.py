"""Charges of a subscription: they hang on the order with which it began, however many there are.

A charge pays for its order as far as that is open. What is charged once it is paid is a renewal: a
sale that no order tells. As a payment of the order it would count for a sale that was paid before,
so a person is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from syncline.errors import Unmappable
from syncline.flows.payments import has_come_in, order_of
from syncline.mapping.apply import plain
from syncline.mapping.document import Document
from syncline.money import decimal

Canonical = Mapping[str, Any]


def order_charged(transaction: Canonical) -> str | None:
    """The order on which a subscription's charge hangs; None for any other transaction."""
    return order_of(transaction) if transaction.get("subscription_id") else None


def comes_after(one: Canonical, other: Canonical) -> bool:
    """Whether a charge was made after another one, and so pays for what that left open."""
    return _place(one) > _place(other)


def refuse_renewal(
    transaction: Canonical,
    order: Canonical | None,
    others: Iterable[Canonical],
    document: Document,
) -> None:
    """Keep a charge back for which its order is not open any more.

    A first charge of more than the order is none: that is paid too much, as of any order.

    Args:
        transaction: the canonical form of a transaction.
        order: of the order that it names; None where that is not known.
        others: of all that is known to pay for that order.
        document: the connection's mapping.

    Raises:
        Unmappable: it is a renewal.
    """
    if order is None or order_charged(transaction) is None or order.get("amount") is None:
        return
    if not has_come_in(transaction, document):
        return
    whole, charged = decimal(order["amount"], "total"), decimal(transaction["amount"], "amount")
    before = sum(
        (
            decimal(one.get("amount") or 0, "amount")
            for one in others
            if comes_after(transaction, one) and _counts(one, order, document)
        ),
        Decimal(0),
    )
    if before + charged <= whole or (whole and not before):
        return
    raise Unmappable(
        f"A renewal of a subscription: {plain(charged)} {transaction['currency']} were charged on "
        f"an order of {plain(whole)}, for which {plain(before)} was paid before. Its sale stands "
        "nowhere, so it is no payment of that order.",
        field="subscription_id",
        remedy="Enter the renewal's sale in Halo by hand, move its payment there if Halo has it "
        "already, and leave this one parked. If it pays for the order itself, correct the order's "
        "amount in HighLevel, then retry.",
    )


def _counts(one: Canonical, order: Canonical, document: Document) -> bool:
    """Whether a transaction brought money in for an order; an unsorted status asks by itself."""
    if one.get("currency") != order.get("currency"):
        return False
    try:
        return has_come_in(one, document)
    except Unmappable:
        return False


def _place(transaction: Canonical) -> tuple[str, str]:
    return str(transaction.get("created_at") or ""), str(transaction["id"])
