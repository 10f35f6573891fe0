"""One form of a record out of all facets in which it was read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from syncline.highlevel.canonical import Partial

_RICHNESS = {"list": 0, "event": 1, "detail": 2}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_OF_AMOUNT = frozenset({"subtotal", "discount", "tax", "shipping"})
"""What is told of how an amount comes about."""


def merge(facets: Mapping[str, tuple[datetime | None, Mapping[str, Any]]]) -> Partial:
    """One form of all facets (name → when it was last changed, partial form).

    A field comes from the newest facet that has it, on a tie from the richer one: detail before
    event before list. Contact and source are merged key by key; of the contact only from facets
    that mean the same one, so that nobody gets another one's phone number. How the amount comes
    about is taken from facets that tell this amount: the tax of another one explains nothing.
    """
    poorest_first = [
        partial
        for _, _, _, partial in sorted(
            (
                (updated_at or _LONG_AGO, _RICHNESS.get(name, -1), name, partial)
                for name, (updated_at, partial) in facets.items()
            ),
            key=lambda facet: facet[:3],
        )
    ]
    contact_id = _last(partial.get("contact", {}).get("id") for partial in poorest_first)
    amount = _last(partial.get("amount") for partial in poorest_first)
    merged: Partial = {}
    for partial in poorest_first:
        is_of_amount = _is_same(partial.get("amount"), amount)
        for key, value in partial.items():
            if key in _OF_AMOUNT and not is_of_amount:
                continue
            if not isinstance(value, dict):
                merged[key] = value
            elif key != "contact" or value.get("id", contact_id) == contact_id:
                merged[key] = {**merged.get(key, {}), **value}
    return merged


def _is_same(one: str | None, other: str | None) -> bool:
    """Whether two amounts are one, however many digits they are written with; untold is any."""
    return None in (one, other) or Decimal(str(one)) == Decimal(str(other))


def _last(values: Iterable[Any]) -> Any:
    return next((value for value in reversed(list(values)) if value), None)
