"""What Halo shall hold of each kind of record, and what must be confirmed there before. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from syncline.deliveries.delivery import Lease
from syncline.flows import (
    customers,
    order_status,
    orders,
    payments,
    refunds,
    renewals,
    subscriptions,
)
from syncline.flows.customers import Customer
from syncline.flows.flow import Desired, Needs, TargetIds
from syncline.halo.capabilities import Capabilities
from syncline.mapping.document import Document
from syncline.sending.inputs import RenderInput
from syncline.sending.tenant import taken_names


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is needed besides its source to render a delivery.

    Attributes:
        document: the connection's mapping.
        ids: Halo's ids of the rows that are needed.
        money: ISO 4217 → Halo's id of a currency.
        known: what is known of the tenant.
    """

    document: Document
    ids: Mapping[Needs, TargetIds]
    money: Mapping[str, int]
    known: Capabilities


Render = Callable[[Lease, RenderInput, Inputs], Desired]
"""Raises `Unmappable`, naming the field that cannot be rendered."""

FindNeeds = Callable[[Lease, RenderInput, Document], list[Needs]]
"""What must be confirmed before a delivery can be rendered."""


def order(_lease: Lease, source: RenderInput, inputs: Inputs) -> Desired:
    """A sales order."""
    document = inputs.document
    status = order_status.halo_status(source.canonical, source.transactions, document)
    return orders.render(source.canonical, document, inputs.ids, inputs.money, status)


def order_needs(_lease: Lease, source: RenderInput, document: Document) -> list[Needs]:
    """Its customer, and its lines."""
    return orders.needs(source.canonical, document)


def invoice(lease: Lease, source: RenderInput, inputs: Inputs) -> Desired:
    """The invoice of an order, or of a transaction without one."""
    return payments.render_invoice(
        lease.source_kind, source.canonical, inputs.document, inputs.ids, inputs.money
    )


def payment(_lease: Lease, source: RenderInput, inputs: Inputs) -> Desired:
    """A payment on its invoice."""
    renewals.refuse_renewal(source.canonical, source.order, source.transactions, inputs.document)
    return payments.render_payment(source.canonical, inputs.document, inputs.ids, inputs.money)


def credit(lease: Lease, source: RenderInput, inputs: Inputs) -> Desired:
    """A credit note on its invoice."""
    renewals.refuse_renewal(source.canonical, source.order, source.transactions, inputs.document)
    return refunds.render_credit(
        source.canonical,
        lease.role,
        source.credits,
        source.order,
        inputs.document,
        inputs.ids,
        inputs.money,
    )


def money_needs(lease: Lease, source: RenderInput, document: Document) -> list[Needs]:
    """What an invoice, a payment or a credit names."""
    return payments.needs(lease.role, lease.source_kind, source.canonical, document)


def recurring(_lease: Lease, source: RenderInput, inputs: Inputs) -> Desired:
    """A recurring invoice."""
    return subscriptions.render(source.canonical, inputs.document, inputs.ids, inputs.money)


def recurring_needs(_lease: Lease, source: RenderInput, document: Document) -> list[Needs]:
    """Its customer, and its order where it has one."""
    return subscriptions.needs(source.canonical, document, source.order)


def customer(lease: Lease, source: RenderInput, inputs: Inputs) -> Desired:
    """A client, or its user."""
    own = None
    if lease.target_id is not None:
        own = TargetIds.stored(lease.target_id, lease.target_meta)
    of = Customer(lease.source_id, dict(source.canonical))
    named_apart = taken_names.has_own_name(lease)
    return customers.render(
        of, _role(lease), inputs.document, inputs.ids, own, named_apart=named_apart
    )


def customer_needs(lease: Lease, _source: RenderInput, _document: Document) -> list[Needs]:
    """The client of a user."""
    return customers.needs(lease.source_id, _role(lease))


def _role(lease: Lease) -> customers.Role:
    return "user" if lease.role == "user" else "client"
