"""What Halo holds now of the rows that we made: by reports, else by lists or by id.

A report tells heads and the sums of their lines in one statement, tens of thousands of rows a
call. A list is read newest first and only as far down as our rows go. Both show rows under the
entity's names, so that they are compared like the answer to a write.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from syncline.halo.entities.resources import (
    CONSIGNMENT,
    INVOICE,
    ORDER,
    PAYMENT,
    RECURRING,
    AnyResource,
)
from syncline.halo.entities.rows import walk_of
from syncline.halo.entities.tables import currency_digits
from syncline.halo.matching import reference
from syncline.halo.models import number, whole
from syncline.halo.sql.queries import (
    DIGITS,
    ROWS_PER_REPORT,
    Ask,
    Query,
    reported,
    rounded,
    unit_of,
)
from syncline.halo.sql.reports import quoted

IDS_PER_REPORT = 2_000
"""Ids in one IN list; SQL Server gives up on lists of many thousands."""

OURS = "HL-"
"""How every reference of ours begins."""

VOIDED = "voided"
"""The field of an invoice that is not in force any more."""

KINDS: Mapping[str, AnyResource] = {
    one.name: one for one in (ORDER, INVOICE, PAYMENT, RECURRING, CONSIGNMENT)
}
"""The resources of which Halo holds rows of ours; an invoice may be a credit."""

_NUMBERS: Mapping[str, tuple[str, ...]] = {
    "order": ("status", "currency_code", "user_id", "site_id", "client_id"),
    "invoice": (
        *("client_id", "sitenumber", "currency_code", "salesorder_id"),
        "creditlinkedtoinvoiceid",
    ),
    "payment": ("invoice_id",),
    "consignment": (),
}
# A recurring invoice that is not known to be disabled bills a second time, and whether one is
# stands in no column that is known: so these are read by their list.
_BESIDES: Mapping[str, tuple[str, ...]] = {"invoice": (VOIDED,), "payment": ("amount",)}

_OF_ONE: Mapping[str, tuple[str, ...]] = {"order": ("change_seq", "last_update_time")}
"""What is kept beside a row, and not compared: shown of rows that are asked for by their ids, since
two columns more of all rows are a fifth more memory."""


def is_reported(resource: AnyResource) -> bool:
    """Whether a report tells enough of its rows to compare them."""
    return resource.name in _NUMBERS


def numbers_of(resource: AnyResource) -> tuple[str, ...]:
    """The fields that are compared and that a report always shows, if only as nothing."""
    return _NUMBERS.get(resource.name, ())


def report(
    ask: Ask,
    resource: AnyResource,
    after: int,
    digits: Mapping[int, int],
    *,
    ours: bool = True,
) -> tuple[list[dict[str, Any]], int | None]:
    """The next rows with ids above `after`, by SQL, and where to go on; None at the end.

    Args:
        ask: makes a call.
        resource: of which table.
        after: the id below the first one wanted.
        digits: Halo's id of a currency → digits after the point; of another one it is two.
        ours: only rows that carry a reference of ours, where the table has such a column.

    Raises:
        Rejected: Halo could not run the report.
        Unreadable: the answer is no report.
    """
    among = [f"{resource.known_table.id} > {after}"]
    if ours and resource.reference:
        columns = [resource.reference_column]
        if resource.carries_too:
            columns.append(resource.known_table.columns[resource.carries_too])
        ours_in = " OR ".join(f"{column} LIKE {quoted(OURS + '%')}" for column in columns)
        among.append(f"({ours_in})")
    rows = _run(ask, _statement(resource, among, digits), digits)
    more = len(rows) >= ROWS_PER_REPORT
    return rows, max(int(row["id"]) for row in rows) if more else None


def report_of(
    ask: Ask, resource: AnyResource, ids: Collection[int], digits: Mapping[int, int]
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
        among = [f"{resource.known_table.id} IN ({some})"]
        besides = _OF_ONE.get(resource.name, ())
        found += _run(ask, _statement(resource, among, digits, besides), digits)
    return found


def _run(ask: Ask, statement: str, digits: Mapping[int, int]) -> list[dict[str, Any]]:
    return [_summed(row, digits) for row in reported(ask, statement)]


def _statement(
    resource: AnyResource,
    among: Sequence[str],
    digits: Mapping[int, int],
    besides: Sequence[str] = (),
) -> str:
    """The heads of rows, and the sums of their lines where they have lines, in one SELECT."""
    table, name = resource.known_table, resource.name
    references = [one for one in (resource.reference, resource.carries_too) if one]
    fields = ("id", *references, *_NUMBERS[name], *_BESIDES.get(name, ()), *besides)
    heads = table.select(fields, where=(*among, table.only), order=table.id, top=ROWS_PER_REPORT)
    if table.lines is None:
        return heads
    shown = ", ".join(f"H.{one}" for one in fields)
    sums = table.lines.sums(currency_digits("H.currency_code", digits, DIGITS))
    return (
        f"SELECT {shown}, {sums} FROM ({heads}) AS H"  # noqa: S608 - names of our own table
        f" LEFT JOIN {table.lines.table} ON {table.lines.owner} = H.id"
        f" GROUP BY {shown} ORDER BY H.id"
    )


def _summed(row: dict[str, Any], digits: Mapping[int, int]) -> dict[str, Any]:
    """A report's row with its total."""
    if "revenue" not in row:
        return row
    unit = unit_of(whole(row["currency_code"]), digits)
    net, tax = (rounded(row[name], unit) for name in ("revenue", "tax_total"))
    return {**row, "revenue": net, "tax_total": tax, "total": net + tax}


class ListReading:
    """A walk down a list, newest first, that ends where our rows end.

    A list that does not descend is read to its end. A walk that was cut goes on from `state`.

    Args:
        resource: of which list.
        floor: the lowest id that is wanted.
        state: what an earlier reading left.
        seen: the ids that it had seen.

    Attributes:
        without_id: rows that the list shows without an id, so that nobody knows what they are.
    """

    def __init__(
        self, resource: AnyResource, floor: int, state: Mapping[str, Any], seen: Iterable[int]
    ) -> None:
        self._walk = walk_of(resource)
        self._resource = resource
        self._floor = floor
        self._lowest: int | None = state.get("lowest")
        self._descends = bool(state.get("descends", True))
        self._reached = False
        self.without_id: int = state.get("without_id", 0)
        if state:
            nameless = (f"without id {at}" for at in range(self.without_id))
            self._walk.go_on(state["walk"], [*seen, *nameless])

    @property
    def whole(self) -> bool:
        """Whether every row down to the floor was seen."""
        return self._reached or self._walk.complete

    def state(self) -> dict[str, Any]:
        """What another process needs to go on."""
        return {
            "walk": self._walk.state(),
            "lowest": self._lowest,
            "descends": self._descends,
            "without_id": self.without_id,
        }

    def pending(self) -> Query | None:
        """The next call; None at the end."""
        params = None if self._reached else self._walk.pending()
        return None if params is None else Query("GET", self._resource.path, params=params)

    def take(self, document: Any) -> list[dict[str, Any]]:
        """Take the answer to `pending`; returns the rows that were not seen before.

        Raises:
            Unreadable: if it is no list.
        """
        left_out = len(self._walk.illegible)
        rows = [shown(self._resource, row) for row in self._walk.take(document)]
        known = [row for row in rows if row["id"] is not None]
        self.without_id += len(rows) - len(known) + len(self._walk.illegible) - left_out
        for row_id in (row["id"] for row in known):
            self._descends &= self._lowest is None or row_id < self._lowest
            self._lowest = row_id if self._lowest is None else min(row_id, self._lowest)
        self._reached = self._descends and self._lowest is not None and self._lowest < self._floor
        return known


def shown(resource: AnyResource, row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a list, or read by id, with its lines in the words of sales orders and its total.

    Its id is a number, or None where it has none. A total follows from what is shown alone.
    """
    told = {**resource.incoming(row), "id": whole(row.get("id"))}
    net, tax = number(told.get("revenue")), number(told.get("tax_total"))
    if told.get("total") is None and net is not None and tax is not None:
        told["total"] = net + tax
    return told


def reference_of(resource: AnyResource, row: Mapping[str, Any]) -> str:
    """Our reference on a row; empty where it carries none of ours."""
    for field in (resource.reference, resource.carries_too):
        if field and (text := reference(row, field)).startswith(OURS):
            return text
    return ""
