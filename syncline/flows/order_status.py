"""How an order stands: its own status, what was paid for it, what was sent of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from decimal import Decimal
from typing import Any, get_args

from syncline.errors import Unmappable
from syncline.flows import payments
from syncline.flows.flow import is_included
from syncline.flows.quantities import quantities
from syncline.mapping.document import Document
from syncline.mapping.statuses import FulfillmentStatus, OrderStanding, PaymentStatus, status_of
from syncline.money import decimal

Canonical = Mapping[str, Any]

_KNOWN: Mapping[str, FulfillmentStatus] = {one: one for one in get_args(FulfillmentStatus)}


def halo_status(
    order: Canonical, transactions: Iterable[Canonical], document: Document
) -> int | None:
    """Halo's id of the status that an order shall have; None: it is not written.

    Args:
        order: its canonical form.
        transactions: the canonical forms of all that is known to pay for it.
        document: the connection's mapping.

    Raises:
        Unmappable: an amount or a quantity is none.
    """
    if not document.statuses:
        return None
    standing = OrderStanding(
        str(order.get("status") or "").strip().lower(),
        payment_of(order, transactions, document),
        fulfillment_of(order),
    )
    return status_of(document.statuses, standing)


def payment_of(
    order: Canonical, transactions: Iterable[Canonical], document: Document
) -> PaymentStatus:
    """What was paid for an order, by its transactions in the order's currency.

    A transaction whose status nobody has sorted yet counts as not paid; its own delivery is parked
    and asks a person.
    """
    paid, refunded = Decimal(0), Decimal(0)
    for one in transactions:
        if one.get("currency") == order.get("currency") and _counts(one, document):
            paid += decimal(one.get("amount") or 0, "amount")
            refunded += decimal(one.get("amount_refunded") or 0, "amount_refunded")
    amount = decimal(order.get("amount") or 0, "amount")
    if refunded:
        return "refunded" if refunded >= paid else "partially_refunded"
    if paid >= amount:
        return "paid"
    return "partially_paid" if paid else "unpaid"


def fulfillment_of(order: Canonical) -> FulfillmentStatus:
    """What was sent of an order, by its fulfillments; by HighLevel's word where none was read.

    By its word too where nobody can tell how much was ordered.
    """
    if order.get("items") and order.get("fulfillments"):
        with suppress(Unmappable):
            return _by_quantities(order)
    return _KNOWN.get(str(order.get("fulfillment_status") or "").strip().lower(), "unfulfilled")


def _by_quantities(order: Canonical) -> FulfillmentStatus:
    sent: dict[Any, Decimal] = defaultdict(Decimal)
    for fulfillment in order["fulfillments"]:
        for item in fulfillment.get("items") or ():
            sent[item.get("price_id")] += decimal(item.get("qty") or 0, "quantity")
    open_: dict[Any, Decimal] = defaultdict(Decimal)
    for item, quantity in zip(order["items"], quantities(order), strict=True):
        open_[item.get("price_id")] += quantity
    if not any(sent.values()):
        return "unfulfilled"
    whole = all(sent[price] >= quantity for price, quantity in open_.items())
    return "fulfilled" if whole else "partially_fulfilled"


def _counts(transaction: Canonical, document: Document) -> bool:
    if not is_included(transaction, document.payments.test_mode, document):
        return False
    try:
        return payments.has_come_in(transaction, document)
    except Unmappable:
        return False
