"""The options of a mapping document: what each of its sections decides beside its rows.

Every option says its meaning itself, so that a page about a document can say it too.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field


class Options(BaseModel):
    """What the options of all sections have in common."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


TestMode = Annotated[
    Literal["skip", "include"],
    Field(description="what becomes of records made in HighLevel's test mode"),
]
Statuses = Annotated[list[str], AfterValidator(lambda many: [one.strip().lower() for one in many])]


class OrderOptions(Options):
    """The options of `[orders]`."""

    lines: Annotated[
        Literal["detail", "summary"],
        Field(
            description="a line for each item, which needs the order's detail, or one line for "
            "the whole order"
        ),
    ] = "detail"
    adjustment: Annotated[
        Literal["line", "park"],
        Field(description="whether a small rest becomes a line of its own or is parked"),
    ] = "line"
    adjustment_limit: Annotated[
        Decimal,
        Field(
            strict=False,
            ge=0,
            description="the largest such rest, in major units of the order's currency",
        ),
    ] = Decimal("0.05")
    test_mode: TestMode = "skip"


class CustomerOptions(Options):
    """The options of `[customers]`."""

    without_email: Annotated[
        Literal["default-client", "own-client", "park"],
        Field(description="whose order it is when the contact has no e-mail"),
    ] = "own-client"
    default_client: Annotated[
        int | None, Field(gt=0, description="Halo's id of the client that takes such orders")
    ] = None
    default_site: Annotated[
        int | None,
        Field(gt=0, description="Halo's id of that client's site, where Halo asks for one"),
    ] = None
    client_name: Annotated[
        Literal["company", "person", "email"],
        Field(
            description="what a new client is named after; the others follow where it is missing"
        ),
    ] = "company"


class PaymentOptions(Options):
    """The options of `[payments]`.

    Statuses are compared in lower case. One that is in neither list parks its transaction, since
    nobody has said whether money came in.
    """

    into: Annotated[
        Literal["invoice", "none"],
        Field(
            description="whether transactions become invoices, payments and credit notes in "
            "Halo, or nothing"
        ),
    ] = "invoice"
    test_mode: TestMode = "skip"
    paid: Annotated[
        Statuses, Field(description="statuses of a transaction in which money came in")
    ] = ["succeeded", "captured", "paid", "refunded", "partially_refunded"]
    unpaid: Annotated[
        Statuses, Field(description="statuses of a transaction in which no money came in")
    ] = [
        "failed",
        "pending",
        "processing",
        "requires_action",
        "canceled",
        "cancelled",
        "voided",
        "declined",
        "expired",
    ]
    refund_tax: Annotated[
        Literal["proportional", "none"],
        Field(
            description="whether a credit note takes back the order's tax in proportion to what "
            "was refunded, or no tax"
        ),
    ] = "proportional"


class SubscriptionOptions(Options):
    """The options of `[subscriptions]`."""

    into: Annotated[
        Literal["recurring-invoice", "none"],
        Field(
            description="whether subscriptions are shown as recurring invoices that never "
            "generate, or not at all"
        ),
    ] = "recurring-invoice"
    test_mode: TestMode = "skip"


SECTIONS: Final[Mapping[str, type[Options]]] = {
    "orders": OrderOptions,
    "customers": CustomerOptions,
    "payments": PaymentOptions,
    "subscriptions": SubscriptionOptions,
}
"""Section of a document → its options."""
