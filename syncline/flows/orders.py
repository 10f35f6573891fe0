"""HighLevel's orders → Halo's sales orders."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from syncline.errors import Unmappable
from syncline.flows import customers
from syncline.flows.flow import Desired, Needs, Owed, TargetIds, external_link, reference_of
from syncline.flows.lines import lines_of
from syncline.flows.projections import projection
from syncline.mapping.apply import apply
from syncline.mapping.document import Document

FLOW = "orders"
DETAILS = "details"
SOURCE_KIND = "order"


def owes(
    canonical: Mapping[str, Any], document: Document, *, detail_is_fresh: bool = False
) -> list[Owed]:
    """The deliveries that a version of an order owes: its customer's, its own, and its detail.

    Args:
        canonical: the order.
        document: the connection's mapping.
        detail_is_fresh: whether this version's detail was read already, or came in an event; else
            every reading of a detail would ask for the next one.
    """
    if document.orders.test_mode == "skip" and canonical.get("live_mode") is False:
        return []
    order_id = canonical["id"]
    customer = customers.key_of(canonical.get("contact"), document)
    owed = customers.owes(customer) if customer else []
    if document.orders.lines == "detail" and not detail_is_fresh:
        owed.append(Owed(DETAILS, SOURCE_KIND, order_id, "detail", "highlevel.order"))
    return [*owed, Owed(FLOW, SOURCE_KIND, order_id, "order", "order")]


def needs(canonical: Mapping[str, Any], document: Document) -> list[Needs]:
    """What must be confirmed before the order can be rendered."""
    customer = customers.key_of(canonical.get("contact"), document)
    needed: list[Needs] = []
    if customer is not None:
        needed += [Needs(customers.FLOW, customer, role) for role in customers.roles_of(customer)]
    if document.orders.lines == "detail":
        # Also when an older detail is there: its lines may belong to other amounts.
        needed.append(Needs(DETAILS, canonical["id"], "detail"))
    return needed


def render(
    canonical: Mapping[str, Any],
    document: Document,
    ids: Mapping[Needs, TargetIds],
    currencies: Mapping[str, int],
) -> Desired:
    """The sales order that Halo shall hold.

    Args:
        canonical: the order.
        document: the connection's mapping.
        ids: Halo's ids of the customers that `needs` names.
        currencies: ISO 4217 → Halo's id of it on this tenant.

    Raises:
        Unmappable: naming the field that cannot be rendered.
    """
    currency = canonical.get("currency")
    if not currency or currency not in currencies:
        raise Unmappable(
            f"Halo has no currency {currency}." if currency else "The order has no currency.",
            field="currency_code",
            remedy="Add the currency in Halo's configuration, then retry.",
        )
    reference = reference_of(canonical["id"])
    mapped = apply(document.rows[FLOW], canonical, currency)
    body = {
        "po_number": reference,
        **_customer_ids(canonical, document, ids),
        "currency_code": currencies[currency],
        "lines": lines_of(canonical, document.orders),
        "_dont_fire_automations": True,
        **mapped.always,
    }
    link = external_link(reference, f"HighLevel order {canonical['id']}")
    at_create = {"new_external_link": link, **mapped.at_create}
    return Desired(body, projection(body, currency, document), at_create)


def _customer_ids(
    canonical: Mapping[str, Any], document: Document, ids: Mapping[Needs, TargetIds]
) -> dict[str, int]:
    options = document.customers
    customer = customers.key_of(canonical.get("contact"), document)
    if customer is None:
        if options.without_email != "default-client" or options.default_client is None:
            _without_customer("The order's contact has no e-mail, so its customer is unknown.")
        found = {"client_id": options.default_client, "site_id": options.default_site}
    else:
        client = ids.get(Needs(customers.FLOW, customer, "client"))
        user = ids.get(Needs(customers.FLOW, customer, "user"))
        if client is None:
            _without_customer("The order's customer is not in Halo yet.")
        found = {
            "client_id": client.id,
            "site_id": user.site_id if user and user.site_id else client.site_id,
            "user_id": user.id if user else None,
        }
    return {key: value for key, value in found.items() if value is not None}


def _without_customer(what: str) -> NoReturn:
    raise Unmappable(
        what,
        field="client_id",
        remedy="Add the e-mail in HighLevel, or choose a default client in the mapping; then "
        "retry.",
    )
