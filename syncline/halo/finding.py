"""Finding our own rows in Halo by our reference, in the way that was proved at the tenant.

A look-up decides whether something is sent again, so both mistakes are dear: a false match loses a
record, a false absence doubles one. Halo ignores filters it does not know and answers with the
whole list, so every row is compared exactly, and a reference whose absence the answer cannot prove
is reported as unsure.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from syncline.errors import Unmappable
from syncline.halo import reports
from syncline.halo.abilities import FindWay
from syncline.halo.answers import Effect
from syncline.halo.client import HaloClient
from syncline.halo.integration_errors import MODULE
from syncline.halo.invoice_lines import from_halo
from syncline.halo.matching import reference
from syncline.halo.models import HaloRow
from syncline.halo.paging import PageWalk
from syncline.transport import Permit

Target = Literal[
    "client",
    "user",
    "order",
    "invoice",
    "payment",
    "credit",
    "recurring",
    "ticket",
    "alert_action",
    "integration_error",
]

REFERENCES_PER_SQL = 2_000
"""References in one IN list; SQL Server gives up on lists of many thousands."""


@dataclass(frozen=True, slots=True)
class Query:
    """One call to make: a GET with parameters, or a POST with elements that changes nothing."""

    method: Literal["GET", "POST"]
    path: str
    params: Mapping[str, str] = field(default_factory=dict)
    elements: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row of Halo that carries a reference of ours.

    `row` is what that way shows of it: but for links, the fields have the names of the entity, so
    that the entity's model reads it. A list may show an invoice without its lines, a report never
    shows them.
    """

    id: int
    reference: str
    row: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Found:
    """The outcome of a look-up.

    Attributes:
        rows: reference → its rows; two rows are two, none is an empty list.
        unsure: references without a row whose absence was not proved.
    """

    rows: dict[str, list[FoundRow]]
    unsure: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Kind:
    """Where a target's rows and references stand.

    Attributes:
        path: of the list.
        list_key: the name under which the list's rows come; None where it is not documented.
        key: the field that carries our reference.
        table_id: the number of the table in external links; None: it has no links.
        select: the SELECT of a report, with the entity's names.
        column: the database's column of the reference.
        among: a condition for the rows of the table that are of this kind.
        search: the parameter by which the list looks for one reference.
        sought: what that parameter is given, by the reference.
        only: the ways that there are, where they are not those of most kinds.
        filters: parameters without which the list may keep rows back.
        shows: a row of the list or report as `FoundRow` shows it.

    Source: table numbers of Halo's own code list; columns of its database catalogue.
    """

    path: str
    list_key: str | None
    key: str
    table_id: int | None
    select: str
    column: str
    among: str = ""
    search: str = "search"
    sought: Callable[[str], str] = str
    only: tuple[FindWay, ...] = ()
    filters: Mapping[str, str] = field(default_factory=dict)
    shows: Callable[[Mapping[str, Any]], dict[str, Any]] = dict

    @property
    def ways(self) -> tuple[FindWay, ...]:
        """The ways that the API has for this kind, best first."""
        ways = self.only or tuple(FindWay)
        return tuple(way for way in ways if way is not FindWay.LINK or self.table_id)


# Inactive rows count too: a customer that was switched off must not be created a second time.
_ALL = {"includeactive": "true", "includeinactive": "true"}
_INVOICES_AND_CREDITS = {"includeinvoices": "true", "includecredits": "true"}

# The header has no total: it is that of the lines. A float as DECIMAL has no exponent as text.
_INVOICE_SELECT = (
    "SELECT IHid AS id, IH3rdPartyInvoiceNumber AS thirdpartyinvoicenumber, IHaarea AS client_id,"
    " IHsitenumber AS sitenumber, IHOHid AS salesorder_id, IHcurrencycode AS currency_code,"
    " ihcreditlinkedtoinvoiceid AS creditlinkedtoinvoiceid,"
    " CAST((SELECT SUM(IDNet_Amount + COALESCE(IDTax_Amount, 0)) FROM INVOICEDETAIL"
    " WHERE IdIHid = IHid) AS DECIMAL(18, 5)) AS total"
    " FROM INVOICEHEADER"
)
_INVOICE = _Kind(
    path="/Invoice",
    list_key="invoices",
    key="thirdpartyinvoicenumber",
    table_id=995,
    select=_INVOICE_SELECT,
    column="IH3rdPartyInvoiceNumber",
    among="COALESCE(IHisRecurringInvoice, 0) = 0",
    filters=_INVOICES_AND_CREDITS,
    shows=from_halo,
)
_KINDS: Mapping[Target, _Kind] = {
    "invoice": _INVOICE,
    "credit": _INVOICE,
    # Which table holds recurring invoices is not documented. That it is that of invoices follows
    # from its column IHisRecurringInvoice; where it is not so, no round trip proves this way.
    "recurring": replace(_INVOICE, path="/RecurringInvoice", among="IHisRecurringInvoice = 1"),
    "payment": _Kind(
        path="/InvoicePayment",
        list_key=None,
        key="intent_id",
        table_id=None,
        select=(
            "SELECT IPid AS id, IPIntentID AS intent_id, ipthirdpartyid AS thirdpartyid,"
            " IPIHid AS invoice_id, CAST(IPAmount AS DECIMAL(18, 5)) AS amount"
            " FROM InvoicePayment"
        ),
        column="IPIntentID",
        search="intent_id",
    ),
    "order": _Kind(
        path="/SalesOrder",
        list_key="salesorders",
        key="po_number",
        table_id=996,
        select="SELECT OHid AS id, OHponumber AS po_number FROM ORDERHEAD",
        column="OHponumber",
    ),
    "client": _Kind(
        path="/Client",
        list_key="clients",
        key="ref",
        table_id=2,
        select="SELECT Aarea AS id, Aarearef AS ref FROM AREA",
        column="Aarearef",
        filters=_ALL,
    ),
    "user": _Kind(
        path="/Users",
        list_key="users",
        key="emailaddress",
        table_id=4,
        select=(
            "SELECT Uid AS id, uemail AS emailaddress, Usite AS site_id, Sarea AS client_id"
            " FROM USERS LEFT JOIN SITE ON Ssitenum = Usite"
        ),
        column="LOWER(uemail)",
        filters=_ALL,
    ),
    "ticket": _Kind(
        path="/Tickets",
        list_key="tickets",
        key="supplier_reference",
        table_id=1,
        # That Suppref holds the supplier's reference is a guess by its name; where it is wrong, no
        # round trip proves this way. Lists show closed tickets unless they are told not to.
        select="SELECT Faultid AS id, Suppref AS supplier_reference, Status AS status_id"
        " FROM FAULTS",
        column="Suppref",
        search="search_supplier_reference",
    ),
    # An action's id says nothing without its ticket, and only a ticket's actions are listed.
    "alert_action": _Kind(
        path="/Actions",
        list_key="actions",
        key="outcome",
        table_id=None,
        select="",
        column="",
        search="ticket_id",
        sought=lambda ref: ref.rsplit(".", 1)[-1],
        only=(FindWay.SEARCH,),
    ),
    # Whether it is shown is the question, so it is looked for where people look for it.
    "integration_error": _Kind(
        path="/IntegrationError",
        list_key=None,
        key="entity_name",
        table_id=None,
        select="",
        column="",
        only=(FindWay.PAGES,),
        filters={"module_id": str(MODULE)},
    ),
}


def ways_of(target: Target) -> tuple[FindWay, ...]:
    """The ways in which rows of a target can be looked for, best first.

    Which of them work at a tenant is another question, answered by its abilities.
    """
    return _KINDS[target].ways


class Lookup:
    """One look-up: says which call to make next, takes the answers, tells the outcome.

    Args:
        way: how to find, as proved for the target. In a way that the target does not have no call
            is made and every reference is unsure.
        target: which kind of row.
        references: ours: users by e-mail, payments by `intent_id`, all others by our reference.
    """

    def __init__(self, way: FindWay, target: Target, references: Iterable[str]) -> None:
        self._way = way
        self._kind = _KINDS[target]
        given = {text: reference({self._kind.key: text}, self._kind.key) for text in references}
        self._given = given
        self._rows: dict[str, dict[int, FoundRow]] = {ref: {} for ref in given.values() if ref}
        self._unsure: set[str] = {""}
        self._batches = self._first_batches()
        self._walk = self._new_walk()

    def pending(self) -> Query | None:
        """The next call; None when all is known."""
        if not self._batches:
            return None
        batch = self._batches[0]
        if self._way is FindWay.SQL:
            listed = ", ".join(map(reports.quoted, batch))
            among = f"{self._kind.among} AND " if self._kind.among else ""
            sql = f"{self._kind.select} WHERE {among}{self._kind.column} IN ({listed})"
            return Query("POST", reports.PATH, elements=[reports.sql_element(sql)])
        path = "/ExternalLink" if self._way is FindWay.LINK else self._kind.path
        return Query("GET", path, params=self._walk.pending() or {})

    def take(self, document: Any) -> None:
        """Take the answer to `pending`.

        Raises:
            Unreadable: if it is no list or no report.
            Rejected: if Halo could not run the report.
        """
        if self._way is FindWay.SQL:
            self._note(reports.report_rows(document), self._kind.key)
            self._batches.pop(0)
            return
        key = "third_party_id" if self._way is FindWay.LINK else self._kind.key
        fresh = self._walk.take(document)
        self._note(fresh, key)
        if not self._walk.finished:
            return
        if not self._walk.complete:
            self._unsure.update(self._batches[0])
        self._batches.pop(0)
        self._walk = self._new_walk()

    def found(self) -> Found:
        """The outcome, under the references as they were given; unfinished ones are unsure."""
        open_refs = {ref for batch in self._batches for ref in batch}
        unsure = self._unsure | open_refs
        rows = {text: list(self._rows.get(ref, {}).values()) for text, ref in self._given.items()}
        return Found(
            rows=rows,
            unsure=frozenset(
                text for text, ref in self._given.items() if ref in unsure and not rows[text]
            ),
        )

    def _first_batches(self) -> list[list[str]]:
        refs = list(self._rows)
        if self._way not in self._kind.ways:
            self._unsure.update(refs)
            return []
        if self._way is FindWay.PAGES:
            return [refs] if refs else []
        if self._way is not FindWay.SQL:
            return [[ref] for ref in refs]
        sayable = [ref for ref in refs if _sayable(ref)]
        self._unsure.update(set(refs) - set(sayable))
        step = REFERENCES_PER_SQL
        return [sayable[at : at + step] for at in range(0, len(sayable), step)]

    def _new_walk(self) -> PageWalk:
        newest_first = {"order": "id", "orderdesc": "true"}
        if not self._batches or self._way is FindWay.PAGES:
            return PageWalk({**self._kind.filters, **newest_first}, key=self._kind.list_key)
        ref = self._batches[0][0]
        if self._way is FindWay.LINK:
            return PageWalk({"third_party_id": ref, "table_id": str(self._kind.table_id)})
        sought = {self._kind.search: self._kind.sought(ref)}
        return PageWalk({**self._kind.filters, **sought}, key=self._kind.list_key)

    def _note(self, rows: Iterable[Mapping[str, Any]], key: str) -> None:
        for row in rows:
            if self._way is FindWay.LINK and not self._is_ours(row):
                continue
            if key not in row:
                # A list that does not show the field proves nothing about any reference.
                self._unsure.update(self._batches[0])
                continue
            ref = reference({self._kind.key: row[key]}, self._kind.key)
            if ref in self._rows:
                found_id = HaloRow.of({"id": self._id_of(row)}).id
                shown = self._kind.shows(row)
                self._rows[ref].setdefault(found_id, FoundRow(found_id, ref, shown))

    def _is_ours(self, link: Mapping[str, Any]) -> bool:
        return str(link.get("table_id")) == str(self._kind.table_id)

    def _id_of(self, row: Mapping[str, Any]) -> Any:
        return row.get("halo_id") if self._way is FindWay.LINK else row.get("id")


def ask(client: HaloClient, permit: Permit, query: Query) -> Any:
    """Make the call of a look-up and return its document, for `Lookup.take`."""
    if query.method == "POST":
        return client.post(query.path, query.elements, permit, effect=Effect.READ).document
    return client.get(query.path, query.params, permit).document


def _sayable(ref: str) -> bool:
    try:
        reports.quoted(ref)
    except Unmappable:
        return False
    return True
