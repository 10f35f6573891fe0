"""The entities of the emulated Halo: path, scopes, rows, list key, fields, rules, in one table.

Source: paths, list keys and filters by the published API document and by what its clients read;
the list key of ExternalLink is nowhere shown.
"""

from __future__ import annotations

from syncline.sandbox.halo.money.invoices import (
    check_invoice,
    remove_check,
    save_invoice,
    show_payments,
    shown,
)
from syncline.sandbox.halo.money.payments import check_payment, removed_payment, save_payment
from syncline.sandbox.halo.money.recurring import check_recurring, removed_recurring, save_recurring
from syncline.sandbox.halo.reporting import custom_tables, dashboards, reports
from syncline.sandbox.halo.resources import columns, fields
from syncline.sandbox.halo.resources.entity import Entity, Writing
from syncline.sandbox.halo.sales.consignments import (
    check_consignment,
    removed_consignment,
    save_consignment,
)
from syncline.sandbox.halo.sales.customers import (
    check_client,
    check_site,
    check_user,
    save_client,
    save_site,
    save_user,
)
from syncline.sandbox.halo.sales.orders import check_order, post_order
from syncline.sandbox.halo.tenant.catalogue import (
    CLIENT_TABLE,
    CURRENCIES,
    INVOICE_TABLE,
    ORDER_TABLE,
    SITE_TABLE,
    STATUSES,
    TICKET_TABLE,
    TICKET_TYPES,
    USER_TABLE,
)
from syncline.sandbox.halo.tenant.store import Row
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant
from syncline.sandbox.halo.tickets.integration_errors import check_error, save_error
from syncline.sandbox.halo.tickets.tickets import (
    TICKET_AREAS,
    TICKET_DETAILS,
    check_ticket,
    removed_ticket,
    save_ticket,
    status_shown,
    ticket_shown,
    type_shown,
)


def check_link(tenant: Tenant, posted: Row) -> None:
    """Refuse a link that names no row or no foreign id.

    Raises:
        RefusalError: 400 with the rule's text.
    """
    table_id, halo_id = posted.get("table_id"), posted.get("halo_id")
    linkable = [one for one in ENTITIES.values() if one.table_id and one.table_id == table_id]
    if not any(halo_id in entity.rows(tenant.store) for entity in linkable):
        raise RefusalError(400, "The linked record does not exist.")
    if not posted.get("third_party_id"):
        raise RefusalError(400, "A third party id is required.")


def save_link(tenant: Tenant, posted: Row) -> Row:
    """Store a link by itself; the tenant decides whether and when it is seen."""
    return tenant.link(posted["table_id"], posted["halo_id"], posted) or {"id": 0, **posted}


_SALES = frozenset({"sales", "sos"})
"""Which of the two scopes covers sales orders is not documented."""
_CUSTOMERS = frozenset({"customers"})
_INVOICES = frozenset({"invoices"})
_INVOICE_SEARCHED = ("thirdpartyinvoicenumber", "reference", "invoicenumber")
_INVOICE_DETAILS = frozenset({"lines", "customfields", "_warning"})

ENTITIES = {
    entity.name.lower(): entity
    for entity in (
        Entity(
            name="SalesOrder",
            areas=_SALES,
            list_key="salesorders",
            rows=lambda store: store.orders,
            searched=("po_number", "accountsref", "summary", "title", "client_name"),
            filters=("client_id", "site_id", "user_id", "ticket_id"),
            details=frozenset({"lines", "customfields", "_warning"}),
            table_id=ORDER_TABLE,
            writing=Writing(fields.ORDER, check_order, post_order, columns=columns.ORDER),
        ),
        Entity(
            name="Consignment",
            # As for sales orders; the key of this list is nowhere shown.
            areas=_SALES,
            list_key="consignments",
            rows=lambda store: store.consignments,
            details=frozenset({"lines"}),
            writing=Writing(
                fields.CONSIGNMENT,
                check_consignment,
                save_consignment,
                removed=removed_consignment,
            ),
        ),
        Entity(
            name="Client",
            areas=_CUSTOMERS,
            list_key="clients",
            rows=lambda store: store.clients,
            searched=("name", "ref", "accountsid"),
            filters=("toplevel_id",),
            table_id=CLIENT_TABLE,
            writing=Writing(fields.CLIENT, check_client, save_client, columns=columns.CLIENT),
        ),
        Entity(
            name="Site",
            areas=_CUSTOMERS,
            list_key="sites",
            rows=lambda store: store.sites,
            searched=("name", "ref", "client_name"),
            filters=("client_id",),
            table_id=SITE_TABLE,
            writing=Writing(fields.SITE, check_site, save_site, columns=columns.SITE),
        ),
        Entity(
            name="Users",
            areas=_CUSTOMERS,
            list_key="users",
            rows=lambda store: store.users,
            searched=("name", "emailaddress"),
            filters=("client_id", "site_id"),
            table_id=USER_TABLE,
            writing=Writing(fields.USERS, check_user, save_user, columns=columns.USERS),
        ),
        Entity(
            name="ExternalLink",
            areas=frozenset(),
            list_key="links",
            rows=lambda store: store.links,
            filters=(
                "third_party_id",
                "third_party_secondary_id",
                "third_party_type",
                "table_id",
                "halo_id",
                "module_id",
                "details_id",
            ),
            writing=Writing(fields.LINK, check_link, save_link, columns=columns.LINK),
        ),
        Entity(
            name="Currency",
            areas=frozenset(),
            list_key=None,
            rows=lambda _store: CURRENCIES,
        ),
        Entity(
            name="Status",
            areas=frozenset(),
            list_key=None,
            rows=lambda _store: STATUSES,
            shown=status_shown,
        ),
        Entity(
            name="Invoice",
            areas=_INVOICES,
            list_key="invoices",
            rows=lambda store: store.invoices,
            searched=_INVOICE_SEARCHED,
            filters=("client_id", "salesorder_id", "ticket_id"),
            details=_INVOICE_DETAILS,
            table_id=INVOICE_TABLE,
            writing=Writing(
                fields.INVOICE, check_invoice, save_invoice, remove_check, columns=columns.INVOICE
            ),
            beside=show_payments,
            shown=shown,
        ),
        Entity(
            name="InvoicePayment",
            areas=_INVOICES,
            # The key of this list is nowhere shown.
            list_key="invoicepayments",
            rows=lambda store: store.payments,
            searched=("intent_id", "thirdpartyid", "invoice_invoicenumber"),
            filters=("client_id", "invoice_id", "intent_id"),
            writing=Writing(
                fields.PAYMENT,
                check_payment,
                save_payment,
                removed=removed_payment,
                columns=columns.PAYMENT,
            ),
        ),
        Entity(
            name="RecurringInvoice",
            areas=_INVOICES,
            list_key="invoices",
            rows=lambda store: store.recurring_invoices,
            searched=_INVOICE_SEARCHED,
            filters=("client_id", "salesorder_id", "ticket_id"),
            details=_INVOICE_DETAILS,
            table_id=INVOICE_TABLE,
            writing=Writing(
                fields.INVOICE,
                check_recurring,
                save_recurring,
                removed=removed_recurring,
                columns=columns.INVOICE,
            ),
        ),
        Entity(
            name="Tickets",
            areas=TICKET_AREAS,
            list_key="tickets",
            rows=lambda store: store.tickets,
            searched=("summary", "details"),
            filters=("client_id", "site_id", "user_id", "status_id", "agent_id"),
            details=TICKET_DETAILS,
            table_id=TICKET_TABLE,
            writing=Writing(
                # A created and an updated ticket are both answered by 201, as seen live by others.
                fields.TICKET,
                check_ticket,
                save_ticket,
                removed=removed_ticket,
                status=201,
                columns=columns.TICKET,
            ),
            shown=ticket_shown,
        ),
        Entity(
            name="TicketType",
            areas=TICKET_AREAS,
            list_key=None,
            rows=lambda _store: TICKET_TYPES,
            details=frozenset({"fields"}),
            shown=type_shown,
        ),
        Entity(
            name="IntegrationError",
            # Neither the scope nor the key of this list is shown anywhere.
            areas=frozenset({"admin"}),
            list_key="integrationerrors",
            rows=lambda store: store.integration_errors,
            filters=("module_id", "detail_id"),
            writing=Writing(
                fields.INTEGRATION_ERROR, check_error, save_error, columns=columns.INTEGRATION_ERROR
            ),
        ),
        Entity(
            name="Report",
            areas=reports.REPORTING,
            list_key="reports",
            rows=lambda store: store.reports,
            searched=("name", "description"),
            details=reports.DETAILS,
            writing=Writing(reports.STORED, reports.check_report, reports.save_report),
            offered=reports.offered,
            may_be_bare=True,
        ),
        Entity(
            name="DashboardLinks",
            areas=dashboards.AREAS,
            list_key="dashboards",
            rows=lambda store: store.dashboards,
            searched=("name",),
            details=dashboards.DETAILS,
            writing=Writing(
                dashboards.DASHBOARD,
                dashboards.check_dashboard,
                dashboards.save_dashboard,
            ),
            offered=dashboards.offered,
        ),
        Entity(
            name="CustomTable",
            areas=frozenset({"admin"}),
            list_key="customtables",
            rows=lambda store: store.custom_tables,
            details=custom_tables.DETAILS,
            writing=Writing(
                custom_tables.TABLE,
                custom_tables.check_table,
                custom_tables.save_table,
                removed=custom_tables.removed_table,
            ),
            offered=custom_tables.offered,
            may_be_bare=True,
        ),
    )
}


def remove(tenant: Tenant, entity: Entity, row_id: int) -> None:
    """Delete one row with its links.

    Raises:
        RefusalError: 404 for no such row, 400 where other rows hang on it.
    """
    store = tenant.store
    rows = entity.rows(store)
    if entity.writing is None:
        raise RefusalError(405, {"Message": "The resource does not support method 'DELETE'."})
    if row_id not in rows:
        raise RefusalError(404, {"Message": f"{entity.name} {row_id} was not found."})
    if entity.name == "ExternalLink":
        store.drop_link(row_id)
        return
    key = {"Client": "client_id", "Site": "site_id"}.get(entity.name)
    hanging = (*store.orders.values(), *store.users.values(), *store.invoices.values())
    if key and any(row.get(key) == row_id for row in hanging):
        raise RefusalError(400, f"{entity.name} {row_id} is in use and cannot be deleted.")
    row = rows[row_id]
    if entity.writing.remove_check:
        entity.writing.remove_check(tenant, row)
    del rows[row_id]
    if entity.writing.removed:
        entity.writing.removed(tenant, row)
    if entity.table_id is not None:
        store.drop_links_of(entity.table_id, row_id)
    store.touch(entity.name, row_id, tenant.stamp())
