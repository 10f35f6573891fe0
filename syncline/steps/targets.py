"""The kinds of rows that deliveries make in Halo: how each is saved, recognised and compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from syncline.deliveries.leases import Confirmation, Lease
from syncline.errors import MissingScope, Refused
from syncline.flows import alert_tickets, customers, projections
from syncline.flows.flow import Difference, TargetIds
from syncline.halo.client import HaloClient
from syncline.halo.entities.resources import (
    ACTION,
    CLIENT,
    INTEGRATION_ERROR,
    INVOICE,
    ORDER,
    PAYMENT,
    RECURRING,
    TICKET,
    USER,
    AnyResource,
)
from syncline.halo.entities.rows import read_row, save_rows
from syncline.halo.models import HaloRow, InvoiceRow, PaymentRow
from syncline.halo.sql.finding import Target as TargetName
from syncline.mapping.document import Document
from syncline.transport import Permit

Compare = Callable[[Mapping[str, str], Mapping[str, Any], Document, str], list[Difference]]


@dataclass(frozen=True, slots=True)
class Target:
    """One kind of target row.

    Attributes:
        name: as deliveries name it.
        resource: of Halo, whose rows these are.
        wakes: targets whose deliveries may wait for this one.
        must_have: fields without which an answer's row does not show the whole.
        compares: (projection wanted, Halo's row, document, currency) → what differs.
        meta: what is kept of Halo's row for the next update and for those who depend on it.
        vital: whether a connection that may not write it cannot do its work.
    """

    name: TargetName
    resource: AnyResource
    wakes: tuple[str, ...]
    must_have: tuple[str, ...]
    compares: Compare
    meta: Callable[[Mapping[str, Any]], dict[str, Any]]
    vital: bool = True

    @property
    def path(self) -> str:
        """Where it is posted."""
        return self.resource.path

    @property
    def key(self) -> str:
        """The field that carries our reference."""
        return self.resource.reference

    def saves(
        self, client: HaloClient, permit: Permit, bodies: Sequence[Mapping[str, Any]]
    ) -> Sequence[HaloRow]:
        """Post elements.

        Raises:
            Doubtful: the outcome is unknown.
            Rejected: Halo refused; of an array, some elements may have been saved before.
        """
        return save_rows(client, permit, self.resource, bodies)

    def reads(self, client: HaloClient, permit: Permit, row_id: int) -> HaloRow:
        """Read one row by its id.

        Raises:
            Absent: there is no such row.
            Unreadable: the answer is not one row.
        """
        return read_row(client, permit, self.resource, row_id)

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
            resource=CLIENT,
            wakes=("user", "order", "invoice", "recurring"),
            must_have=("main_site_id",),
            compares=_customer_differences("client"),
            meta=_client_meta,
        ),
        Target(
            name="user",
            resource=USER,
            wakes=("order", "invoice", "recurring"),
            must_have=("site_id",),
            compares=_customer_differences("user"),
            meta=_user_meta,
        ),
        Target(
            name="order",
            resource=ORDER,
            wakes=("invoice", "recurring"),
            must_have=_WITH_LINES,
            compares=_differences(projections.ORDER),
            meta=_order_meta,
        ),
        Target(
            name="invoice",
            resource=INVOICE,
            wakes=("payment", "credit"),
            must_have=_WITH_LINES,
            compares=_differences(projections.INVOICE),
            meta=_invoice_meta,
        ),
        Target(
            name="payment",
            resource=PAYMENT,
            wakes=(),
            must_have=("invoice_id", "amount"),
            compares=_differences(projections.PAYMENT),
            meta=_payment_meta,
        ),
        Target(
            name="credit",
            resource=INVOICE,
            wakes=(),
            must_have=_WITH_LINES,
            compares=_differences(projections.CREDIT),
            meta=_invoice_meta,
        ),
        Target(
            name="recurring",
            resource=RECURRING,
            wakes=(),
            must_have=_WITH_LINES,
            compares=_differences(projections.RECURRING),
            meta=_invoice_meta,
        ),
        Target(
            name="ticket",
            resource=TICKET,
            wakes=(),
            must_have=("status_id",),
            compares=_alert_differences(alert_tickets.TICKET),
            meta=_ticket_meta,
            vital=False,
        ),
        Target(
            name="alert_action",
            resource=ACTION,
            wakes=(),
            must_have=("ticket_id",),
            compares=_alert_differences(alert_tickets.ACTION),
            meta=_action_meta,
            vital=False,
        ),
        Target(
            name="integration_error",
            resource=INTEGRATION_ERROR,
            wakes=(),
            must_have=(),
            compares=_alert_differences(alert_tickets.INTEGRATION_ERROR),
            meta=lambda _row: {},
            vital=False,
        ),
    )
}
