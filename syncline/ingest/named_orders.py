"""The orders that money names: read where nobody knows them, made where nobody has asked yet."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import Connection

from syncline.deliveries import requests
from syncline.deliveries.requests import DeliveryRequest
from syncline.flows import orders, payments, renewals
from syncline.flows.flow import RequestedDelivery
from syncline.ingest.customer_requests import request_of
from syncline.ingest.rereading import Canonical, Version, reading_request, reread
from syncline.ledger import records
from syncline.ledger.connections import Link
from syncline.mapping.document import Document

ORDER_MAY_COME = timedelta(seconds=90)
"""How long an order that a transaction names may still come with a pull, before it is asked for."""


def missing(
    link: Link, ids: Iterable[str | None], known: Mapping[str, int]
) -> list[DeliveryRequest]:
    """Orders that are paid for and not known are read by id, unless a pull brings them first."""
    return [
        replace(reading_request(link, order_id, "detail", 0), after=ORDER_MAY_COME)
        for order_id in sorted({one for one in ids if one})
        if order_id not in known
    ]


def left_alone(
    connection: Connection, link: Link, document: Document, naming: Iterable[Canonical], cause: str
) -> list[Version]:
    """Known orders for which nothing was requested, though money that is in line names them.

    An adoption leaves older orders alone. Without them what is paid later would wait for ever.
    What is known of them is as old, so they are read once more.

    Args:
        connection: the transaction.
        link: whose records these are.
        document: the connection's mapping.
        naming: the transactions or subscriptions that name them.
        cause: what showed those.
    """
    named = sorted({one for record in naming if (one := payments.order_of(record))})
    asked = requests.existing_roles(connection, link.tenant, orders.FLOW, named) if named else {}
    left = [(link.location_place, orders.SOURCE_KIND, one) for one in named if one not in asked]
    if not left:
        return []
    records.lock(connection, link.location_place, orders.SOURCE_KIND)
    wanted = [
        Version(order_id, version, canonical)
        for (_, _, order_id), (version, canonical) in records.canonical(connection, left).items()
        if "erased" not in canonical and orders.wanted(canonical, document)
    ]
    reread(connection, link, [one.foreign_id for one in wanted], ["detail"], cause)
    return wanted


def looked_at_again(
    connection: Connection,
    link: Link,
    document: Document,
    versions: Sequence[Version],
    cause: str | Mapping[str, str],
) -> list[DeliveryRequest]:
    """Orders of which Halo's status may follow from these payments are looked at once more.

    Each has a cause of its own, by which a worker that has the order in its hands without this
    payment knows that it is requested again: the order's version is the same.
    """
    if not orders.status_depends_on_payments(document):
        return []
    paid = {one: v for v in versions if (one := payments.order_of(v.canonical))}
    there = requests.existing_roles(connection, link.tenant, orders.FLOW, sorted(paid))
    known = records.versions(connection, link.location_place, orders.SOURCE_KIND, sorted(there))
    requested = [
        replace(request_of(wanted, link.location_place, version), cause=_paid_by(paid[one], cause))
        for one, version in known.items()
        for wanted in [RequestedDelivery(orders.FLOW, orders.SOURCE_KIND, one, "order", "order")]
    ]
    requests.enqueue(connection, link.id, link.tenant, requested, "", again=True)
    return requested


def charges_looked_at_again(
    connection: Connection,
    link: Link,
    versions: Sequence[Version],
    cause: str | Mapping[str, str],
) -> list[DeliveryRequest]:
    """Later charges of subscriptions on the orders of these are looked at once more.

    Whether one pays for its order or renews the subscription follows from those before it, which
    may be read after it, or may bounce.
    """
    charged = {order_id: v for v in versions if (order_id := renewals.order_charged(v.canonical))}
    if not charged:
        return []
    place, kind = link.location_place, payments.SOURCE_KIND
    paying = records.transactions_of_orders(connection, place, sorted(charged))
    these = {one.foreign_id for one in versions}
    later = {
        str(one["id"]): charged[order_id]
        for order_id, many in paying.items()
        for one in many
        if renewals.order_charged(one)
        and one["id"] not in these
        and renewals.comes_after(one, charged[order_id].canonical)
    }
    roles = requests.existing_roles(connection, link.tenant, payments.FLOW, sorted(later))
    known = records.versions(connection, place, kind, sorted(roles))
    requested = [
        replace(request_of(wanted, place, known[one]), cause=_paid_by(later[one], cause))
        for one in sorted(known)
        for role in sorted(roles[one] - {"invoice"})
        for wanted in [RequestedDelivery(payments.FLOW, kind, one, role, payments.target_of(role))]
    ]
    requests.enqueue(connection, link.id, link.tenant, requested, "", again=True)
    return requested


def _paid_by(payment: Version, cause: str | Mapping[str, str]) -> str:
    shown_by = cause if isinstance(cause, str) else cause[payment.foreign_id]
    return f"{shown_by}: transaction {payment.foreign_id}, version {payment.version}"
