"""Orders, transactions and subscriptions: a page of a list, or one record by its id."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from typing import Any, Generic, Literal, TypeVar

from syncline import leniency
from syncline.errors import Unreadable
from syncline.highlevel.client import HighLevelClient
from syncline.highlevel.models import (
    CORRECT,
    ListedOrder,
    Model,
    OrderDetail,
    PaymentMode,
    Record,
    SubscriptionDetail,
    SubscriptionRow,
    TransactionDetail,
    TransactionRow,
)
from syncline.highlevel.pages import Page, page, whose
from syncline.highlevel.resources import checked_id, naming
from syncline.transport import Permit

PaymentStatus = Literal["paid", "unpaid", "refunded", "partially_paid"]


@dataclass(frozen=True, slots=True)
class Span:
    """Which rows of a list: a page of those created in some days, in no documented order.

    Attributes:
        limit: rows to a page; no maximum is documented, the server may give fewer.
        offset: rows to skip.
        start_at: first day of creation.
        end_at: last day of creation; neither zone nor inclusiveness is documented.
    """

    limit: int
    offset: int = 0
    start_at: date | None = None
    end_at: date | None = None


# Fields of the filters are the parameters of the API, but that those are written in camel case.


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Only orders that fit all of it; None is no filter.

    Attributes:
        status: the status as HighLevel writes it.
        payment_status: paid, unpaid, refunded or partially_paid.
        payment_mode: `live` or `test`.
        contact_id: of this contact.
        source_id: of this funnel, link, ….
        funnel_product_ids: with one of these products of a funnel; none is no filter.
        search: free text.
    """

    status: str | None = None
    payment_status: PaymentStatus | None = None
    payment_mode: PaymentMode | None = None
    contact_id: str | None = None
    source_id: str | None = None
    funnel_product_ids: tuple[str, ...] = ()
    search: str | None = None


@dataclass(frozen=True, slots=True)
class TransactionFilter:
    """Only transactions that fit all of it; None is no filter.

    Attributes:
        payment_mode: `live` or `test`.
        entity_id: of this order or invoice.
        contact_id: of this contact.
        subscription_id: of this subscription of the provider.
        entity_source_type: from this kind of source, such as `funnel`.
        entity_source_sub_type: from this kind of it, such as `two_step_order_form`.
        search: free text.
    """

    payment_mode: PaymentMode | None = None
    entity_id: str | None = None
    contact_id: str | None = None
    subscription_id: str | None = None
    entity_source_type: str | None = None
    entity_source_sub_type: str | None = None
    search: str | None = None


@dataclass(frozen=True, slots=True)
class SubscriptionFilter:
    """Only subscriptions that fit all of it; None is no filter.

    Attributes:
        payment_mode: `live` or `test`.
        entity_id: of this order or invoice.
        contact_id: of this contact.
        id: this subscription, by its own id (not the provider's).
        entity_source_type: from this kind of source, such as `funnel`.
        search: free text.
        get_payments_collected_count: ask how many payments were collected; it is not documented
            where the answer says it, so it is found in the rows' payloads if anywhere.
    """

    payment_mode: PaymentMode | None = None
    entity_id: str | None = None
    contact_id: str | None = None
    id: str | None = None
    entity_source_type: str | None = None
    search: str | None = None
    get_payments_collected_count: bool | None = None


Only = TypeVar("Only", OrderFilter, TransactionFilter, SubscriptionFilter)


@dataclass(frozen=True, slots=True)
class Records(Generic[Model, Only]):
    """A kind of records.

    Attributes:
        path: of its list, and with an id behind it of one record.
        row: reads a row of the list.
        detail: reads one record.
        only: what its list can be filtered by.
    """

    path: str
    row: type[Model]
    detail: type[Record]
    only: type[Only]


ORDERS = Records("/payments/orders", ListedOrder, OrderDetail, OrderFilter)
TRANSACTIONS = Records(
    "/payments/transactions", TransactionRow, TransactionDetail, TransactionFilter
)
SUBSCRIPTIONS = Records(
    "/payments/subscriptions", SubscriptionRow, SubscriptionDetail, SubscriptionFilter
)

RECORDS: dict[str, Records[Any, Any]] = {
    "order": ORDERS,
    "transaction": TRANSACTIONS,
    "subscription": SUBSCRIPTIONS,
}
"""By the name that the ledger has for the kind."""


def list_records(
    client: HighLevelClient,
    permit: Permit,
    records: Records[Model, Only],
    span: Span,
    only: Only | None = None,
) -> Page[Model]:
    """One page of a list.

    Raises:
        Unreadable: if the answer is no page.
        ForeignAnswer: if it has nothing that a page has.

    Source: GET /payments/orders, /payments/transactions, /payments/subscriptions.
    """
    params = _params(span) | ({} if only is None else _params(only))
    shows = ("data", "totalCount")
    received = client.call("GET", records.path, permit=permit, params=params, shows=shows)
    with naming(permit):
        return page(records.row, received.document, received.headers, client.location_id)


def get_record(
    client: HighLevelClient, permit: Permit, records: Records[Model, Only], record_id: str
) -> dict[str, Any]:
    """One record with all its fields, as it came; checked to be readable and the one asked for.

    Raises:
        Absent: if there is no such record in the location.
        UnknownName: if `record_id` cannot be an id; nothing is sent then.
        Unreadable: if the answer is not that record.
        ForeignAnswer: if it is no record at all.

    Source: GET /payments/orders/{orderId}, /payments/transactions/{transactionId},
        /payments/subscriptions/{subscriptionId}.
    """
    path, what = records.path, f"The {records.detail.kind} {record_id}"
    document = client.call(
        "GET", f"{path}/{checked_id(record_id)}", permit=permit, shows=("_id",)
    ).document
    with naming(permit):
        found, _ = leniency.read(records.detail, document, what, CORRECT)
        if found.id != record_id:
            raise Unreadable(
                f"HighLevel was asked for {path}/{record_id} and gave {found.id}.",
                remedy="Check the base URL of the HighLevel API in the settings.",
            )
        whose(found.alt_id, client.location_id, what)
    return document


def _params(given: Span | OrderFilter | TransactionFilter | SubscriptionFilter) -> dict[str, str]:
    """What is set, in the words of the API."""
    values = ((one.name, getattr(given, one.name)) for one in fields(given))
    return {_camel(name): _text(value) for name, value in values if value not in (None, ())}


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(value)
    return str(value).lower() if isinstance(value, bool) else str(value)
