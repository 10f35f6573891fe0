"""The options of a mapping document: what each of its sections decides beside its rows.

Every option says its meaning itself, so that a page about a document can say it too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
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
    changed_in_halo: Annotated[
        Literal["overwrite", "report"],
        Field(
            description="whether an order that was changed by hand in Halo is written again as "
            "HighLevel has it, or parked with both values"
        ),
    ] = "overwrite"


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


_SECONDS: Final = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_DURATION: Final = re.compile(rf"(\d{{1,6}}) ?({'|'.join(_SECONDS)})s?")


def duration(text: str) -> timedelta:
    """A duration as people write it: `30 minutes`, `2 hours`.

    Raises:
        ValueError: if it is none.
    """
    found = _DURATION.fullmatch(text.strip().lower())
    if found is None:
        units = ", ".join(f"{unit}s" for unit in _SECONDS)
        raise ValueError(f"a duration is a whole number and one of {units}")
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def _checked_duration(text: str) -> str:
    duration(text)
    return text


class FulfillmentOptions(Options):
    """The options of `[fulfillments]`."""

    into: Annotated[
        Literal["highlevel", "none"],
        Field(description="whether Halo's consignments become fulfillments in HighLevel, or not"),
    ] = "highlevel"
    hold_for: Annotated[
        str,
        AfterValidator(_checked_duration),
        Field(
            description="how long a consignment without tracking waits for it, since HighLevel "
            "cannot add one later; then it goes without"
        ),
    ] = "2 hours"
    notify_customer: Annotated[
        bool, Field(description="whether HighLevel mails the buyer about each fulfillment")
    ] = False
    returns: Annotated[
        Literal["park"],
        Field(description="what becomes of a return, which HighLevel does not know: a person"),
    ] = "park"

    @property
    def hold(self) -> timedelta:
        """`hold_for` as a duration."""
        return duration(self.hold_for)


SECTIONS: Final[Mapping[str, type[Options]]] = {
    "orders": OrderOptions,
    "customers": CustomerOptions,
    "payments": PaymentOptions,
    "subscriptions": SubscriptionOptions,
    "fulfillments": FulfillmentOptions,
}
"""Section of a document → its options."""
