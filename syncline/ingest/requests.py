"""Owed: what versions of records make due, flow by flow, in the transaction that records them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from syncline.deliveries import outstanding, requests, waits
from syncline.deliveries.requests import DeliveryRequest
from syncline.deliveries.states import State
from syncline.flows import customers, orders, payments, subscriptions, tracking
from syncline.flows.flow import RequestedDelivery, is_held
from syncline.ingest import named_orders
from syncline.ingest.customer_requests import people_of, request_of, request_people
from syncline.ingest.rereading import Canonical, Version, reading_request
from syncline.ledger import records
from syncline.ledger.connections import Link
from syncline.mapping.document import Document

_DETAIL = (orders.DETAILS, "detail")
"""Flow and role of a reading that tells all of a record."""


@dataclass(frozen=True, slots=True)
class _RequestScope:
    """Where and under which rules something is requested."""

    connection: Connection
    link: Link
    document: Document
    again: bool
    facet: str
    detail_is_fresh: Collection[str]


def request_deliveries(
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
    """Make due what versions of records ask for; returns the targets that there is something for.

    Args:
        connection: the transaction, which the caller commits.
        link: whose records these are.
        document: the connection's mapping.
        kind: order, transaction or subscription.
        versions: the versions.
        cause: what showed them, all or each by its id.
        facet: the shape in which they were read; "" where nothing was read.
        detail_is_fresh: the ids of those whose details are as new as these versions.
        again: whether they were requested before, under another mapping.
    """
    if not versions:
        return frozenset()
    scope = _RequestScope(connection, link, document, again, facet, detail_is_fresh)
    requested = _STORED_REQUESTS[kind](scope, versions)
    told = _told(scope, versions) if facet == "event" else []
    common = cause if isinstance(cause, str) else next(iter(cause.values()))
    asking = {request.source_id for request in requested}
    known = {one.foreign_id: one.canonical for one in versions if one.foreign_id in asking}
    asked = {one.source_id for one in requested if (one.flow, one.role) == _DETAIL}
    coming = _coming(scope, kind, known.keys() - asked, {one.source_id for one in told}) | asked
    requested += _customers(scope, kind, known, coming, common)
    if not isinstance(cause, str):
        requested = [replace(request, cause=cause.get(request.source_id)) for request in requested]
    requests.enqueue(connection, link.id, link.tenant, requested, common, again=again)
    if kind == "transaction":
        requested += named_orders.looked_at_again(connection, link, document, versions, cause)
        requested += named_orders.charges_looked_at_again(connection, link, versions, cause)
    requests.complete(connection, link.id, link.tenant, told, common)
    targets = {one.target for one in requested if not (one.after or one.waits_for)}
    if kind != "order":
        left = named_orders.left_alone(connection, link, document, known.values(), common)
        targets |= request_deliveries(connection, link, document, "order", left, common)
    return frozenset(targets)


def request_customers(
    connection: Connection,
    link: Link,
    document: Document,
    kind: str,
    ids: Collection[str],
    cause: str,
) -> frozenset[str]:
    """Make due the customers of records of which all was read that was to be read by id.

    Who is requested with a version is requested already: that costs nothing.

    Args:
        connection: the transaction, which the caller commits.
        link: whose records these are.
        document: the connection's mapping.
        kind: order, transaction or subscription.
        ids: the records.
        cause: what showed them.

    Returns:
        The targets that there is something for.
    """
    place = link.location_place
    stored = records.canonical(connection, [(place, kind, one) for one in sorted(ids)])
    known = {
        one: canonical
        for (_, _, one), (_, canonical) in stored.items()
        if "erased" not in canonical and _REQUESTED[kind](canonical, document)
    }
    scope = _RequestScope(connection, link, document, again=False, facet="", detail_is_fresh=())
    coming = _coming(scope, kind, known.keys(), ())
    requested = _customers(scope, kind, known, coming, cause)
    requests.enqueue(connection, link.id, link.tenant, requested, cause)
    return frozenset(request.target for request in requested)


def _customers(
    scope: _RequestScope,
    kind: str,
    known: Mapping[str, Canonical],
    coming: Collection[str],
    cause: str,
) -> list[DeliveryRequest]:
    """What the customers of records ask for, but of those whose detail is still to come.

    A row of a list may tell another contact than the detail, or none: then a client would be made
    to whom nothing belongs. Who reads the detail asks for the customer.
    """
    people = people_of(scope.document, kind, [known[one] for one in known if one not in coming])
    standing: Collection[str] = ()
    if scope.again:
        standing = people_of(scope.document, kind, [known[one] for one in coming if one in known])
    return request_people(scope.connection, scope.link, people, cause, standing, again=scope.again)


def _coming(
    scope: _RequestScope, kind: str, ids: Collection[str], told: Collection[str]
) -> set[str]:
    """Those of these records of which the detail is to be read, and is not yet.

    What an event has told need not be read, where no worker is reading it now.
    """
    if kind == "transaction" or (kind == "order" and scope.document.orders.lines != "detail"):
        return set()
    edges = [(orders.DETAILS, one, "detail") for one in sorted(ids)]
    states = outstanding.states(scope.connection, scope.link.tenant, edges)
    return {
        one
        for (_, one, _), state in states.items()
        if (state == State.LEASED if one in told else state != State.DELIVERED)
    }


def would_request(
    connection: Connection, link: Link, document: Document, kind: str, versions: Sequence[Version]
) -> list[DeliveryRequest]:
    """What versions of records would ask for under a mapping, their customers too; writes nothing.

    Args:
        connection: the transaction.
        link: whose records these are.
        document: the mapping, which need not be the connection's.
        kind: order, transaction or subscription.
        versions: the versions.
    """
    scope = _RequestScope(connection, link, document, again=True, facet="", detail_is_fresh=())
    requested = _STORED_REQUESTS[kind](scope, versions)
    needing = {request.source_id for request in requested}
    known = [one.canonical for one in versions if one.foreign_id in needing]
    return requested + [
        request_of(wanted, link.tenant_place, 0)
        for key in people_of(document, kind, known)
        for wanted in customers.delivery_requests(key)
    ]


def _told(scope: _RequestScope, versions: Sequence[Version]) -> list[DeliveryRequest]:
    """Readings that need not be made, since an event told all of the order."""
    if scope.document.orders.lines != "detail":
        return []
    return [
        reading_request(scope.link, one.foreign_id, "detail", one.version)
        for one in versions
        if one.foreign_id in scope.detail_is_fresh and orders.wanted(one.canonical, scope.document)
    ]


def _orders(scope: _RequestScope, versions: Sequence[Version]) -> list[DeliveryRequest]:
    """An order asks for itself, and, where money came in already, its invoice once more."""
    ids = [one.foreign_id for one in versions]
    invoiced = _standing(scope, ids)
    read = _read(scope, ids)
    asked = _asked(scope, ids)
    requested: list[DeliveryRequest] = []
    for one in versions:
        wanted = orders.delivery_requests(
            one.canonical, scope.document, detail_is_fresh=one.foreign_id in read
        )
        requested += _own(scope, wanted, one)
        is_invoiced = "invoice" in invoiced.get(one.foreign_id, ())
        if is_invoiced and not is_held(one.canonical, scope.document):
            wanted = [
                RequestedDelivery(
                    payments.FLOW, orders.SOURCE_KIND, one.foreign_id, "invoice", "invoice"
                )
            ]
            requested += _own(scope, wanted, one)
        requested += [
            reading_request(scope.link, one.foreign_id, role, one.version)
            for role in _asks_for(scope, one.canonical)
            if role not in asked.get(one.foreign_id, ())
        ]
    return requested


def _asks_for(scope: _RequestScope, order: Canonical) -> list[str]:
    """What must be read of an order beside itself, since no event and no list tells it."""
    if not orders.wanted(order, scope.document):
        return []
    roles = []
    if scope.facet == "event" and scope.document.payments.into != "none":
        roles.append("transactions")
    if scope.facet != "fulfillments" and tracking.asks_for_fulfillments(order, scope.document):
        roles.append("fulfillments")
    return roles


def _transactions(scope: _RequestScope, versions: Sequence[Version]) -> list[DeliveryRequest]:
    """Credits and payments depend on what was requested before; only first versions know it all."""
    before = [one.foreign_id for one in versions if scope.again or one.version > 1]
    standing = _standing(scope, before)
    wanted = {
        one.foreign_id: payments.delivery_requests(
            one.canonical, scope.document, standing.get(one.foreign_id, ())
        )
        for one in versions
    }
    named = [payments.order_of(one.canonical) for one in versions if wanted[one.foreign_id]]
    # An order that changes meanwhile must see the invoice that is requested here, or be seen by us.
    records.lock(scope.connection, scope.link.location_place, "order")
    known = _known_orders(scope, named)
    requested = named_orders.missing(scope.link, named, known)
    own = [
        request for one in versions for request in _own(scope, wanted[one.foreign_id], one, known)
    ]
    invoices = {one.foreign_id: payments.invoice_of(one.canonical) for one in versions}
    return requested + _waiting_for_invoices(scope, own, invoices)


def _waiting_for_invoices(
    scope: _RequestScope, requested: Sequence[DeliveryRequest], invoices: Mapping[str, str]
) -> list[DeliveryRequest]:
    """Payments and credits are born waiting for an invoice that is not there yet."""
    edges = {
        request: (payments.FLOW, invoices[request.source_id], "invoice")
        for request in requested
        if request.target in {"payment", "credit"}
    }
    there = waits.ready(scope.connection, scope.link.tenant, sorted(set(edges.values())))
    return [
        replace(request, waits_for=edges[request])
        if request in edges and edges[request] not in there
        else request
        for request in requested
    ]


def _subscriptions(scope: _RequestScope, versions: Sequence[Version]) -> list[DeliveryRequest]:
    read = _read(scope, [one.foreign_id for one in versions])
    wanted = {
        one.foreign_id: subscriptions.delivery_requests(
            one.canonical, scope.document, detail_is_fresh=one.foreign_id in read
        )
        for one in versions
    }
    named = [subscriptions.order_of(one.canonical) for one in versions if wanted[one.foreign_id]]
    requested = named_orders.missing(scope.link, named, _known_orders(scope, named))
    for one in versions:
        requested += _own(scope, wanted[one.foreign_id], one)
    return requested


_STORED_REQUESTS: dict[str, Callable[[_RequestScope, Sequence[Version]], list[DeliveryRequest]]] = {
    "order": _orders,
    "transaction": _transactions,
    "subscription": _subscriptions,
}

_REQUESTED: dict[str, Callable[[Canonical, Document], object]] = {
    "order": orders.delivery_requests,
    "transaction": payments.delivery_requests,
    "subscription": subscriptions.delivery_requests,
}
"""Kind of a record → what it asks for of itself; nothing where the mapping leaves it out."""

KINDS = tuple(_STORED_REQUESTS)
"""The kinds of records that ask for something."""


def _standing(scope: _RequestScope, ids: Sequence[str]) -> dict[str, set[str]]:
    if not ids:
        return {}
    return requests.existing_roles(scope.connection, scope.link.tenant, payments.FLOW, ids)


def _read(scope: _RequestScope, ids: Sequence[str]) -> Collection[str]:
    """Whose detail need not be read: it is as new, or was asked for and nothing was read since."""
    asked = _asked(scope, ids)
    return {*scope.detail_is_fresh, *(key for key, roles in asked.items() if "detail" in roles)}


def _asked(scope: _RequestScope, ids: Sequence[str]) -> dict[str, set[str]]:
    """What was asked for of records beside themselves, where nothing was read that is newer."""
    if scope.facet:
        return {}
    return requests.existing_roles(scope.connection, scope.link.tenant, orders.DETAILS, ids)


def _known_orders(scope: _RequestScope, ids: Iterable[str | None]) -> dict[str, int]:
    wanted = sorted({one for one in ids if one})
    return records.versions(scope.connection, scope.link.location_place, "order", wanted)


def _own(
    scope: _RequestScope,
    wanted: Iterable[RequestedDelivery],
    one: Version,
    known: Mapping[str, int] | None = None,
) -> list[DeliveryRequest]:
    """Requests of a version; those of the order that it names have that order's version."""
    return [
        request_of(
            item,
            scope.link.location_place,
            one.version
            if item.source_id == one.foreign_id
            else (known or {}).get(item.source_id, 0),
        )
        for item in wanted
        if item.flow != customers.FLOW  # they are records of their own, with their own versions
    ]
