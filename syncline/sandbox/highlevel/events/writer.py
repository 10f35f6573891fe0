"""The bodies of HighLevel's events: one flat object each, its fields between those of the envelope.

Sources: HighLevel's webhook documents for the fields of each event, captured bodies for the
envelope and the order of its keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import uuid4

import msgspec

from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.generating.orders import Generator
from syncline.sandbox.highlevel.events.outbox import Event
from syncline.sandbox.highlevel.events.samples import read_samples
from syncline.sandbox.highlevel.events.scene import Scene
from syncline.sandbox.highlevel.nonsense import spoilt
from syncline.sandbox.location.forms import stamp
from syncline.sandbox.location.store import Document

ORDER_EVENTS = ("OrderCreate", "OrderStatusUpdate")
"""The only events about payments that there are, and the only ones that the sandbox sends itself,
apart from those of the app; no document names one of a transaction, subscription or fulfillment."""

_SAMPLES = read_samples()

TYPES = (*ORDER_EVENTS, *_SAMPLES)
"""Every event that a document of HighLevel describes."""

_encoder = msgspec.json.Encoder(decimal_format="number")

_CONTACT = {
    "location_id": "locationId",
    "first_name": "firstName",
    "last_name": "lastName",
    "postal_code": "postalCode",
    "company_name": "companyName",
    "date_added": "dateAdded",
}
_CONTACT_LEFT_OUT = frozenset(
    {"first_name_lower_case", "last_name_lower_case", "full_name_lower_case", "type"}
)


@dataclass(frozen=True, slots=True)
class EventWriter:
    """Writes the events of one app.

    Attributes:
        generator: makes what a sample is about.
        now: the clock, aware UTC.
    """

    config: SandboxConfig
    generator: Generator
    now: Callable[[], datetime]

    def of_order(self, kind: str, order: Document) -> Event:
        """The event of an order that was made or whose status changed."""
        fields = spoilt(self.config, order["_id"], order_fields(order))
        return self._event(kind, order["altId"], fields)

    def of_app(self, kind: str) -> Event:
        """The event of an app that was installed in the location, or taken away there."""
        return self.sample(kind, self.config.location)

    def sample(self, kind: str, location: str) -> Event:
        """An event of any type with data such as it has, about nothing that is stored.

        Raises:
            KeyError: if no document describes this type.
        """
        if kind in ORDER_EVENTS:
            order = {**self.generator.order(self.now()), "altId": location}
            return self.of_order(kind, order)
        sample = _SAMPLES[kind]
        rng, store = self.generator.rng, self.generator.store
        scene = Scene(
            rng=rng,
            now=self.now(),
            location=location,
            company=self.config.company_id,
            contact=rng.choice(list(store.contacts.values())),
            product=rng.choice(self.generator.products),
            currency=self.config.currencies[0],
        )
        return self._event(kind, location if sample.located else None, sample.fields(scene))

    def _event(self, kind: str, location: str | None, fields: Mapping[str, Any]) -> Event:
        # By chance and not from the seed: a sandbox that starts anew must not send ids again that
        # its receivers remember.
        webhook_id = str(uuid4())
        envelope: Document = {"type": kind}
        if location is not None:
            envelope["locationId"] = location
        envelope |= {"versionId": self.config.app_id, "appId": self.config.app_id}
        body = {
            **envelope,
            **fields,
            "timestamp": stamp(self.now()),
            "webhookId": webhook_id,
        }
        return Event(kind, webhook_id, _encoder.encode(body))


def order_fields(order: Document) -> Document:
    """A whole order as its events show it: without what only the API's answers have."""
    summary = order["amountSummary"]
    return {
        **_pick(order, "_id", "altId", "altType", "status", "taxSummary", "fulfillmentStatus"),
        **_pick(order, "contactId", "currency", "amount", "liveMode"),
        "amountSummary": {
            key: summary.get(key, 0) for key in ("subtotal", "discount", "tax", "shipping")
        },
        **_pick(order, "source", "createdAt", "updatedAt"),
        "contactSnapshot": _contact(order["contactSnapshot"], order["source"]["name"]),
        "items": [_item(item) for item in order["items"]],
    }


def _contact(snapshot: Document, source: str) -> Document:
    """The contact in camelCase; a single read shows it in snake_case."""
    shown = {
        _CONTACT.get(key, key): value
        for key, value in snapshot.items()
        if key not in _CONTACT_LEFT_OUT
    }
    return {**shown, "dnd": False, "source": source, "tags": []}


def _item(item: Document) -> Document:
    product, price = item["product"], item["price"]
    return {
        **_pick(item, "name", "qty"),
        "product": _pick(
            product, "_id", "name", "description", "availableInStore", "taxes", "variants"
        ),
        "price": _pick(price, "_id", "name", "type", "currency", "amount", "variantOptionIds"),
    }


def _pick(document: Document, *keys: str) -> Document:
    return {key: document[key] for key in keys if key in document}
