"""HighLevel's subscriptions → Halo's recurring invoices, which never generate, mail or collect.

HighLevel bills the subscription. In Halo it stands to be seen: who, what, how much, how often, in
which state. It is disabled, has no next date and is kept out of automatic payment, for else Halo
would bill a second time.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from syncline.flows import customers, orders
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
from syncline.flows.lines import single_line
from syncline.flows.projections import RECURRING, projection
from syncline.flows.texts.fitting import fitted
from syncline.mapping.apply import apply
from syncline.mapping.document import Document
from syncline.money import Money

FLOW = "subscriptions"
SOURCE_KIND = "subscription"

Record = Mapping[str, Any]

_UNITS = {
    "yearly": "year",
    "monthly": "month",
    "weekly": "week",
    "daily": "day",
    "hourly": "hour",
    "minutely": "minute",
    "secondly": "second",
}


def order_of(subscription: Record) -> str | None:
    """The order with which a subscription began; None where there is none."""
    of_order = str(subscription.get("entity_type") or "").lower() == "order"
    return str(subscription["entity_id"]) if of_order and subscription.get("entity_id") else None


def delivery_requests(
    subscription: Record, document: Document, *, detail_is_fresh: bool = False
) -> list[RequestedDelivery]:
    """The deliveries that a version of a subscription owes: its customer's, its own, its detail.

    Args:
        subscription: its canonical form.
        document: the connection's mapping.
        detail_is_fresh: whether this version's detail, which alone tells the schedule, was read.
    """
    options = document.subscriptions
    if options.into == "none" or not is_included(subscription, options.test_mode, document):
        return []
    source_id = subscription["id"]
    customer = customers.key_of(subscription.get("contact"), document)
    requested = customers.delivery_requests(customer) if customer else []
    if not detail_is_fresh:
        target = "highlevel.subscription"
        requested.append(
            RequestedDelivery(orders.DETAILS, SOURCE_KIND, source_id, "detail", target)
        )
    return [*requested, RequestedDelivery(FLOW, SOURCE_KIND, source_id, "recurring", "recurring")]


def needs(subscription: Record, document: Document, order: Record | None) -> list[Needs]:
    """What must be confirmed before the recurring invoice can be rendered.

    Args:
        subscription: its canonical form.
        document: the connection's mapping.
        order: the canonical form of the order with which it began, where that is known.
    """
    needed = customers.needs_of(subscription.get("contact"), document)
    needed.append(Needs(orders.DETAILS, subscription["id"], "detail"))
    order_id = order_of(subscription)
    if order_id and order is None:
        needed.append(Needs(orders.DETAILS, order_id, "detail"))
    elif order_id and order is not None and orders.wanted(order, document):
        needed.append(Needs(orders.FLOW, order_id, "order"))
    return needed


def render(
    subscription: Record,
    document: Document,
    ids: Mapping[Needs, TargetIds],
    currencies: Mapping[str, int],
) -> Desired:
    """The recurring invoice that Halo shall hold.

    Args:
        subscription: its canonical form.
        document: the connection's mapping.
        ids: Halo's ids of what `needs` names.
        currencies: ISO 4217 → Halo's id of it on this tenant.

    Raises:
        Unmappable: naming the field that cannot be rendered.
    """
    currency = str(subscription.get("currency") or "")
    code = currency_id(currency, currencies)
    owner = customers.ids_for(subscription.get("contact"), document, ids)
    order = ids.get(Needs(orders.FLOW, order_of(subscription) or "", "order"))
    amount = Money.of(subscription.get("amount"), currency, "total")
    name = str(subscription.get("product") or "Subscription")
    mapped = apply(document.rows[FLOW], told(subscription), currency)
    text = reference_of(subscription["id"])
    body = {
        "thirdpartyinvoicenumber": text,
        "client_id": owner["client_id"],
        **({"sitenumber": owner["site_id"]} if "site_id" in owner else {}),
        "currency_code": code,
        **({} if order is None else {"salesorder_id": order.id}),
        "lines": [single_line("HL-subscription", name, amount, Money.of(0, currency))],
        "is_recurring_invoice": True,
        "disabled": True,
        "include_in_autopay": False,
        "take_auto_payment": False,
        "_dont_fire_automations": True,
        **mapped.always,
    }
    link = external_link(text, f"HighLevel subscription {subscription['id']}")
    at_create = {"new_external_link": link, "_isimport": True, **mapped.at_create}
    return fitted(
        "recurring", body, at_create, lambda kept: projection(kept, currency, document, RECURRING)
    )


def told(subscription: Record) -> dict[str, Any]:
    """A subscription with what the mapping reads beside it: how often, from when, until when."""
    schedule = subscription.get("schedule") or {}
    further = {
        "rhythm": _rhythm(schedule),
        "starts_at": schedule.get("start_date") or subscription.get("created_at"),
        "ends_at": subscription.get("canceled_at") or schedule.get("end_date"),
    }
    return {**subscription, **{key: value for key, value in further.items() if value}}


def _rhythm(schedule: Record) -> str | None:
    kind = schedule.get("interval_type")
    if not kind:
        return None
    unit, every = _UNITS.get(str(kind), str(kind)), schedule.get("interval") or 1
    text = f"every {unit}" if every == 1 else f"every {every} {unit}s"
    return f"{text}, {schedule['count']} times" if schedule.get("count") else text
