"""What deliveries are rendered from: their records, what stands beside them, what must be there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from syncline.deliveries import needs, requests
from syncline.deliveries.delivery import Lease
from syncline.deliveries.target_rows import TargetRow
from syncline.flows import customers, orders, payments, renewals, subscriptions
from syncline.flows.flow import Needs, TargetIds
from syncline.ledger import contacts, records
from syncline.mapping.document import Document

Canonical = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class RenderInput:
    """What a delivery is rendered from.

    Attributes:
        version: the record's.
        canonical: the record.
        order: the order that a credit's transaction, a charge of a subscription or a subscription
            belongs to, if it is known.
        credits: for a credit, the roles of all credits of its transaction.
        transactions: for an order whose status follows its money, what pays for it; for a charge
            of a subscription, what pays for its order.
    """

    version: int
    canonical: Canonical
    order: Canonical | None
    credits: Collection[str]
    transactions: Sequence[Canonical] = ()


def currency_of(canonical: Canonical) -> str:
    """The currency of a record's amounts, "" where it has none."""
    return str(canonical.get("currency") or "")


def currencies_of(connection: Connection, standings: Iterable[TargetRow]) -> dict[int, str]:
    """The currency of each delivery's record, by its number; "" where that is not known."""
    keys = {one.id: (one.place, one.source_kind, one.source_id) for one in standings}
    known = records.canonical(connection, list(keys.values()))
    return {key: currency_of(known[of][1]) if of in known else "" for key, of in keys.items()}


def load(
    connection: Connection, leases: Sequence[Lease], document: Document
) -> dict[int, RenderInput]:
    """What each delivery is rendered from, by delivery id; left out where it is not there yet."""
    found = records.canonical(
        connection, [(lease.place, lease.source_kind, lease.source_id) for lease in leases]
    )
    keys = {lease.id: (lease.place, lease.source_kind, lease.source_id) for lease in leases}
    companions = _companions(connection, leases, found)
    refunds = _credits(connection, leases)
    paying = _transactions(connection, leases, found, document)
    loaded: dict[int, RenderInput] = {}
    for lease in leases:
        if keys[lease.id] in found:
            version, canonical = found[keys[lease.id]]
            order_id = _order_of(lease, canonical) or ""
            order = companions.get((lease.place, "order", order_id))
            loaded[lease.id] = RenderInput(
                version,
                canonical,
                None if order is None else order[1],
                refunds.get(lease.source_id, frozenset()),
                paying.get(order_id or lease.source_id, ()),
            )
    return loaded


def _order_of(lease: Lease, canonical: Canonical) -> str | None:
    """The order that is looked into beside the record."""
    if lease.flow == subscriptions.FLOW:
        return subscriptions.order_of(canonical)
    if lease.target == "credit":
        return payments.order_of(canonical)
    return renewals.order_charged(canonical) if lease.target == "payment" else None


def _companions(
    connection: Connection,
    leases: Sequence[Lease],
    found: Mapping[tuple[str, str, str], tuple[int, Canonical]],
) -> dict[tuple[str, str, str], tuple[int, dict[str, Any]]]:
    wanted = [
        (lease.place, "order", order_id)
        for lease in leases
        if (source := found.get((lease.place, lease.source_kind, lease.source_id)))
        and (order_id := _order_of(lease, source[1]))
    ]
    return records.canonical(connection, wanted) if wanted else {}


def _transactions(
    connection: Connection,
    leases: Sequence[Lease],
    found: Mapping[tuple[str, str, str], tuple[int, Canonical]],
    document: Document,
) -> dict[str, list[dict[str, Any]]]:
    """What pays for orders, by order: for those of which something follows from it.

    These are the orders among the deliveries, where the mapping makes their status follow it, and
    the orders of subscriptions' charges.
    """
    wanted: dict[str, str] = {}
    for lease in leases:
        if lease.flow == orders.FLOW and orders.status_depends_on_payments(document):
            wanted[lease.source_id] = lease.place
        elif lease.target in {"payment", "credit"}:
            source = found.get((lease.place, lease.source_kind, lease.source_id))
            order_id = renewals.order_charged(source[1]) if source else None
            if order_id:
                wanted[order_id] = lease.place
    if not wanted:
        return {}
    return records.transactions_of_orders(connection, next(iter(wanted.values())), sorted(wanted))


def older_clients(
    connection: Connection, leases: Sequence[Lease], loaded: Mapping[int, RenderInput], place: str
) -> dict[int, TargetIds]:
    """Halo's clients of contacts that were merged into those of new clients, by delivery.

    Args:
        connection: the transaction.
        leases: of clients.
        loaded: their records.
        place: of the location, whose transactions tell of merged contacts.
    """
    contact_of = {
        lease.id: str(loaded[lease.id].canonical.get("id") or "")
        for lease in leases
        if lease.target_id is None
    }
    merged = contacts.merged_into(connection, place, set(contact_of.values()) - {""})
    if not merged:
        return {}
    older = {one for ids in merged.values() for one in ids}
    named = contacts.customers_of(connection, leases[0].place, older)
    edges = {
        Needs(customers.FLOW, source_id, "client"): contact
        for contact, ids in named.items()
        for source_id in ids
    }
    clients, _ = resolve(connection, leases[0].tenant_id, {0: list(edges)})
    return {
        delivery: clients[need]
        for delivery, contact in contact_of.items()
        for need, of in reversed(edges.items())
        if need in clients and of in merged.get(contact, ())
    }


def _credits(connection: Connection, leases: Sequence[Lease]) -> dict[str, set[str]]:
    """The roles of all credits of the transactions of which one is to be rendered."""
    of = [lease for lease in leases if lease.target == "credit"]
    if not of:
        return {}
    ids = [lease.source_id for lease in of]
    standing = requests.existing_roles(connection, of[0].tenant_id, payments.FLOW, ids)
    return {
        source_id: {role for role in roles if payments.is_credit(role)}
        for source_id, roles in standing.items()
    }


def resolve(
    connection: Connection, tenant_id: int, needed: Mapping[int, Sequence[Needs]]
) -> tuple[dict[Needs, TargetIds], dict[int, list[Needs]]]:
    """Halo's ids of what is there, and for each delivery what is not."""
    every = {need for wanted in needed.values() for need in wanted}
    found = needs.find(
        connection, tenant_id, [(need.flow, need.source_id, need.role) for need in every]
    )
    ids: dict[Needs, TargetIds] = {}
    for need in every:
        state = found.get((need.flow, need.source_id, need.role))
        if state is not None and state.target_id is not None:
            ids[need] = TargetIds.stored(state.target_id, state.meta)
    unmet = {
        delivery: [
            need
            for need in wanted
            if (state := found.get((need.flow, need.source_id, need.role))) is None
            or not state.ready
        ]
        for delivery, wanted in needed.items()
    }
    return ids, unmet
