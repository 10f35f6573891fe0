"""The options of a mapping document: what each of its sections decides beside its rows.

Every option says its meaning itself, so that a page about a document can say it too.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import time, timedelta
from decimal import Decimal
from typing import Annotated, Final, Literal, get_args

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
    tracking_in_note: Annotated[
        bool,
        Field(
            description="whether tracking is looked for in the consignment's note where no row "
            "finds any: behind the word tracking, beside a carrier's name, or proved by its check "
            "digit"
        ),
    ] = True
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


AlertKind = Literal[
    "new_order",
    "parked",
    "fulfillment",
    "discrepancy",
    "stopped",
    "silent",
    "foreign",
    "failing",
    "suspended",
    "restored",
    "quota",
    "missed_events",
    "pulls",
    "reconciliation",
]
"""What people can be told of."""

_HOURS: Final = re.compile(r"((?:[01]\d|2[0-3]):[0-5]\d)-((?:[01]\d|2[0-3]):[0-5]\d)")


def hours(text: str) -> tuple[time, time] | None:
    """From when to when, of `22:00-07:00`; None where the text is empty.

    Raises:
        ValueError: if it is something else, or no time at all.
    """
    if not text.strip():
        return None
    found = _HOURS.fullmatch(text.strip())
    if found is None or found[1] == found[2]:
        raise ValueError("quiet hours are written as 22:00-07:00, and begin and end apart")
    return time.fromisoformat(found[1]), time.fromisoformat(found[2])


def _checked_hours(text: str) -> str:
    hours(text)
    return text


def _checked_zone(name: str) -> str:
    from zoneinfo import ZoneInfo  # noqa: PLC0415 - reads files; most processes need no zone

    try:
        ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        raise ValueError("a time zone is named as Europe/Berlin or UTC") from None
    return name


Duration = Annotated[str, AfterValidator(_checked_duration)]
_Id = Annotated[int | None, Field(gt=0)]


class NewOrderRule(Options):
    """One row of `[[alerts.new_order]]`: which new orders are told. All that it says must hold."""

    at_least: Annotated[
        Decimal | None,
        Field(strict=False, ge=0, description="the order's amount, in major units of `currency`"),
    ] = None
    currency: Annotated[
        str | None,
        Field(pattern="^[A-Z]{3}$", description="ISO 4217; without it the amount is of any"),
    ] = None
    product: Annotated[
        str | None,
        Field(min_length=1, description="the name or the id of a product that it has"),
    ] = None
    sku: Annotated[
        str | None, Field(min_length=1, description="the SKU of an item that it has")
    ] = None
    first: Annotated[bool, Field(description="true: only a customer's first order")] = False

    def __str__(self) -> str:
        """In words."""
        amount = None if self.at_least is None else f"at least {self.at_least:f}"
        said = [
            " ".join(one for one in (amount, self.currency) if one),
            f"with {self.product!r}" if self.product else "",
            f"with SKU {self.sku!r}" if self.sku else "",
            "a customer's first" if self.first else "",
        ]
        return ", ".join(one for one in said if one) or "any order"


class AlertOptions(Options):
    """The options of `[alerts]`."""

    into: Annotated[
        Literal["ticket", "none"],
        Field(description="whether alerts become tickets in Halo, or are told by channels alone"),
    ] = "ticket"
    kinds: Annotated[list[AlertKind], Field(description="what is told at all")] = list(
        get_args(AlertKind)
    )
    client: Annotated[
        _Id, Field(description="Halo's id of the client whose tickets they are; else Halo's own")
    ] = None
    ticket_type: Annotated[_Id, Field(description="Halo's id of their type; else found out")] = None
    new_status: Annotated[
        _Id, Field(description="Halo's id of a new ticket's status; else the type's own")
    ] = None
    closed_status: Annotated[
        _Id, Field(description="Halo's id of the status that closes a ticket; else found out")
    ] = None
    priority: Annotated[
        _Id, Field(description="Halo's number of their priority; else the type's own")
    ] = None
    team: Annotated[
        str | None, Field(min_length=1, description="the team that gets them; else Halo's own")
    ] = None
    integration_errors: Annotated[
        bool,
        Field(description="whether they stand among Halo's integration errors too, where shown"),
    ] = True
    parked_at_least: Annotated[
        int, Field(ge=1, description="deliveries that must be parked for a cause before it is told")
    ] = 1
    parked_for: Annotated[
        Duration, Field(description="how long they must have been parked by then")
    ] = "0 seconds"
    silent_for: Annotated[
        Duration,
        Field(description="how long a side gives no answer before that is told"),
    ] = "10 minutes"
    quota_for: Annotated[
        Duration, Field(description="how long a quota is used up or frozen before that is told")
    ] = "5 minutes"
    missed_at_least: Annotated[
        int, Field(ge=1, description="webhooks missed within an hour before that is told")
    ] = 5
    pulls_late_after: Annotated[
        Duration,
        Field(description="how long no pull or one window comes to no end before that is told"),
    ] = "1 hour"
    heals_after: Annotated[
        Duration, Field(description="how long a cause must be gone before its alert is closed")
    ] = "5 minutes"
    repeat: Annotated[
        Duration, Field(description="how long an open alert is silent before it is told again")
    ] = "1 day"
    quiet: Annotated[
        str,
        AfterValidator(_checked_hours),
        Field(description="hours in which nothing is told, such as 22:00-07:00; it is told after"),
    ] = ""
    time_zone: Annotated[
        str, AfterValidator(_checked_zone), Field(description="whose hours these are")
    ] = "UTC"
    quiet_except: Annotated[
        Literal["critical", "nothing"],
        Field(description="what is told in quiet hours all the same"),
    ] = "critical"
    new_orders_an_hour: Annotated[
        int,
        Field(ge=0, description="new orders told one by one in an hour; one alert tells the rest"),
    ] = 20
    new_order: Annotated[
        list[NewOrderRule], Field(description="the rules of new orders that are told")
    ] = []


SECTIONS: Final[Mapping[str, type[Options]]] = {
    "orders": OrderOptions,
    "customers": CustomerOptions,
    "payments": PaymentOptions,
    "subscriptions": SubscriptionOptions,
    "fulfillments": FulfillmentOptions,
    "alerts": AlertOptions,
}
"""Section of a document → its options."""
