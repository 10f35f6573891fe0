"""Refunds → Halo's credit notes: one for each increase of what was refunded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from syncline.flows.flow import Desired
from syncline.flows.lines import single_line, tax_of
from syncline.flows.payments import (
    CREDIT_ROLE,
    QUIET,
    Ids,
    Record,
    finished,
    invoice_row,
    is_some,
    party,
    reference,
)
from syncline.flows.projections import CREDIT
from syncline.mapping.document import Document
from syncline.money import Money, decimal, quantize


def render_credit(
    transaction: Record,
    role: str,
    standing: Iterable[str],
    order: Record | None,
    document: Document,
    ids: Ids,
    currencies: Mapping[str, int],
) -> Desired:
    """The credit note of one increase of what was refunded.

    Args:
        transaction: its canonical form.
        role: the credit's, which carries the cumulative amount up to which it goes.
        standing: the roles of all credits of this transaction.
        order: the order's canonical form, for the share of its tax; None without one.
        document: the connection's mapping.
        ids: Halo's ids of what `needs` names.
        currencies: ISO 4217 → Halo's id of it on this tenant.

    Raises:
        Unmappable: naming the field that cannot be rendered.
    """
    invoice = invoice_row(transaction, ids, currencies)
    currency = str(transaction["currency"])
    # Of a payment whose amount nobody tells, nothing is credited: a person is asked about both.
    decimal(transaction.get("amount"), "amount")
    refunded = Money.of(transaction.get("amount_refunded") or 0, currency, "amount_refunded")
    upto = _cumulative(role, currency)
    before = max(
        (other for one in standing if (other := _cumulative(one, currency)) < upto),
        default=Decimal(0),
    )
    upper, lower = min(upto, refunded.amount), min(before, refunded.amount)
    share = _tax_share(order, document, currency)
    tax = share(upper) - share(lower)
    amount = Money(upper - lower, currency)
    refund = {"amount": f"{amount.amount:f}", "cumulative": f"{upto:f}"}
    record = {**transaction, "refund": refund, "refunded_at": transaction.get("updated_at")}
    text = reference(transaction["id"], role)
    line = single_line("HL-refund", "Refund", amount, Money(tax, currency))
    body = {
        "thirdpartyinvoicenumber": text,
        "currency_code": invoice.currency_id,
        **party({"client_id": invoice.client_id, "site_id": invoice.site_id}),
        "creditlinkedtoinvoiceid": invoice.id,
        # The money has gone back to the buyer, so this credit must not stand open to be used.
        "mark_credit_as_used": True,
        # Halo writes a credit as a quantity taken back at the price it was sold for.
        "lines": [{**line, "quantity": -line["quantity"], "tax": -line["tax"]}],
        **QUIET,
    }
    return finished(body, f"HighLevel refund of {transaction['id']}", record, document, CREDIT)


def _cumulative(role: str, currency: str) -> Decimal:
    return Money.of(role.removeprefix(CREDIT_ROLE), currency, "amount_refunded").amount


def _tax_share(order: Record | None, document: Document, currency: str) -> Any:
    """The tax in so much of an order's amount; nothing where it is not known or not wanted."""
    split = document.payments.refund_tax == "proportional" and document.orders.lines == "detail"
    if not split or order is None or not is_some(order.get("amount")):
        return lambda _: Decimal(0)
    amount = Money.of(order["amount"], currency, "total").amount
    tax = tax_of(order, document.orders)
    return lambda part: quantize(min(part, amount) * tax / amount, currency, "tax")
