"""Subscriptions, made from a seed: every status, several rhythms, some begun by an order."""

from __future__ import annotations

import random
from datetime import date, datetime, timedelta
from decimal import Decimal

from syncline.sandbox.generating.payments import provider
from syncline.sandbox.location.forms import digits_of, number, object_id, stamp
from syncline.sandbox.location.store import Document, Store, quirks_of

_STATUSES = ("active",) * 6 + ("trialing", "canceled", "expired", "unpaid")
_WEEKDAYS = ("mo", "tu", "we", "th", "fr", "sa", "su")
_MONTHS = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip
_RHYTHMS = (
    ("monthly", 1), ("monthly", 1), ("monthly", 3), ("yearly", 1), ("weekly", 2), ("daily", 10),
)  # fmt: skip


def add_subscriptions(store: Store, rng: random.Random, count: int, now: datetime) -> None:
    """Make `count` subscriptions, most begun by an order where there are any.

    The first ten have every status once, so that few subscriptions already show all there are.
    """
    orders = list(store.orders.values())
    contacts = list(store.contacts.values())
    for index in range(count):
        order = rng.choice(orders) if orders and rng.random() >= 0.1 else None
        created = datetime.fromisoformat(order["createdAt"]) if order else now - timedelta(days=1)
        contact_id = order["contactId"] if order else rng.choice(contacts)["id"]
        status = _STATUSES[-1 - index] if index < len(_STATUSES) else rng.choice(_STATUSES)
        subscription = subscription_of(store, rng, order, contact_id, created)
        _set_status(subscription, status, rng, now)
        store.add("subscriptions", subscription, quirks_of(rng))


def subscription_of(
    store: Store,
    rng: random.Random,
    order: Document | None,
    contact_id: str,
    created: datetime,
) -> Document:
    """A subscription of a contact, begun by an order or by nothing; without a status."""
    provider_id = f"sub_{rng.getrandbits(80):020x}"
    currency = order["currency"] if order else rng.choice(store.config.currencies)
    amount = Decimal(rng.randrange(900, 30_000)).scaleb(-digits_of(currency))
    subscription: Document = {
        "_id": object_id(rng, created),
        "altType": "location",
        "altId": store.config.location,
        "contactId": contact_id,
        "currency": currency,
        "amount": number(amount),
        "liveMode": order["liveMode"] if order else True,
        "markAsTest": order["markAsTest"] if order else False,
        "createdAt": stamp(created),
        "updatedAt": stamp(created + timedelta(hours=rng.randrange(24))),
        "entitySource": {"type": "funnel", "subType": "upsell", "id": object_id(rng, created)},
        "subscriptionId": provider_id,
        "subscriptionSnapshot": {"id": provider_id, "quantity": 1},
        "paymentProvider": provider(rng),
        "schedule": {"rrule": _rrule(rng, created)},
        "autoPayment": {"enable": True},
        "recurringProduct": {"locationId": store.config.location, "name": "Support plan"},
    }
    if order:
        subscription |= {
            "entityType": "order",
            "entityId": order["_id"],
            "contactSnapshot": order["contactSnapshot"],
        }
    return subscription


def _rrule(rng: random.Random, created: datetime) -> Document:
    interval, every = rng.choice(_RHYTHMS)
    rule: Document = {
        "intervalType": interval,
        "interval": every,
        "startDate": created.date().isoformat(),
        "startTime": created.strftime("%H:%M:%S"),
    }
    if interval in ("monthly", "yearly"):
        rule["dayOfMonth"] = min(created.day, 28)
    if interval == "yearly":
        rule["monthOfYear"] = _MONTHS[created.month - 1]
    if interval == "weekly":
        rule["dayOfWeek"] = _WEEKDAYS[created.weekday()]
    if rng.random() < 0.15:
        rule["count"] = rng.choice((3, 6, 12))
    return rule


def _set_status(subscription: Document, status: str, rng: random.Random, now: datetime) -> None:
    """Give a status and what goes with it: an end that is past, a start that is to come."""
    subscription["status"] = subscription["subscriptionSnapshot"]["status"] = status
    rule = subscription["schedule"]["rrule"]
    if status == "canceled":
        subscription["canceledAt"] = subscription["updatedAt"]
    elif status == "trialing":
        rule["startDate"] = (now.date() + timedelta(days=rng.randrange(3, 15))).isoformat()
    elif status == "expired":
        start = now.date() - timedelta(days=rng.randrange(100, 400))
        rule |= {"startDate": start.isoformat(), "endDate": _before(now.date(), rng)}
    elif rng.random() < 0.2:
        rule["endDate"] = (now.date() + timedelta(days=rng.randrange(200, 700))).isoformat()


def _before(today: date, rng: random.Random) -> str:
    return (today - timedelta(days=rng.randrange(1, 20))).isoformat()
