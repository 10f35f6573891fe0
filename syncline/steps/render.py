"""Rendered: what is to be written for each claimed delivery, decided after the claim.

What equals the delivered state is done without a call; what needs something that is not there yet
waits for it; what cannot be rendered is parked with the field.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from syncline.errors import SynclineError, Unmappable, Unreadable
from syncline.flows import (
    alert_tickets,
    alerts,
    customers,
    order_status,
    orders,
    payments,
    subscriptions,
)
from syncline.flows.alert_tickets import Desk
from syncline.flows.customers import Customer
from syncline.flows.flow import Desired, Needs, TargetIds, refuse_live
from syncline.flows.lines import onto
from syncline.halo.abilities import Abilities
from syncline.ledger import deliveries, needs, obligations, records, transactions, waits
from syncline.ledger.leases import Confirmation, Lease
from syncline.mapping.document import Document
from syncline.steps import alert_desk, currencies, mirror
from syncline.steps.parts import Line, Parts
from syncline.steps.targets import Target

Canonical = Mapping[str, Any]

_OF_HIGHLEVEL = frozenset({orders.FLOW, payments.FLOW, subscriptions.FLOW})
"""Flows whose records are in live or in test mode; customers follow them."""


@dataclass(frozen=True, slots=True)
class Write:
    """One element to post.

    Attributes:
        lease: the delivery it is for.
        reference: ours, by which its answer is recognised.
        body: the element.
        projection: the compared fields as they are wanted.
        currency: ISO 4217 of its amounts; "" where it has none.
    """

    lease: Lease
    reference: str
    body: dict[str, Any]
    projection: dict[str, str]
    currency: str

    def departed(self, call_id: UUID) -> Write:
        """The same, with what its departure wrote into the ledger."""
        lease = replace(self.lease, sent_version=self.lease.wanted_version, call_id=call_id)
        return replace(self, lease=lease)


@dataclass(frozen=True, slots=True)
class Source:
    """What a delivery is rendered from.

    Attributes:
        version: the record's.
        canonical: the record.
        order: the order that a credit's transaction or a subscription belongs to, if it is known.
        credits: for a credit, the roles of all credits of its transaction.
        transactions: for an order whose status follows its money, what pays for it.
    """

    version: int
    canonical: Canonical
    order: Canonical | None
    credits: Collection[str]
    transactions: Sequence[Canonical] = ()


def reference(target: Target, source_id: str, role: str) -> str:
    """Our reference of the target row of a source."""
    if target.name == "client":
        return customers.reference_of(source_id)
    if target.name == "user":
        return source_id.removeprefix("email:")
    if target.name in alert_tickets.TARGETS:
        return alert_tickets.reference(source_id, role)
    return payments.reference(source_id, role)


def currency_of(canonical: Canonical) -> str:
    """The currency of a record's amounts, "" where it has none."""
    return str(canonical.get("currency") or "")


def load(connection: Connection, leases: Sequence[Lease], document: Document) -> dict[int, Source]:
    """What each delivery is rendered from, by delivery id; left out where it is not there yet."""
    found = records.canonical(
        connection, [(lease.place, lease.source_kind, lease.source_id) for lease in leases]
    )
    keys = {lease.id: (lease.place, lease.source_kind, lease.source_id) for lease in leases}
    companions = _companions(connection, leases, found)
    refunds = _credits(connection, leases)
    paying = _transactions(connection, leases, document)
    loaded: dict[int, Source] = {}
    for lease in leases:
        if keys[lease.id] in found:
            version, canonical = found[keys[lease.id]]
            order = companions.get((lease.place, "order", _order_of(lease, canonical) or ""))
            loaded[lease.id] = Source(
                version,
                canonical,
                None if order is None else order[1],
                refunds.get(lease.source_id, frozenset()),
                paying.get(lease.source_id, ()),
            )
    return loaded


def _order_of(lease: Lease, canonical: Canonical) -> str | None:
    """The order that is looked into beside the record."""
    if lease.flow == subscriptions.FLOW:
        return subscriptions.order_of(canonical)
    return payments.order_of(canonical) if lease.target == "credit" else None


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
    connection: Connection, leases: Sequence[Lease], document: Document
) -> dict[str, list[dict[str, Any]]]:
    """What pays for the orders among them, where the mapping makes their status follow it."""
    of = [lease for lease in leases if lease.flow == orders.FLOW]
    if not of or not orders.status_depends_on_payments(document):
        return {}
    return transactions.of_orders(connection, of[0].place, [lease.source_id for lease in of])


def _credits(connection: Connection, leases: Sequence[Lease]) -> dict[str, set[str]]:
    """The roles of all credits of the transactions of which one is to be rendered."""
    of = [lease for lease in leases if lease.target == "credit"]
    if not of:
        return {}
    ids = [lease.source_id for lease in of]
    standing = obligations.standing(connection, of[0].tenant_id, payments.FLOW, ids)
    return {
        source_id: {role for role in roles if payments.is_credit(role)}
        for source_id, roles in standing.items()
    }


def render(
    parts: Parts, line: Line, target: Target, known: Abilities, leases: list[Lease]
) -> list[Write]:
    """Settle what needs no call, and return what is to be written.

    Raises:
        SynclineError: what had to be asked first could not be.
    """
    loaded = parts.ledger.run(lambda connection: load(connection, leases, line.document))
    owner = leases[0].owner
    leases, bad = without_live(line, leases, loaded)
    needed = {lease.id: needs_of(line, lease, loaded.get(lease.id)) for lease in leases}
    ids, unmet = parts.ledger.run(lambda connection: resolve(connection, line.link.tenant, needed))
    waiting = {lease.id: unmet[lease.id] for lease in leases if unmet[lease.id]}
    ready = [
        replace(lease, wanted_version=max(loaded[lease.id].version, lease.wanted_version))
        for lease in leases
        if lease.id not in waiting
    ]
    adopted, unsure = _adopt(parts, line, target, ready)
    bad += unsure
    money = currencies.ids(
        parts,
        line,
        known,
        {
            currency_of(loaded[lease.id].canonical)
            for lease in ready
            if lease.flow not in {customers.FLOW, alerts.FLOW}
        },
    )
    desk = alert_desk.desk(parts, line, target.name, known)
    writes: list[Write] = []
    as_is: list[Confirmation] = list(adopted.values())
    settled = {*adopted, *(lease.id for lease, _ in bad)}
    for lease in ready:
        if lease.id in settled:
            continue
        source = loaded[lease.id]
        try:
            desired = desired_of(line, lease, source, ids, money, desk)
        except Unmappable as error:
            bad.append((lease, error))
            continue
        if is_unchanged(lease, desired):
            as_is.append(Confirmation(lease, lease.target_id, None, None))
        else:
            writes.append(
                Write(
                    lease,
                    reference(target, lease.source_id, lease.role),
                    element(lease, desired, known),
                    desired.projection,
                    currency_of(source.canonical),
                )
            )
    _settle(parts, line, waiting, as_is, bad, owner)
    return writes


def without_live(
    line: Line, leases: Sequence[Lease], loaded: Mapping[int, Source]
) -> tuple[list[Lease], list[tuple[Lease, SynclineError]]]:
    """What may be delivered in the connection's mode, and what is kept back."""
    going: list[Lease] = []
    kept: list[tuple[Lease, SynclineError]] = []
    for lease in leases:
        try:
            if lease.id in loaded:
                _refuse_erased(loaded[lease.id].canonical)
            if lease.id in loaded and lease.flow in _OF_HIGHLEVEL:
                refuse_live(loaded[lease.id].canonical, line.document)
        except Unmappable as error:
            kept.append((lease, error))
        else:
            going.append(lease)
    return going, kept


def _refuse_erased(canonical: Canonical) -> None:
    """What was erased here is not overwritten with blanks there."""
    if "erased" in canonical:
        raise Unmappable(
            "The personal data of this record was erased.",
            field="contact",
            remedy="Erase or correct the row in Halo by hand. If the contact is to come back, read "
            "the record again.",
        )


def _settle(
    parts: Parts,
    line: Line,
    waiting: Mapping[int, Sequence[Needs]],
    as_is: list[Confirmation],
    bad: list[tuple[Lease, SynclineError]],
    owner: UUID,
) -> None:
    if not (waiting or as_is or bad):
        return
    edges = {
        delivery: [(need.flow, need.source_id, need.role) for need in unmet]
        for delivery, unmet in waiting.items()
    }

    def work(connection: Connection) -> None:
        waits.wait(connection, line.link.tenant, owner, edges)
        deliveries.confirm(connection, as_is, wrote=False)
        for lease, error in bad:
            field = error.field if isinstance(error, Unmappable) else None
            deliveries.park(connection, [lease], reason=str(error), field=field)

    parts.ledger.run_patiently(work, sleep=parts.sleep)


def needs_of(line: Line, lease: Lease, source: Source | None) -> list[Needs]:
    """What must be confirmed before a delivery can be rendered."""
    if source is None:
        # An invoice of an order that nobody has seen yet: it is being read.
        return [Needs(orders.DETAILS, lease.source_id, "detail")]
    canonical = source.canonical
    if lease.flow == orders.FLOW:
        return orders.needs(canonical, line.document)
    if lease.flow == alerts.FLOW:
        return []
    if lease.flow == payments.FLOW:
        return payments.needs(lease.role, lease.source_kind, canonical, line.document)
    if lease.flow == subscriptions.FLOW:
        return subscriptions.needs(canonical, line.document, source.order)
    return customers.needs(lease.source_id, _customer_role(lease))


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


def _adopt(
    parts: Parts, line: Line, target: Target, leases: Sequence[Lease]
) -> tuple[dict[int, Confirmation], list[tuple[Lease, SynclineError]]]:
    """Customers that Halo has already are used as they are, and never written."""
    bad: list[tuple[Lease, SynclineError]] = []
    if target.name not in {"client", "user"}:
        return {}, bad
    unknown = [
        lease
        for lease in leases
        if lease.target_id is None and lease.source_id.startswith("email:")
    ]
    emails = {lease.id: lease.source_id.removeprefix("email:") for lease in unknown}
    users, unsure = mirror.users(parts, line, list(emails.values()))
    adopted: dict[int, Confirmation] = {}
    for lease in unknown:
        user = users.get(emails[lease.id])
        if user is None:
            if emails[lease.id] in unsure:
                bad.append((lease, Unreadable("Halo's lists do not show whether it is there.")))
            continue
        try:
            found = customers.adopt_from_user(user)
        except Unreadable as error:
            bad.append((lease, error))
            continue
        ids = found.client if target.name == "client" else found.user
        adopted[lease.id] = Confirmation(lease, str(ids.id), ids.meta(), None)
    return adopted, bad


def desired_of(
    line: Line,
    lease: Lease,
    source: Source,
    ids: Mapping[Needs, TargetIds],
    money: Mapping[str, int],
    desk: Desk,
) -> Desired:
    """What Halo shall hold of a delivery.

    Raises:
        Unmappable: naming the field that cannot be rendered.
    """
    if lease.flow != alerts.FLOW:
        return _of_record(line, lease, source, ids, money)
    exists = lease.target_id is not None
    return alert_tickets.render(
        source.canonical, lease.role, lease.target, line.document, desk, exists=exists
    )


def _of_record(
    line: Line,
    lease: Lease,
    source: Source,
    ids: Mapping[Needs, TargetIds],
    money: Mapping[str, int],
) -> Desired:
    canonical, document = source.canonical, line.document
    if lease.flow == orders.FLOW:
        status = order_status.halo_status(canonical, source.transactions, document)
        return orders.render(canonical, document, ids, money, status)
    if lease.flow == subscriptions.FLOW:
        return subscriptions.render(canonical, document, ids, money)
    if lease.target == "invoice":
        return payments.render_invoice(lease.source_kind, canonical, document, ids, money)
    if lease.target == "payment":
        return payments.render_payment(canonical, document, ids, money)
    if lease.target == "credit":
        return payments.render_credit(
            canonical, lease.role, source.credits, source.order, document, ids, money
        )
    own = None
    if lease.target_id is not None:
        own = TargetIds.stored(lease.target_id, lease.target_meta)
    customer = Customer(lease.source_id, dict(canonical))
    return customers.render(customer, _customer_role(lease), document, ids, own)


def _customer_role(lease: Lease) -> customers.Role:
    return "user" if lease.role == "user" else "client"


def is_unchanged(lease: Lease, desired: Desired) -> bool:
    """Whether there is nothing to write: it was delivered so, or nothing is wanted at all."""
    if lease.target_id is None:
        return not desired.body
    return not desired.body or lease.projection == desired.projection


def element(lease: Lease, desired: Desired, known: Abilities) -> dict[str, Any]:
    """What is posted for a delivery: a new row, or a change of the one that is known."""
    if lease.target_id is None:
        return desired.for_create()
    body = desired.for_update(int(lease.target_id))
    meta = lease.target_meta or {}
    if "lines" in body:
        merges = known.lines_on_update == "merge"
        body["lines"] = onto(body["lines"], meta.get("lines") or [], merges=merges)
    if meta.get("change_seq") is not None and known.change_seq_enforced:
        body["change_seq"] = meta["change_seq"]
    return body
