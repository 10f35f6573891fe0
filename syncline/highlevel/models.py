"""What HighLevel sends: lists are flat, single reads are nested.

Its documents and its answers differ: numbers and booleans may be text, optional fields and
enumerations are open, and any field may hold nonsense, which is left out. Only what says which
record it is, whose, and what money it means cannot be left out without saying something else: a
record in which that is nonsense is unreadable.
Source: the published payments schema; items and snapshots as the order events show them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import (
    AfterValidator,
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
)
from pydantic.alias_generators import to_camel

from syncline import leniency
from syncline.leniency import Indispensable
from syncline.money import CURRENCIES

CORRECT = "Correct the record in HighLevel; it is read again by the next pull."
"""The remedy for a record that cannot be read."""

_HTTP_DATE = re.compile(r"[A-Z][a-z]{2,8}, \d{2}[ -][A-Z][a-z]{2}[ -]\d{2,4} [\d:]{8} GMT")
_FIRST_YEAR, _LAST_YEAR = 2000, 2100
"""Of times that are meant: others stand for "none", and would go before or after all others."""


def instant(value: object) -> datetime:
    """An ISO 8601 text with its offset, or a date as HTTP writes it, as aware UTC.

    Raises:
        ValueError: if it is anything else; a time without an offset could be any.
    """
    if not isinstance(value, str):
        raise ValueError("not an ISO 8601 text")  # noqa: TRY004 - pydantic takes only this one
    is_http = _HTTP_DATE.fullmatch(value) is not None  # Source: RFC 7231, 7.1.1.1
    found = parsedate_to_datetime(value) if is_http else datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError("a time without its offset from UTC")
    if not _FIRST_YEAR <= found.year < _LAST_YEAR:
        raise ValueError("a time that no record is of")
    return found.astimezone(UTC)


def _told(value: object) -> object:
    """An empty text is how nothing is told where an id or an amount would stand."""
    return None if value == "" else value


_ID = re.compile(r"[0-9A-Za-z_-]{1,64}")


def is_id(text: str) -> bool:
    """Whether a text can be an id of HighLevel: so short and plain that any index holds it."""
    return _ID.fullmatch(text) is not None


Id = Annotated[str, StringConstraints(strict=True, pattern=rf"^{_ID.pattern}$")]
OtherId = Annotated[Id | None, BeforeValidator(_told)]
"""The id of something else, where it is told."""

Instant = Annotated[datetime, PlainValidator(instant)]
# Without bounds, one row saying 1e999999 would be written out as a million digits.
Amount = Annotated[
    Annotated[Decimal, Field(ge=-(10**15), le=10**15, decimal_places=60)] | None,
    BeforeValidator(_told),
]
_Status = Annotated[str | None, BeforeValidator(leniency.worded)]
_Sorted = Annotated[str | None, BeforeValidator(leniency.as_it_came)]
PaymentMode = Literal["live", "test"]
Quantity = Annotated[Decimal, Field(ge=-(10**9), le=10**9, decimal_places=60)]
_AsItCame = Annotated[str, BeforeValidator(leniency.as_it_came)]
_Quantity = Annotated[
    Annotated[Quantity | _AsItCame, Field(union_mode="left_to_right")] | None,
    BeforeValidator(_told),
]
_Rate = Annotated[Decimal, Field(ge=0, le=1000, decimal_places=60)]
_Count = Annotated[int, Field(ge=-(10**6), le=10**6)]


class Part(BaseModel):
    """A part of what came: unknown fields are left aside."""

    model_config = ConfigDict(
        extra="ignore",
        frozen=True,
        alias_generator=to_camel,
        coerce_numbers_to_str=True,
        str_strip_whitespace=True,
    )


class Record(Part):
    """What every record has, in a list or read alone; times are UTC, amounts in major units.

    Attributes:
        kind: what kind of record it is.
        alt_id: the location whose it is.
    """

    kind: ClassVar[str] = "record"

    id: Id = Field(alias="_id")
    alt_id: Indispensable[OtherId] = None
    created_at: Instant | None = None
    updated_at: Instant | None = None
    contact_id: OtherId = None
    currency: Indispensable[str | None] = None
    amount: Indispensable[Amount] = None
    status: _Status = None
    live_mode: bool | None = None


class _ListedContact(Part):
    contact_name: str | None = None
    contact_email: str | None = None


class RecordSource(Part):
    """Where a record came from: a funnel, an invoice or a payment link."""

    type: str | None = None
    sub_type: str | None = None
    id: str | None = None
    name: str | None = None


class Snapshot(Part):
    """The contact as it was then: snake_case in single reads, camelCase in events."""

    id: OtherId = None
    name: str | None = None
    first_name: str | None = Field(None, validation_alias=AliasChoices("firstName", "first_name"))
    last_name: str | None = Field(None, validation_alias=AliasChoices("lastName", "last_name"))
    company_name: str | None = Field(
        None, validation_alias=AliasChoices("companyName", "company_name")
    )
    email: str | None = None
    phone: str | None = None


class Coupon(Part):
    """The coupon that was used."""

    code: str | None = None


class AmountSummary(Part):
    """How an order's amount comes about; tax and shipping are seen in events only."""

    subtotal: Amount = None
    discount: Amount = None
    tax: Amount = None
    shipping: Amount = None


class Tax(Part):
    """One tax of an order."""

    amount: Amount = None


class ItemTax(Part):
    """A tax of a product, in per cent; `exclusive` of its price is the only published reckoning."""

    name: str | None = None
    rate: _Rate | None = None
    calculation: str | None = None


def _named(value: object) -> object:
    """A tax of which only the id is told, as the schema of products publishes them."""
    return {} if isinstance(value, str) else value


class ItemProduct(Part):
    """The product of an item; an empty list of taxes says that it bears none."""

    id: str | None = Field(None, alias="_id")
    name: str | None = None
    taxes: list[Annotated[ItemTax, BeforeValidator(_named)]] | None = None


def _code(told: str) -> str:
    if told.upper() not in CURRENCIES:
        raise ValueError("not a currency")
    return told.upper()


_Code = Annotated[Annotated[str, AfterValidator(_code)] | None, BeforeValidator(_told)]


class ItemPrice(Part):
    """The price of an item: the amount is for one, in major units of the order's currency."""

    id: str | None = Field(None, alias="_id")
    name: str | None = None
    currency: _Code = None
    amount: Amount = None
    sku: str | None = None


class OrderItem(Part):
    """One thing that was ordered.

    Attributes:
        qty: how many; as it came where that is no number: a made-up one would be sold and sent.
    """

    id: str | None = Field(None, alias="_id")
    name: str | None = None
    qty: _Quantity = None
    product: ItemProduct | None = None
    price: ItemPrice | None = None


def _silent(told: object) -> object:
    """Among items, what is none is one that says nothing: the others are not all there is."""
    return told if isinstance(told, dict) else {}


class ListedOrder(Record, _ListedContact):
    """An order in a list."""

    kind = "order"

    subtotal: Amount = None
    discount: Amount = None
    fulfillment_status: str | None = None
    source_type: str | None = None
    source_sub_type: str | None = None
    source_name: str | None = None
    source_id: str | None = None
    coupon_code: str | None = None


class OrderDetail(Record):
    """An order read alone, or in an event."""

    kind = "order"

    fulfillment_status: str | None = None
    contact_snapshot: Snapshot | None = None
    amount_summary: AmountSummary | None = None
    tax_summary: list[Tax] | None = None
    source: RecordSource | None = None
    items: list[Annotated[OrderItem, BeforeValidator(_silent)]] | None = None
    coupon: Coupon | None = None


class _Paid(Record):
    # Without what it pays for, a payment of an order would be a sale of its own.
    entity_type: Indispensable[str | None] = None
    entity_id: Indispensable[OtherId] = None
    subscription_id: str | None = None


class _PaidRow(_Paid, _ListedContact):
    entity_source_type: str | None = None
    entity_source_name: str | None = None
    entity_source_id: str | None = None
    payment_provider_type: str | None = None


class Provider(Part):
    """Who took the money."""

    type: str | None = None


class _PaidDetail(_Paid):
    contact_snapshot: Snapshot | None = None
    entity_source: RecordSource | None = None
    payment_provider: Provider | None = None


class _Charge(Part):
    charge_id: str | None = None
    amount_refunded: Indispensable[Amount] = None
    merged_from_contact_id: str | None = None


class TransactionRow(_PaidRow, _Charge):
    """A transaction in a list."""

    kind = "transaction"

    status: _Sorted = None
    entity_source_sub_type: str | None = None
    fulfilled_at: Instant | None = None


class TransactionDetail(_PaidDetail, _Charge):
    """A transaction read alone."""

    kind = "transaction"

    status: _Sorted = None
    invoice_id: str | None = None
    receipt_id: str | None = None


class SubscriptionRow(_PaidRow):
    """A subscription in a list."""

    kind = "subscription"


def _day(text: str) -> str:
    """A day as it came, if it is one.

    Raises:
        ValueError: it is none.
    """
    if text:
        datetime.fromisoformat(text)
    return text


_Day = Annotated[str, AfterValidator(_day)]


class Recurrence(Part):
    """When a subscription repeats: every `interval` of `interval_type`; dates as they came."""

    interval_type: str | None = None
    interval: _Count | None = None
    start_date: _Day | None = None
    start_time: str | None = None
    end_date: _Day | None = None
    end_time: str | None = None
    day_of_month: _Count | None = None
    day_of_week: str | None = None
    num_of_week: _Count | None = None
    month_of_year: str | None = None
    count: _Count | None = None
    days_before: _Count | None = None


class Schedule(Part):
    """The schedule of a subscription."""

    rrule: Recurrence | None = None


class RecurringProduct(Part):
    """What is subscribed to."""

    name: str | None = None


class SubscriptionDetail(_PaidDetail):
    """A subscription read alone."""

    kind = "subscription"

    coupon: Coupon | None = None
    schedule: Schedule | None = None
    recurring_product: RecurringProduct | None = None
    canceled_at: Instant | None = None


Model = TypeVar("Model", bound=Record)


def parse(model: type[Model], payload: Mapping[str, Any], what: str) -> Model:
    """Read one record; what is left out of it is noted.

    Raises:
        Unreadable: naming the record and the indispensable fields that are nonsense.
    """
    read, left_out = leniency.read(
        model,
        payload,
        f"{what} {payload.get('_id')!r:.80}",
        CORRECT,
    )
    leniency.note("highlevel", model.kind, left_out, read.id)
    return read
