"""What a tenant holds of sales orders, whoever made them, with all by which one can be recognised.

By SQL, a call reads tens of thousands of rows; else the lists are read page by page. Either way
all of it is read or nothing is said: an order that was overlooked would be made a second time.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from syncline.errors import Unreadable
from syncline.halo.entities.resources import ORDER, USER
from syncline.halo.entities.tables import currency_digits
from syncline.halo.matching import reference
from syncline.halo.models import HaloOrderRow, UserRow, whole
from syncline.halo.sql.queries import (
    DIGITS,
    ROWS_PER_REPORT,
    Ask,
    listed,
    reported,
    reported_pages,
    rounded,
    unit_of,
)

MOST_USERS = 20
"""Most users of a client whose orders may be of any of them; of more, nobody is known."""

_TEXTS = ("accountsref", "summary", "title", "invoicenumber")
_NOTHING = {"revenue": "0", "tax_total": "0"}

_HEAD = (
    *("id", "po_number", *_TEXTS, "date", "currency_code"),
    *("user_id", "site_id", "client_id", "change_seq"),
)


@dataclass(frozen=True, slots=True)
class Holding:
    """A sales order as Halo holds it.

    Attributes:
        row: its fields, under the names that the entity gives them; amounts in major units.
        texts: what people and programs write numbers into, but for `po_number`.
        day: its date, None where it has none that can be read.
        emails: the addresses of its user, or of all users of its client where it has no user.
    """

    row: HaloOrderRow
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

    def add_nameless(self, row: Mapping[str, Any]) -> None:
        """Take one without an id into account: an order that names it is nobody's that is known.

        Raises:
            Unreadable: it does not say whose it is either, and what is its own would be overlooked.
        """
        address = reference(row, USER.reference)
        client_id = whole(row.get("client_id"))
        if address and client_id is None:
            raise Unreadable(
                "Halo's list of users shows one with neither an id nor a client, so nobody knows "
                "what Halo holds of that customer.",
                remedy="Correct it in Halo, then try again. If it stays so, ask Halo's support.",
            )
        if address and client_id is not None:
            self.of_client[client_id].add(address)

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
    for page in reported_pages(ask, _users):
        for user in page:
            people.add(UserRow.of(user))
    return people


def people_by_pages(ask: Ask) -> People:
    """All users by their list, a hundred rows a call.

    Raises:
        Unreadable: the list cannot be read whole.
    """
    people = People()
    users, without_id = UserRow.legible(listed(ask, USER))
    for user in users:
        people.add(user)
    for row in without_id:
        people.add_nameless(row)
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
    table = ORDER.known_table

    def heads(after: int) -> str:
        recent = f"{table.columns['date']} >= '{since.isoformat()}'"
        return table.select(
            _HEAD, where=(f"{table.id} > {after}", recent), order=table.id, top=ROWS_PER_REPORT
        )

    found: list[Holding] = []
    for page in reported_pages(ask, heads):
        sums = _sums(ask, page, digits)
        found += [_holding({**row, **sums.get(row["id"], _NOTHING)}, people) for row in page]
    return found


def by_pages(ask: Ask, since: date, people: People) -> list[Holding]:
    """The same by the list of orders, a hundred rows a call.

    Raises:
        Unreadable: the list cannot be read whole.
    """
    held = [_holding(row, people) for row in listed(ask, ORDER)]
    return [one for one in held if one.day is None or one.day >= since]


def of_row(row: Mapping[str, Any]) -> Holding:
    """An order that was read by its id; whose it is is not looked into.

    Raises:
        Unreadable: if it has no id.
    """
    return _holding(row, People())


def _users(after: int) -> str:
    table = USER.known_table
    return table.select(
        ("id", "emailaddress", "site_id", "client_id"),
        where=[f"{table.id} > {after}"],
        order=table.id,
        top=ROWS_PER_REPORT,
    )


def _sums(
    ask: Ask, orders: list[dict[str, str]], digits: Mapping[int, int]
) -> dict[str, dict[str, str]]:
    """Net and tax by order, summed from its lines as Halo sums them; one without lines has none."""
    table = ORDER.known_table
    lines = table.known_lines
    currency = {row["id"]: HaloOrderRow.of(row).currency_code for row in orders}
    ids = [int(one) for one in currency]
    sums = lines.sums(currency_digits(table.columns["currency_code"], digits, DIGITS))
    statement = (
        f"SELECT {lines.owner} AS id, {sums} FROM {lines.table}"  # noqa: S608 - names of our own table
        f" INNER JOIN {table.name} ON {table.id} = {lines.owner}"
        f" WHERE {lines.owner} >= {min(ids)} AND {lines.owner} <= {max(ids)}"
        f" GROUP BY {lines.owner}"
    )
    found = {}
    for row in reported(ask, statement):
        unit = unit_of(currency.get(row["id"]), digits)
        found[row["id"]] = {
            name: f"{rounded(row[name], unit):f}" for name in ("revenue", "tax_total")
        }
    return found


def _holding(row: Mapping[str, Any], people: People) -> Holding:
    order = HaloOrderRow.of(row)
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
