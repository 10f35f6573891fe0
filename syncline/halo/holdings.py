"""What a tenant holds of sales orders, whoever made them, with all by which one can be recognised.

By SQL, a call reads tens of thousands of rows; else the lists are read page by page. Either way
all of it is read or nothing is said: an order that was overlooked would be made a second time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from syncline.errors import Unreadable
from syncline.halo import reports
from syncline.halo.customers import USER_PATH, user_walk
from syncline.halo.finding import Query
from syncline.halo.models import HaloRow, OrderRow, UserRow
from syncline.halo.orders import PATH
from syncline.halo.paging import PageWalk

Ask = Callable[[Query], Any]
"""Makes a call that changes nothing and returns its document."""

ROWS_PER_REPORT = 49_000
"""Rows asked for at once, below where Halo cuts."""

MOST_USERS = 20
"""Most users of a client whose orders may be of any of them; of more, nobody is known."""

_TEXTS = ("accountsref", "summary", "title", "invoicenumber")
_DIGITS = 2
_NOTHING = {"revenue": "0", "tax_total": "0"}

_HEADS = """
    SELECT TOP {most} OHid AS id, OHponumber AS po_number, OHAccountsRef AS accountsref,
           OHsummary AS summary, OHtitle AS title, OHInvoiceNumber AS invoicenumber,
           OHorderdate AS [date], OHcurrencycode AS currency_code, ohuserid AS user_id,
           OHsitenum AS site_id, Sarea AS client_id, ohchangeseq AS change_seq
    FROM ORDERHEAD LEFT JOIN SITE ON Ssitenum = OHsitenum
    WHERE OHid > {after} AND OHorderdate >= {since} ORDER BY OHid
"""
_SUMS = """
    SELECT OLid AS id, SUM(ROUND(OLorderqty * OLSellingPrice * (1 - oldiscount / 100.0), {digits}))
           AS revenue, SUM(OLtax) AS tax_total
    FROM ORDERLINE INNER JOIN ORDERHEAD ON OHid = OLid
    WHERE OLid >= {first} AND OLid <= {last} GROUP BY OLid
"""
_USERS = """
    SELECT TOP {most} Uid AS id, uemail AS emailaddress, Usite AS site_id, Sarea AS client_id
    FROM USERS LEFT JOIN SITE ON Ssitenum = Usite WHERE Uid > {after} ORDER BY Uid
"""


@dataclass(frozen=True, slots=True)
class Holding:
    """A sales order as Halo holds it.

    Attributes:
        row: its fields, under the names that the entity gives them; amounts in major units.
        texts: what people and programs write numbers into, but for `po_number`.
        day: its date, None where it has none that can be read.
        emails: the addresses of its user, or of all users of its client where it has no user.
    """

    row: OrderRow
    texts: tuple[str, ...]
    day: date | None
    emails: frozenset[str] = frozenset()


@dataclass(slots=True)
class People:
    """Users' addresses, by user and by client."""

    of_user: dict[int, str] = field(default_factory=dict)
    of_client: dict[int, set[str]] = field(default_factory=lambda: defaultdict(set))

    def add(self, user: UserRow) -> None:
        """Take one user into account."""
        address = user.emailaddress.strip()
        if address:
            self.of_user[user.id] = address
            if user.client_id is not None:
                self.of_client[user.client_id].add(address)

    def of(self, user_id: int | None, client_id: int | None) -> frozenset[str]:
        """Of the user; where none is named, of all users of the client."""
        if user_id:
            address = self.of_user.get(user_id)
            return frozenset() if address is None else frozenset({address})
        known = self.of_client.get(client_id or 0, set())
        return frozenset(known) if len(known) <= MOST_USERS else frozenset()


def people_by_report(ask: Ask) -> People:
    """All users, by SQL.

    Raises:
        Rejected: Halo could not run a report.
        Unreadable: an answer is no report.
    """
    people = People()
    for page in pages(ask, _USERS):
        for user in page:
            people.add(UserRow.of(user))
    return people


def people_by_pages(ask: Ask) -> People:
    """All users by their list, a hundred rows a call.

    Raises:
        Unreadable: the list cannot be read whole.
    """
    people = People()
    for user in walked(ask, USER_PATH, user_walk()):
        people.add(UserRow.of(user))
    return people


def by_report(ask: Ask, since: date, digits: Mapping[int, int], people: People) -> list[Holding]:
    """All orders dated from a day on, by SQL.

    Args:
        ask: makes a call.
        since: the first day.
        people: whose addresses are known.
        digits: Halo's id of a currency → digits after the point; of another one it is two.

    Raises:
        Rejected: Halo could not run a report.
        Unreadable: an answer is no report.
    """
    found: list[Holding] = []
    for page in pages(ask, _HEADS, since=f"'{since.isoformat()}'"):
        sums = _sums(ask, page, digits)
        found += [_holding({**row, **sums.get(row["id"], _NOTHING)}, people) for row in page]
    return found


def by_pages(ask: Ask, since: date, people: People) -> list[Holding]:
    """The same by the list of orders, a hundred rows a call.

    Raises:
        Unreadable: the list cannot be read whole.
    """
    walk = PageWalk({"order": "id", "orderdesc": "true"}, key="salesorders")
    held = [_holding(row, people) for row in walked(ask, PATH, walk)]
    return [one for one in held if one.day is None or one.day >= since]


def of_row(row: Mapping[str, Any]) -> Holding:
    """An order that was read by its id; whose it is is not looked into.

    Raises:
        Unreadable: if it has no id.
    """
    return _holding(row, People())


def pages(ask: Ask, sql: str, **given: str) -> Iterator[list[dict[str, str]]]:
    """The rows of a report in the order of their ids, so many at a time."""
    after = 0
    while True:
        text = " ".join(sql.format(most=ROWS_PER_REPORT, after=after, **given).split())
        rows = _report(ask, text)
        if rows:
            yield rows
        if len(rows) < ROWS_PER_REPORT:
            return
        after = max(HaloRow.of(row).id for row in rows)


def _report(ask: Ask, sql: str) -> list[dict[str, str]]:
    return reports.report_rows(
        ask(Query("POST", reports.PATH, elements=[reports.sql_element(sql)]))
    )


def _sums(
    ask: Ask, orders: list[dict[str, str]], digits: Mapping[int, int]
) -> dict[str, dict[str, str]]:
    """Net and tax by order, summed from its lines as Halo sums them; one without lines has none.

    Each line is rounded for itself. A report adds up in binary, so the sum is rounded once more.
    """
    currency = {row["id"]: OrderRow.of(row).currency_code for row in orders}
    ids = [int(one) for one in currency]
    cases = " ".join(f"WHEN {code} THEN {many}" for code, many in sorted(digits.items()))
    by_currency = f"CASE OHcurrencycode {cases} ELSE {_DIGITS} END" if cases else str(_DIGITS)
    text = _SUMS.format(digits=by_currency, first=min(ids), last=max(ids))
    found = {}
    for row in _report(ask, " ".join(text.split())):
        code = currency.get(row["id"])
        unit = Decimal(1).scaleb(-digits.get(code or 0, _DIGITS))
        found[row["id"]] = {
            name: f"{rounded(row[name], unit):f}" for name in ("revenue", "tax_total")
        }
    return found


def rounded(text: str, unit: Decimal) -> Decimal:
    """A sum of a report, to the unit; empty text is nought.

    Raises:
        Unreadable: it is no number.
    """
    try:
        return Decimal(text or "0").quantize(unit, ROUND_HALF_UP)
    except InvalidOperation:
        raise Unreadable(f"The report has {text!r} for a sum of lines.") from None


def walked(ask: Ask, path: str, walk: PageWalk) -> Iterator[dict[str, Any]]:
    """All rows of a list.

    Raises:
        Unreadable: it did not show all of them.
    """
    while (params := walk.pending()) is not None:
        yield from walk.take(ask(Query("GET", path, params=params)))
    if not walk.complete:
        raise Unreadable(
            f"Halo's list {path} does not show all its rows.",
            remedy="Allow reports for our application, or try again while nobody changes rows.",
        )


def _holding(row: Mapping[str, Any], people: People) -> Holding:
    order = OrderRow.of(row)
    if order.total is None and order.revenue is not None:
        total = order.revenue + (order.tax_total or Decimal(0))
        order = order.model_copy(update={"total": total})
    texts = tuple(str(row.get(name) or "") for name in _TEXTS)
    return Holding(order, texts, day_of(row.get("date")), people.of(order.user_id, order.client_id))


def day_of(value: Any) -> date | None:
    """The day of a time as Halo writes it, None where there is none that can be read."""
    try:
        when = datetime.fromisoformat(str(value))
    except ValueError:
        return None
    return (when.astimezone(UTC) if when.tzinfo else when).date()
