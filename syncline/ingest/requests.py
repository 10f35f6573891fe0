"""Owed: what versions of records make due, flow by flow, in the transaction that records them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from syncline.deliveries import requests, waits
from syncline.deliveries.requests import DeliveryRequest
from syncline.fingerprint import fingerprint
from syncline.flows import customers, orders, payments, subscriptions, tracking
from syncline.flows.flow import Owed, is_held
from syncline.ingest.rereading import Canonical, reading_request
from syncline.ledger import records
from syncline.ledger.connections import Link
from syncline.mapping.document import Document

ORDER_MAY_COME = timedelta(seconds=90)
"""How long an order that a transaction names may still come with a pull, before it is asked for."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a record."""

    foreign_id: str
    version: int
    canonical: Canonical


@dataclass(frozen=True, slots=True)
class _Books:
    """Where and under which rules something is owed."""

    connection: Connection
    link: Link
    document: Document
    again: bool
    facet: str
    detail_is_fresh: Collection[str]


def owe(
    connection: Connection,
    link: Link,
    document: Document,
    kind: str,
    versions: Sequence[Version],
    cause: str | Mapping[str, str],
    *,
    facet: str = "",
    detail_is_fresh: Collection[str] = (),
    again: bool = False,
) -> frozenset[str]:
    """Make due what versions of records owe; returns the targets that there is something for.

    Args:
        connection: the transaction, which the caller commits.
        link: whose records these are.
        document: the connection's mapping.
        kind: order, transaction or subscription.
        versions: the versions.
        cause: what showed them, all or each by its id.
        facet: the shape in which they were read; "" where nothing was read.
        detail_is_fresh: the ids of those whose details are as new as these versions.
        again: whether they were owed before, under another mapping.
    """
    if not versions:
        return frozenset()
    books = _Books(connection, link, document, again, facet, detail_is_fresh)
    debts = _OWED[kind](books, versions)
    people = _people(document, kind, versions, debts)
    common = cause if isinstance(cause, str) else next(iter(cause.values()))
    debts += _customers(books, people, common)
    if not isinstance(cause, str):
        debts = [replace(debt, cause=cause.get(debt.source_id)) for debt in debts]
    requests.enqueue(connection, link.id, link.tenant, debts, common, again=again)
    if kind == "transaction":
        debts += _order_statuses(books, versions, common)
    if facet == "event":
        requests.complete(connection, link.id, link.tenant, _told(books, versions), common)
    return frozenset(debt.target for debt in debts if not (debt.after or debt.waits_for))


def _told(books: _Books, versions: Sequence[Version]) -> list[DeliveryRequest]:
    """Readings that need not be made, since an event told all of the order."""
    if books.document.orders.lines != "detail":
        return []
    return [
        reading_request(books.link, one.foreign_id, "detail", one.version)
        for one in versions
        if one.foreign_id in books.detail_is_fresh and orders.wanted(one.canonical, books.document)
    ]


def _orders(books: _Books, versions: Sequence[Version]) -> list[DeliveryRequest]:
    """An order owes itself, and, where money came in already, its invoice once more."""
    ids = [one.foreign_id for one in versions]
    invoiced = _standing(books, ids)
    read = _read(books, ids)
    asked = _asked(books, ids)
    debts: list[DeliveryRequest] = []
    for one in versions:
        owed = orders.owes(one.canonical, books.document, detail_is_fresh=one.foreign_id in read)
        debts += _own(books, owed, one)
        is_invoiced = "invoice" in invoiced.get(one.foreign_id, ())
        if is_invoiced and not is_held(one.canonical, books.document):
            owed = [Owed(payments.FLOW, orders.SOURCE_KIND, one.foreign_id, "invoice", "invoice")]
            debts += _own(books, owed, one)
        debts += [
            reading_request(books.link, one.foreign_id, role, one.version)
            for role in _asks_for(books, one.canonical)
            if role not in asked.get(one.foreign_id, ())
        ]
    return debts


def _asks_for(books: _Books, order: Canonical) -> list[str]:
    """What must be read of an order beside itself, since no event and no list tells it."""
    if not orders.wanted(order, books.document):
        return []
    roles = []
    if books.facet == "event" and books.document.payments.into != "none":
        roles.append("transactions")
    if books.facet != "fulfillments" and tracking.asks_for_fulfillments(order, books.document):
        roles.append("fulfillments")
    return roles


def _transactions(books: _Books, versions: Sequence[Version]) -> list[DeliveryRequest]:
    """Credits and payments stand in what was owed before, so only first versions know it all."""
    before = [one.foreign_id for one in versions if books.again or one.version > 1]
    standing = _standing(books, before)
    owed = {
        one.foreign_id: payments.owes(
            one.canonical, books.document, standing.get(one.foreign_id, ())
        )
        for one in versions
    }
    named = [payments.order_of(one.canonical) for one in versions if owed[one.foreign_id]]
    # An order that changes meanwhile must see the invoice that is owed here, or be seen by us.
    records.lock(books.connection, books.link.location_place, "order")
    known = _known_orders(books, named)
    debts = _missing_orders(books, named, known)
    own = [debt for one in versions for debt in _own(books, owed[one.foreign_id], one, known)]
    invoices = {one.foreign_id: payments.invoice_of(one.canonical) for one in versions}
    return debts + _waiting_for_invoices(books, own, invoices)


def _order_statuses(
    books: _Books, versions: Sequence[Version], cause: str
) -> list[DeliveryRequest]:
    """Orders of which Halo's status may follow from these payments are looked at once more."""
    if not orders.status_depends_on_payments(books.document):
        return []
    named = sorted({one for v in versions if (one := payments.order_of(v.canonical))})
    there = requests.existing_roles(books.connection, books.link.tenant, orders.FLOW, named)
    known = _known_orders(books, there)
    debts = [
        DeliveryRequest(
            flow=orders.FLOW,
            source_kind=orders.SOURCE_KIND,
            source_id=order_id,
            role="order",
            target="order",
            place=books.link.location_place,
            version=version,
        )
        for order_id, version in known.items()
    ]
    requests.enqueue(books.connection, books.link.id, books.link.tenant, debts, cause, again=True)
    return debts


def _waiting_for_invoices(
    books: _Books, debts: Sequence[DeliveryRequest], invoices: Mapping[str, str]
) -> list[DeliveryRequest]:
    """Payments and credits are born waiting for an invoice that is not there yet."""
    edges = {
        debt: (payments.FLOW, invoices[debt.source_id], "invoice")
        for debt in debts
        if debt.target in {"payment", "credit"}
    }
    there = waits.ready(books.connection, books.link.tenant, sorted(set(edges.values())))
    return [
        replace(debt, waits_for=edges[debt]) if debt in edges and edges[debt] not in there else debt
        for debt in debts
    ]


def _subscriptions(books: _Books, versions: Sequence[Version]) -> list[DeliveryRequest]:
    read = _read(books, [one.foreign_id for one in versions])
    owed = {
        one.foreign_id: subscriptions.owes(
            one.canonical, books.document, detail_is_fresh=one.foreign_id in read
        )
        for one in versions
    }
    named = [subscriptions.order_of(one.canonical) for one in versions if owed[one.foreign_id]]
    debts = _missing_orders(books, named, _known_orders(books, named))
    for one in versions:
        debts += _own(books, owed[one.foreign_id], one)
    return debts


_OWED: dict[str, Callable[[_Books, Sequence[Version]], list[DeliveryRequest]]] = {
    "order": _orders,
    "transaction": _transactions,
    "subscription": _subscriptions,
}

KINDS = tuple(_OWED)
"""The kinds of records that owe something."""


def _standing(books: _Books, ids: Sequence[str]) -> dict[str, set[str]]:
    if not ids:
        return {}
    return requests.existing_roles(books.connection, books.link.tenant, payments.FLOW, ids)


def _read(books: _Books, ids: Sequence[str]) -> Collection[str]:
    """Whose detail need not be read: it is as new, or was asked for and nothing was read since."""
    asked = _asked(books, ids)
    return {*books.detail_is_fresh, *(key for key, roles in asked.items() if "detail" in roles)}


def _asked(books: _Books, ids: Sequence[str]) -> dict[str, set[str]]:
    """What was asked for of records beside themselves, where nothing was read that is newer."""
    if books.facet:
        return {}
    return requests.existing_roles(books.connection, books.link.tenant, orders.DETAILS, ids)


def _known_orders(books: _Books, ids: Iterable[str | None]) -> dict[str, int]:
    wanted = sorted({one for one in ids if one})
    return records.versions(books.connection, books.link.location_place, "order", wanted)


def _missing_orders(
    books: _Books, ids: Iterable[str | None], known: Mapping[str, int]
) -> list[DeliveryRequest]:
    """Orders that are paid for and not known are read by id, unless a pull brings them first."""
    return [
        replace(reading_request(books.link, order_id, "detail", 0), after=ORDER_MAY_COME)
        for order_id in sorted({one for one in ids if one})
        if order_id not in known
    ]


def _own(
    books: _Books, owed: Iterable[Owed], one: Version, known: Mapping[str, int] | None = None
) -> list[DeliveryRequest]:
    """Debts of a version; those of the order that it names have that order's version."""
    return [
        DeliveryRequest(
            flow=item.flow,
            source_kind=item.source_kind,
            source_id=item.source_id,
            role=item.role,
            target=item.target,
            place=books.link.location_place,
            version=one.version
            if item.source_id == one.foreign_id
            else (known or {}).get(item.source_id, 0),
        )
        for item in owed
        if item.flow != customers.FLOW  # they are records of their own, with their own versions
    ]


def _people(
    document: Document, kind: str, versions: Sequence[Version], debts: Sequence[DeliveryRequest]
) -> dict[str, dict[str, Any]]:
    """The customers whom these records need, by source id, with what is known of each."""
    owing = {debt.source_id for debt in debts}
    people: dict[str, dict[str, Any]] = {}
    for one in versions:
        of_order = kind == "transaction" and payments.order_of(one.canonical)
        contact = one.canonical.get("contact")
        key = customers.key_of(contact, document)
        if one.foreign_id in owing and key is not None and contact and not of_order:
            people[key] = {**_filled(contact), **people.get(key, {})}
    return people


def _filled(contact: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in contact.items() if value}


def _customers(books: _Books, people: Mapping[str, Canonical], cause: str) -> list[DeliveryRequest]:
    """Customers are one per tenant; the first contact that is seen names them."""
    if not people:
        return []
    place = books.link.tenant_place
    records.lock(books.connection, place, "customer")
    stored = records.load(books.connection, place, "customer", list(people))
    fresh = [
        version
        for key, contact in people.items()
        if (version := _next_customer(key, contact, stored.get(key))) is not None
    ]
    records.save_versions(books.connection, place, "customer", fresh, cause)
    versions = {one.foreign_id: one.version for one in fresh}
    if books.again:
        versions = {**{key: one.version for key, one in stored.items()}, **versions}
    return [
        DeliveryRequest(
            flow=owed.flow,
            source_kind=owed.source_kind,
            source_id=owed.source_id,
            role=owed.role,
            target=owed.target,
            place=place,
            version=version,
        )
        for key, version in versions.items()
        for owed in customers.owes(key)
    ]


def _next_customer(
    key: str, contact: Canonical, before: records.Stored | None
) -> records.NewVersion | None:
    known = {} if before is None else before.canonical
    if known and known.get("id") != contact.get("id"):
        return None  # a second contact with the same e-mail renames nobody
    merged = {**known, **contact}
    mark = fingerprint(merged, volatile=())
    if before is not None and before.fingerprint == mark:
        return None
    return records.NewVersion(
        foreign_id=key,
        version=1 if before is None else before.version + 1,
        canonical=merged,
        fingerprint=mark,
        created_at=None,
        updated_at=None,
        fields={} if before is None else records.difference(before.canonical, merged),
    )
