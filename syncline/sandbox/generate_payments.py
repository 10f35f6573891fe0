"""Transactions and subscriptions, made from a seed for the orders that are there."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any

from syncline.sandbox.ids import object_id
from syncline.sandbox.state import Document, Store, number, quirks_of, stamp

_TRANSACTION_STATUS = {"pending": "pending"}
_SUBSCRIPTION_STATUS = ("active",) * 7 + ("trialing", "canceled", "unpaid")
_INTERVALS = (("monthly", 1), ("monthly", 3), ("yearly", 1), ("weekly", 2))


def add_transactions(store: Store, rng: random.Random, count: int, now: datetime) -> None:
    """Make `count` transactions: one an order, then second ones (failed before, pending, split).

    The succeeded transactions of an order never sum to more than its amount.
    """
    orders = list(store.orders.values())
    whole: dict[str, Document] = {}
    for index in range(count):
        if not orders:
            transaction = _bare_transaction(store, rng, now)
        elif index < len(orders):
            transaction = _first(orders[index], rng)
            if transaction["status"] == "succeeded" and "amountRefunded" not in transaction:
                whole[transaction["entityId"]] = transaction
        elif rng.random() < 0.05:
            transaction = _bare_transaction(store, rng, now)
        else:
            order = orders[index % len(orders)]
            transaction = _further(order, whole.pop(order["_id"], None), rng)
        store.add("transactions", transaction, quirks_of(rng))


def add_subscriptions(store: Store, rng: random.Random, count: int, now: datetime) -> None:
    """Make `count` subscriptions, each begun by an order where there are any."""
    orders = list(store.orders.values())
    contacts = list(store.contacts.values())
    for _ in range(count):
        order = rng.choice(orders) if orders else None
        created = datetime.fromisoformat(order["createdAt"]) if order else now
        contact_id = order["contactId"] if order else rng.choice(contacts)["id"]
        store.add(
            "subscriptions", _subscription(store, rng, order, contact_id, created), quirks_of(rng)
        )


def _first(order: Document, rng: random.Random) -> Document:
    """The payment of the whole order, refunded in whole or part where its status says so."""
    status = _TRANSACTION_STATUS.get(order["status"], "succeeded")
    amount = Decimal(order["amount"])
    transaction = _transaction(order, rng, status, amount)
    if order["status"] == "refunded":
        transaction["amountRefunded"] = number(amount)
    elif order["status"] == "partially_refunded":
        transaction["amountRefunded"] = number(_part(amount, order))
    if rng.random() < 0.03:
        transaction["mergedFromContactId"] = order["contactId"][::-1]
    return transaction


def _further(order: Document, whole: Document | None, rng: random.Random) -> Document:
    """One more for an order: its whole payment split in two, or a failed or pending attempt."""
    draw = rng.random()
    if whole is not None and draw > 0.7:
        rest = _part(Decimal(whole["amount"]), order)
        whole["amount"] = number(Decimal(whole["amount"]) - rest)
        return _transaction(order, rng, "succeeded", rest)
    status = "pending" if draw > 0.5 else "failed"
    return _transaction(order, rng, status, Decimal(order["amount"]))


def _part(amount: Decimal, order: Document) -> Decimal:
    """About a third, with no digit that the order's own amounts do not have."""
    exponent = Decimal(order["amount"]).as_tuple().exponent
    digits = min(int(exponent), 0) if isinstance(exponent, int) else 0
    return (amount / 3).quantize(Decimal(1).scaleb(digits), ROUND_DOWN)


def _transaction(order: Document, rng: random.Random, status: str, amount: Decimal) -> Document:
    created = datetime.fromisoformat(order["createdAt"]) + timedelta(seconds=rng.randrange(1, 30))
    charge = f"ch_{rng.getrandbits(80):020x}"
    return {
        "_id": object_id(rng, created),
        "altType": "location",
        "altId": order["altId"],
        "contactId": order["contactId"],
        "contactSnapshot": order["contactSnapshot"],
        "currency": order["currency"],
        "amount": number(amount),
        "status": status,
        "liveMode": order["liveMode"],
        "markAsTest": order["markAsTest"],
        "createdAt": stamp(created),
        "updatedAt": stamp(created + timedelta(seconds=rng.randrange(5))),
        "entityType": "order",
        "entityId": order["_id"],
        "entitySource": dict(order["source"]),
        "chargeId": charge,
        "chargeSnapshot": _charge(charge, rng),
        "paymentProvider": _provider(rng),
        "isParent": False,
        "qboSynced": False,
        "receiptId": object_id(rng, created),
    }


def _bare_transaction(store: Store, rng: random.Random, now: datetime) -> Document:
    """A payment that belongs to no order, such as one taken by hand."""
    contact = rng.choice(list(store.contacts.values()))
    created = now - timedelta(seconds=rng.randrange(store.config.days * 86_400))
    charge = f"ch_{rng.getrandbits(80):020x}"
    return {
        "_id": object_id(rng, created),
        "altType": "location",
        "altId": store.config.location,
        "contactId": contact["id"],
        "currency": store.config.currencies[0],
        "amount": rng.randrange(10, 500),
        "status": "succeeded",
        "liveMode": True,
        "markAsTest": False,
        "createdAt": stamp(created),
        "updatedAt": stamp(created),
        "entitySource": {"type": "manual", "id": object_id(rng, created), "name": "Manual"},
        "chargeId": charge,
        "chargeSnapshot": _charge(charge, rng),
        "paymentProvider": _provider(rng),
        "isParent": False,
        "qboSynced": False,
    }


def _subscription(
    store: Store,
    rng: random.Random,
    order: Document | None,
    contact_id: str,
    created: datetime,
) -> Document:
    interval, every = rng.choice(_INTERVALS)
    status = rng.choice(_SUBSCRIPTION_STATUS)
    provider_id = f"sub_{rng.getrandbits(80):020x}"
    updated = created + timedelta(hours=rng.randrange(24))
    subscription: dict[str, Any] = {
        "_id": object_id(rng, created),
        "altType": "location",
        "altId": store.config.location,
        "contactId": contact_id,
        "currency": order["currency"] if order else store.config.currencies[0],
        "amount": rng.randrange(9, 300),
        "status": status,
        "liveMode": order["liveMode"] if order else True,
        "markAsTest": order["markAsTest"] if order else False,
        "createdAt": stamp(created),
        "updatedAt": stamp(updated),
        "entitySource": {"type": "funnel", "subType": "upsell", "id": object_id(rng, created)},
        "subscriptionId": provider_id,
        "subscriptionSnapshot": {"id": provider_id, "status": status, "quantity": 1},
        "paymentProvider": _provider(rng),
        "schedule": {
            "rrule": {
                "intervalType": interval,
                "interval": every,
                "startDate": created.date().isoformat(),
                "startTime": created.strftime("%H:%M:%S"),
                "dayOfMonth": min(created.day, 28),
            }
        },
        "autoPayment": {"enable": True},
        "recurringProduct": {"locationId": store.config.location, "name": "Support plan"},
    }
    if order:
        subscription |= {
            "entityType": "order",
            "entityId": order["_id"],
            "contactSnapshot": order["contactSnapshot"],
        }
    if status == "canceled":
        subscription["canceledAt"] = stamp(updated)
    return subscription


def _charge(charge: str, rng: random.Random) -> Document:
    card = {"brand": rng.choice(("visa", "mastercard")), "last4": f"{rng.randrange(10_000):04}"}
    return {"id": charge, "object": "charge", "payment_method_details": {"card": card}}


def _provider(rng: random.Random) -> Document:
    account = f"acct_{rng.getrandbits(48):012x}"
    return {"type": "stripe", "connectedAccount": {"accountId": account}}
