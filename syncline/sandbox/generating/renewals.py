"""Charges of subscriptions, each a transaction on the order with which the subscription began.

Source: the official example of a list of transactions, whose row has `entityType` order, the
provider's `subscriptionId` and an invoice of the provider as its `chargeId`; a maintainer of the
documents says that an order carries all charges of its subscription. The single read has
`invoiceId` besides, by its schema.
"""

from __future__ import annotations

import random
from collections import Counter
from datetime import datetime
from decimal import Decimal

from syncline.sandbox.generating.subscriptions import subscription_of
from syncline.sandbox.location.forms import object_id, stamp
from syncline.sandbox.location.store import PAID_STATUSES, RENEWAL, Document, Store

_MOST = 3


def add_renewals(store: Store, count: int, now: datetime) -> None:
    """Begin a subscription with so many paid orders, as far as there are any, and renew it.

    The draws are its own, so that all else is the same without it.
    """
    rng = random.Random(f"renewals {store.config.seed}")
    paid = _paid_once(store)
    for first in rng.sample(paid, min(count, len(paid))):
        order = store.orders[first["entityId"]]
        began = datetime.fromisoformat(first["createdAt"])
        subscription = subscription_of(store, rng, order, order["contactId"], began)
        subscription |= {"amount": order["amount"], "status": "active"}
        subscription["subscriptionSnapshot"]["status"] = "active"
        store.add("subscriptions", subscription)
        first.update(_charged(subscription, rng))
        times = rng.randrange(_MOST) + 1
        for nth in range(1, times + 1):
            renewal = _renewal(first, subscription, rng, began + (now - began) * nth / (times + 1))
            store.add("transactions", renewal)


def _paid_once(store: Store) -> list[Document]:
    """Transactions that alone and in full pay for an order."""
    many = Counter(one.get("entityId") for one in store.transactions.values())
    return [
        one
        for one in store.transactions.values()
        if one.get("entityId") in store.orders
        and many[one["entityId"]] == 1
        and one["status"] in PAID_STATUSES
        and not one.get("amountRefunded")
        and Decimal(one["amount"]) == Decimal(store.orders[one["entityId"]]["amount"]) != 0
    ]


def _charged(subscription: Document, rng: random.Random) -> Document:
    """What tells that a transaction is a charge of a subscription."""
    charge = f"in_{rng.getrandbits(80):020x}"
    card = {"brand": "visa", "last4": f"{rng.randrange(10_000):04}"}
    provider_id = subscription["subscriptionId"]
    return {
        "subscriptionId": provider_id,
        "chargeId": charge,
        "invoiceId": charge,
        "chargeSnapshot": {
            "id": charge,
            "object": "invoice",
            "subscription": provider_id,
            "payment_method_details": {"card": card},
        },
    }


def _renewal(
    first: Document, subscription: Document, rng: random.Random, moment: datetime
) -> Document:
    source = {**first["entitySource"], "subType": RENEWAL}
    return {
        **first,
        **_charged(subscription, rng),
        "_id": object_id(rng, moment),
        "amount": subscription["amount"],
        "status": "succeeded",
        "entitySource": source,
        "receiptId": object_id(rng, moment),
        "createdAt": stamp(moment),
        "updatedAt": stamp(moment),
    }
