"""HighLevel's fulfillments → the mapped fields of Halo's order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncline.flows import orders
from syncline.mapping.document import Document

_SOURCES = ("fulfillments", "tracking_numbers", "carriers", "tracking_urls")
_NOTHING_SENT = ("", "unfulfilled")


def reads_fulfillments(document: Document) -> bool:
    """Whether a field of Halo's order, or its status, follows from what only these tell."""
    return orders.status_depends_on_fulfillments(document) or any(
        source.split(".")[0].split("[")[0] in _SOURCES
        for row in document.rows["orders"]
        for source in row.sources
    )


def asks_for_fulfillments(order: Mapping[str, Any], document: Document) -> bool:
    """Whether an order's fulfillments must be read: some are there, and the mapping shows them."""
    return _status(order) not in _NOTHING_SENT and reads_fulfillments(document)


def _status(order: Mapping[str, Any]) -> str:
    return str(order.get("fulfillment_status") or "").lower()
