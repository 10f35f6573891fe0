"""Changes of orders, transactions and subscriptions, as shops, buyers and banks make them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from syncline.sandbox.location.forms import digits_of, number, stamp
from syncline.sandbox.location.store import PAID_STATUSES, Document, Store, is_owed, touch

TransactionChange = Literal["refund", "settle", "fail"]
SubscriptionChange = Literal["cancel", "amount", "expire"]

_ENDED = ("canceled", "expired")


def change_orders(
    store: Store,
    *,
    now: datetime,
    field_name: Literal["status", "amount"],
    count: int = 0,
    ids: Iterable[str] = (),
) -> list[str]:
    """Change orders as a shop would: another status, or a dearer first item with its sums.

    Returns:
        The ids of the changed orders: those named, else `count` drawn from those that are owed.

    Raises:
        KeyError: if a named order does not exist.
    """
    chosen = list(ids) or _drawn(store, count, now)
    for order_id in chosen:
        order = store.orders[order_id]
        store.remember(order)
        if field_name == "status":
            order["status"] = "refunded" if order["status"] == "completed" else "completed"
        else:
            _raise_price(order)
        touch(order, now)
    return chosen


def change_transactions(
    store: Store,
    *,
    now: datetime,
    what: TransactionChange,
    count: int = 0,
    ids: Iterable[str] = (),
) -> list[str]:
    """Give money back, let a pending payment succeed, or let one that succeeded fail after all.

    Args:
        store: where they are.
        now: aware UTC; becomes `updatedAt`.
        count: how many, where none is named.
        ids: which ones.
        what: `refund` gives back a part of what is left, or all of it; `settle`; `fail`.

    Returns:
        The ids of the changed ones: those named, else up to `count` of those it can be done to.

    Raises:
        KeyError: if a named transaction does not exist.
        ValueError: if it cannot be done to a named one.
    """
    may = {"refund": _left, "settle": _is_pending, "fail": _may_fail}[what]
    rng = _chance(store, what, now)
    chosen = _chosen(store, store.transactions, may, list(ids), count, rng)
    for transaction in chosen:
        store.remember(transaction)
        if what == "refund":
            _give_back(transaction, rng)
        else:
            transaction["status"] = "succeeded" if what == "settle" else "failed"
        touch(transaction, now)
    return [transaction["_id"] for transaction in chosen]


def change_subscriptions(
    store: Store,
    *,
    now: datetime,
    what: SubscriptionChange,
    count: int = 0,
    ids: Iterable[str] = (),
) -> list[str]:
    """End subscriptions, or make them dearer by one major unit.

    Args:
        store: where they are.
        count: how many, where none is named.
        ids: which ones.
        now: aware UTC; becomes `updatedAt`, and `canceledAt` where one is cancelled.
        what: `cancel`; `amount`; `expire` sets the schedule's end on the day before.

    Returns:
        The ids of the changed ones: those named, else up to `count` of those it can be done to.

    Raises:
        KeyError: if a named subscription does not exist.
        ValueError: if it cannot be done to a named one.
    """
    rng = _chance(store, what, now)
    chosen = _chosen(store, store.subscriptions, _runs, list(ids), count, rng)
    for subscription in chosen:
        store.remember(subscription)
        if what == "amount":
            subscription["amount"] = number(Decimal(subscription["amount"]) + 1)
        else:
            _end(subscription, what, now)
        touch(subscription, now)
    return [subscription["_id"] for subscription in chosen]


def _drawn(store: Store, count: int, now: datetime) -> list[str]:
    owed = [
        order_id
        for order_id, order in store.orders.items()
        if order["liveMode"] or not store.config.live_only
    ]
    rng = random.Random(f"change {store.config.seed} {now.isoformat()}")
    return rng.sample(owed, min(count, len(owed)))


def _raise_price(order: Document) -> None:
    """One major unit more for the first item; the sums follow, tax and discount stay."""
    item, summary = order["items"][0], order["amountSummary"]
    item["price"]["amount"] = number(Decimal(item["price"]["amount"]) + 1)
    summary["subtotal"] = number(Decimal(summary["subtotal"]) + item["qty"])
    order["amount"] = number(Decimal(order["amount"]) + item["qty"])


def _chance(store: Store, what: str, now: datetime) -> random.Random:
    return random.Random(f"{what} {store.config.seed} {now.isoformat()}")


def _chosen(
    store: Store,
    documents: dict[str, Document],
    may: Callable[[Document], object],
    ids: list[str],
    count: int,
    rng: random.Random,
) -> list[Document]:
    if not ids:
        able = [one for one in documents.values() if is_owed(store, one) and may(one)]
        return rng.sample(able, min(count, len(able)))
    named = [documents[document_id] for document_id in ids]
    unable = [one["_id"] for one in named if not may(one)]
    if unable:
        raise ValueError(f"this cannot be done to {', '.join(unable)} as it stands")
    return named


def _left(transaction: Document) -> Decimal:
    """What can still be given back."""
    if transaction["status"] not in PAID_STATUSES:
        return Decimal(0)
    return Decimal(transaction["amount"]) - Decimal(transaction.get("amountRefunded", 0))


def _is_pending(transaction: Document) -> bool:
    return bool(transaction["status"] == "pending")


def _may_fail(transaction: Document) -> bool:
    return bool(_left(transaction)) and not transaction.get("amountRefunded")


def _give_back(transaction: Document, rng: random.Random) -> None:
    """A part of what is left, at least one minor unit, or the rest."""
    left, digits = _left(transaction), digits_of(transaction["currency"])
    units = int(left.scaleb(digits))
    back = left if rng.random() < 0.4 else Decimal(rng.randrange(units) + 1).scaleb(-digits)
    whole = Decimal(transaction.get("amountRefunded", 0)) + back
    transaction["amountRefunded"] = number(whole)
    if transaction["status"] == "partially_refunded" and back == left:
        transaction["status"] = "refunded"


def _runs(subscription: Document) -> bool:
    return subscription["status"] not in _ENDED


def _end(subscription: Document, what: Literal["cancel", "expire"], now: datetime) -> None:
    status = "canceled" if what == "cancel" else "expired"
    subscription["status"] = status
    subscription["subscriptionSnapshot"]["status"] = status
    if what == "cancel":
        subscription["canceledAt"] = stamp(now)
    else:
        yesterday = now.date() - timedelta(days=1)
        subscription["schedule"]["rrule"]["endDate"] = yesterday.isoformat()
