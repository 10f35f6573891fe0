"""The canonical forms of the records that a mapping reads: what its paths are checked against."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from syncline.mapping.paths import ANY_NAME

CONTACT: Final[Mapping[str, Any]] = {
    "id": None,
    "name": None,
    "email": None,
    "phone": None,
    "company": None,
}
"""A contact's canonical form; None stands for a plain value."""

_ITEM = (
    "key",
    "name",
    "product_id",
    "price_id",
    "sku",
    "qty",
    "unit_price",
    "amount",
    "currency",
)
_SOURCE: Final = dict.fromkeys(("type", "sub_type", "name", "id"))
_FULFILLMENT: Final[Mapping[str, Any]] = {
    "id": None,
    "created_at": None,
    "items": [dict.fromkeys(("price_id", "qty"))],
    "trackings": [dict.fromkeys(("number", "carrier", "url"))],
}
ORDER: Final[Mapping[str, Any]] = {
    "id": None,
    "contact": CONTACT,
    "currency": None,
    "amount": None,
    "subtotal": None,
    "discount": None,
    "tax": None,
    "shipping": None,
    "status": None,
    "fulfillment_status": None,
    "live_mode": None,
    "source": _SOURCE,
    "coupon": None,
    "items": [{**dict.fromkeys(_ITEM), "taxes": [dict.fromkeys(("name", "rate"))]}],
    "fulfillments": [_FULFILLMENT],
    "tracking_numbers": [None],
    "carriers": [None],
    "tracking_urls": [None],
    "created_at": None,
    "updated_at": None,
}
"""An order's canonical form."""

TRANSACTION: Final[Mapping[str, Any]] = {
    "id": None,
    "contact": CONTACT,
    "currency": None,
    "amount": None,
    "amount_refunded": None,
    "status": None,
    "live_mode": None,
    "entity_type": None,
    "entity_id": None,
    "source": _SOURCE,
    "provider": None,
    "charge_id": None,
    "subscription_id": None,
    "invoice_id": None,
    "receipt_id": None,
    "fulfilled_at": None,
    "merged_from_contact_id": None,
    "created_at": None,
    "updated_at": None,
}
"""A transaction's canonical form."""

REFUND: Final[Mapping[str, Any]] = {
    **TRANSACTION,
    "refund": dict.fromkeys(("amount", "cumulative")),
    "refunded_at": None,
}
"""A transaction with one increase of what was refunded: its amount, and the sum so far."""

_SOLD = ("id", "contact", "currency", "amount", "status", "live_mode", "source")
SALE: Final[Mapping[str, Any]] = {
    key: TRANSACTION[key] for key in (*_SOLD, "created_at", "updated_at")
}
"""What an order and a transaction without one both have: an invoice is made of either."""

_SCHEDULE = (
    "interval_type",
    "interval",
    "start_date",
    "start_time",
    "end_date",
    "end_time",
    "day_of_month",
    "day_of_week",
    "num_of_week",
    "month_of_year",
    "count",
    "days_before",
)
SUBSCRIPTION: Final[Mapping[str, Any]] = {
    "id": None,
    "contact": CONTACT,
    "currency": None,
    "amount": None,
    "status": None,
    "live_mode": None,
    "entity_type": None,
    "entity_id": None,
    "source": _SOURCE,
    "provider": None,
    "provider_subscription_id": None,
    "coupon": None,
    "schedule": dict.fromkeys(_SCHEDULE),
    "product": None,
    "canceled_at": None,
    "created_at": None,
    "updated_at": None,
    "rhythm": None,
    "starts_at": None,
    "ends_at": None,
}
"""A subscription's canonical form, and in words what its schedule means."""

CONSIGNMENT: Final[Mapping[str, Any]] = {
    "id": None,
    "order_id": None,
    "halo_order_id": None,
    "date": None,
    "note": None,
    "lines": [dict.fromkeys(("line_id", "key", "price_id", "name", "unit_price", "qty"))],
    "order": {"note": None, "customfields": {ANY_NAME: None}},
}
"""A consignment's canonical form, and what its order in Halo tells of it."""

ALERT: Final[Mapping[str, Any]] = dict.fromkeys(
    (
        *("id", "connection", "kind", "cause", "severity", "title", "text", "count", "state"),
        *("first_at", "last_at", "order_id"),
    )
)
"""An alert's canonical form, as far as a mapping may read it."""
