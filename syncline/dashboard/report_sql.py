"""The statements of the dashboard's reports, over Halo's own tables and our custom table.

Each is one SELECT of T-SQL without comments, names every column, and orders only under TOP, since
Halo wraps a report's statement into another one. Columns as in `syncline.halo.entities.resources`.
Only rows with our reference are counted.
"""

from __future__ import annotations

from collections.abc import Mapping

from syncline.flows.flow import reference_of
from syncline.halo.sql.reports import quoted

CELLS = (
    *("at", "unfulfilled", "failed", "differences", "alerts", "on the way", "reconciled"),
    *("orders read", "payments read", "subscriptions read", "orders", "sealed"),
)
"""What the columns of our custom table hold, in their order; all of it is text."""

ORDERS, TODAY, MONTH, PAYMENTS = "Orders", "Orders today", "Orders this month", "Payments"
UNFULFILLED, FAILED = "Unfulfilled orders", "Failed deliveries"
DIFFERENCES, ALERTS = "Open differences", "Open alerts"
DAY = "Day"

DAYS = 30
"""How many days the chart goes back, today among them."""

_DIGITS = 2
_THIS_MONTH = "YEAR({0}) = YEAR(GETUTCDATE()) AND MONTH({0}) = MONTH(GETUTCDATE())"
_COUNTERS = (
    (UNFULFILLED, "unfulfilled"),
    (FAILED, "failed"),
    (DIFFERENCES, "differences"),
    (ALERTS, "alerts"),
)
_TOLD = (
    ("Last reconciliation", "reconciled"),
    ("Orders read at", "orders read"),
    ("Payments read at", "payments read"),
    ("Subscriptions read at", "subscriptions read"),
    ("Still on the way", "on the way"),
    ("Audit log sealed up to", "sealed"),
    ("Counted at", "at"),
)


def orders_sql() -> str:
    """How many orders and payments of ours there are, in one row."""
    ours = f"LIKE {quoted(reference_of('%'))}"
    month = _THIS_MONTH.format("OHorderdate")
    return _line(f"""
        SELECT COUNT(*) AS [{ORDERS}],
               COALESCE(SUM(CASE WHEN OHorderdate >= CAST(GETUTCDATE() AS DATE) THEN 1 ELSE 0 END),
                        0) AS [{TODAY}],
               COALESCE(SUM(CASE WHEN {month} THEN 1 ELSE 0 END), 0) AS [{MONTH}],
               (SELECT COUNT(*) FROM InvoicePayment WHERE IPIntentID {ours}) AS [{PAYMENTS}]
        FROM ORDERHEAD WHERE OHponumber {ours}
    """)  # noqa: S608 - our own words, and texts that `quoted` makes safe


def revenue_sql(digits: Mapping[int, int]) -> str:
    """What was ordered in each currency, tax included: this month, and in all.

    Args:
        digits: Halo's id of a currency → its digits after the point; of another one it is two.
    """
    month = _THIS_MONTH.format("placed")
    return _line(f"""
        SELECT TOP 50 Ccode AS [Currency], COUNT(*) AS [Orders],
               {_sum(f"CASE WHEN {month} THEN amount ELSE 0 END", digits)} AS [This month],
               {_sum("amount", digits)} AS [In all]
        FROM ({_sold(digits)}) sold INNER JOIN CURRENCY ON Cid = code
        GROUP BY Ccode ORDER BY COUNT(*) DESC, Ccode
    """)  # noqa: S608


def days_sql(digits: Mapping[int, int], currency: str) -> str:
    """What was ordered in one currency on each of the last days; one without orders has no row.

    Args:
        digits: as for `revenue_sql`.
        currency: its ISO code, three letters.
    """
    code = quoted(currency)
    return _line(f"""
        SELECT TOP {DAYS + 1} CAST(placed AS DATE) AS [{DAY}], {_sum("amount", digits)}
               AS [{currency}]
        FROM ({_sold(digits)}) sold INNER JOIN CURRENCY ON Cid = code
        WHERE Ccode = {code} AND placed >= DATEADD(day, -{DAYS - 1}, CAST(GETUTCDATE() AS DATE))
        GROUP BY CAST(placed AS DATE) ORDER BY CAST(placed AS DATE)
    """)  # noqa: S608


def payments_sql(digits: Mapping[int, int]) -> str:
    """What was paid in each currency: this month, and in all."""
    month = _THIS_MONTH.format("IPDate")
    return _line(f"""
        SELECT TOP 50 Ccode AS [Currency], COUNT(*) AS [Payments],
               {_sum(f"CASE WHEN {month} THEN IPAmount ELSE 0 END", digits)} AS [This month],
               {_sum("IPAmount", digits)} AS [In all]
        FROM InvoicePayment INNER JOIN INVOICEHEADER ON IHid = IPIHid
             INNER JOIN CURRENCY ON Cid = IHcurrencycode
        WHERE IPIntentID LIKE {quoted(reference_of("%"))}
        GROUP BY Ccode ORDER BY COUNT(*) DESC, Ccode
    """)  # noqa: S608


def state_sql(db_name: str) -> str:
    """The counters of our custom table, from its newest row."""
    columns = ", ".join(f"{_cell(cell)} AS [{title}]" for title, cell in _COUNTERS)
    return f"SELECT TOP 1 {columns} FROM [{db_name}] WHERE {_newest(db_name)}"  # noqa: S608


def told_sql(db_name: str) -> str:
    """What our custom table says in words, a row each."""
    rows = (
        f"SELECT TOP 1 {quoted(title)} AS [What], {_cell(cell)} AS [State] "  # noqa: S608
        f"FROM [{db_name}] WHERE {_newest(db_name)}"
        for title, cell in _TOLD
    )
    every = (f"SELECT [What], [State] FROM ({one}) row{at}" for at, one in enumerate(rows))  # noqa: S608
    return " UNION ALL ".join(every)


def newest_sql(db_name: str) -> str:
    """When the newest row of our custom table was counted: what proves that reports read it."""
    return f"SELECT MAX({_cell('at')}) AS [at] FROM [{db_name}]"  # noqa: S608


def _newest(db_name: str) -> str:
    at = _cell("at")
    return f"{at} = (SELECT MAX({at}) FROM [{db_name}])"  # noqa: S608


def _cell(name: str) -> str:
    return f"column_{CELLS.index(name) + 1}"


def _sold(digits: Mapping[int, int]) -> str:
    """Our orders with what they come to, each line rounded for itself, as Halo rounds them."""
    cases = " ".join(
        f"WHEN {code} THEN {many}" for code, many in sorted(digits.items()) if many != _DIGITS
    )
    places = f"CASE OHcurrencycode {cases} ELSE {_DIGITS} END" if cases else str(_DIGITS)
    net = "OLorderqty * OLSellingPrice * (1 - COALESCE(oldiscount, 0) / 100.0)"
    return f"""
        SELECT OHid, MAX(OHorderdate) AS placed, MAX(OHcurrencycode) AS code,
               SUM(ROUND({net}, {places}) + COALESCE(OLtax, 0)) AS amount
        FROM ORDERHEAD INNER JOIN ORDERLINE ON OLid = OHid
        WHERE OHponumber LIKE {quoted(reference_of("%"))} GROUP BY OHid
    """  # noqa: S608


def _sum(expression: str, digits: Mapping[int, int]) -> str:
    places = max([_DIGITS, *digits.values()])
    return f"CAST(SUM({expression}) AS DECIMAL(18, {places}))"


def _line(sql: str) -> str:
    return " ".join(sql.split())
