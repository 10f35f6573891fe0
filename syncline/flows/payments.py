"""HighLevel's transactions → Halo's invoices, payments and credits, to the cent.

An order has one invoice: the sale. A transaction in which money came in is one payment on it,
gross. Each increase of what was refunded is one credit note, marked as used, because the money has
gone back. So per currency Halo's invoices sum to what was sold, its payments to what came in, its
credits to what went back. A transaction without an order has an invoice of its own.

What was delivered once and is not true any more (a payment that bounced, a refund that was taken
back) is not removed but brought to nothing, so that the sums hold and the rows still tell it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from syncline.errors import Unmappable
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
from syncline.flows.lines import lines_of, single_line
from syncline.flows.projections import INVOICE, PAYMENT, projection
from syncline.flows.texts.fitting import fitted
from syncline.mapping.apply import apply
from syncline.mapping.document import Document
from syncline.money import Money, decimal

FLOW = "payments"
SOURCE_KIND = "transaction"

CREDIT_ROLE = "credit:"
"""What the role of a credit begins with; the cumulative amount follows, up to which it goes."""

QUIET = {"_dont_fire_automations": True}
"""What each row is written with, so that it starts nothing in Halo."""

Record = Mapping[str, Any]
Ids = Mapping[Needs, TargetIds]


def order_of(transaction: Record) -> str | None:
    """The order that a transaction pays for; None where it pays for none."""
    of_order = str(transaction.get("entity_type") or "").lower() == "order"
    return str(transaction["entity_id"]) if of_order and transaction.get("entity_id") else None


def invoice_of(transaction: Record) -> str:
    """The source id of the invoice that a transaction stands on."""
    return order_of(transaction) or str(transaction["id"])


def wanted(transaction: Record, document: Document) -> bool:
    """Whether the mapping lets this transaction into Halo."""
    options = document.payments
    return options.into == "invoice" and is_included(transaction, options.test_mode, document)


def delivery_requests(
    transaction: Record, document: Document, standing: Collection[str] = ()
) -> list[RequestedDelivery]:
    """The deliveries that a version of a transaction asks for.

    Args:
        transaction: its canonical form.
        document: the connection's mapping.
        standing: the roles that earlier versions of it ask for already. They are requested again,
            since a payment may have bounced and a refund may have been taken back.
    """
    if not wanted(transaction, document):
        return []
    source_id = transaction["id"]
    roles = {role for role in standing if role != "invoice"}
    # One whose amount nobody tells asks for a payment too: rendering it asks a person.
    amount = transaction.get("amount")
    if _may_have_come_in(transaction, document) and (amount is None or is_some(amount)):
        roles.add("payment")
    refunded = transaction.get("amount_refunded")
    if is_some(refunded) and _exceeds(refunded, standing):
        roles.add(f"{CREDIT_ROLE}{refunded}")
    if not roles:
        return []
    order_id = order_of(transaction)
    requested = [] if order_id else _of_its_own(transaction, document)
    if order_id:
        requested.append(
            RequestedDelivery(FLOW, orders.SOURCE_KIND, order_id, "invoice", "invoice")
        )
        if "invoice" in standing:
            # It had an invoice of its own before its order was known: brought to nothing.
            requested.append(RequestedDelivery(FLOW, SOURCE_KIND, source_id, "invoice", "invoice"))
    return requested + [
        RequestedDelivery(FLOW, SOURCE_KIND, source_id, role, target_of(role))
        for role in sorted(roles)
    ]


def needs(role: str, kind: str, record: Record, document: Document) -> list[Needs]:
    """What must be confirmed before a row can be rendered.

    Args:
        role: invoice, payment or a credit's.
        kind: order or transaction: what the record is.
        record: what an invoice is of; of the other roles, the transaction.
        document: the connection's mapping.
    """
    if role != "invoice":
        return [Needs(FLOW, invoice_of(record), "invoice")]
    if kind == orders.SOURCE_KIND and not orders.wanted(record, document):
        return []  # rendering says why that cannot be
    needed = customers.needs_of(record.get("contact"), document)
    if kind != orders.SOURCE_KIND:
        return needed
    needed.append(Needs(orders.FLOW, record["id"], "order"))
    if document.orders.lines == "detail":
        needed.append(Needs(orders.DETAILS, record["id"], "detail"))
    return needed


def is_credit(role: str) -> bool:
    """Whether a role is a credit's."""
    return role.startswith(CREDIT_ROLE)


def reference(source_id: str, role: str) -> str:
    """The text by which a row is found again in Halo."""
    text = reference_of(source_id)
    return f"{text}-R{role.removeprefix(CREDIT_ROLE)}" if is_credit(role) else text


def render_invoice(
    kind: str, record: Record, document: Document, ids: Ids, currencies: Mapping[str, int]
) -> Desired:
    """The invoice of an order, or of a transaction without one.

    Args:
        kind: order or transaction: what the record is.
        record: its canonical form.
        document: the connection's mapping.
        ids: Halo's ids of what `needs` names.
        currencies: ISO 4217 → Halo's id of it on this tenant.

    Raises:
        Unmappable: naming the field that cannot be rendered.
    """
    if kind == orders.SOURCE_KIND and not orders.wanted(record, document):
        raise Unmappable(
            "The order is in test mode and left out, but a payment of it is not.",
            field="live_mode",
            remedy="Set test_mode of [orders] and [payments] alike in the mapping; then retry.",
        )
    currency = str(record.get("currency") or "")
    body = {
        "thirdpartyinvoicenumber": reference_of(record["id"]),
        "currency_code": currency_id(currency, currencies),
        **party(customers.ids_for(record.get("contact"), document, ids)),
        **_of_order(record, ids),
        "lines": _invoice_lines(kind, record, document, currency),
        **QUIET,
    }
    return finished(body, f"HighLevel {kind} {record['id']}", record, document, INVOICE)


def render_payment(
    transaction: Record, document: Document, ids: Ids, currencies: Mapping[str, int]
) -> Desired:
    """The payment of a transaction on its invoice; of one that bounced later, nothing.

    Raises:
        Unmappable: naming the field that cannot be rendered.
    """
    invoice = invoice_row(transaction, ids, currencies)
    currency = str(transaction["currency"])
    came_in = has_come_in(transaction, document)
    amount = Money.of(transaction.get("amount") if came_in else 0, currency)
    text = reference_of(transaction["id"])
    mapped = apply(document.rows["payments.payment"], transaction, currency)
    body = {
        "intent_id": text,
        "thirdpartyid": text,
        "invoice_id": invoice.id,
        **({} if invoice.client_id is None else {"client_id": invoice.client_id}),
        "amount": amount.amount,
        **mapped.always,
    }
    at_create = {"_isimport": True, **mapped.at_create}
    return fitted(
        "payment", body, at_create, lambda kept: projection(kept, currency, document, PAYMENT)
    )


def has_come_in(transaction: Record, document: Document) -> bool:
    """Whether money came in with a transaction.

    Raises:
        Unmappable: if its status is one that nobody has sorted yet.
    """
    status = str(transaction.get("status") or "").lower()
    if status in document.payments.paid or is_some(transaction.get("amount_refunded")):
        return True
    if status in document.payments.unpaid:
        return False
    which = f"that is {status}" if status else "that tells no status"
    raise Unmappable(
        f"Nobody has said whether money came in with a transaction {which}.",
        field="status",
        remedy="Add the status to paid or unpaid under [payments] in the mapping; then retry.",
    )


def _may_have_come_in(transaction: Record, document: Document) -> bool:
    """A status that nobody has sorted yet requests a payment too: rendering it asks a person."""
    try:
        return has_come_in(transaction, document)
    except Unmappable:
        return True


def _of_its_own(transaction: Record, document: Document) -> list[RequestedDelivery]:
    customer = customers.key_of(transaction.get("contact"), document)
    return [
        *(customers.delivery_requests(customer) if customer else []),
        RequestedDelivery(FLOW, SOURCE_KIND, transaction["id"], "invoice", "invoice"),
    ]


def target_of(role: str) -> str:
    """What is written for a role."""
    return "credit" if is_credit(role) else role


def is_some(amount: Any) -> bool:
    """Whether there is an amount; one that is nonsense counts, so that rendering can say so."""
    try:
        return amount is not None and decimal(amount, "amount") != 0
    except Unmappable:
        return True


def _exceeds(refunded: Any, standing: Collection[str]) -> bool:
    """Whether more was refunded than the credits that stand go up to."""
    try:
        amount = decimal(refunded, "amount_refunded")
    except Unmappable:
        return True
    return all(
        decimal(role.removeprefix(CREDIT_ROLE), role) < amount
        for role in standing
        if is_credit(role)
    )


def invoice_row(transaction: Record, ids: Ids, currencies: Mapping[str, int]) -> TargetIds:
    """Halo's row of the invoice that a transaction stands on.

    Raises:
        Unmappable: it is not there, or is in another currency.
    """
    invoice = ids.get(Needs(FLOW, invoice_of(transaction), "invoice"))
    if invoice is None:
        raise Unmappable("The transaction's invoice is not in Halo yet.", field="invoice_id")
    code = currency_id(transaction.get("currency"), currencies)
    if invoice.currency_id is not None and invoice.currency_id != code:
        raise Unmappable(
            f"The transaction is in {transaction['currency']}, its invoice is in another currency.",
            field="currency",
            remedy="Correct the currency in HighLevel, then retry.",
        )
    return invoice


def party(ids: Mapping[str, int | None]) -> dict[str, int]:
    """Whose an invoice is; its field for the site has a name of its own in Halo."""
    named = {"client_id": ids.get("client_id"), "sitenumber": ids.get("site_id")}
    return {key: value for key, value in named.items() if value is not None}


def _of_order(record: Record, ids: Ids) -> dict[str, int]:
    order = ids.get(Needs(orders.FLOW, record["id"], "order"))
    return {} if order is None else {"salesorder_id": order.id}


def _invoice_lines(
    kind: str, record: Record, document: Document, currency: str
) -> list[dict[str, Any]]:
    if kind == orders.SOURCE_KIND:
        return lines_of(record, document.orders)
    is_sale = order_of(record) is None and has_come_in(record, document)
    amount = Money.of(record.get("amount") if is_sale else 0, currency, "total")
    name = str((record.get("source") or {}).get("name") or "Payment")
    return [single_line("HL-transaction", name, amount, Money.of(0, currency))]


def finished(
    body: dict[str, Any], described: str, record: Record, document: Document, shape: Any
) -> Desired:
    """An invoice or credit with the mapped fields of its record, and with its link."""
    currency = str(record["currency"])
    mapped = apply(document.rows[shape.rows], record, currency)
    body |= mapped.always
    link = external_link(body["thirdpartyinvoicenumber"], described)
    at_create = {"new_external_link": link, "_isimport": True, **mapped.at_create}
    return fitted(
        "invoice", body, at_create, lambda kept: projection(kept, currency, document, shape)
    )
