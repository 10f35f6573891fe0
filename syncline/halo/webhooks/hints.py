"""What a webhook of Halo hints at: which entity to read. Nothing else in its body is believed.

The kinds of body are documented (our own one, a small or full object, information of the event
only, and batches of these), the spelling of their keys is not. So several are taken, and what
cannot be understood is said to be unknown rather than an error: something did happen in Halo.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from typing import Any, cast

from syncline import jsontext
from syncline.halo.models import whole
from syncline.halo.webhooks.bindable import Entity

MOST = 1000
"""Hints that one body may hold; where it holds more, the last one says that there was more."""

_DEEPEST = 4
_LARGEST_ID = 2**63 - 1
"""The ledger's integers end here."""

_NAMES: Mapping[str, Entity] = {
    "consignment": "consignment",
    "consignmentheader": "consignment",
    "payment": "payment",
    "invoicepayment": "payment",
    "invoice": "invoice",
    "invoiceheader": "invoice",
    "salesorder": "salesorder",
    "order": "salesorder",
    "orderhead": "salesorder",
    "ticket": "ticket",
    "faults": "ticket",
}
"""How an entity may be called, by keys and by values; the narrowest one first."""

_PHRASES: tuple[tuple[str, Entity], ...] = (
    # Other documents whose names hold the words of ours.
    (r"purchase|supplier|recurring|e-?commerce", "unknown"),
    (r"consignment", "consignment"),
    (r"payment", "payment"),
    (r"invoice", "invoice"),
    (r"sales ?order|\border", "salesorder"),
    (r"ticket", "ticket"),
)

_EVENT_KEYS = ("event", "eventname", "eventtype", "notification", "notificationname", "trigger")
_ENTITY_KEYS = ("entity", "entitytype", "entityname", "objecttype", "objectname", "use")
_ID_KEYS = ("entityid", "objectid", "recordid", "haloid")
_CONTAINERS = ("data", "object", "payload", "body", "events", "items", "notifications", "entity")
_OF_AN_EVENT = ("objectid", "notificationid", "escmsgid", "webhookid")
"""Where one of these stands, `id` is that of the event and not of an entity."""


@dataclass(frozen=True, slots=True)
class ChangeHint:
    """That something may have changed; without an id only that something happened."""

    entity: Entity
    id: int | None


_UNKNOWN = ChangeHint("unknown", None)


def hints(body: bytes) -> list[ChangeHint]:
    """The entities that a body names, each once; one unknown hint for each part that names none.

    Raises:
        Unreadable: the body is not JSON.
    """
    found = list(islice(_distinct(_of(jsontext.loads(body), _DEEPEST)), MOST + 1))
    return found if len(found) <= MOST else [*found[: MOST - 1], _UNKNOWN]


def entity_named(name: str) -> Entity | None:
    """The entity that an event's name speaks of, such as `New Sales Order Created - All`.

    Returns:
        None where it speaks of none; `unknown` for one that only sounds like one of ours.
    """
    words = re.sub(r"(?<=[a-z])(?=[A-Z])|[^A-Za-z]+", " ", name).lower()
    return next((entity for phrase, entity in _PHRASES if re.search(phrase, words)), None)


def _distinct(found: Iterable[ChangeHint]) -> Iterator[ChangeHint]:
    seen: set[ChangeHint] = set()
    for hint in found:
        if hint not in seen:
            yield hint
        if hint != _UNKNOWN:
            seen.add(hint)


def _of(part: Any, depth: int) -> Iterator[ChangeHint]:
    if isinstance(part, list) and depth:
        for one in part:
            yield from _of(one, depth - 1)
    elif isinstance(part, Mapping):
        yield from _of_object(_squashed(part), depth)
    else:
        yield _UNKNOWN


def _of_object(fields: Mapping[str, Any], depth: int) -> Iterator[ChangeHint]:
    entity = _named(fields)
    own = _hint(entity, fields) if entity else None
    linked = list(_linked(fields))
    if own is not None:
        yield own
    elif linked:
        # A full object brings what it is linked to; the event's name says which one it is about.
        yield from [hint for hint in linked if hint.entity == entity] or linked
    else:
        yield from _inside(fields, depth)


def _named(fields: Mapping[str, Any]) -> Entity | None:
    for key in _ENTITY_KEYS:
        value = fields.get(key)
        if isinstance(value, str) and _squash(value) in _NAMES:
            return _NAMES[_squash(value)]
    for key in (*_EVENT_KEYS, *_ENTITY_KEYS):
        value = fields.get(key)
        entity = entity_named(value) if isinstance(value, str) else None
        if entity is not None:
            return entity
    return None


def _hint(entity: Entity, fields: Mapping[str, Any]) -> ChangeHint | None:
    """A hint whose id stands beside the name; None: it stands elsewhere, or nowhere."""
    if entity == "unknown":
        return _UNKNOWN
    keys = [f"{name}id" for name, named in _NAMES.items() if named == entity]
    keys += [key for key in _ID_KEYS if key not in keys]
    found = _first_id(fields, keys)
    if found is None and not any(key in fields for key in _OF_AN_EVENT):
        found = _first_id(fields, ["id"])
    return None if found is None else ChangeHint(entity, found)


def _linked(fields: Mapping[str, Any]) -> Iterator[ChangeHint]:
    """The entities that stand in a body as objects, or as the id of one."""
    for name, entity in _NAMES.items():
        inner = fields.get(name)
        if isinstance(inner, Mapping):
            found = _first_id(_squashed(inner), ["id", f"{name}id"])
        else:
            found = _first_id(fields, [f"{name}id"]) or _id(inner)
        if found is not None:
            yield ChangeHint(entity, found)


def _inside(fields: Mapping[str, Any], depth: int) -> Iterator[ChangeHint]:
    inner = [
        fields[key] for key in _CONTAINERS if isinstance(fields.get(key), list | Mapping) and depth
    ]
    if not inner:
        yield _UNKNOWN
    # What stands outside, such as the event's name, holds for what stands inside as well.
    around = {key: fields[key] for key in (*_EVENT_KEYS, *_ENTITY_KEYS) if key in fields}
    for part in inner:
        for one in part if isinstance(part, list) else [part]:
            yield from _of({**around, **one} if isinstance(one, Mapping) else one, depth - 1)


def _first_id(fields: Mapping[str, Any], keys: Iterable[str]) -> int | None:
    return next((found for key in keys if (found := _id(fields.get(key))) is not None), None)


def _id(value: Any) -> int | None:
    found = whole(value) if isinstance(value, int | str | Decimal) else None
    return found if found is not None and 0 < found <= _LARGEST_ID else None


def _squashed(fields: Mapping[Any, Any]) -> dict[str, Any]:
    """Keys without case and separators; of two that are then alike, the first."""
    squashed: dict[str, Any] = {}
    for key, value in cast("Mapping[str, Any]", fields).items():
        squashed.setdefault(_squash(key), value)
    return squashed


def _squash(name: str) -> str:
    return re.sub(r"[\W_]+", "", name).lower()
