"""What Halo's rows hold of what syncline reads. Parsed once at the edge, never further inside.

Halo's documents are loosely typed: numbers come as text or with a fraction, empty fields as null.
A field that is nonsense is left out and noted; only without its id nobody can say which row it is.
What is not read is ignored here and stays in `raw`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Self, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from syncline import leniency
from syncline.errors import Unreadable
from syncline.halo.lines import from_halo

Row = TypeVar("Row", bound=Mapping[str, Any])

_FLAGS = {"true": True, "1": True, "false": False, "0": False}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, (Mapping, list, bool)):
        raise ValueError("not a text")  # noqa: TRY004 - pydantic takes only this one
    return "" if value is None else str(value)


def _is_told(value: Any) -> bool:
    return value is not None and value != ""


def number(value: Any) -> Decimal | None:
    """A number, also one that is written as text; None for what is none."""
    if type(value) is Decimal:  # most often: reports and lists hold many
        return value if value.is_finite() else None
    if not _is_told(value) or isinstance(value, bool):
        return None
    try:
        read = Decimal(str(value).strip())
    except InvalidOperation:
        return None
    return read if read.is_finite() else None


def _number(value: Any) -> Decimal | None:
    read = number(value)
    if read is None and _is_told(value):
        raise ValueError("not a number")
    return read


def whole(value: Any) -> int | None:
    """An id: site ids come as 12.0; a number with a real fraction is no id."""
    read = number(value)
    # An exponent as in 1e999999 would make an endless integer.
    if read is None or read.adjusted() > 18 or read != read.to_integral_value():  # noqa: PLR2004
        return None
    return int(read)


def _whole(value: Any) -> int | None:
    read = whole(value)
    if read is None and _is_told(value):
        raise ValueError("not a whole number")
    return read


def _wholes(value: Any) -> list[int]:
    found = [whole(one) for one in value] if isinstance(value, list) else []
    return [one for one in found if one is not None]


def _flag(value: Any) -> bool | None:
    flag = _FLAGS.get(str(value).lower())
    if flag is None and _is_told(value):
        raise ValueError("neither yes nor no")
    return flag


def _rows(value: Any) -> Any:
    return [] if value is None else value


def _flat_text(value: Any) -> str:
    if isinstance(value, Mapping):
        return "\n".join(_flat_text(one) for one in value.values())
    if isinstance(value, list):
        return "\n".join(_flat_text(one) for one in value)
    return value if isinstance(value, str) else ""


Text = Annotated[str, BeforeValidator(_text)]
Key = Annotated[str, BeforeValidator(_text), Field(min_length=1)]
Number = Annotated[Decimal | None, BeforeValidator(_number)]
Whole = Annotated[int | None, BeforeValidator(_whole)]
Flag = Annotated[bool | None, BeforeValidator(_flag)]


class HaloRow(BaseModel):
    """One row as Halo gave it.

    Attributes:
        id: Halo's id, unique within the entity.
        warning: Halo's words where it did something other than asked.
        raw: the whole row.
    """

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)

    id: Annotated[int, BeforeValidator(whole)]
    warning: Text = Field(default="", alias="_warning")
    raw: dict[str, Any] = Field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Read one row; what is left out of it is noted.

        Raises:
            Unreadable: if it has no id.
        """
        what = f"A {cls.__name__} of Halo"
        read, left_out = leniency.read(cls, {**row, "raw": dict(row)}, what)
        leniency.note("halo", cls.kind(), left_out, str(read.id))
        return read

    @classmethod
    def kind(cls) -> str:
        """What kind of row it is, in one word: `order`."""
        return cls.__name__.removesuffix("Row").removeprefix("Halo").lower()

    @classmethod
    def all_of(cls, rows: Iterable[Mapping[str, Any]]) -> list[Self]:
        """Read many rows.

        Raises:
            Unreadable: if one has no id.
        """
        return [cls.of(row) for row in rows]

    @classmethod
    def legible(cls, rows: Iterable[Row]) -> tuple[list[Self], list[Row]]:
        """Read many rows: those that can be read, and those without an id, which are noted.

        What is looked for may be one of the latter: only who knows better may take it for absent.
        """
        found: list[Self] = []
        without_id: list[Row] = []
        for row in rows:
            try:
                found.append(cls.of(row))
            except Unreadable:
                leniency.note("halo", cls.kind(), ["id"], "")
                without_id.append(row)
        return found, without_id


class OrderLineRow(HaloRow):
    """A line of a sales order; amounts in major units of the order's currency."""

    id: Whole = None  # type: ignore[assignment]
    name: Text = ""
    item_external_reference: Text = ""
    quantity: Number = None
    quantity_shipped: Number = None
    consignment_ids: Annotated[list[int], BeforeValidator(_wholes)] = Field(default_factory=list)
    baseprice: Number = None
    net_total: Number = None
    tax: Number = None
    total_price: Number = None


class HaloOrderRow(HaloRow):
    """A sales order; `lines` and links only where details were asked for.

    In `raw` too the lines have quantity and tax under our names. Date, summary and note are what
    mappings fill: they are compared in `raw`, and here nonsense in them is noted.
    """

    client_id: Whole = None
    site_id: Whole = None
    user_id: Whole = None
    po_number: Text = ""
    accountsref: Text = ""
    currency_code: Whole = None
    revenue: Number = None
    tax_total: Number = None
    total: Number = None
    date: Text = ""
    summary: Text = ""
    note: Text = ""
    change_seq: Whole = None
    last_update_time: Text = ""
    lines: Annotated[list[OrderLineRow], BeforeValidator(_rows)] = Field(default_factory=list)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Read one row, translating its lines.

        Raises:
            Unreadable: if it has no id.
        """
        return super().of(from_halo(row, "order"))


class InvoiceRow(HaloRow):
    """An invoice or a credit note; amounts in major units of its currency, a credit's negative.

    `lines` are there only where details were asked for. In `raw` too they have the names that a
    sales order's lines have.
    """

    client_id: Whole = None
    sitenumber: Whole = None
    thirdpartyinvoicenumber: Text = ""
    salesorder_id: Whole = None
    currency_code: Whole = None
    revenue: Number = None
    tax_total: Number = None
    total: Number = None
    amountpaid: Number = None
    amountdue: Number = None
    invoice_date: Text = ""
    internal_note: Text = ""
    creditlinkedtoinvoiceid: Whole = None
    voided: Flag = None
    lines: Annotated[list[OrderLineRow], BeforeValidator(_rows)] = Field(default_factory=list)

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> Self:
        """Read one row, translating its lines.

        Raises:
            Unreadable: if it has no id.
        """
        return super().of(from_halo(row, "invoice"))


class RecurringRow(InvoiceRow):
    """A recurring invoice: a template with a schedule; disabled, it makes no invoice.

    `nextcreationdate`, `startdate` and `enddate` as Halo writes them, empty where there is none.
    """

    disabled: Flag = None
    include_in_autopay: Flag = None
    take_auto_payment: Flag = None
    startdate: Text = ""
    enddate: Text = ""
    nextcreationdate: Text = ""


class PaymentRow(HaloRow):
    """A payment of one invoice; `amount` in major units of the invoice's currency."""

    invoice_id: Whole = None
    client_id: Whole = None
    amount: Number = None
    date: Text = ""
    intent_id: Text = ""
    thirdpartyid: Text = ""


class ClientRow(HaloRow):
    """A client, which Halo's database calls an area."""

    name: Text = ""
    ref: Text = ""
    main_site_id: Whole = None
    inactive: Flag = None


class SiteRow(HaloRow):
    """A site of a client."""

    name: Text = ""
    client_id: Whole = None
    inactive: Flag = None


class UserRow(HaloRow):
    """A person at a client's site."""

    name: Text = ""
    emailaddress: Text = ""
    site_id: Whole = None
    client_id: Whole = None
    inactive: Flag = None


class CurrencyRow(HaloRow):
    """A currency of the tenant; `code` or `name` holds the ISO 4217 letters."""

    name: Text = ""
    code: Text = ""
    symbol: Text = ""
    conversion_rate: Number = None


class ConsignmentLineRow(HaloRow):
    """What a consignment takes of one line of its order."""

    id: Whole = None  # type: ignore[assignment]
    name: Text = ""
    quantity: Number = None
    price: Number = None
    item_id: Whole = None
    item_externalreference: Text = ""
    salesorder_id: Whole = None
    salesorder_line: Whole = None
    is_return: Flag = None


class ConsignmentRow(HaloRow):
    """A consignment; `lines` only where details were asked for.

    Halo has no field for a carrier or a tracking number: they stand in `note`, or on the order.
    """

    salesorder_id: Whole = None
    date: Text = ""
    note: Text = ""
    is_return: Flag = None
    lines: Annotated[list[ConsignmentLineRow], BeforeValidator(_rows)] = Field(default_factory=list)


class TicketRow(HaloRow):
    """A ticket."""

    status_id: Whole = None
    dateclosed: Text = ""


class NamedRow(HaloRow):
    """A report, dashboard or custom table, with what a list or a single read shows of it."""

    name: Text = ""
    db_name: Text = ""

    def carries(self, remark: str) -> bool:
        """Whether our remark stands anywhere on it."""
        return remark in _flat_text(self.raw)


class WebhookRow(HaloRow):
    """A webhook that Halo sends; `id` is a UUID. Halo never gives a password back."""

    id: Key  # type: ignore[assignment]
    name: Text = ""
    type: Whole = None
    url: Text = ""
    method: Whole = None
    content_type: Text = ""
    active: Flag = None
    authentication_type: Whole = None
    basic_username: Text = ""


class NotificationRow(HaloRow):
    """A rule that sends something at an event; a webhook is bound to an event by one."""

    id: Whole = None  # type: ignore[assignment]
    guid: Text = ""
    name: Text = ""
    eventno: Whole = None
    webhook_id: Text = ""
    delivery_method: Whole = None


class LookupRow(HaloRow):
    """One entry of a list of choices, such as an event to bind to, or a type of tickets."""

    name: Text = ""


class WebhookEventRow(HaloRow):
    """One try of Halo to send a webhook.

    `timestamp` as Halo writes it; `requestbody` is empty where Halo keeps lightweight logs.
    """

    id: Key  # type: ignore[assignment]
    webhook_id: Text = ""
    timestamp: Text = ""
    requestbody: Text = ""
    responsestatus: Whole = None
    error: Flag = None
