"""One form of a record out of all facets in which it was read, and where these contradict."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from syncline.errors import Unmappable
from syncline.highlevel.canonical import Partial
from syncline.money import quantize

Facets = Mapping[str, tuple[datetime | None, Mapping[str, Any]]]
"""Name → when it was last changed, partial form."""

CONTESTED = "contested"
"""The field of a canonical form for what is said in two ways: field → facet → value."""

DECISIVE = ("amount", "currency")
"""What is not decided by which facet is richer: money is not guessed."""

_RICHNESS = {"list": 0, "event": 1, "detail": 2}
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_OF_AMOUNT = frozenset({"subtotal", "discount", "tax", "shipping"})
"""What is told of how an amount comes about."""


def merge(facets: Facets) -> Partial:
    """One form of all facets.

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


def contradictions(facets: Facets, undated: Collection[str] = ()) -> dict[str, dict[str, str]]:
    """What a record's detail says otherwise than its list or event, where neither is newer.

    The list decides whether the detail is borne out; an event only where no list is as new.

    Args:
        facets: as they are merged.
        undated: those that do not tell when they were last changed, so that they may be as new.

    Returns:
        Field → facet → what it says, as `CONTESTED` of a canonical form; {} where all agree.
    """
    if "detail" not in facets:
        return {}
    moment, detail = facets["detail"]
    beside = {
        name: partial
        for name, (at, partial) in facets.items()
        if name in _RICHNESS and name != "detail"
        if at == moment or None in (at, moment) or not {name, "detail"}.isdisjoint(undated)
    }
    found = {}
    for field in DECISIVE:
        said = {name: str(one[field]) for name, one in beside.items() if field in one}
        mine = detail.get(field)
        if mine is None or not said:
            continue
        if not _is_equal(said.get("list", said.get("event", "")), mine, detail.get("currency")):
            found[field] = {**said, "detail": str(mine)}
    return found


def contested_in_words(record: Mapping[str, Any]) -> str | None:
    """What HighLevel says of a record in two ways; None where it does not."""
    contested = record.get(CONTESTED)
    if not contested:
        return None
    return "; ".join(
        f"{field} {_listed([f'{value} {_SAID_BY[name]}' for name, value in said.items()])}"
        for field, said in contested.items()
    )


_SAID_BY = {"list": "in its list", "event": "in an event", "detail": "read by its id"}


def _listed(values: list[str]) -> str:
    return ", ".join(values[:-1]) + f" and {values[-1]}"


def _is_equal(one: str, other: str, currency: str | None) -> bool:
    """Whether two values are one; amounts once they are rounded as their currency is."""
    if one == other:
        return True
    try:
        numbers = Decimal(one), Decimal(other)
        if currency is not None:
            numbers = quantize(numbers[0], currency), quantize(numbers[1], currency)
    except (InvalidOperation, Unmappable):
        return False
    return numbers[0] == numbers[1]
