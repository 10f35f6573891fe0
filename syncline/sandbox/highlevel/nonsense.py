"""Nonsense in the fields of a document, as users report it of the real API.

A document has one kind of it or none, by chance from its id, and shows it wherever it is shown.
Most kinds spoil what a reader can do without; those of `INDISPENSABLE` spoil what says where a
document belongs or how much it is about, so nobody can be asked to deliver it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.location.store import Document

_INDISPENSABLE_SHARE = 0.2
_VAST = Decimal("9" * 5000)
_BOUNDLESS = Decimal("1E+400")
_LONG_ID = 9000
_LONG_NAME = 601

Spoil = Callable[[Document], Document]


def kind_of(config: SandboxConfig, document_id: str) -> str | None:
    """The kind of nonsense that a document shows, None for none."""
    rng = random.Random(f"nonsense {config.seed} {document_id}")
    if rng.random() >= config.nonsense:
        return None
    if rng.random() < _INDISPENSABLE_SHARE:
        return rng.choice(INDISPENSABLE[rng.choice(tuple(INDISPENSABLE))])
    return rng.choice(DISPENSABLE)


def spoilt(config: SandboxConfig, document_id: str, shown: Document) -> Document:
    """A document as it is shown, with its nonsense if it has any; the given one stays."""
    kind = kind_of(config, document_id) if config.nonsense else None
    return shown if kind is None else {**shown, **_KINDS[kind](shown)}


def _each(names: Iterable[str], value: Callable[[Any], Any]) -> Spoil:
    every = tuple(names)
    return lambda shown: {name: value(shown[name]) for name in every if name in shown}


def _inner(name: str, spoil: Spoil) -> Spoil:
    """Spoil an object inside, where it is one."""

    def spoil_inside(shown: Document) -> Document:
        inner = shown.get(name)
        return {name: {**inner, **spoil(inner)}} if isinstance(inner, dict) else {}

    return spoil_inside


def _all(*spoils: Spoil) -> Spoil:
    def spoil_all(shown: Document) -> Document:
        changed: Document = {}
        for spoil in spoils:
            changed |= spoil(shown)
        return changed

    return spoil_all


def _rule(spoil: Spoil) -> Spoil:
    return _inner("schedule", _inner("rrule", spoil))


def _added(fields: Document) -> Spoil:
    return lambda _: fields


def _nulled(shown: Document) -> Document:
    return {name: None for name in shown if name not in _NEVER_NULL}


def _long_names(shown: Document) -> Document:
    changed = _each(("contactName", "sourceName", "entitySourceName"), _lengthened)(shown)
    changed |= _inner(
        "contactSnapshot", _each(("first_name", "firstName", "companyName"), _lengthened)
    )(shown)
    items = shown.get("items")
    if isinstance(items, list) and items:
        changed["items"] = [{**items[0], "name": _lengthened(items[0]["name"])}, *items[1:]]
    return changed


def _lengthened(text: Any) -> str:
    return f"{text} ".ljust(_LONG_NAME, "x")


_NEVER_NULL = frozenset(
    {
        *("_id", "altId", "altType", "currency", "amount", "status", "createdAt", "updatedAt"),
        *("entityType", "entityId", "subscriptionId", "amountRefunded", "liveMode", "markAsTest"),
        *("type", "locationId"),
    }
)
_SOURCES = ("source", "entitySource")
_OBJECTS = (
    "coupon", "paymentProvider", "chargeSnapshot", "subscriptionSnapshot", "autoPayment",
    "recurringProduct", "paymentMethod", "contactSnapshot", "meta",
)  # fmt: skip
_TEXTS = (
    "sourceName", "sourceSubType", "entitySourceName", "contactName", "trackingId", "chargeId",
    "fulfillmentStatus", "createdBy", "receiptId", "couponCode",
)  # fmt: skip
_COUNTS = ("totalProducts", "onetimeProducts", "recurringProducts")

_KINDS: dict[str, Spoil] = {
    "empty_times": _all(
        _each(("updatedAt", "fulfilledAt", "canceledAt"), lambda _: ""),
        _rule(_each(("startTime", "endDate"), lambda _: "")),
    ),
    "no_creation_time": _each(("createdAt",), lambda _: ""),
    "times_of_no_calendar": _all(
        _each(("updatedAt", "fulfilledAt", "canceledAt"), lambda _: "0000-13-45T99:00:00Z"),
        _rule(_each(("startDate", "endDate"), lambda _: "0000-13-45")),
    ),
    "text_for_object": _each((*_OBJECTS, *_SOURCES), lambda _: "SAVE10"),
    "text_for_list": _all(
        _each(("items", "taxSummary"), lambda _: "1 x something"), _added({"coupon": "SAVE10"})
    ),
    "object_for_text": _each(_TEXTS, lambda value: {"value": value}),
    "list_for_text": _all(
        _each(("contactEmail", "contactName", "sourceName", "couponCode"), lambda value: [value]),
        _rule(_each(("dayOfWeek", "intervalType"), lambda value: [value])),
    ),
    "text_for_number": _all(
        _each((*_COUNTS, "subtotal", "discount"), lambda _: "n/a"),
        _inner("amountSummary", _each(("discount", "shipping"), lambda _: "")),
        _rule(_each(("interval", "dayOfMonth", "count"), lambda _: "some")),
    ),
    "huge_number": _all(
        _each(_COUNTS, lambda _: _VAST),
        _each(("subtotal", "discount"), lambda _: _BOUNDLESS),
        _inner("amountSummary", _each(("subtotal",), lambda _: _BOUNDLESS)),
        _rule(_each(("interval", "count"), lambda _: _VAST)),
    ),
    "wrong_enum": _all(
        *(_inner(source, _added({"type": "carrier_pigeon"})) for source in _SOURCES),
        _each(("sourceType", "entitySourceType", "fulfillmentStatus"), lambda _: "carrier_pigeon"),
        _rule(_each(("intervalType", "monthOfYear"), lambda _: "fortnightly")),
    ),
    "nulls": _nulled,
    "long_names": _long_names,
    "long_texts": _each(("trackingId", "chargeId", "receiptId"), lambda _: "t" * _LONG_ID),
    "no_amount": lambda _: {"amount": None},
    "text_for_amount": lambda _: {"amount": "a lot"},
    "boundless_amount": lambda _: {"amount": _BOUNDLESS},
    "vast_amount": lambda _: {"amount": _VAST},
    "no_currency": lambda _: {"currency": ""},
    "object_for_currency": lambda shown: {"currency": {"code": shown.get("currency")}},
    "long_id": lambda shown: {"_id": f"{shown.get('_id')}".ljust(_LONG_ID, "0")},
    "no_id": lambda _: {"_id": None},
    "another_place": lambda _: {"altId": "Zx0cV9bNmA8sDfG7hJk6"},
}
INDISPENSABLE = {
    "amount": ("no_amount", "text_for_amount", "boundless_amount", "vast_amount"),
    "currency": ("no_currency", "object_for_currency"),
    "id": ("long_id", "no_id"),
    "place": ("another_place",),
}
"""What a document cannot do without → the kinds that spoil it; each is as likely as the others."""

_SPOILING = frozenset(kind for kinds in INDISPENSABLE.values() for kind in kinds)
DISPENSABLE = tuple(kind for kind in _KINDS if kind not in _SPOILING)


def is_indispensable(kind: str | None) -> bool:
    """Whether a kind of nonsense spoils what a document cannot do without."""
    return kind in _SPOILING
