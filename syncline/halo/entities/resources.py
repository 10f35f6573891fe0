"""The resources of Halo that syncline reads or writes: one table of all that is known of each.

How the API names a resource, which field of it carries our reference, how rows are looked for, and
where reports find them. What is a guess says so beside the fact.

Source: Halo's published API description for paths, schemas and parameters; POST takes an array, and
an element with `id` updates. Columns of its database catalogue; numbers of tables from Halo's own
code list.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Generic, TypeVar

from syncline.halo.capabilities import FindWay
from syncline.halo.entities.tables import LineTable, Table
from syncline.halo.lines import SPELLINGS, LinesOf, Spelling, from_halo, to_halo
from syncline.halo.matching import WITHOUT_CASE
from syncline.halo.models import (
    ClientRow,
    ConsignmentRow,
    CurrencyRow,
    HaloOrderRow,
    HaloRow,
    InvoiceRow,
    LookupRow,
    NamedRow,
    NotificationRow,
    PaymentRow,
    RecurringRow,
    SiteRow,
    TicketRow,
    UserRow,
    WebhookEventRow,
    WebhookRow,
)

Row_co = TypeVar("Row_co", bound=HaloRow, covariant=True)


@dataclass(frozen=True, slots=True)
class Search:
    """How a list is asked for the rows with one reference.

    Attributes:
        param: the parameter that looks for it.
        sought: what that parameter is given, by the reference.
        filters: parameters that look-ups send besides those of every list.
        only: the ways to find rows that there are, where they are not those of most resources.
    """

    param: str = "search"
    sought: Callable[[str], str] = str
    filters: Mapping[str, str] = field(default_factory=dict)
    only: tuple[FindWay, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Resource(Generic[Row_co]):
    """A kind of row of Halo. Two are the same only if they are the same entry of this table.

    Attributes:
        name: what it is called in messages and in the ledger.
        path: of its list, and with an id behind it of one row.
        model: reads a row.
        list_key: the name under which a list's rows come; None where they come bare.
        reference: the field that carries our reference; "" where none does.
        carries_too: another field that carries it, where somebody else's number may stand in the
            first one; "" where there is none.
        filters: parameters without which a list may keep rows back.
        order: the field by which a list is asked for the newest first; "" where it is not asked.
        changed: the field with the time of the last change; "" where there is none.
        lined: whose names its lines have; "" where it has no lines of ours.
        within: what an id is unique within; "" where it is unique for itself.
        search: how rows are looked for by our reference.
        links: the number of its table in external links; None where it has no links.
        table: its table in Halo's database; None where none is known.
    """

    name: str
    path: str
    model: type[Row_co]
    list_key: str | None = None
    reference: str = ""
    carries_too: str = ""
    filters: Mapping[str, str] = field(default_factory=dict)
    order: str = "id"
    changed: str = ""
    lined: LinesOf = ""
    within: str = ""
    search: Search = field(default_factory=Search)
    links: int | None = None
    table: Table | None = None

    @property
    def ways(self) -> tuple[FindWay, ...]:
        """The ways that the API has to find rows by our reference, best first."""
        ways = self.search.only or tuple(FindWay)
        return tuple(way for way in ways if way is not FindWay.LINK or self.links)

    @property
    def newest_first(self) -> dict[str, str]:
        """The parameters of a list of all rows, the newest first where it can be asked so."""
        order = {"order": self.order, "orderdesc": "true"} if self.order else {}
        return {**self.filters, **order}

    @property
    def known_table(self) -> Table:
        """The table in Halo's database, of a resource that has one.

        Raises:
            LookupError: none is known.
        """
        if self.table is None:
            raise LookupError(f"No table of Halo's database is known for a {self.name}.")
        return self.table

    @property
    def reference_column(self) -> str:
        """The database's expression for our reference, as it is compared."""
        column = self.known_table.columns[self.reference]
        return f"LOWER({column})" if self.reference == WITHOUT_CASE else column

    def outgoing(
        self, element: Mapping[str, Any], spelling: Spelling = SPELLINGS[0]
    ) -> dict[str, Any]:
        """An element to post, its lines in the words that the tenant takes."""
        return to_halo(element, self.lined, spelling)

    def incoming(self, row: Mapping[str, Any]) -> dict[str, Any]:
        """A row of Halo with its lines in the words of sales orders."""
        return from_halo(row, self.lined)


AnyResource = Resource[HaloRow]
"""A resource of which only what all have is used."""

# Inactive rows are listed too, or a customer that was switched off would be created again.
_ALL = {"includeactive": "true", "includeinactive": "true"}
_WITH_CREDITS = {"includeinvoices": "true", "includecredits": "true"}

_SITE = "LEFT JOIN SITE ON Ssitenum = {}"

CLIENT = Resource(
    "client",
    "/Client",
    ClientRow,
    list_key="clients",
    reference="ref",
    filters=_ALL,
    links=2,
    table=Table("AREA", {"id": "Aarea", "ref": "Aarearef"}),
)
"""Clients, which Halo's database calls areas. Source: schema Area."""

SITE = Resource("site", "/Site", SiteRow, list_key="sites", filters=_ALL)
"""Sites of clients, which the list shows by `client_id`. Source: schema Site."""

USER = Resource(
    "user",
    "/Users",
    UserRow,
    list_key="users",
    reference=WITHOUT_CASE,
    filters=_ALL,
    links=4,
    table=Table(
        "USERS",
        {"id": "Uid", "emailaddress": "uemail", "site_id": "Usite", "client_id": "Sarea"},
        joins={"client_id": _SITE.format("Usite")},
    ),
)
"""People at a client's site. Source: schema Users."""

ORDER = Resource(
    "order",
    "/SalesOrder",
    HaloOrderRow,
    list_key="salesorders",
    reference="po_number",
    lined="order",
    # That lists take a field's name as their order follows from the parameter's description.
    changed="last_update_time",
    links=996,
    table=Table(
        "ORDERHEAD",
        {
            "id": "OHid",
            "po_number": "OHponumber",
            "accountsref": "OHAccountsRef",
            "summary": "OHsummary",
            "title": "OHtitle",
            "invoicenumber": "OHInvoiceNumber",
            "date": "OHorderdate",
            "status": "OHstatus",
            "currency_code": "OHcurrencycode",
            "user_id": "ohuserid",
            "site_id": "OHsitenum",
            "client_id": "Sarea",
            "change_seq": "ohchangeseq",
            "last_update_time": "ohlastupdatetime",
        },
        joins={"client_id": _SITE.format("OHsitenum")},
        lines=LineTable(
            "ORDERLINE",
            "OLid",
            # Each line is rounded for itself, as Halo sums them.
            net="SUM(ROUND(OLorderqty * OLSellingPrice * (1 - COALESCE(oldiscount, 0) / 100.0),"
            " {digits}))",
            tax="SUM(OLtax)",
        ),
    ),
)
"""Sales orders. Source: schema OrderHead."""

_INVOICE_COLUMNS = {
    "id": "IHid",
    "thirdpartyinvoicenumber": "IH3rdPartyInvoiceNumber",
    "invoicenumber": "IHInvoiceNumber",
    "reference": "IHReference",
    "payment_ref": "IHPayment_Ref",
    "notes_1": "IHNotes_1",
    "internal_note": "IHinternalnote",
    "client_id": "IHaarea",
    "sitenumber": "IHsitenumber",
    "salesorder_id": "IHOHid",
    "currency_code": "IHcurrencycode",
    "invoice_date": "IHInvoice_Date",
    "creditlinkedtoinvoiceid": "ihcreditlinkedtoinvoiceid",
    "voided": "ihvoided",
    # The header has no total: it is that of the lines. A float as DECIMAL has no exponent as text.
    "total": "CAST((SELECT SUM(IDNet_Amount + COALESCE(IDTax_Amount, 0)) FROM INVOICEDETAIL"
    " WHERE IdIHid = IHid) AS DECIMAL(18, 5))",
}
_INVOICE_LINES = LineTable(
    "INVOICEDETAIL",
    "IdIHid",
    net="CAST(SUM(IDNet_Amount) AS DECIMAL(18, 5))",
    tax="CAST(SUM(COALESCE(IDTax_Amount, 0)) AS DECIMAL(18, 5))",
)

INVOICE = Resource(
    "invoice",
    "/Invoice",
    InvoiceRow,
    list_key="invoices",
    reference="thirdpartyinvoicenumber",
    filters=_WITH_CREDITS,
    lined="invoice",
    links=995,
    table=Table(
        "INVOICEHEADER",
        _INVOICE_COLUMNS,
        only="COALESCE(IHisRecurringInvoice, 0) = 0",
        lines=_INVOICE_LINES,
    ),
)
"""Invoices, and credit notes: those are invoices with negative lines. Source: schema InvoiceHeader.

One on which payments or credits stand cannot be removed.
"""

RECURRING = Resource(
    "recurring",
    "/RecurringInvoice",
    RecurringRow,
    list_key="invoices",
    reference="thirdpartyinvoicenumber",
    lined="invoice",
    search=Search(filters=_WITH_CREDITS),
    links=995,
    # A guess: which table holds recurring invoices is not documented. That it is that of invoices
    # follows from its column IHisRecurringInvoice; where it is not so, no round trip proves it.
    # Whether one is disabled stands in no column that is known.
    table=Table("INVOICEHEADER", _INVOICE_COLUMNS, only="IHisRecurringInvoice = 1", guessed=True),
)
"""Recurring invoices, which stand for subscriptions. Source: schema InvoiceHeader."""

PAYMENT = Resource(
    "payment",
    "/InvoicePayment",
    PaymentRow,
    list_key="invoicepayments",  # a guess: it is not documented
    reference="intent_id",  # the only field by which the list can be filtered
    carries_too="thirdpartyid",  # alone, where a payment provider's number stands in the first
    search=Search("intent_id"),
    table=Table(
        "InvoicePayment",
        {
            "id": "IPid",
            "intent_id": "IPIntentID",
            "thirdpartyid": "ipthirdpartyid",
            "invoice_id": "IPIHid",
            "amount": "CAST(IPAmount AS DECIMAL(18, 5))",
            "date": "IPDate",
        },
    ),
)
"""Payments of invoices. Source: schema InvoicePayment_List; no external link, no custom field."""

CONSIGNMENT = Resource(
    "consignment",
    "/Consignment",
    ConsignmentRow,
    list_key="consignments",
    table=Table("CONSIGNMENTHEADER", {"id": "CSOHid"}),
)
"""Consignments. Source: schema ConsignmentHeader; by sales order the list cannot be filtered."""

TICKET = Resource(
    "ticket",
    "/Tickets",
    TicketRow,
    list_key="tickets",
    reference="supplier_reference",  # lists show and search it, reports have a column of it
    search=Search("search_supplier_reference"),
    links=1,
    # A guess by its name: that Suppref holds the supplier's reference; where it is wrong, no round
    # trip proves this way.
    table=Table(
        "FAULTS",
        {"id": "Faultid", "supplier_reference": "Suppref", "status_id": "Status"},
        guessed=True,
    ),
)
"""Tickets. Source: schema Faults; POST answers 201. Lists show closed ones unless told not to.

Of the fields that may carry a reference, Faults_List shows `supplier_reference` and
`third_party_id_string`, and not `client_reference`.
"""

TICKET_REFERENCE_BESIDES: Final = "third_party_id_string"
"""Carries our reference too, for other programs at the tenant: some look up tickets by it."""

ACTION = Resource(
    "action",
    "/Actions",
    HaloRow,
    list_key="actions",
    reference="outcome",  # what stands above the note
    within="ticket",
    search=Search("ticket_id", sought=lambda ref: ref.rsplit(".", 1)[-1], only=(FindWay.SEARCH,)),
)
"""Actions: the entries of a ticket. Source: schema Actions.

Their ids are unique only within a ticket, and a list without `ticket_id` does not end, as was seen
live by others.
"""

ERROR_MODULE: Final = 9001
"""Our number among the modules that errors are of; it is chosen to be none of Halo's own."""

INTEGRATION_ERROR = Resource(
    "integration_error",
    "/IntegrationError",
    HaloRow,
    reference="entity_name",
    filters={"module_id": str(ERROR_MODULE)},
    # Whether it is shown is the question, so it is looked for where people look for it.
    search=Search(only=(FindWay.PAGES,)),
)
"""Integration errors: the list in which Halo's administrators look for failures.

Source: schema IntegrationError; texts are as long as the database's columns. Whether a tenant takes
and shows those of a module that is not its own is found out.
"""

CURRENCY = Resource("currency", "/Currency", CurrencyRow)
"""The tenant's currencies: a short bare list without parameters."""

TICKET_TYPE = Resource("ticket type", "/TicketType", LookupRow)
TICKET_STATUS = Resource("ticket status", "/Status", LookupRow, filters={"type": "ticket"})
"""Types and statuses of tickets, whose ids differ from tenant to tenant."""

REPORT = Resource("report", "/Report", NamedRow, list_key="reports", order="")
"""Reports. Source: schema AnalyzerProfile."""

DASHBOARD = Resource("dashboard", "/DashboardLinks", NamedRow, list_key="dashboards", order="")
"""Dashboards. Source: schema DashboardLinks."""

CUSTOM_TABLE = Resource("custom table", "/CustomTable", NamedRow, list_key="customtables", order="")
"""Tables of our own in Halo's database. Source: schema CustomTable."""

WEBHOOK = Resource("webhook", "/Webhook", WebhookRow, list_key="webhooks", filters={"type": "0"})
"""Webhooks, of which type 0 is sent by Halo. Source: schema Webhook. Their ids are UUIDs."""

NOTIFICATION = Resource("notification", "/Notification", NotificationRow, list_key="notifications")
"""Rules that bind one event, to a webhook too. Source: schema UnameNotification."""

LOOKUP = Resource("lookup", "/Lookup", LookupRow, list_key="lookup")
"""Lists of choices, told apart by `lookupid`."""

WEBHOOK_EVENT = Resource("webhook event", "/WebhookEvent", WebhookEventRow, order="timestamp")
"""The log of what was sent by a webhook. Ids of its entries are UUIDs."""
