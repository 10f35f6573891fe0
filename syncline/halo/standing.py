"""What Halo holds now of the rows that we made: by reports, else by lists or by id.

A report tells heads and the sums of their lines in one statement, tens of thousands of rows a
call. A list is read newest first and only as far down as our rows go. Both show rows under the
entity's names, so that they are compared like the answer to a write.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from syncline.halo import consignments, invoices, orders, payments, recurring, reports
from syncline.halo.finding import Query
from syncline.halo.holdings import ROWS_PER_REPORT, Ask, rounded
from syncline.halo.invoice_lines import from_halo
from syncline.halo.matching import reference
from syncline.halo.models import whole
from syncline.halo.paging import PageWalk

IDS_PER_REPORT = 2_000
"""Ids in one IN list; SQL Server gives up on lists of many thousands."""

OURS = "HL-"
"""How every reference of ours begins."""

VOIDED = "voided"
"""The field of an invoice that is not in force any more."""

_DIGITS = 2


@dataclass(frozen=True, slots=True)
class Kind:
    """A table of Halo that holds rows of ours.

    Attributes:
        name: `order`, `invoice` (with credits), `payment`, `recurring`, `consignment`.
        path: of its list and of one row.
        list_key: the name under which the list's rows come.
        reference: the field that carries our reference; "" where none does.
        id_column: the database's column of the id.
        reference_column: and of the reference; "" where no report tells enough of it.
        sql: the statement of a report; `among` says which rows, `digits` the currency's digits.
        numbers: its columns that are compared; a report shows all of them, if only as nothing.
        filters: parameters without which the list may keep rows back.
    """

    name: str
    path: str
    list_key: str | None
    reference: str
    id_column: str = ""
    reference_column: str = ""
    sql: str = ""
    numbers: tuple[str, ...] = ()
    filters: Mapping[str, str] = field(default_factory=dict)


_ORDERS = """
    SELECT H.id, H.po_number, H.status, H.currency_code, H.user_id, H.site_id, H.client_id,
           SUM(ROUND(OLorderqty * OLSellingPrice * (1 - COALESCE(oldiscount, 0) / 100.0),
               {digits})) AS revenue, SUM(OLtax) AS tax_total
    FROM (SELECT TOP {most} OHid AS id, OHponumber AS po_number, OHstatus AS status,
                 OHcurrencycode AS currency_code, ohuserid AS user_id, OHsitenum AS site_id,
                 Sarea AS client_id
          FROM ORDERHEAD LEFT JOIN SITE ON Ssitenum = OHsitenum
          WHERE {among} ORDER BY OHid) AS H
    LEFT JOIN ORDERLINE ON OLid = H.id
    GROUP BY H.id, H.po_number, H.status, H.currency_code, H.user_id, H.site_id, H.client_id
    ORDER BY H.id
"""
_INVOICES = """
    SELECT H.id, H.thirdpartyinvoicenumber, H.client_id, H.sitenumber, H.currency_code,
           H.salesorder_id, H.creditlinkedtoinvoiceid, H.voided,
           CAST(SUM(IDNet_Amount) AS DECIMAL(18, 5)) AS revenue,
           CAST(SUM(COALESCE(IDTax_Amount, 0)) AS DECIMAL(18, 5)) AS tax_total
    FROM (SELECT TOP {most} IHid AS id, IH3rdPartyInvoiceNumber AS thirdpartyinvoicenumber,
                 IHaarea AS client_id, IHsitenumber AS sitenumber,
                 IHcurrencycode AS currency_code, IHOHid AS salesorder_id,
                 ihcreditlinkedtoinvoiceid AS creditlinkedtoinvoiceid, ihvoided AS voided
          FROM INVOICEHEADER
          WHERE {among} AND COALESCE(IHisRecurringInvoice, 0) = 0 ORDER BY IHid) AS H
    LEFT JOIN INVOICEDETAIL ON IdIHid = H.id
    GROUP BY H.id, H.thirdpartyinvoicenumber, H.client_id, H.sitenumber, H.currency_code,
             H.salesorder_id, H.creditlinkedtoinvoiceid, H.voided
    ORDER BY H.id
"""
_PAYMENTS = """
    SELECT TOP {most} IPid AS id, IPIntentID AS intent_id, IPIHid AS invoice_id,
           CAST(IPAmount AS DECIMAL(18, 5)) AS amount
    FROM InvoicePayment WHERE {among} ORDER BY IPid
"""
_CONSIGNMENTS = (
    "SELECT TOP {most} CSOHid AS id FROM CONSIGNMENTHEADER WHERE {among} ORDER BY CSOHid"
)

KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "order",
            orders.PATH,
            "salesorders",
            orders.KEY,
            "OHid",
            "OHponumber",
            _ORDERS,
            ("status", "currency_code", "user_id", "site_id", "client_id"),
        ),
        Kind(
            "invoice",
            invoices.PATH,
            "invoices",
            invoices.KEY,
            "IHid",
            "IH3rdPartyInvoiceNumber",
            _INVOICES,
            (
                *("client_id", "sitenumber", "currency_code", "salesorder_id"),
                "creditlinkedtoinvoiceid",
            ),
            {"includeinvoices": "true", "includecredits": "true"},
        ),
        Kind(
            "payment",
            payments.PATH,
            None,
            payments.KEY,
            "IPid",
            "IPIntentID",
            _PAYMENTS,
            ("invoice_id",),
        ),
        # Whether one is disabled stands in no column that is known, and one that is not bills a
        # second time: so it is read by its list.
        Kind("recurring", recurring.PATH, "invoices", recurring.KEY),
        Kind("consignment", consignments.PATH, None, "", "CSOHid", "", _CONSIGNMENTS),
    )
}


def report(
    ask: Ask, kind: Kind, after: int, digits: Mapping[int, int], *, ours: bool = True
) -> tuple[list[dict[str, Any]], int | None]:
    """The next rows with ids above `after`, by SQL, and where to go on; None at the end.

    Args:
        ask: makes a call.
        kind: which table.
        after: the id below the first one wanted.
        digits: Halo's id of a currency → digits after the point; of another one it is two.
        ours: only rows that carry a reference of ours, where the table has such a column.

    Raises:
        Rejected: Halo could not run the report.
        Unreadable: the answer is no report.
    """
    among = f"{kind.id_column} > {after}"
    if ours and kind.reference_column:
        among += f" AND {kind.reference_column} LIKE {reports.quoted(OURS + '%')}"
    rows = _run(ask, kind, among, digits)
    more = len(rows) >= ROWS_PER_REPORT
    return rows, max(int(row["id"]) for row in rows) if more else None


def report_of(
    ask: Ask, kind: Kind, ids: Collection[int], digits: Mapping[int, int]
) -> list[dict[str, Any]]:
    """Rows by their ids, whatever reference they carry; one that is not there is left out.

    Raises:
        Rejected: Halo could not run a report.
        Unreadable: an answer is no report.
    """
    listed = sorted(ids)
    found: list[dict[str, Any]] = []
    for at in range(0, len(listed), IDS_PER_REPORT):
        some = ", ".join(map(str, listed[at : at + IDS_PER_REPORT]))
        found += _run(ask, kind, f"{kind.id_column} IN ({some})", digits)
    return found


def _run(ask: Ask, kind: Kind, among: str, digits: Mapping[int, int]) -> list[dict[str, Any]]:
    cases = " ".join(f"WHEN {code} THEN {many}" for code, many in sorted(digits.items()))
    by_currency = f"CASE H.currency_code {cases} ELSE {_DIGITS} END" if cases else str(_DIGITS)
    sql = kind.sql.format(most=ROWS_PER_REPORT, among=among, digits=by_currency)
    query = Query("POST", reports.PATH, elements=[reports.sql_element(" ".join(sql.split()))])
    return [_summed(row, digits) for row in reports.report_rows(ask(query))]


def _summed(row: dict[str, Any], digits: Mapping[int, int]) -> dict[str, Any]:
    """A report's row with its total; sums, which a report makes in binary, rounded once more."""
    if "revenue" not in row:
        return row
    unit = Decimal(1).scaleb(-digits.get(whole(row["currency_code"]) or 0, _DIGITS))
    net, tax = (rounded(row[name], unit) for name in ("revenue", "tax_total"))
    return {**row, "revenue": net, "tax_total": tax, "total": net + tax}


class ListReading:
    """A walk down a list, newest first, that ends where our rows end.

    A list that does not descend is read to its end. A walk that was cut goes on from `state`.

    Args:
        kind: which list.
        floor: the lowest id that is wanted.
        state: what an earlier reading left.
        seen: the ids that it had seen.
    """

    def __init__(
        self, kind: Kind, floor: int, state: Mapping[str, Any], seen: Iterable[int]
    ) -> None:
        params = {**kind.filters, "order": "id", "orderdesc": "true"}
        self._walk = PageWalk(params, key=kind.list_key)
        self._kind = kind
        self._floor = floor
        self._lowest: int | None = state.get("lowest")
        self._descends = bool(state.get("descends", True))
        self._reached = False
        if state:
            self._walk.go_on(state["walk"], seen)

    @property
    def whole(self) -> bool:
        """Whether every row down to the floor was seen."""
        return self._reached or self._walk.complete

    def state(self) -> dict[str, Any]:
        """What another process needs to go on."""
        return {"walk": self._walk.state(), "lowest": self._lowest, "descends": self._descends}

    def pending(self) -> Query | None:
        """The next call; None at the end."""
        params = None if self._reached else self._walk.pending()
        return None if params is None else Query("GET", self._kind.path, params=params)

    def take(self, document: Any) -> list[dict[str, Any]]:
        """Take the answer to `pending`; returns the rows that were not seen before.

        Raises:
            Unreadable: if it is no list.
        """
        rows = [row for row in self._walk.take(document) if whole(row.get("id")) is not None]
        for row_id in (int(row["id"]) for row in rows):
            self._descends &= self._lowest is None or row_id < self._lowest
            self._lowest = row_id if self._lowest is None else min(row_id, self._lowest)
        self._reached = self._descends and self._lowest is not None and self._lowest < self._floor
        return [shown(self._kind, row) for row in rows]


def shown(kind: Kind, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a list, or read by id, with its lines in the words of sales orders and its total."""
    row = from_halo(row) if kind.name in {"invoice", "recurring"} else dict(row)
    if row.get("total") is None and row.get("revenue") is not None:
        row["total"] = Decimal(str(row["revenue"])) + Decimal(str(row.get("tax_total") or 0))
    return row


def reference_of(kind: Kind, row: Mapping[str, Any]) -> str:
    """Our reference on a row; empty where it carries none of ours."""
    text = reference(row, kind.reference) if kind.reference else ""
    return text if text.startswith(OURS) else ""
