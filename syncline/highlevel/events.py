"""What HighLevel's webhooks say: a flat object, the event's fields beside its envelope's.

Source: the published webhook documents, whose examples leave the envelope out, and captured bodies,
which show it at the top level.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from syncline import jsontext
from syncline.errors import Unreadable
from syncline.highlevel.envelope import as_moment
from syncline.highlevel.models import is_id

ORDER_EVENTS = frozenset({"OrderCreate", "OrderStatusUpdate"})
"""They carry the whole order."""

_PAID = {"paid": "InvoicePaid", "partially_paid": "InvoicePartiallyPaid"}
"""Status of an invoice → the event that tells of it."""

PAID_EVENTS = frozenset(_PAID.values())
"""A payment of an invoice; there is no event of the transaction itself."""

UNINSTALLED = "UNINSTALL"

SENT = "timestamp"
"""The field that says when an event was sent."""

_ENVELOPE = frozenset({"type", "locationId", "appId", "versionId", "webhookId"})


@dataclass(frozen=True, slots=True)
class HighLevelEvent:
    """One webhook.

    Attributes:
        type: the event's name, as the body says it or its shape shows it; "" where neither does.
        location_id: the sub-account, where it is about one.
        company_id: the agency, where it is about one.
        app_id: the app it was sent for.
        payload: the event's own fields, and when it was sent.
    """

    type: str
    location_id: str | None
    company_id: str | None
    app_id: str | None
    payload: dict[str, Any]

    @property
    def entity_id(self) -> str | None:
        """The id of the order, invoice or product that it is about."""
        told = _text(self.payload.get("_id"))
        return told if told and is_id(told) else None

    @property
    def is_of_two_places(self) -> bool:
        """Whether it says itself that it is about another location than it was sent for."""
        told = _location(self.payload)
        return told is not None and told != self.location_id


def read_event(body: bytes) -> HighLevelEvent:
    """Understand a webhook's body, whose signature has been checked.

    Raises:
        Unreadable: it is no JSON object.
    """
    document = jsontext.loads(body)
    if not isinstance(document, dict):
        raise Unreadable("The event is no JSON object.", remedy="Look at its stored body.")
    return HighLevelEvent(
        type=_text(document.get("type")) or _type_by_shape(document),
        location_id=_text(document.get("locationId")) or _location(document),
        company_id=_text(document.get("companyId")),
        app_id=_text(document.get("appId")),
        payload={key: value for key, value in document.items() if key not in _ENVELOPE},
    )


def sent_at(payload: Mapping[str, Any]) -> datetime | None:
    """When HighLevel sent an event first; it decides between two of the same state of a record.

    Source: no order is promised; the published advice is `updatedAt`, then `timestamp`.
    """
    return as_moment(_text(payload.get(SENT)))


def app_of(client_id: str | None) -> str | None:
    """The id of the app that a client id belongs to: what stands before its suffix.

    Source: the published SDKs, which drop events of other apps.
    """
    return client_id.partition("-")[0] if client_id else None


def _type_by_shape(document: Mapping[str, Any]) -> str:
    """What an event without its name is: an order or a paid invoice shows by what only it has.

    Source: the printed examples of InvoicePaid and InvoicePartiallyPaid, which hold no `type`.
    """
    if "invoiceNumber" in document or "invoiceItems" in document:
        return _PAID.get(str(document.get("status")).lower(), "")
    is_order = "items" in document and ("amountSummary" in document or "taxSummary" in document)
    return "OrderStatusUpdate" if is_order else ""


def _location(document: Mapping[str, Any]) -> str | None:
    return _text(document.get("altId")) if document.get("altType") == "location" else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
