"""What a tenant holds of invoices, credits, payments and recurring invoices, whoever made them.

Read as orders are: by SQL, else by lists, and all of it or nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from syncline.errors import Unreadable
from syncline.halo import invoices, payments, recurring
from syncline.halo.finding import Query
from syncline.halo.holdings import Ask, People, day_of, pages, rounded, walked
from syncline.halo.models import HaloRow, InvoiceRow, PaymentRow, RecurringRow
from syncline.halo.paging import PageWalk

_TEXTS = ("invoicenumber", "reference", "payment_ref", "notes_1", "internal_note")
_DIGITS = 2
_WITH_CREDITS = {"includeinvoices": "true", "includecredits": "true"}

_INVOICES = """
    SELECT TOP {most} IHid AS id, IH3rdPartyInvoiceNumber AS thirdpartyinvoicenumber,
           IHInvoiceNumber AS invoicenumber, IHReference AS reference,
           IHPayment_Ref AS payment_ref, IHNotes_1 AS notes_1, IHinternalnote AS internal_note,
           IHaarea AS client_id, IHsitenumber AS sitenumber, IHOHid AS salesorder_id,
           IHcurrencycode AS currency_code, IHInvoice_Date AS invoice_date,
           ihcreditlinkedtoinvoiceid AS creditlinkedtoinvoiceid
    FROM INVOICEHEADER
    WHERE IHid > {after} AND COALESCE(IHisRecurringInvoice, 0) = 0 AND COALESCE(ihvoided, 0) = 0
      AND (IHInvoice_Date IS NULL OR IHInvoice_Date >= {since}) ORDER BY IHid
"""
_SUMS = """
    SELECT TOP {most} IdIHid AS id, CAST(SUM(IDNet_Amount) AS DECIMAL(18, 5)) AS revenue,
           CAST(SUM(COALESCE(IDTax_Amount, 0)) AS DECIMAL(18, 5)) AS tax_total
    FROM INVOICEDETAIL WHERE IdIHid > {after} AND IdIHid >= {first} AND IdIHid <= {last}
    GROUP BY IdIHid ORDER BY IdIHid
"""
_PAYMENTS = """
    SELECT TOP {most} IPid AS id, IPIHid AS invoice_id, IPDate AS [date],
           CAST(IPAmount AS DECIMAL(18, 5)) AS amount, IPIntentID AS intent_id,
           ipthirdpartyid AS thirdpartyid
    FROM InvoicePayment
    WHERE IPid > {after} AND (IPDate IS NULL OR IPDate >= {since}) ORDER BY IPid
"""
_TEMPLATES = """
    SELECT TOP {most} IHid AS id FROM INVOICEHEADER
    WHERE IHid > {after} AND IHisRecurringInvoice = 1 ORDER BY IHid
"""


@dataclass(frozen=True, slots=True)
class InvoiceHolding:
    """An invoice, a credit or a recurring invoice as Halo holds it.

    Attributes:
        row: its fields; amounts in major units.
        texts: what people and programs write numbers into, but for `thirdpartyinvoicenumber`.
        day: its date, None where it has none that can be read.
        emails: the addresses of all users of its client.
    """

    row: InvoiceRow
    texts: tuple[str, ...]
    day: date | None
    emails: frozenset[str] = frozenset()

    @property
    def is_credit(self) -> bool:
        """Whether it gives back: below zero, or linked to the invoice that it is for."""
        return bool(self.row.creditlinkedtoinvoiceid) or (self.row.total or Decimal(0)) < 0

    @property
    def bills(self) -> bool:
        """Whether it is a recurring invoice that is not known to be switched off."""
        return isinstance(self.row, RecurringRow) and self.row.disabled is not True


@dataclass(frozen=True, slots=True)
class PaymentHolding:
    """A payment as Halo holds it, and its day."""

    row: PaymentRow
    day: date | None


def invoices_by_report(
    ask: Ask, since: date, digits: Mapping[int, int], people: People
) -> list[InvoiceHolding]:
    """All invoices and credits dated from a day on, or not dated, but for voided ones, by SQL.

    Args:
        ask: makes a call.
        since: the first day.
        digits: Halo's id of a currency → digits after the point; of another one it is two.
        people: whose addresses are known.

    Raises:
        Rejected: Halo could not run a report.
        Unreadable: an answer is no report.
    """
    found: list[InvoiceHolding] = []
    for page in pages(ask, _INVOICES, since=f"'{since.isoformat()}'"):
        sums = _sums(ask, [int(row["id"]) for row in page])
        for row in page:
            money = sums.get(row["id"], {"revenue": "", "tax_total": ""})
            code = InvoiceRow.of(row).currency_code
            unit = Decimal(1).scaleb(-digits.get(code or 0, _DIGITS))
            net, tax = (rounded(money[name], unit) for name in ("revenue", "tax_total"))
            shown = {**row, "revenue": net, "tax_total": tax, "total": net + tax}
            found.append(_invoice(InvoiceRow.of(shown), people))
    return found


def invoices_by_pages(ask: Ask, since: date, people: People) -> list[InvoiceHolding]:
    """The same by the list, a hundred rows a call.

    Raises:
        Unreadable: the list cannot be read whole.
    """
    walk = PageWalk({**_WITH_CREDITS, **_NEWEST}, key="invoices")
    standing = (row for row in walked(ask, invoices.PATH, walk) if row.get("voided") is not True)
    read = (_invoice(InvoiceRow.of(row), people) for row in standing)
    return [one for one in read if not _is_before(one, since)]


def payments_by_report(ask: Ask, since: date) -> list[PaymentHolding]:
    """All payments dated from a day on, or not dated, by SQL.

    Raises:
        Rejected: Halo could not run a report.
        Unreadable: an answer is no report.
    """
    found = pages(ask, _PAYMENTS, since=f"'{since.isoformat()}'")
    return [of_payment(row) for page in found for row in page]


def payments_by_pages(ask: Ask, since: date) -> list[PaymentHolding]:
    """The same by the list, a hundred rows a call.

    Raises:
        Unreadable: the list cannot be read whole.
    """
    walk = PageWalk(_NEWEST)
    read = (of_payment(row) for row in walked(ask, payments.PATH, walk))
    return [one for one in read if not _is_before(one, since)]


def templates(ask: Ask, people: People) -> list[InvoiceHolding]:
    """All recurring invoices.

    Whether one is disabled stands in no column that is known, so a report tells their ids alone,
    where the list cannot be read whole; and what a list does not show of one is read by its id.

    Raises:
        Rejected: the list is not whole, and Halo could not run a report.
        Unreadable: an answer cannot be read.
    """
    walk = PageWalk(_NEWEST, key="invoices")
    try:
        listed: Iterable[Mapping[str, Any]] = list(walked(ask, recurring.PATH, walk))
    except Unreadable:
        listed = [row for page in pages(ask, _TEMPLATES) for row in page]
    return [_invoice(RecurringRow.of(row), people) for row in _whole(ask, listed)]


def of_invoice(row: Mapping[str, Any]) -> InvoiceHolding:
    """An invoice or a credit that was read by its id; whose it is is not looked into.

    Raises:
        Unreadable: if it has no id.
    """
    return _invoice(InvoiceRow.of(row), People())


def of_template(row: Mapping[str, Any]) -> InvoiceHolding:
    """A recurring invoice that was read by its id; whose it is is not looked into.

    Raises:
        Unreadable: if it has no id.
    """
    return _invoice(RecurringRow.of(row), People())


def of_payment(row: Mapping[str, Any]) -> PaymentHolding:
    """A payment as a list, a report or its id shows it.

    Raises:
        Unreadable: if it has no id.
    """
    return PaymentHolding(PaymentRow.of(row), day_of(row.get("date")))


_NEWEST = {"order": "id", "orderdesc": "true"}


def _sums(ask: Ask, ids: list[int]) -> dict[str, dict[str, str]]:
    bounds = {"first": str(min(ids)), "last": str(max(ids))}
    return {row["id"]: row for page in pages(ask, _SUMS, **bounds) for row in page}


def _whole(ask: Ask, listed: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for row in listed:
        if "disabled" in row and row.get("total") is not None:
            yield row
            continue
        shown = ask(Query("GET", f"{recurring.PATH}/{HaloRow.of(row).id}"))
        if not isinstance(shown, Mapping):
            raise Unreadable("Halo's answer is not one recurring invoice.")
        yield shown


def _invoice(row: InvoiceRow, people: People) -> InvoiceHolding:
    if row.total is None and row.revenue is not None:
        row = row.model_copy(update={"total": row.revenue + (row.tax_total or Decimal(0))})
    texts = tuple(str(row.raw.get(name) or "") for name in _TEXTS)
    day = day_of(row.raw.get("invoice_date"))
    return InvoiceHolding(row, texts, day, people.of(None, row.client_id))


def _is_before(one: InvoiceHolding | PaymentHolding, since: date) -> bool:
    return one.day is not None and one.day < since
