"""What HighLevel is to be asked for again, though nothing was seen to change there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from syncline.deliveries import requests
from syncline.deliveries.requests import DeliveryRequest
from syncline.flows import orders
from syncline.ledger import records
from syncline.ledger.connections import Link
from syncline.mapping.document import Document

Canonical = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a record."""

    foreign_id: str
    version: int
    canonical: Canonical


def reread(
    connection: Connection, link: Link, source_ids: Iterable[str], roles: Iterable[str], cause: str
) -> frozenset[str]:
    """Have HighLevel asked for what it holds now, though nothing was seen to change there.

    Args:
        connection: the transaction, which the caller commits.
        link: whose records these are.
        source_ids: orders; of the role `transactions` also invoices.
        roles: `detail`, `transactions`, `fulfillments`.
        cause: what asks for it.

    Returns:
        The targets of the readings that are due by it.
    """
    ids = sorted(set(source_ids))
    known = records.versions(connection, link.location_place, orders.SOURCE_KIND, ids)
    requested = [
        reading_request(link, source_id, role, known.get(source_id, 0))
        for source_id in ids
        for role in roles
    ]
    requests.enqueue(connection, link.id, link.tenant, requested, cause, again=True)
    return frozenset(request.target for request in requested)


def ask(
    connection: Connection,
    link: Link,
    source_ids: Collection[str],
    roles: Iterable[str],
    cause: str | Mapping[str, str],
) -> frozenset[str]:
    """`reread` with a cause for each; returns the targets of the readings that are due by it."""
    if isinstance(cause, str):
        return reread(connection, link, source_ids, roles, cause) if source_ids else frozenset()
    targets: frozenset[str] = frozenset()
    for source_id in sorted(source_ids):
        targets |= reread(connection, link, [source_id], roles, cause[source_id])
    return targets


def ask_for_money(
    connection: Connection,
    link: Link,
    document: Document,
    told: Mapping[str, Canonical],
    cause: str | Mapping[str, str],
) -> frozenset[str]:
    """Have transactions read of orders of which an event told what was known: money may have come.

    Args:
        connection: the transaction, which the caller commits.
        link: whose orders these are.
        document: the connection's mapping.
        told: the orders by their ids.
        cause: the events.
    """
    if document.payments.into == "none":
        return frozenset()
    paid = [key for key, order in told.items() if orders.wanted(order, document)]
    return ask(connection, link, paid, ["transactions"], cause)


BY_ID = {
    "order": "highlevel.order",
    "transaction": "highlevel.transaction",
    "subscription": "highlevel.subscription",
}
"""Kind of a record → the target that reads one by its id."""

_READINGS = {
    "detail": BY_ID["order"],
    "transactions": "highlevel.transactions",
    "fulfillments": "highlevel.fulfillments",
}
"""Role of a reading of an order → its target."""


def reading_request(link: Link, order_id: str, role: str, version: int) -> DeliveryRequest:
    """The request to read an order in one role; `version` is that of the order as it is known."""
    return DeliveryRequest(
        flow=orders.DETAILS,
        source_kind=orders.SOURCE_KIND,
        source_id=order_id,
        role=role,
        target=_READINGS[role],
        place=link.location_place,
        version=version,
    )
