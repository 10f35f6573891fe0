"""What a fulfillment is compared and recognised by: its goods and its parcels, as normalised text.

HighLevel keeps no reference of ours, so what a lost call has made is known by nothing else.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal
from typing import Any

from syncline.flows.flow import Difference
from syncline.highlevel.fulfillments import Fulfillment
from syncline.mapping.apply import plain
from syncline.parcels.notes import Parcel

ITEMS = "items"
TRACKINGS = "trackings"
COMPARED = (ITEMS, TRACKINGS)
"""The fields of a projection."""

TIMES = "\u00d7"
_BESIDE, _THEN = " | ", "; "


def projection(items: Mapping[str, Decimal], parcels: Iterable[Parcel]) -> dict[str, str]:
    """What is compared of so many of each price in these parcels."""
    marked = [(one.number, one.carrier, one.url) for one in parcels]
    return {
        ITEMS: ", ".join(f"{plain(items[price])} {TIMES} {price}" for price in sorted(items)),
        TRACKINGS: _THEN.join(sorted(_BESIDE.join(marks) for marks in marked if any(marks))),
    }


def projection_of(fulfillment: Fulfillment) -> dict[str, str]:
    """What is compared of a fulfillment that HighLevel shows, normalised."""
    parcels = [
        Parcel(_text(one.tracking_number), _text(one.shipping_carrier), _text(one.tracking_url))
        for one in fulfillment.trackings
    ]
    return projection(sums([fulfillment]), parcels)


def sums(fulfillments: Iterable[Fulfillment]) -> dict[str, Decimal]:
    """How many of each price fulfillments hold together."""
    found: dict[str, Decimal] = defaultdict(Decimal)
    for one in fulfillments:
        for item in one.items:
            found[item.price_id] += item.qty
    return dict(found)


def differences(wanted: Mapping[str, Any], got: Mapping[str, Any]) -> list[Difference]:
    """The compared fields in which two projections differ."""
    pairs = {field: (told(wanted, field), told(got, field)) for field in COMPARED}
    return [Difference(field, a, b) for field, (a, b) in pairs.items() if a != b]


def difference(wanted: Mapping[str, Any], got: Mapping[str, Any]) -> Difference | None:
    """The first compared field in which two projections differ."""
    return next(iter(differences(wanted, got)), None)


def told(of: Mapping[str, Any], field: str) -> str:
    """A field of a projection; "" where it tells nothing."""
    return str(of.get(field) or "")


def mine(sent: Mapping[str, Any], new: Iterable[Fulfillment]) -> Fulfillment | None:
    """The fulfillment that a call of unknown outcome has made, if it made one.

    Args:
        sent: the projection of what that call sent.
        new: what HighLevel shows of the order since, and no other delivery has made.
    """
    return next((one for one in new if difference(sent, projection_of(one)) is None), None)


def perhaps_mine(
    sent: Mapping[str, Any], new: Iterable[Fulfillment], prices: Collection[str]
) -> Fulfillment | None:
    """One that the call may have made: nothing that it shows says that it is another one.

    HighLevel may show goods, a carrier or an address in its own way, and somebody may have sent the
    same.

    Args:
        sent: the projection of what that call sent.
        new: what HighLevel shows of the order since, and no other delivery has made.
        prices: those of the order's items.
    """
    return next((one for one in new if _may_be(sent, one, prices)), None)


def _may_be(sent: Mapping[str, Any], one: Fulfillment, prices: Collection[str]) -> bool:
    shown = projection_of(one)
    parcels = _marks(shown[TRACKINGS])
    if _meet(_marks(told(sent, TRACKINGS)), parcels) or shown[ITEMS] == told(sent, ITEMS):
        return True
    held = {item.price_id for item in one.items}
    if not held or not held.issubset(prices):
        return True  # what it holds is not told
    # Other quantities of the same goods are surely another's only in parcels that are not ours.
    return not parcels and not held.isdisjoint(_prices_in(told(sent, ITEMS)))


def _marks(trackings: str) -> set[str]:
    """The numbers and addresses of parcels, without what is written in many ways.

    A carrier alone is everybody's.
    """
    parcels = [parcel.split(_BESIDE) for parcel in trackings.split(_THEN)]
    words = {word for parcel in parcels for word in (parcel[0], parcel[-1])}
    return {mark for word in words if (mark := "".join(filter(str.isalnum, word)).casefold())}


def _meet(ours: Collection[str], theirs: Collection[str]) -> bool:
    """Whether parcels are the same: an address may have the number in it."""
    return any(a in b or b in a for a in ours for b in theirs)


def _prices_in(items: str) -> set[str]:
    return {item.rpartition(f" {TIMES} ")[2] for item in items.split(", ")}


def _text(value: str | None) -> str:
    return " ".join((value or "").split())
