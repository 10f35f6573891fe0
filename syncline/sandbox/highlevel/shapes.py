"""Which of a document's fields HighLevel shows: as its schemas publish, as its examples print.

Source: the published payments schema and the examples in it, and the events that the webhook
documents print. The schema of GET order knows neither tax nor shipping and calls a product's taxes
by their ids; nearly every field of every row is optional. The examples write numbers and flags as
text, and know the taxes of each product.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from syncline.sandbox.config import SHAPES, SandboxConfig, Shape
from syncline.sandbox.location.store import Document

_ABSENT = 0.2
"""Chance that an optional field is absent where only the published schema holds."""

_ALWAYS = frozenset(
    {
        # What places and prices a document, and what it is about: without these it is another one.
        *("_id", "altId", "altType", "status", "createdAt", "updatedAt", "currency", "amount"),
        *("liveMode", "markAsTest", "amountRefunded", "entityType", "entityId", "subscriptionId"),
        *("mergedFromContactId", "traceId"),
        # What the schemas of the lists require besides.
        *("sourceType", "entitySourceType", "fulfilledAt"),
    }
)
_UNPUBLISHED = frozenset({"taxSummary", "loyaltyTier", "routing"})
_AMOUNTS = ("amount", "subtotal", "discount", "amountRefunded", "totalProducts")
_FLAGS = ("liveMode", "markAsTest")
_CONTACT = (
    "last_name", "type", "first_name_lower_case", "email", "last_name_lower_case", "location_id",
    "company_name",
)  # fmt: skip
_CHARGE = {"object": "invoice", "account_country": "US", "account_name": "GHL-Testing"}


def shape_of(config: SandboxConfig, document_id: str) -> Shape:
    """The shape in which a document is shown."""
    if config.highlevel_shape != "mixed":
        return config.highlevel_shape
    return random.Random(f"shape {config.seed} {document_id}").choice(SHAPES)


def shaped(config: SandboxConfig, document_id: str, shown: Document) -> Document:
    """A row of a list or a single read with what its shape knows of it; the given one stays."""
    return _SHAPED[shape_of(config, document_id)](shown)


def _published(shown: Document) -> Document:
    """What the schema has, each optional field present or absent, always the same ones."""
    kept = {}
    for key, value in shown.items():
        if key in _UNPUBLISHED:
            continue
        absent = random.Random(f"{shown['_id']} {key}").random() < _ABSENT
        if key in _ALWAYS or not absent:
            kept[key] = value
    if "amountSummary" in kept:
        kept["amountSummary"] = _summary(kept["amountSummary"])
    if "items" in kept:
        kept["items"] = [_with_taxes(item, _tax_ids(item)) for item in kept["items"]]
    return kept


def _printed(shown: Document) -> Document:
    printed = {key: value for key, value in shown.items() if key not in _UNPUBLISHED}
    printed |= {key: str(printed[key]) for key in _AMOUNTS if key in printed}
    printed |= {key: str(printed[key]).lower() for key in _FLAGS if key in printed}
    if "amountSummary" in printed:
        printed["amountSummary"] = _summary(printed["amountSummary"])
    if "contactSnapshot" in printed:
        contact = printed["contactSnapshot"]
        printed["contactSnapshot"] = {key: contact[key] for key in _CONTACT if key in contact}
    if "chargeSnapshot" in printed:
        printed["chargeSnapshot"] = {"id": printed["chargeSnapshot"]["id"], **_CHARGE}
    if "items" in printed:
        printed["items"] = [{**item, "authorizeAmount": 0} for item in printed["items"]]
    return printed


def _summary(summary: Document) -> Document:
    return {key: summary[key] for key in ("subtotal", "discount") if key in summary}


def _tax_ids(item: Document) -> list[Any]:
    return [tax["_id"] for tax in item["product"].get("taxes", ())]


def _with_taxes(item: Document, taxes: list[Any]) -> Document:
    return {**item, "product": {**item["product"], "taxes": taxes}}


_SHAPED: dict[Shape, Callable[[Document], Document]] = {
    "published": _published,
    "printed": _printed,
    "rich": lambda shown: shown,
}
