"""Halo's consignments → HighLevel's fulfillments, which can neither be changed nor taken back.

So a consignment is held until its tracking is there, or is not waited for any longer; what
HighLevel shows already counts against what was ordered, whoever made it; and what somebody changes
of a consignment that was posted is shown to a person.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from itertools import zip_longest
from typing import Any

from syncline.errors import Unmappable
from syncline.flows.flow import Difference, RequestedDelivery, reference_of
from syncline.flows.fulfillment_projections import ITEMS, TIMES, differences, projection, sums, told
from syncline.flows.lines import EXTRAS, item_reference, written_lines
from syncline.flows.quantities import quantities
from syncline.flows.texts.fitting import cut
from syncline.halo.entities.columns import COLUMNS
from syncline.highlevel.fulfillments import Fulfillment
from syncline.mapping.apply import plain, values_of
from syncline.mapping.document import Document
from syncline.money import decimal
from syncline.parcels.notes import Parcel, carrier_of, parcels_in

FLOW = "fulfillments"
SOURCE_KIND = "consignment"
ROLE = "fulfillment"
TARGET = "fulfillment"

Canonical = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shipment:
    """A fulfillment to make: so many of each price, and its parcels.

    Attributes:
        items: price id → quantity.
        parcels: as they are to be shown; may be none.
        notify_customer: whether HighLevel mails the buyer.
    """

    items: Mapping[str, Decimal]
    parcels: tuple[Parcel, ...]
    notify_customer: bool

    def projection(self) -> dict[str, str]:
        """What is compared of it, normalised."""
        return projection(self.items, self.parcels)


@dataclass(frozen=True, slots=True)
class Hold:
    """Nothing is to be posted before `until`, unless tracking comes."""

    until: datetime


@dataclass(frozen=True, slots=True)
class Nothing:
    """There is nothing to post at all; `why` says it where a person may wonder."""

    why: str = ""


def delivery_requests(canonical: Canonical, document: Document) -> list[RequestedDelivery]:
    """The delivery that a version of a consignment requests; so does a return, to be parked."""
    if document.fulfillments.into == "none":
        return []
    return [RequestedDelivery(FLOW, SOURCE_KIND, str(canonical["id"]), ROLE, TARGET)]


def render(
    canonical: Canonical,
    order: Canonical,
    document: Document,
    shipped: Iterable[Fulfillment],
    *,
    now: datetime,
    first_seen: datetime,
) -> Shipment | Hold | Nothing:
    """What is to be posted for a consignment that was not posted yet.

    Args:
        canonical: the consignment.
        order: HighLevel's order, with its items.
        document: the connection's mapping.
        shipped: what HighLevel shows of that order already, whoever made it.
        now: the moment.
        first_seen: when the consignment was first noticed.

    Raises:
        Unmappable: naming what keeps it from being posted, with the figures.
    """
    shipment = wanted(canonical, order, document)
    if shipment is None:
        return Nothing(_why_nothing(canonical, document))
    _refuse_too_many(shipment, order, shipped)
    until = first_seen + document.fulfillments.hold
    return Hold(until) if not shipment.parcels and now < until else shipment


def item_of(key: str, name: str, items: Sequence[Canonical]) -> Canonical | None:
    """The order's item of a line of Halo: by our reference on it, else by its name if one has it.

    A name may be cut there, where the column ends.
    """
    by_key = [item for item in items if key and item.get("key") == key]
    by_name = [item for item in items if name and name in _names_of(item)]
    found = by_key or (by_name if len(by_name) == 1 else [])
    return found[0] if found else None


def wanted(canonical: Canonical, order: Canonical, document: Document) -> Shipment | None:
    """What a consignment says, whatever was posted of it before; None if it says nothing to post.

    Raises:
        Unmappable: it is a return, or holds what the order does not have.
    """
    if document.fulfillments.into == "none":
        return None
    if canonical.get("is_return"):
        raise _returned(canonical)
    items = _items(canonical, order, document)
    if not items:
        return None
    return Shipment(
        items, tuple(_parcels(canonical, document)), document.fulfillments.notify_customer
    )


def edits(
    canonical: Canonical,
    order: Canonical,
    document: Document,
    posted: Mapping[str, Any],
    target_id: str,
) -> tuple[list[Difference], Unmappable | None]:
    """What was changed of a consignment since it was posted, and why that needs a person."""
    shown = f"HighLevel shows this as fulfillment {target_id}, and cannot change it. "
    try:
        shipment = wanted(canonical, order, document)
    except Unmappable as error:
        why = Unmappable(f"{shown}{error.what}", field=error.field)
        return [Difference(error.field, error.what, told(posted, ITEMS))], why
    found = differences(shipment.projection() if shipment else {}, posted)
    if not found:
        return [], None
    changed = "; ".join(
        f"{field}: posted {before or 'none'}, now {now or 'none'}" for field, now, before in found
    )
    return found, Unmappable(
        f"{shown}{changed}.",
        field=found[0].field,
        remedy="Tell the buyer, or note it in HighLevel by hand. Leave it as it is: "
        "syncline parked accept ID.",
    )


def _returned(canonical: Canonical) -> Unmappable:
    """Why a return is not posted; where goods were sent with it, both are named."""
    lines = list(canonical.get("lines") or ())
    back = [line for line in lines if line.get("is_return")]
    sent = [line for line in lines if not line.get("is_return")] if back else []
    beside = f" beside a shipment of {_goods(sent)}" if sent else ""
    return Unmappable(
        f"A return of {_goods(back or lines)}{beside}: HighLevel has no returns; nothing is "
        "posted.",
        field="is_return",
        remedy="Refund or note it in HighLevel by hand, if it is to show there"
        f"{', and add what was sent' if sent else ''}. Then: syncline parked accept ID.",
    )


def _why_nothing(canonical: Canonical, document: Document) -> str:
    """Why a consignment of something ships nothing."""
    lines = [
        _name(line)
        for line in canonical.get("lines") or ()
        if decimal(line.get("qty") or 0, "lines.quantity")
    ]
    if document.fulfillments.into == "none" or not lines:
        return ""
    return f"Nothing of it can be shipped, so nothing is posted: it holds only {', '.join(lines)}."


def _items(canonical: Canonical, order: Canonical, document: Document) -> dict[str, Decimal]:
    """The quantities by price, each price once."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in canonical.get("lines") or ():
        quantity = decimal(line.get("qty") or 0, "lines.quantity")
        if not quantity:
            continue
        price = _price_of(line, order)
        if price is None:
            if _is_extra(line, order, document):
                continue
            raise Unmappable(
                f"The order in HighLevel has no item {_name(line)}; nothing is posted.",
                field=ITEMS,
                remedy="Compare the order's lines in Halo with its items in HighLevel. "
                'With lines = "summary" in the mapping an order has no lines to ship.',
            )
        if quantity < 0:
            # Beside what was sent of the same it would be taken off, and less be posted.
            raise Unmappable(
                f"The quantity of {_name(line)} is {plain(quantity)}; nothing is posted.",
                field=ITEMS,
                remedy="Correct the consignment in Halo. If goods came back, note that in "
                "HighLevel by hand.",
            )
        sums[price] += quantity
    return dict(sums)


def _price_of(line: Canonical, order: Canonical) -> str | None:
    """The price of a line: by the item's key, which is our reference on Halo's line."""
    items = order.get("items") or ()
    told = line.get("price_id")
    if told and any(item.get("price_id") == told for item in items):
        return str(told)
    key = str(line.get("key") or "")
    for name in (key, key.removeprefix(reference_of(""))):
        for item in items:
            if name and item.get("key") == name and item.get("price_id"):
                return str(item["price_id"])
    return None


def _is_extra(line: Canonical, order: Canonical, document: Document) -> bool:
    """Whether we wrote a line beside those of the items, such as a discount.

    By our reference on it. Where the tenant keeps none on a line, by what we write for the order: a
    line of that name and price, and no item of that name. A name alone says nothing, since people
    write lines of their own.
    """
    of_items, extras = written_lines(order, document.orders)
    key = str(line.get("key") or "")
    if key:
        reference = reference_of(key.removeprefix(reference_of("")))
        if reference in {item_reference(item) for item in order.get("items") or ()}:
            return False
        return reference in EXTRAS or any(
            one["item_external_reference"] == reference for one in extras
        )
    name = _text(line.get("name"))
    if line.get("unit_price") is None or any(_text(one["name"]) == name for one in of_items):
        return False
    price = decimal(line["unit_price"], "lines.baseprice")
    return any(_text(one["name"]) == name and one["baseprice"] == price for one in extras)


def _refuse_too_many(shipment: Shipment, order: Canonical, shipped: Iterable[Fulfillment]) -> None:
    ordered: dict[str, Decimal] = defaultdict(Decimal)
    names: dict[str, Any] = {}
    for item, quantity in zip(order.get("items") or (), quantities(order), strict=True):
        ordered[item.get("price_id")] += quantity
        names.setdefault(item.get("price_id"), item.get("name") or item.get("price_id"))
    before = sums(shipped)
    for price, quantity in shipment.items.items():
        already = before.get(price, Decimal(0))
        if already + quantity > ordered[price]:
            raise Unmappable(
                f"More than was ordered of {names[price]!r}: ordered {plain(ordered[price])}, "
                f"shipped already {plain(already)}, this one {plain(quantity)}; "
                "nothing is posted.",
                field=ITEMS,
                remedy="Correct the consignment in Halo. What somebody fulfilled by hand in "
                "HighLevel counts as shipped.",
            )


def _names_of(item: Canonical) -> set[str]:
    name = str(item.get("name") or "")
    return {name, cut(name, COLUMNS["order"].lines["name"])}


def _parcels(canonical: Canonical, document: Document) -> list[Parcel]:
    """What the mapping's rows find; where they find none, what the note tells of.

    Numbers, carriers and addresses of the rows stand beside each other; one carrier stands for all.
    A carrier alone tells nobody where the parcel is.
    """
    rows = document.rows["fulfillments.tracking"]
    numbers, carriers, urls = (
        values_of(rows, name, canonical) for name in ("number", "carrier", "url")
    )
    note = str(canonical.get("note") or "") if document.fulfillments.tracking_in_note else ""
    many = max(len(numbers), len(urls))
    if not many:
        return parcels_in(note, carriers)
    if not carriers:
        noted = {one.number: one.carrier for one in parcels_in(note)}
        carriers = [noted.get(number) or carrier_of(number) for number in numbers]
    carriers = carriers * many if len(carriers) == 1 else carriers[:many]
    found = zip_longest(numbers, carriers, urls, fillvalue="")
    return list(dict.fromkeys(Parcel(_text(a), _text(b), _text(c)) for a, b, c in found))


def _goods(lines: Iterable[Canonical]) -> str:
    return ", ".join(f"{line.get('qty')} {TIMES} {_name(line)}" for line in lines) or "nothing"


def _name(line: Canonical) -> str:
    # In quotes, so that causes of parked deliveries are told apart by what they say alone.
    return repr(str(line.get("name") or line.get("key") or line.get("line_id")))


def _text(value: str | None) -> str:
    return " ".join((value or "").split())
