"""Fulfillments of the emulated HighLevel: what a new one must hold, and what it does to its order.

HighLevel's documents do not say what happens to an order that is fulfilled in part or too often:
here its status follows the quantities, and nothing is refused.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from syncline.sandbox.location.forms import object_id, stamp
from syncline.sandbox.location.store import Document, Store, touch


def broken_fulfillment(body: Mapping[str, Any]) -> list[str]:
    """What is wrong with the body of a new fulfillment, one message for every broken rule."""
    messages = [
        f"{name} must be an array"
        for name in ("trackings", "items")
        if not isinstance(body.get(name), list)
    ]
    if not isinstance(body.get("notifyCustomer"), bool):
        messages.append("notifyCustomer must be a boolean value")
    for index, item in enumerate(_array(body.get("items"))):
        messages += _broken_item(index, item)
    for index, tracking in enumerate(_array(body.get("trackings"))):
        messages += _broken_tracking(index, tracking)
    return messages


def make_fulfillment(
    store: Store, order: Document, body: Mapping[str, Any], now: datetime, rng: random.Random
) -> Document:
    """Store a fulfillment; the order's fulfillmentStatus and updatedAt follow."""
    by_price = {item["price"]["_id"]: item for item in order["items"]}
    fulfillment = {
        "_id": object_id(rng, now),
        "altId": order["altId"],
        "altType": "location",
        "trackings": [dict(tracking) for tracking in body["trackings"]],
        "items": [_fulfilled(by_price[item["priceId"]], item["qty"]) for item in body["items"]],
        "createdAt": stamp(now),
        "updatedAt": stamp(now),
    }
    made = store.fulfillments.setdefault(order["_id"], [])
    made.append(fulfillment)
    if body["notifyCustomer"]:
        store.notified.append(fulfillment["_id"])
    settle_fulfillments(store, order, now)
    return fulfillment


def settle_fulfillments(store: Store, order: Document, now: datetime) -> None:
    """Let an order's fulfillmentStatus and updatedAt follow its fulfillments."""
    made = store.fulfillments.get(order["_id"], [])
    sent = sum(item["qty"] for entry in made for item in entry["items"])
    ordered = sum(item["qty"] for item in order["items"])
    in_part = "partially_fulfilled" if made else "unfulfilled"
    order["fulfillmentStatus"] = "fulfilled" if made and sent >= ordered else in_part
    touch(order, now)


def fulfill_by_hand(
    store: Store,
    order: Document,
    *,
    items: Mapping[str, float] | None,
    trackings: list[Document] | None,
    now: datetime,
    rng: random.Random,
) -> Document:
    """Store a fulfillment that a person made in HighLevel's own screens, without telling the buyer.

    Args:
        store: where it goes.
        order: whose parcel it is.
        items: quantities by the price's id; None is all that no fulfillment holds yet.
        trackings: as the API takes them; None makes one up.
        now: aware UTC.
        rng: makes the ids.

    Raises:
        ValueError: if nothing is left, or the order holds no such price.
    """
    wanted = _left(store, order) if items is None else items
    known = {item["price"]["_id"] for item in order["items"]}
    if not wanted or not known.issuperset(wanted):
        raise ValueError(f"the order {order['_id']} has nothing of that to fulfill")
    number = f"HL{rng.randrange(10**10):010}"
    url = f"https://track.example.com/{number}"
    made_up = {"trackingNumber": number, "shippingCarrier": "FedEx", "trackingUrl": url}
    body = {
        "items": [{"priceId": price_id, "qty": qty} for price_id, qty in wanted.items()],
        "trackings": [made_up] if trackings is None else trackings,
        "notifyCustomer": False,
    }
    fulfillment = make_fulfillment(store, order, body, now, rng)
    store.by_hand.add(fulfillment["_id"])
    return fulfillment


def _left(store: Store, order: Document) -> dict[str, float]:
    """What no fulfillment of the order holds yet, by the price's id."""
    left = {item["price"]["_id"]: item["qty"] for item in order["items"]}
    for fulfillment in store.fulfillments.get(order["_id"], []):
        for item in fulfillment["items"]:
            left[item["_id"]] -= item["qty"]
    return {price_id: qty for price_id, qty in left.items() if qty > 0}


def _fulfilled(item: Document, qty: float) -> Document:
    """A line of the answer: its `_id` is the price's."""
    return {
        "_id": item["price"]["_id"],
        "name": item["name"],
        "product": item["product"],
        "price": item["price"],
        "qty": qty,
    }


def _array(value: object) -> list[Any]:
    return value if isinstance(value, list) else []


def _broken_item(index: int, item: object) -> list[str]:
    if not isinstance(item, dict):
        return [f"items.{index} must be an object"]
    messages = []
    if not isinstance(item.get("priceId"), str):
        messages.append(f"items.{index}.priceId must be a string")
    qty = item.get("qty")
    if not isinstance(qty, int | float) or isinstance(qty, bool):
        messages.append(
            f"items.{index}.qty must be a number conforming to the specified constraints"
        )
    return messages


def _broken_tracking(index: int, tracking: object) -> list[str]:
    if not isinstance(tracking, dict):
        return [f"trackings.{index} must be an object"]
    return [
        f"trackings.{index}.{name} must be a string"
        for name in ("trackingNumber", "shippingCarrier", "trackingUrl")
        if name in tracking and not isinstance(tracking[name], str)
    ]
