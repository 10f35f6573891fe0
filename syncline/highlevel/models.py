"""What HighLevel sends: lists are flat, single reads are nested.

Read leniently where its documents and its answers differ (numbers and booleans may be text,
optional fields and enumerations are open), strictly where a wrong reading would do harm: a record
without a usable id, creation time or amount is called unreadable.
Source: the published payments schema; items and snapshots as the order events show them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    PlainValidator,
    StringConstraints,
    ValidationError,
)
from pydantic.alias_generators import to_camel

from syncline.errors import Unreadable


def instant(value: object) -> datetime:
    """An ISO 8601 text with its offset, as aware UTC.

    Raises:
        ValueError: if it is anything else; a time without an offset could be any.
    """
    if not isinstance(value, str):
        raise ValueError("not an ISO 8601 text")  # noqa: TRY004 - pydantic takes only this one
    found = datetime.fromisoformat(value)
    if found.tzinfo is None:
        raise ValueError("a time without its offset from UTC")
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise ValueError("a time outside the calendar") from None


Id = Annotated[str, StringConstraints(strict=True, pattern=r"^[0-9A-Za-z_-]{1,64}$")]
Instant = Annotated[datetime, PlainValidator(instant)]
# Without bounds, one row saying 1e999999 would be written out as a million digits.
Amount = Annotated[Decimal, Field(ge=-(10**15), le=10**15, decimal_places=60)]
PaymentMode = Literal["live", "test"]
Quantity = Annotated[Decimal, Field(ge=-(10**9), le=10**9, decimal_places=60)]


class Part(BaseModel):
    """A part of what came: unknown fields are left aside."""

    model_config = ConfigDict(
        extra="ignore",
        frozen=True,
        alias_generator=to_camel,
        coerce_numbers_to_str=True,
        str_strip_whitespace=True,
    )


class Body(BaseModel):
    """What we send: anything that HighLevel's documents forbid is refused before it leaves.

    Raises:
        pydantic.ValidationError: on construction; `reasons` puts it in words.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        populate_by_name=True,
        str_strip_whitespace=True,
    )

    def document(self) -> dict[str, Any]:
        """The body in HighLevel's spelling, without what is not given."""
        return self.model_dump(by_alias=True, exclude_none=True)


class Record(Part):
    """What every record has, in a list or read alone; times are UTC, amounts in major units."""

    id: Id = Field(alias="_id")
    created_at: Instant
    updated_at: Instant | None = None
    contact_id: str | None = None
    currency: str | None = None
    amount: Amount | None = None
    status: str | None = None
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

    id: str | None = None
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

    subtotal: Amount | None = None
    discount: Amount | None = None
    tax: Amount | None = None
    shipping: Amount | None = None


class Tax(Part):
    """One tax of an order."""

    amount: Amount | None = None


class ItemProduct(Part):
    """The product of an item."""

    id: str | None = Field(None, alias="_id")
    name: str | None = None


class ItemPrice(Part):
    """The price of an item: the amount is for one, in major units."""

    id: str | None = Field(None, alias="_id")
    name: str | None = None
    currency: str | None = None
    amount: Amount | None = None
    sku: str | None = None


class OrderItem(Part):
    """One thing that was ordered."""

    id: str | None = Field(None, alias="_id")
    name: str | None = None
    qty: Quantity | None = None
    product: ItemProduct | None = None
    price: ItemPrice | None = None


class ListedOrder(Record, _ListedContact):
    """An order in a list."""

    subtotal: Amount | None = None
    discount: Amount | None = None
    fulfillment_status: str | None = None
    source_type: str | None = None
    source_sub_type: str | None = None
    source_name: str | None = None
    source_id: str | None = None
    coupon_code: str | None = None


class OrderDetail(Record):
    """An order read alone, or in an event."""

    fulfillment_status: str | None = None
    contact_snapshot: Snapshot | None = None
    amount_summary: AmountSummary | None = None
    tax_summary: list[Tax] | None = None
    source: RecordSource | None = None
    items: list[OrderItem] | None = None
    coupon: Coupon | None = None


class _Paid(Record):
    entity_type: str | None = None
    entity_id: str | None = None
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
    amount_refunded: Amount | None = None
    merged_from_contact_id: str | None = None


class TransactionRow(_PaidRow, _Charge):
    """A transaction in a list."""

    entity_source_sub_type: str | None = None
    fulfilled_at: Instant | None = None


class TransactionDetail(_PaidDetail, _Charge):
    """A transaction read alone."""

    invoice_id: str | None = None
    receipt_id: str | None = None


class SubscriptionRow(_PaidRow):
    """A subscription in a list."""


class Recurrence(Part):
    """When a subscription repeats: every `interval` of `interval_type`; dates as they came."""

    interval_type: str | None = None
    interval: int | None = None
    start_date: str | None = None
    start_time: str | None = None
    end_date: str | None = None
    end_time: str | None = None
    day_of_month: int | None = None
    day_of_week: str | None = None
    num_of_week: int | None = None
    month_of_year: str | None = None
    count: int | None = None
    days_before: int | None = None


class Schedule(Part):
    """The schedule of a subscription."""

    rrule: Recurrence | None = None


class RecurringProduct(Part):
    """What is subscribed to."""

    name: str | None = None


class SubscriptionDetail(_PaidDetail):
    """A subscription read alone."""

    coupon: Coupon | None = None
    schedule: Schedule | None = None
    recurring_product: RecurringProduct | None = None
    canceled_at: Instant | None = None


Model = TypeVar("Model", bound=Record)


@dataclass(frozen=True, slots=True)
class PageRecord(Generic[Model]):
    """One record of a page: as it came, and as it reads."""

    id: str
    payload: dict[str, Any]
    model: Model


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that is not what the API promises; `id` is None where even that cannot be told."""

    index: int
    id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Page(Generic[Model]):
    """One page of a list.

    Attributes:
        rows: the readable rows.
        total_count: how many rows HighLevel says the whole list has.
        headers: lower-case headers of the answer.
        unreadable: the rows that could not be read: they never lose the page.
        ids: of all rows in their order, readable or not; "" for a row without an id.
    """

    rows: list[PageRecord[Model]]
    total_count: int
    headers: Mapping[str, str]
    unreadable: list[UnreadableRow] = field(default_factory=list)
    ids: tuple[str, ...] = ()


def parse(model: type[Model], payload: Mapping[str, Any], what: str) -> Model:
    """Read one record.

    Raises:
        Unreadable: naming the record and the fields that are nonsense.
    """
    try:
        return model.model_validate(payload)
    except ValidationError as error:
        raise Unreadable(
            f"{what} {payload.get('_id')!r:.80} cannot be read: {reasons(error)}.",
            remedy="Look at the record in HighLevel; it is read again by the next pull.",
        ) from None


def page(
    model: type[Model], document: Mapping[str, Any], headers: Mapping[str, str]
) -> Page[Model]:
    """Read one page of a list.

    Raises:
        Unreadable: if the document is no page: no array `data`, no count `totalCount`.
    """
    data, total = document.get("data"), _count(document.get("totalCount"))
    if not isinstance(data, list) or total is None:
        missing = "a count totalCount" if isinstance(data, list) else "an array data"
        raise Unreadable(
            f"The list of {model.__name__} has not {missing}.",
            remedy="Check the base URL and the version of the HighLevel API in the settings.",
        )
    rows: list[PageRecord[Model]] = []
    unreadable: list[UnreadableRow] = []
    ids: list[str] = []
    for index, payload in enumerate(data):
        given = payload.get("_id") if isinstance(payload, dict) else None
        ids.append(given if isinstance(given, str) else "")
        try:
            read = model.model_validate(payload)
        except ValidationError as error:
            unreadable.append(UnreadableRow(index, ids[-1] or None, reasons(error)))
        else:
            rows.append(PageRecord(read.id, payload, read))
    return Page(rows, total, headers, unreadable, tuple(ids))


def _count(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    text = str(value).strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 12 else None  # noqa: PLR2004


def reasons(error: ValidationError) -> str:
    """Which fields are wrong and how, without their values: those may be personal."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        f"{'.'.join(map(str, one['loc'])) or 'the row'}: {one['msg']}" for one in found[:5]
    )
