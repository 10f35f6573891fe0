"""What HighLevel is to be asked for again, though nothing was seen to change there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from syncline.deliveries import outstanding, requests
from syncline.deliveries.requests import DeliveryRequest
from syncline.flows import orders
from syncline.highlevel.merging import DECISIVE
from syncline.ledger import records
from syncline.ledger.connections import Link
from syncline.mapping.document import Document

Canonical = Mapping[str, Any]

LOOK = "look"
"""The role of a reading that looks whether what a person was told of a record still is so."""

GONE = "id"
"""For the sake of this field what HighLevel does not show by its id is put to a person."""

LOOKS_EVERY = timedelta(minutes=5)
"""So often at most, however often a list shows the record."""


@dataclass(frozen=True, slots=True)
class Version:
    """A version of a record."""

    foreign_id: str
    version: int
    canonical: Canonical


def reread(
    connection: Connection,
    link: Link,
    source_ids: Iterable[str],
    roles: Iterable[str],
    cause: str,
    kind: str = orders.SOURCE_KIND,
) -> frozenset[str]:
    """Have HighLevel asked for what it holds now, though nothing was seen to change there.

    Args:
        connection: the transaction, which the caller commits.
        link: whose records these are.
        source_ids: orders; of the role `transactions` also invoices.
        roles: `detail`, `transactions`, `fulfillments`.
        cause: what asks for it.
        kind: of the records; of others than orders there is only the detail.

    Returns:
        The targets of the readings that are due by it.
    """
    ids = sorted(set(source_ids))
    known = records.versions(connection, link.location_place, kind, ids)
    requested = [
        reading_request(link, source_id, role, known.get(source_id, 0), kind)
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
    kind: str = orders.SOURCE_KIND,
) -> frozenset[str]:
    """`reread` with a cause for each; returns the targets of the readings that are due by it."""
    if not source_ids:
        return frozenset()
    if isinstance(cause, str):
        return reread(connection, link, source_ids, roles, cause, kind)
    targets: frozenset[str] = frozenset()
    for source_id in sorted(source_ids):
        targets |= reread(connection, link, [source_id], roles, cause[source_id], kind)
    return targets


def look_again(
    connection: Connection, link: Link, kind: str, source_ids: Collection[str], cause: str
) -> None:
    """Have those read once more that are parked as contested or gone; they stay parked.

    Args:
        connection: the transaction, which the caller commits.
        link: whose records these are.
        kind: order, transaction or subscription.
        source_ids: the records that a list shows.
        cause: what shows them.
    """
    told = outstanding.parked_for(
        connection, link.id, (orders.DETAILS, kind, "detail"), [*DECISIVE, GONE], source_ids
    )
    looks = [
        replace(reading_request(link, one, LOOK, 0, kind), after=LOOKS_EVERY)
        for one in sorted(told)
    ]
    requests.enqueue(connection, link.id, link.tenant, looks, cause, again=True)


def settle(
    connection: Connection,
    link: Link,
    kind: str,
    source_ids: Collection[str],
    cause: str | Mapping[str, str],
) -> None:
    """The detail of records was read and says one thing: no reading of it need be made."""
    if not source_ids:
        return
    common = cause if isinstance(cause, str) else next(iter(cause.values()))
    versions = records.versions(connection, link.location_place, kind, sorted(source_ids))
    known = [
        reading_request(link, one, "detail", version, kind) for one, version in versions.items()
    ]
    requests.complete(connection, link.id, link.tenant, known, common)


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
    "transactions": "highlevel.transactions",
    "fulfillments": "highlevel.fulfillments",
}
"""Role of a reading of an order → its target, where that is not the record by its id."""


def reading_request(
    link: Link, source_id: str, role: str, version: int, kind: str = orders.SOURCE_KIND
) -> DeliveryRequest:
    """The request to read a record in one role; `version` is that of the record as it is known."""
    return DeliveryRequest(
        flow=orders.DETAILS,
        source_kind=kind,
        source_id=source_id,
        role=role,
        target=_READINGS.get(role, BY_ID[kind]),
        place=link.location_place,
        version=version,
    )
