"""What a mapping may read and what it may set, flow by flow.

A target that a flow fills by itself is named with its reason, so that the error can say it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal, TypeVar

from syncline.mapping.record_shapes import (
    ALERT,
    CONSIGNMENT,
    CONTACT,
    ORDER,
    REFUND,
    SALE,
    SUBSCRIPTION,
    TRANSACTION,
)

FieldType = Literal["text", "number", "money", "date", "bool"]
"""What a target field takes."""

_Value = TypeVar("_Value")


CUSTOM: Final = "customfields."
"""How a target names one of Halo's custom fields: `customfields.CFOrderSource`."""


@dataclass(frozen=True, slots=True)
class FlowShape:
    """What the rows of one flow may use.

    Attributes:
        about: from what to what, for people.
        source: the canonical form that paths are checked against.
        targets: field of Halo → the type that it takes.
        filled: field of Halo that the flow fills by itself → why.
        prefixes: what a target starts with, one for each row of Halo that the flow writes.
        has_currency: whether the record has a currency, which `money` needs.
        sources: prefix → the canonical form, where it is not `source`.
        plain: prefixes of rows of Halo that have no custom fields.
        side: whose fields the targets are.
    """

    about: str
    source: Mapping[str, Any]
    targets: Mapping[str, FieldType]
    filled: Mapping[str, str]
    prefixes: tuple[str, ...]
    has_currency: bool
    sources: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    plain: tuple[str, ...] = ()
    side: str = "Halo"

    def prefix_of(self, target: str) -> str:
        """The prefix that a target starts with; "" where it has none of the flow's."""
        return next((prefix for prefix in self.prefixes if target.startswith(prefix)), "")

    def source_of(self, target: str) -> Mapping[str, Any]:
        """The canonical form that a row with this target reads."""
        return self.sources.get(self.prefix_of(target), self.source)

    def takes_custom(self, target: str) -> bool:
        """Whether a target is a custom field of a row of Halo that has such fields."""
        return any(
            target.startswith(f"{prefix}{CUSTOM}") and target != f"{prefix}{CUSTOM}"
            for prefix in self.prefixes
            if prefix not in self.plain
        )

    def rows_key(self, flow: str, prefix: str) -> str:
        """The name of a prefix's rows in a loaded document: `customers.client`, `orders`."""
        return f"{flow}.{prefix}".rstrip(".")


_INVOICE_FILLED: Final = {
    "thirdpartyinvoicenumber": "it carries our reference",
    "new_external_link": "it carries our reference",
    "client_id": "it follows from the customer",
    "sitenumber": "it follows from the customer",
    "currency_code": "it follows from the record's currency",
    **dict.fromkeys(("revenue", "tax_total", "total"), "Halo sums it up from the lines"),
    "_dont_fire_automations": "nothing that is written may start an automation",
    "_isimport": "nothing that is written may be taken for new work",
}
_FROM_PAYMENTS: Final = "Halo computes it from the payments"
_INVOICE_TARGETS: Final[Mapping[str, FieldType]] = {
    "invoice_date": "date",
    "duedate": "date",
    "reference": "text",
    "internal_note": "text",
    "notes_1": "text",
    "notes_2": "text",
    "cust_order_number": "text",
    "payment_ref": "text",
}
_NO_MAIL: Final = "nobody is mailed by a ticket of ours"
_NO_BILL: Final = "a recurring invoice of ours never generates, mails or collects"


def _under(prefix: str, fields: Mapping[str, _Value]) -> dict[str, _Value]:
    return {f"{prefix}{name}": value for name, value in fields.items()}


FLOWS: Final[Mapping[str, FlowShape]] = {
    # Source: Halo's OrderHead.
    "orders": FlowShape(
        about="HighLevel's orders → Halo's sales orders",
        source=ORDER,
        targets={
            **dict.fromkeys(("note", "summary", "title", "accountsref"), "text"),
            **dict.fromkeys((f"deladdress{at}" for at in range(1, 6)), "text"),
            "date": "date",
            "status": "number",
            "ticket_id": "number",
        },
        filled={
            "po_number": "it carries the order's reference",
            "client_id": "it follows from the customer",
            "site_id": "it follows from the customer",
            "user_id": "it follows from the customer",
            "currency_code": "it follows from the order's currency",
            "lines": "it is set by the option lines",
            **dict.fromkeys(("revenue", "tax_total", "total"), "Halo sums it up from the lines"),
            "new_external_link": "it carries the order's reference",
        },
        prefixes=("",),
        has_currency=True,
    ),
    # Source: Halo's Area (a client) and Users.
    "customers": FlowShape(
        about="The contacts of HighLevel's orders → Halo's clients and users",
        source=CONTACT,
        targets={
            "client.notes": "text",
            "client.website": "text",
            "client.accountsid": "text",
            **dict.fromkeys(
                (f"user.{name}" for name in ("title", "notes", "phonenumber", "mobilenumber")),
                "text",
            ),
            "user.phonenumber_preferred": "text",
        },
        filled={
            "client.name": "it is set by the option client_name",
            "client.ref": "it carries the customer's reference",
            "client.new_external_link": "it carries the customer's reference",
            **dict.fromkeys(
                ("user.name", "user.firstname", "user.surname"), "it is the contact's name"
            ),
            "user.emailaddress": "it is the contact's e-mail",
            "user.site_id": "it follows from the client",
        },
        prefixes=("client.", "user."),
        has_currency=False,
    ),
    # Source: Halo's InvoiceHeader and InvoicePayment.
    "payments": FlowShape(
        about="HighLevel's transactions → Halo's invoices, payments and credit notes",
        source=TRANSACTION,
        sources={"invoice.": SALE, "credit.": REFUND},
        targets={
            **_under("invoice.", _INVOICE_TARGETS),
            "payment.date": "date",
            "payment.method": "number",
            "payment.status": "number",
            "payment.sage50_reference": "text",
            **_under("credit.", _INVOICE_TARGETS),
        },
        filled={
            **_under("invoice.", _INVOICE_FILLED),
            "invoice.salesorder_id": "it is the order's row in Halo",
            "invoice.lines": "they are the order's lines, or the transaction's amount",
            **dict.fromkeys(
                ("invoice.amountpaid", "invoice.amountdue", "invoice.paymentstatus"),
                _FROM_PAYMENTS,
            ),
            "payment.intent_id": "it carries our reference",
            "payment.thirdpartyid": "it carries our reference",
            "payment.invoice_id": "it is the row of the order's invoice in Halo",
            "payment.client_id": "it follows from the invoice",
            "payment.amount": "it is what came in, gross",
            "payment._isimport": "nothing that is written may be taken for new work",
            **_under("credit.", _INVOICE_FILLED),
            "credit.creditlinkedtoinvoiceid": "it is the row of the invoice in Halo",
            "credit.mark_credit_as_used": "the money has gone back to the buyer already",
            "credit.lines": "it is one line with what was refunded, and its share of the tax",
        },
        prefixes=("invoice.", "payment.", "credit."),
        plain=("payment.",),
        has_currency=True,
    ),
    # Source: Halo's RecurringInvoice, which is an InvoiceHeader with a schedule.
    "subscriptions": FlowShape(
        about="HighLevel's subscriptions → Halo's recurring invoices, which never generate",
        source=SUBSCRIPTION,
        targets={
            "startdate": "date",
            "enddate": "date",
            "reference": "text",
            "internal_note": "text",
            "notes_1": "text",
            "cust_order_number": "text",
            "period": "number",
            "period_type": "number",
        },
        filled={
            **_INVOICE_FILLED,
            "salesorder_id": "it is the row of the order with which the subscription began",
            "lines": "it is one line with the subscription's amount",
            "is_recurring_invoice": "it follows from the flow",
            **dict.fromkeys(
                ("disabled", "nextcreationdate", "include_in_autopay", "take_auto_payment"),
                _NO_BILL,
            ),
        },
        prefixes=("",),
        has_currency=True,
    ),
    # Source: HighLevel's CreateFulfillmentDto and FulfillmentTracking.
    "fulfillments": FlowShape(
        about="Halo's consignments → fulfillments of HighLevel's orders",
        source=CONSIGNMENT,
        targets={
            "tracking.number": "text",
            "tracking.carrier": "text",
            "tracking.url": "text",
        },
        filled={
            "items": "they are the consignment's lines, by the price of the order's item",
            "notifyCustomer": "it is set by the option notify_customer",
        },
        prefixes=("tracking.",),
        plain=("tracking.",),
        has_currency=False,
        side="HighLevel",
    ),
    # Source: Halo's Faults.
    "alerts": FlowShape(
        about="What people shall know of → Halo's tickets",
        source=ALERT,
        targets={
            **dict.fromkeys((f"category_{at}" for at in range(1, 5)), "text"),
            "client_reference": "text",
            **dict.fromkeys(("impact", "urgency", "sla_id", "agent_id", "site_id"), "number"),
        },
        filled={
            "summary": "it is the alert's title",
            "details": "it is the alert's text, with its count and times",
            **dict.fromkeys(
                ("supplier_reference", "third_party_id_string", "new_external_link"),
                "it carries our reference",
            ),
            "tickettype_id": "it is set by the option ticket_type",
            "status_id": "it is set by the options new_status and closed_status",
            "priority_id": "it is set by the option priority",
            "client_id": "it is set by the option client",
            "team": "it is set by the option team",
            **dict.fromkeys(
                ("user_id", "user_email", "emailtolist", "emailcclist", "sendack"), _NO_MAIL
            ),
            **dict.fromkeys(
                ("_dont_fire_automations", "dont_do_rules"),
                "nothing that is written may start an automation",
            ),
        },
        prefixes=("",),
        has_currency=False,
    ),
}
"""The flows that a mapping document has a section for."""
