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

ORDER_EVENTS = frozenset({"OrderCreate", "OrderStatusUpdate"})
"""They carry the whole order."""

PAID_EVENTS = frozenset({"InvoicePaid", "InvoicePartiallyPaid"})
"""A payment of an invoice; there is no event of the transaction itself."""

UNINSTALLED = "UNINSTALL"

SENT = "timestamp"
"""The field that says when an event was sent."""

_ENVELOPE = frozenset({"type", "locationId", "appId", "versionId", "webhookId"})


@dataclass(frozen=True, slots=True)
class HighLevelEvent:
    """One webhook.

    Attributes:
        type: the event's name; "" where the body does not tell one.
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
        return _text(self.payload.get("_id"))


def read_event(body: bytes) -> HighLevelEvent:
    """Understand a webhook's body, whose signature has been checked.

    Raises:
        Unreadable: it is no JSON object.
    """
    document = jsontext.without_nul(jsontext.loads(body))
    if not isinstance(document, dict):
        raise Unreadable("The event is no JSON object.", remedy="Look at its stored body.")
    return HighLevelEvent(
        type=_text(document.get("type")) or "",
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


def _location(document: dict[str, Any]) -> str | None:
    return _text(document.get("altId")) if document.get("altType") == "location" else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
