"""The kinds of rows that deliveries make in Halo: how each is saved, recognised and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncline.deliveries.leases import Confirmation, Lease
from syncline.errors import MissingScope, Refused
from syncline.flows import alert_tickets, customers, projections
from syncline.flows.flow import Difference, TargetIds
from syncline.halo import (
    actions,
    integration_errors,
    invoices,
    orders,
    payments,
    recurring,
    tickets,
)
from syncline.halo.client import HaloClient
from syncline.halo.customers import (
    CLIENT_KEY,
    CLIENT_PATH,
    USER_KEY,
    USER_PATH,
    get_client,
    get_user,
    save_clients,
    save_users,
)
from syncline.halo.finding import Target as TargetName
from syncline.halo.models import HaloRow, InvoiceRow, PaymentRow
from syncline.mapping.document import Document
from syncline.transport import Permit

Compare = Callable[[Mapping[str, str], Mapping[str, Any], Document, str], list[Difference]]
Save = Callable[[HaloClient, Permit, Sequence[Mapping[str, Any]]], Sequence[HaloRow]]
Read = Callable[[HaloClient, Permit, int], HaloRow]


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of target row.

    Attributes:
        name: as deliveries name it.
        path: where it is posted.
        key: the field that carries our reference.
        wakes: targets whose deliveries may wait for this one.
        must_have: fields without which an answer's row does not show the whole.
        saves: posts elements.
        reads: reads one row by its id.
        compares: (projection wanted, Halo's row, document, currency) → what differs.
        meta: what is kept of Halo's row for the next update and for those who depend on it.
        vital: whether a connection that may not write it cannot do its work.
    """

    name: TargetName
    path: str
    key: str
    wakes: tuple[str, ...]
    must_have: tuple[str, ...]
    saves: Save
    reads: Read
    compares: Compare
    meta: Callable[[Mapping[str, Any]], dict[str, Any]]
    vital: bool = True

    def stops(self, error: Refused) -> bool:
        """Whether the connection stops where Halo refuses it so."""
        return self.vital or not isinstance(error, MissingScope)

    def is_whole(self, row: Mapping[str, Any]) -> bool:
        """Whether a row shows everything that is to be compared."""
        return all(row.get(name) is not None for name in self.must_have)

    def confirmation(
        self, lease: Lease, row: Mapping[str, Any], projection: Mapping[str, Any]
    ) -> Confirmation:
        """A row that holds what was wanted."""
        return Confirmation(lease, str(HaloRow.of(row).id), self.meta(row), projection)


def _differences(shape: projections.Shape) -> Compare:
    def compare(
        wanted: Mapping[str, str], row: Mapping[str, Any], document: Document, currency: str
    ) -> list[Difference]:
        got = projections.projection(row, currency, document, shape)
        return projections.differences(wanted, got, shape.proof)

    return compare


def _customer_differences(role: customers.Role) -> Compare:
    def compare(
        wanted: Mapping[str, str], row: Mapping[str, Any], document: Document, _currency: str
    ) -> list[Difference]:
        got = customers.projection(row, role, document)
        return projections.differences(wanted, got, customers.CUSTOMER_PROOF[role])

    return compare


_LINE_KEYS = ("id", "item_external_reference", "name", "quantity", "tax")


def _lines(row: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{key: line.get(key) for key in _LINE_KEYS} for line in row.get("lines") or []]


def _order_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "change_seq": row.get("change_seq"),
        "last_update_time": row.get("last_update_time"),
        "ticket_id": row.get("ticket_id"),
        "lines": _lines(row),
    }


def _client_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    client = HaloRow.of(row).id
    return TargetIds(client, client_id=client, site_id=row.get("main_site_id")).meta()


def _user_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    user = HaloRow.of(row).id
    return TargetIds(user, client_id=row.get("client_id"), site_id=row.get("site_id")).meta()


def _invoice_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    invoice = InvoiceRow.of(row)
    ids = TargetIds(
        invoice.id,
        client_id=invoice.client_id,
        site_id=invoice.sitenumber,
        currency_id=invoice.currency_code,
    )
    return {**ids.meta(), "lines": _lines(row)}


def _payment_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"invoice_id": PaymentRow.of(row).invoice_id}


def _ticket_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"status_id": row.get("status_id")}


def _action_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"ticket_id": row.get("ticket_id")}


def _alert_differences(target: str) -> Compare:
    def compare(
        wanted: Mapping[str, str], row: Mapping[str, Any], _document: Document, _currency: str
    ) -> list[Difference]:
        return alert_tickets.differences(target, wanted, row)

    return compare


_WITH_LINES = ("lines", "total")

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target(
            name="client",
            path=CLIENT_PATH,
            key=CLIENT_KEY,
            wakes=("user", "order", "invoice", "recurring"),
            must_have=("main_site_id",),
            saves=save_clients,
            reads=get_client,
            compares=_customer_differences("client"),
            meta=_client_meta,
        ),
        Target(
            name="user",
            path=USER_PATH,
            key=USER_KEY,
            wakes=("order", "invoice", "recurring"),
            must_have=("site_id",),
            saves=save_users,
            reads=get_user,
            compares=_customer_differences("user"),
            meta=_user_meta,
        ),
        Target(
            name="order",
            path=orders.PATH,
            key=orders.KEY,
            wakes=("invoice", "recurring"),
            must_have=_WITH_LINES,
            saves=orders.save_orders,
            reads=orders.get_order,
            compares=_differences(projections.ORDER),
            meta=_order_meta,
        ),
        Target(
            name="invoice",
            path=invoices.PATH,
            key=invoices.KEY,
            wakes=("payment", "credit"),
            must_have=_WITH_LINES,
            saves=invoices.save_invoices,
            reads=invoices.get_invoice,
            compares=_differences(projections.INVOICE),
            meta=_invoice_meta,
        ),
        Target(
            name="payment",
            path=payments.PATH,
            key=payments.KEY,
            wakes=(),
            must_have=("invoice_id", "amount"),
            saves=payments.save_payments,
            reads=payments.get_payment,
            compares=_differences(projections.PAYMENT),
            meta=_payment_meta,
        ),
        Target(
            name="credit",
            path=invoices.PATH,
            key=invoices.KEY,
            wakes=(),
            must_have=_WITH_LINES,
            saves=invoices.save_invoices,
            reads=invoices.get_invoice,
            compares=_differences(projections.CREDIT),
            meta=_invoice_meta,
        ),
        Target(
            name="recurring",
            path=recurring.PATH,
            key=recurring.KEY,
            wakes=(),
            must_have=_WITH_LINES,
            saves=recurring.save_recurring_invoices,
            reads=recurring.get_recurring_invoice,
            compares=_differences(projections.RECURRING),
            meta=_invoice_meta,
        ),
        Target(
            name="ticket",
            path=tickets.PATH,
            key=tickets.KEY,
            wakes=(),
            must_have=("status_id",),
            saves=tickets.save_tickets,
            reads=tickets.get_ticket,
            compares=_alert_differences(alert_tickets.TICKET),
            meta=_ticket_meta,
            vital=False,
        ),
        Target(
            name="alert_action",
            path=actions.PATH,
            key=actions.KEY,
            wakes=(),
            must_have=("ticket_id",),
            saves=actions.save_actions,
            reads=actions.get_action,
            compares=_alert_differences(alert_tickets.ACTION),
            meta=_action_meta,
            vital=False,
        ),
        Target(
            name="integration_error",
            path=integration_errors.PATH,
            key=integration_errors.KEY,
            wakes=(),
            must_have=(),
            saves=integration_errors.save_integration_errors,
            reads=integration_errors.get_integration_error,
            compares=_alert_differences(alert_tickets.INTEGRATION_ERROR),
            meta=lambda _row: {},
            vital=False,
        ),
    )
}
