"""The verdict on fulfillments: is every shipment of Halo in HighLevel, once, and every parcel back?

As the other audits, it looks at the two services' stores alone. A fulfillment explains a
consignment if it holds the same items, by price, as the consignment did when it was made, and the
tracking numbers that stood in its note by then. Returns, and what nobody can ship (more than was
ordered, no item of the order), owe nothing.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from syncline.sandbox.audit.rows import REFERENCE, exact, links_by_row, references
from syncline.sandbox.halo.tenant.catalogue import ORDER_TABLE
from syncline.sandbox.halo.tenant.store import Consigned, HaloStore, Row
from syncline.sandbox.location.store import Document, Store

_UNDER_WAY = timedelta(seconds=60)
"""So old may be what a fulfillment was made from, for it takes a while to be sent."""

_NOTED = re.compile(r"^\s*tracking(?: \w+\.?)?\s*:[ \t]*([^\n]+)", re.IGNORECASE | re.MULTILINE)

_NO_GOODS = frozenset({"discount", "shipping", "adjustment"})

Items = frozenset[tuple[str, Decimal]]
"""Prices and how many of each."""


@dataclass(frozen=True, slots=True)
class _Version:
    """What a consignment asked for, from a time on."""

    since: datetime
    until: datetime
    items: Items
    numbers: frozenset[str]
    words: str

    def has_items_of(self, fulfillment: Document) -> bool:
        made = datetime.fromisoformat(fulfillment["createdAt"])
        in_force = self.since <= made + timedelta(milliseconds=1) and made <= self.until
        return in_force and bool(self.items) and self.items == _items_of(fulfillment)

    def has_tracking_of(self, fulfillment: Document) -> bool:
        """Whether nothing of the note is left out and nothing was made up."""
        numbers = {_bare(number) for number in _numbers_of(fulfillment)}
        whole = all(any(_bare(one) in number for number in numbers) for one in self.numbers)
        return whole and all(number in _bare(self.words) for number in numbers)


@dataclass(frozen=True, slots=True)
class _Shipment:
    """A consignment with all its versions; `gone` if it is a return now, or removed."""

    id: int
    versions: tuple[_Version, ...]
    gone: bool

    @property
    def items(self) -> Items:
        return self.versions[-1].items

    def explains(self, fulfillment: Document, *, tracking: bool) -> bool:
        return any(
            one.has_items_of(fulfillment) and (not tracking or one.has_tracking_of(fulfillment))
            for one in self.versions
        )


@dataclass(slots=True)
class _Judge:
    """Holds the shipments of an order against its fulfillments, finding by finding."""

    shipped: int = 0
    owed: int = 0
    findings: dict[str, list[str]] = field(
        default_factory=lambda: {
            kind: [] for kind in ("doubled", "missing", "wrong", "unexpected", "untracked")
        }
    )

    def order(
        self, order: Document, shipments: list[_Shipment], made: list[Document], by_hand: set[str]
    ) -> None:
        """Find each shipment's fulfillment, then judge what is left on either side."""
        waiting, left = list(shipments), [one for one in made if one["_id"] not in by_hand]
        self._match(waiting, left)
        loose = {one["_id"] for one in left}
        room = self._room(order, [one for one in made if one["_id"] not in loose], by_hand)
        for shipment in waiting:
            # One for which there is no room is more than was ordered: it is not to be shipped.
            if not shipment.gone and _fits(shipment.items, room):
                self.owed += 1
                self._found("missing", f"consignment {shipment.id}")
        known = {version.items for one in shipments for version in one.versions}
        for fulfillment in left:
            kind = "doubled" if _items_of(fulfillment) in known else "unexpected"
            self._found(kind, f"fulfillment {fulfillment['_id']}")

    def _match(self, waiting: list[_Shipment], left: list[Document]) -> None:
        """Take out of both what belongs together, whole matches first."""
        for tracking in (True, False):
            for shipment in list(waiting):
                twin = next((f for f in left if shipment.explains(f, tracking=tracking)), None)
                if twin is None:
                    continue
                left.remove(twin)
                waiting.remove(shipment)
                self.owed += 1
                self.shipped += tracking
                if not tracking:
                    self._found("wrong", f"consignment {shipment.id}")

    def _room(
        self, order: Document, explained: list[Document], by_hand: set[str]
    ) -> dict[str, Decimal]:
        """How many of each price may still be sent; what went beyond it on the way is a finding."""
        room: dict[str, Decimal] = defaultdict(Decimal)
        for item in order.get("items", ()):
            room[item["price"]["_id"]] += exact(item.get("qty", 1))
        for fulfillment in sorted(explained, key=lambda one: str(one["createdAt"])):
            if fulfillment["_id"] not in by_hand and not _fits(_items_of(fulfillment), room):
                self._found("unexpected", f"fulfillment {fulfillment['_id']}")
            for price, quantity in _items_of(fulfillment):
                room[price] -= quantity
        return room

    def _found(self, kind: str, what: str) -> None:
        self.findings[kind].append(what)


def audit_fulfillments(store: Store) -> dict[str, Any]:
    """Compare both stores' shipments.

    Returns:
        `owed` and `shipped`: how many consignments have to be in HighLevel and are, once and
        right; ids under `doubled`, `missing`, `wrong` (items there, tracking not), `unexpected`
        (a fulfillment that nothing explains, or that sends more than was ordered), `untracked`
        (an order of Halo that does not show HighLevel's tracking numbers, where a field for them
        is named); `notified`: of how many the customer was told by our doing; `clean`.
    """
    halo: HaloStore = store.halo
    judge, by_hand = _Judge(), store.by_hand
    linked = links_by_row(halo, ORDER_TABLE)
    carried = {row["id"]: carried_by(row, linked[row["id"]]) for row in halo.orders.values()}
    sold = {row_id: order_id for row_id, order_id in carried.items() if order_id}
    shipments = _shipments(store, sold)
    for order_id, made in store.fulfillments.items():
        shipments.setdefault(order_id, [])
        order = store.orders.get(order_id)
        if order is not None:
            judge.order(order, shipments.pop(order_id), made, by_hand)
    for order_id, waiting in shipments.items():
        if order_id in store.orders:
            judge.order(store.orders[order_id], waiting, [], by_hand)
    judge.findings["untracked"] = list(_untracked(store, sold))
    notified = [one for one in store.notified if one not in by_hand]
    clean = not any(judge.findings.values()) and not notified
    return {
        "owed": judge.owed,
        "shipped": judge.shipped,
        **judge.findings,
        "notified": len(notified),
        "clean": clean,
    }


def carried_by(row: Row, linked: Iterable[str]) -> str | None:
    """The one HighLevel order that a sales order with these links carries."""
    found = references(row.get("po_number"), row.get("accountsref"), *linked)
    return found.pop() if len(found) == 1 else None


def price_of(line: Row, order: Document) -> str | None:
    """The price that a line of Halo is of: by its reference, else by the only item of that name."""
    reference = str(line.get("item_external_reference") or "").removeprefix(REFERENCE)
    name = " ".join(str(line.get("name") or "").split())
    items = order.get("items", ())
    for item in items:
        if reference and reference in (item.get("_id"), item["price"]["_id"]):
            return str(item["price"]["_id"])
    prices = {item["price"]["_id"] for item in items if " ".join(item["name"].split()) == name}
    return str(prices.pop()) if len(prices) == 1 else None


def _shipments(store: Store, sold: dict[int, str]) -> dict[str, list[_Shipment]]:
    """HighLevel order to the consignments of it, the ones with least choice first."""
    shipments: dict[str, list[_Shipment]] = defaultdict(list)
    for consignment_id, history in store.halo.consigned.items():
        first = history[0].row or {}
        order_id = sold.get(first.get("salesorder_id", 0))
        order = store.orders.get(order_id or "")
        if order is None or order_id is None:
            continue
        versions = tuple(_versions(store.halo, order, history))
        gone = history[-1].row is None or bool(history[-1].row["is_return"])
        if versions:
            shipments[order_id].append(_Shipment(consignment_id, versions, gone))
    for of_order in shipments.values():
        of_order.sort(key=lambda one: len(one.versions))
    return shipments


def _versions(halo: HaloStore, order: Document, history: list[Consigned]) -> Iterator[_Version]:
    for at, version in enumerate(history):
        row = version.row
        if row is None or row["is_return"]:
            continue
        later = history[at + 1].at if at + 1 < len(history) else None
        until = datetime.max.replace(tzinfo=version.at.tzinfo) if later is None else later
        if later is not None:
            until += _UNDER_WAY
        yield _Version(version.at, until, _consigned(order, version), _noted(row["note"]),
                       _words(halo, row))  # fmt: skip


def _consigned(order: Document, version: Consigned) -> Items:
    """What a consignment sent, by price; nothing if a line of it is no item of the order."""
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for line in (version.row or {})["lines"]:
        price = price_of(version.sold.get(line["salesorder_line"], line), order)
        if price is None and _is_beside_goods(version.sold.get(line["salesorder_line"], line)):
            continue
        if price is None:
            return frozenset()
        sums[price] += exact(line["quantity"])
    return frozenset(sums.items())


def _is_beside_goods(line: Row) -> bool:
    """Whether a line was written for what is no item, such as a discount: it ships nothing."""
    reference = str(line.get("item_external_reference") or "")
    return reference.removeprefix(REFERENCE) in _NO_GOODS


def _bare(text: str) -> str:
    """Letters and digits alone: people write numbers in groups."""
    return "".join(one for one in text.upper() if one.isalnum())


def _items_of(fulfillment: Document) -> Items:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for item in fulfillment["items"]:
        sums[item["_id"]] += exact(item["qty"])
    return frozenset(sums.items())


def _fits(items: Items, room: dict[str, Decimal]) -> bool:
    return bool(items) and all(quantity <= room[price] for price, quantity in items)


def _numbers_of(fulfillment: Document) -> set[str]:
    trackings = fulfillment.get("trackings", ())
    return {one["trackingNumber"] for one in trackings if one.get("trackingNumber")}


def _noted(note: str) -> frozenset[str]:
    """The tracking numbers of a note: what stands behind the word and a colon, in its own line."""
    return frozenset(
        number
        for found in _NOTED.finditer(note)
        for number in re.split(r"[,;\s]+", found[1])
        if any(letter.isdigit() for letter in number) and "://" not in number
    )


def _words(halo: HaloStore, consignment: Row) -> str:
    """All texts that a tracking number may have been taken from."""
    order = halo.orders.get(consignment["salesorder_id"], {})
    fields = (str(one.get("value") or "") for one in order.get("customfields", ()))
    return "\n".join((consignment["note"], str(order.get("note") or ""), *fields))


def _untracked(store: Store, sold: dict[int, str]) -> Iterator[str]:
    """The sales orders whose field for tracking lacks a number that HighLevel shows."""
    wanted = store.config.tracking_field
    if wanted is None:
        return
    for row_id, order_id in sold.items():
        numbers = Counter(
            number for made in store.fulfillments.get(order_id, ()) for number in _numbers_of(made)
        )
        fields = store.halo.orders[row_id].get("customfields", ())
        shown = next(
            (str(one.get("value") or "") for one in fields if one.get("name") == wanted), ""
        )
        if order_id in store.orders and any(number not in shown for number in numbers):
            yield f"order {row_id}"
