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
from syncline.halo.entities.resources import INVOICE, PAYMENT, RECURRING
from syncline.halo.models import HaloRow, InvoiceRow, PaymentRow, RecurringRow
from syncline.halo.sql.holdings import People, day_of
from syncline.halo.sql.queries import (
    ROWS_PER_REPORT,
    Ask,
    Query,
    listed,
    reported_pages,
    rounded,
    unit_of,
)

_TEXTS = ("invoicenumber", "reference", "payment_ref", "notes_1", "internal_note")
_INVOICE_HEAD = (
    *("id", "thirdpartyinvoicenumber", *_TEXTS, "client_id", "sitenumber", "salesorder_id"),
    *("currency_code", "invoice_date", "creditlinkedtoinvoiceid"),
)
_PAYMENT_HEAD = ("id", "invoice_id", "date", "amount", "intent_id", "thirdpartyid")


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
    for page in reported_pages(ask, lambda after: _invoices(after, since)):
        sums = _sums(ask, [int(row["id"]) for row in page])
        for row in page:
            money = sums.get(row["id"], {"revenue": "", "tax_total": ""})
            unit = unit_of(InvoiceRow.of(row).currency_code, digits)
            net, tax = (rounded(money[name], unit) for name in ("revenue", "tax_total"))
            shown = {**row, "revenue": net, "tax_total": tax, "total": net + tax}
            found.append(_invoice(InvoiceRow.of(shown), people))
    return found


def invoices_by_pages(ask: Ask, since: date, people: People) -> list[InvoiceHolding]:
    """The same by the list, a hundred rows a call.

    Raises:
        Unreadable: the list cannot be read whole.
    """
    standing = (row for row in listed(ask, INVOICE) if row.get("voided") is not True)
    read = (_invoice(InvoiceRow.of(row), people) for row in standing)
    return [one for one in read if not _is_before(one, since)]


def payments_by_report(ask: Ask, since: date) -> list[PaymentHolding]:
    """All payments dated from a day on, or not dated, by SQL.

    Raises:
        Rejected: Halo could not run a report.
        Unreadable: an answer is no report.
    """
    found = reported_pages(ask, lambda after: _payments(after, since))
    return [of_payment(row) for page in found for row in page]


def payments_by_pages(ask: Ask, since: date) -> list[PaymentHolding]:
    """The same by the list, a hundred rows a call.

    Raises:
        Unreadable: the list cannot be read whole.
    """
    read = (of_payment(row) for row in listed(ask, PAYMENT))
    return [one for one in read if not _is_before(one, since)]


def templates(ask: Ask, people: People) -> list[InvoiceHolding]:
    """All recurring invoices.

    Whether one is disabled stands in no column that is known, so a report tells their ids alone,
    where the list cannot be read whole; and what a list does not show of one is read by its id.

    Raises:
        Rejected: the list is not whole, and Halo could not run a report.
        Unreadable: an answer cannot be read.
    """
    rows: Iterable[Mapping[str, Any]]
    try:
        rows = list(listed(ask, RECURRING))
    except Unreadable:
        rows = [row for page in reported_pages(ask, _templates) for row in page]
    return [_invoice(RecurringRow.of(row), people) for row in _whole(ask, rows)]


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


def _invoices(after: int, since: date) -> str:
    table = INVOICE.known_table
    dated, voided = table.columns["invoice_date"], table.columns["voided"]
    return table.select(
        _INVOICE_HEAD,
        where=(
            f"{table.id} > {after}",
            table.only,
            f"COALESCE({voided}, 0) = 0",
            f"({dated} IS NULL OR {dated} >= '{since.isoformat()}')",
        ),
        order=table.id,
        top=ROWS_PER_REPORT,
    )


def _payments(after: int, since: date) -> str:
    table = PAYMENT.known_table
    dated = table.columns["date"]
    return table.select(
        _PAYMENT_HEAD,
        where=(
            f"{table.id} > {after}",
            f"({dated} IS NULL OR {dated} >= '{since.isoformat()}')",
        ),
        order=table.id,
        top=ROWS_PER_REPORT,
    )


def _templates(after: int) -> str:
    table = RECURRING.known_table
    return table.select(
        ["id"], where=(f"{table.id} > {after}", table.only), order=table.id, top=ROWS_PER_REPORT
    )


def _sums(ask: Ask, ids: list[int]) -> dict[str, dict[str, str]]:
    """Net and tax by invoice, summed from its lines; one without lines has none."""
    lines = INVOICE.known_table.known_lines

    def sums(after: int) -> str:
        return (
            f"SELECT TOP {ROWS_PER_REPORT} {lines.owner} AS id, {lines.sums()} FROM {lines.table}"  # noqa: S608 - names of our own table
            f" WHERE {lines.owner} > {after} AND {lines.owner} >= {min(ids)}"
            f" AND {lines.owner} <= {max(ids)} GROUP BY {lines.owner} ORDER BY {lines.owner}"
        )

    return {row["id"]: row for page in reported_pages(ask, sums) for row in page}


def _whole(ask: Ask, rows: Iterable[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    for row in rows:
        if "disabled" in row and row.get("total") is not None:
            yield row
            continue
        shown = ask(Query("GET", f"{RECURRING.path}/{HaloRow.of(row).id}"))
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
