"""HighLevel's orders → Halo's sales orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncline.flows import customers
from syncline.flows.flow import (
    Desired,
    Needs,
    RequestedDelivery,
    TargetIds,
    currency_id,
    external_link,
    is_included,
    reference_of,
)
from syncline.flows.lines import lines_of
from syncline.flows.projections import projection
from syncline.flows.texts.fitting import fitted
from syncline.mapping.apply import apply
from syncline.mapping.document import Document

FLOW = "orders"
DETAILS = "details"
SOURCE_KIND = "order"


def wanted(canonical: Mapping[str, Any], document: Document) -> bool:
    """Whether the mapping lets this order into Halo."""
    return is_included(canonical, document.orders.test_mode, document)


def delivery_requests(
    canonical: Mapping[str, Any], document: Document, *, detail_is_fresh: bool = False
) -> list[RequestedDelivery]:
    """The deliveries that a version of an order owes: its customer's, its own, and its detail.

    Args:
        canonical: the order.
        document: the connection's mapping.
        detail_is_fresh: whether this version's detail was read already, or came in an event; else
            every reading of a detail would ask for the next one.
    """
    if not wanted(canonical, document):
        return []
    order_id = canonical["id"]
    customer = customers.key_of(canonical.get("contact"), document)
    requested = customers.delivery_requests(customer) if customer else []
    if document.orders.lines == "detail" and not detail_is_fresh:
        requested.append(
            RequestedDelivery(DETAILS, SOURCE_KIND, order_id, "detail", "highlevel.order")
        )
    return [*requested, RequestedDelivery(FLOW, SOURCE_KIND, order_id, "order", "order")]


def needs(canonical: Mapping[str, Any], document: Document) -> list[Needs]:
    """What must be confirmed before the order can be rendered."""
    needed = customers.needs_of(canonical.get("contact"), document)
    if document.orders.lines == "detail":
        # Also when an older detail is there: its lines may belong to other amounts.
        needed.append(Needs(DETAILS, canonical["id"], "detail"))
    return needed


def status_depends_on_payments(document: Document) -> bool:
    """Whether a transaction may change the status of its order in Halo."""
    return any(row.payment is not None for row in document.statuses)


def status_depends_on_fulfillments(document: Document) -> bool:
    """Whether a fulfillment may change the status of its order in Halo."""
    return any(row.fulfillment is not None for row in document.statuses)


def render(
    canonical: Mapping[str, Any],
    document: Document,
    ids: Mapping[Needs, TargetIds],
    currencies: Mapping[str, int],
    status: int | None = None,
) -> Desired:
    """The sales order that Halo shall hold.

    Args:
        canonical: the order.
        document: the connection's mapping.
        ids: Halo's ids of the customers that `needs` names.
        currencies: ISO 4217 → Halo's id of it on this tenant.
        status: Halo's id of the status that it shall have; None: its status is not written.

    Raises:
        Unmappable: naming the field that cannot be rendered.
    """
    currency = canonical.get("currency")
    code = currency_id(currency, currencies)
    reference = reference_of(canonical["id"])
    mapped = apply(document.rows[FLOW], canonical, currency)
    body = {
        "po_number": reference,
        **customers.ids_for(canonical.get("contact"), document, ids),
        "currency_code": code,
        "lines": lines_of(canonical, document.orders),
        "_dont_fire_automations": True,
        **({} if status is None else {"status": status}),
        **mapped.always,
    }
    link = external_link(reference, f"HighLevel order {canonical['id']}")
    at_create = {"new_external_link": link, **mapped.at_create}
    return fitted("order", body, at_create, lambda kept: projection(kept, str(currency), document))
