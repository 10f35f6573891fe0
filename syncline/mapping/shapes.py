"""What a mapping may read and what it may set, flow by flow.

A target that a flow fills by itself is named with its reason, so that the error can say it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

FieldType = Literal["text", "number", "money", "date", "bool"]
"""What a target field takes."""

CONTACT: Final[Mapping[str, Any]] = {
    "id": None,
    "name": None,
    "email": None,
    "phone": None,
    "company": None,
}
"""A contact's canonical form; None stands for a plain value."""

_ITEM = (
    "key",
    "name",
    "product_id",
    "price_id",
    "sku",
    "qty",
    "unit_price",
    "amount",
    "currency",
)
ORDER: Final[Mapping[str, Any]] = {
    "id": None,
    "contact": CONTACT,
    "currency": None,
    "amount": None,
    "subtotal": None,
    "discount": None,
    "tax": None,
    "shipping": None,
    "status": None,
    "fulfillment_status": None,
    "live_mode": None,
    "source": dict.fromkeys(("type", "sub_type", "name", "id")),
    "coupon": None,
    "items": [dict.fromkeys(_ITEM)],
    "created_at": None,
    "updated_at": None,
}
"""An order's canonical form."""

CUSTOM: Final = "customfields."
"""How a target names one of Halo's custom fields: `customfields.CFOrderSource`."""


@dataclass(frozen=True, slots=True)
class FlowShape:
    """What the rows of one flow may use.

    Attributes:
        source: the canonical form that paths are checked against.
        targets: field of Halo → the type that it takes.
        filled: field of Halo that the flow fills by itself → why.
        prefixes: what a target starts with, one for each row of Halo that the flow writes.
        has_currency: whether the record has a currency, which `money` needs.
    """

    source: Mapping[str, Any]
    targets: Mapping[str, FieldType]
    filled: Mapping[str, str]
    prefixes: tuple[str, ...]
    has_currency: bool


FLOWS: Final[Mapping[str, FlowShape]] = {
    # Source: Halo's OrderHead.
    "orders": FlowShape(
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
}
"""The flows that a mapping document has a section for."""
