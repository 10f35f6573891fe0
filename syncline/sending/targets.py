"""The kinds of rows that deliveries make in Halo: how each is saved, recognised and compared."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import Connection

from syncline.calls.calls import ApiCalls
from syncline.calls.context import Line
from syncline.deliveries import leased
from syncline.deliveries.delivery import Confirmation, Lease
from syncline.engine.failures import OnRefused, always_stop
from syncline.engine.handlers import Works
from syncline.flows import customers, projections
from syncline.flows import orders as order_flow
from syncline.flows import payments as money_flow
from syncline.flows.flow import Difference, Needs, TargetIds
from syncline.halo.capabilities import Capabilities
from syncline.halo.client import HaloClient
from syncline.halo.entities.resources import (
    CLIENT,
    INVOICE,
    ORDER,
    PAYMENT,
    RECURRING,
    USER,
    AnyResource,
)
from syncline.halo.entities.rows import read_row, save_rows
from syncline.halo.lines import Spelling
from syncline.halo.models import (
    ClientRow,
    HaloRow,
    InvoiceRow,
    PaymentRow,
    UserRow,
    number,
    whole,
)
from syncline.halo.round_trip import ROW
from syncline.halo.sql.finding import Target as TargetName
from syncline.mapping.document import Document
from syncline.sending import bodies
from syncline.sending.bodies import FindNeeds, Render
from syncline.sending.inputs import RenderInput
from syncline.sending.tenant import currencies
from syncline.sending.tenant.by_id import Row, by_id
from syncline.sending.tenant.sites import with_sites
from syncline.transport import Permit

_LINES = "lines"
_HEADER = ("total", "tax_total", "client_id", "currency_code")
"""What must be shown of an order or invoice in the place of its lines."""

_AMOUNTS = frozenset({"total", "tax_total", "amount"})
_IDS = frozenset({"main_site_id", "site_id", "invoice_id"})


class Compare(Protocol):
    """Where Halo's row is not what was wanted; `whole`: it was read by its id, so nothing lacks."""

    def __call__(
        self,
        wanted: Mapping[str, str],
        row: Mapping[str, Any],
        document: Document,
        currency: str,
        *,
        whole: bool = False,
    ) -> list[Difference]:
        """The differences; none where nothing differs."""
        ...


Ask = Callable[[Line, Capabilities, Collection[str]], Capabilities]
Complete = Callable[[Line, ApiCalls, AnyResource, Mapping[int, HaloRow]], dict[int, Row]]
Learn = Callable[[Connection, Sequence[Confirmation]], object]


def ask_nothing(_line: Line, known: Capabilities, _currencies: Collection[str]) -> Capabilities:
    """Rendering needs nothing of the tenant."""
    return known


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
        reference: (source id, role) → our reference.
        needs: what must be confirmed before one can be rendered.
        renders: what Halo shall hold.
        asks: (line, what is known, currencies) → what is known of the tenant after it was
            asked for what rendering needs and does not know yet.
        completes: (line, way out, resource, rows by delivery) → the rows with what their answers
            left out, or why that cannot be had; one that could not be asked for is left out.
        reads_back: whether the first of them are read back whole before others are written.
        learns: what becomes of deliveries whose rows were looked up and do not hold what was sent.
        may_work: while its connection does what.
        on_refused: what is done where Halo refuses.
        vital: whether a connection that may not write it cannot do its work.
        calls: how many calls an array of it takes, with what is asked right before it.
        gives_up: (line, how) notes that a tenant refuses or does not show such rows, so that
            none is offered to it any more; None where they are not optional.
    """

    name: TargetName
    resource: AnyResource
    wakes: tuple[str, ...]
    must_have: tuple[str, ...]
    compares: Compare
    meta: Callable[[Mapping[str, Any]], dict[str, Any]]
    reference: Callable[[str, str], str]
    needs: FindNeeds
    renders: Render
    asks: Ask = ask_nothing
    completes: Complete = by_id
    reads_back: bool = False
    learns: Learn = leased.learn_target
    may_work: Works = Works.WRITES
    on_refused: OnRefused = always_stop
    vital: bool = True
    calls: int = 1
    gives_up: Callable[[Line, str], object] | None = None

    @property
    def path(self) -> str:
        """Where it is posted."""
        return self.resource.path

    @property
    def key(self) -> str:
        """The field that carries our reference."""
        return self.resource.reference

    def saves(
        self,
        client: HaloClient,
        permit: Permit,
        bodies: Sequence[Mapping[str, Any]],
        spelling: Spelling,
    ) -> Sequence[HaloRow]:
        """Post elements, the lines of orders under the names that the tenant takes.

        Raises:
            Doubtful: the outcome is unknown.
            Rejected: Halo refused; of an array, some elements may have been saved before.
        """
        return save_rows(client, permit, self.resource, bodies, spelling)

    def reads(self, client: HaloClient, permit: Permit, row_id: int) -> HaloRow:
        """Read one row by its id.

        Raises:
            Absent: there is no such row.
            Unreadable: the answer is not one row.
        """
        return read_row(client, permit, self.resource, row_id)

    def needed(self, lease: Lease, source: RenderInput | None, document: Document) -> list[Needs]:
        """What must be confirmed before a delivery can be rendered."""
        if source is None:
            # An invoice of an order that nobody has seen yet: it is being read.
            return [Needs(order_flow.DETAILS, lease.source_id, "detail")]
        return self.needs(lease, source, document)

    def is_whole(self, row: Mapping[str, Any]) -> bool:
        """Whether a row shows everything that is to be compared."""
        return not self.lacks(row)

    def lacks(self, row: Mapping[str, Any]) -> list[str]:
        """What a row does not show in a way that can be read."""
        lacking = [name for name in self.must_have if not _is_shown(name, row.get(name))]
        lines = row.get(_LINES)
        legible = isinstance(lines, list) and all(isinstance(one, Mapping) for one in lines)
        return lacking if legible or not self.resource.lined else [*lacking, _LINES]

    def shows_enough(self, row: Mapping[str, Any], known: Capabilities) -> bool:
        """Whether the answer to a write shows all that it is compared by.

        Once a row of the kind was read back as it was sent, its lines need not come: what they sum
        to tells it.
        """
        lacking = self.lacks(row)
        if lacking != [_LINES] or ROW not in known.round_trip(self.name).traits:
            return not lacking
        return all(_is_shown(name, row.get(name)) for name in _HEADER)

    def confirmation(
        self, lease: Lease, row: Mapping[str, Any], projection: Mapping[str, Any]
    ) -> Confirmation:
        """A row that holds what was wanted."""
        return Confirmation(lease, str(HaloRow.of(row).id), self.meta(row), projection)


def _is_shown(name: str, value: Any) -> bool:
    """Whether a field holds something; Halo writes none of an id as nought too."""
    if name in _IDS:
        return bool(whole(value))
    return value is not None and (name not in _AMOUNTS or number(value) is not None)


_Project = Callable[[Mapping[str, Any], Document, str, bool], Mapping[str, str]]
"""(row, mapping, currency, whether it was read whole) → what is compared of it."""


def _comparing(project: _Project, proof: Sequence[str], whole_proof: Sequence[str] = ()) -> Compare:
    def compare(
        wanted: Mapping[str, str],
        row: Mapping[str, Any],
        document: Document,
        currency: str,
        *,
        whole: bool = False,
    ) -> list[Difference]:
        needed = (*proof, *whole_proof) if whole else proof
        return projections.differences(wanted, project(row, document, currency, whole), needed)

    return compare


def _differences(shape: projections.Shape) -> Compare:
    return _comparing(
        lambda row, document, currency, whole: projections.projection(
            row, currency, document, shape, whole=whole
        ),
        shape.proof,
        shape.whole,
    )


def _customer_differences(role: customers.Role) -> Compare:
    return _comparing(
        lambda row, document, _, whole: customers.projection(row, role, document, whole=whole),
        customers.CUSTOMER_PROOF[role],
    )


_LINE_KEYS = ("id", "item_external_reference", "name", "quantity", "tax", "net_total")


def _lines(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is kept of a row's lines, where it shows any: else they are read before an update."""
    lines = row.get(_LINES)
    if not isinstance(lines, list):
        return {}
    kept = [line for line in lines if isinstance(line, Mapping)]
    return {_LINES: [{key: line.get(key) for key in _LINE_KEYS} for line in kept]}


def _order_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "change_seq": row.get("change_seq"),
        "last_update_time": row.get("last_update_time"),
        "ticket_id": row.get("ticket_id"),
        **_lines(row),
    }


def _client_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    client = ClientRow.of(row)
    return TargetIds(client.id, client_id=client.id, site_id=client.main_site_id).meta()


def _user_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    user = UserRow.of(row)
    return TargetIds(user.id, client_id=user.client_id, site_id=user.site_id).meta()


def _invoice_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    invoice = InvoiceRow.of(row)
    ids = TargetIds(
        invoice.id,
        client_id=invoice.client_id,
        site_id=invoice.sitenumber,
        currency_id=invoice.currency_code,
    )
    return {**ids.meta(), **_lines(row)}


def _payment_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    return {"invoice_id": PaymentRow.of(row).invoice_id}


def _client_reference(source_id: str, _role: str) -> str:
    return customers.reference_of(source_id)


def _user_reference(source_id: str, _role: str) -> str:
    return source_id.removeprefix("email:")


_SUMS = ("total",)

TARGETS: dict[str, Target] = {
    target.name: target
    for target in (
        Target(
            name="client",
            resource=CLIENT,
            wakes=("user", "order", "invoice", "recurring"),
            must_have=("main_site_id",),
            calls=2,  # Halo is asked for users with these addresses
            completes=with_sites,
            compares=_customer_differences("client"),
            meta=_client_meta,
            reference=_client_reference,
            needs=bodies.customer_needs,
            renders=bodies.customer,
        ),
        Target(
            name="user",
            resource=USER,
            wakes=("order", "invoice", "recurring"),
            must_have=("site_id",),
            compares=_customer_differences("user"),
            meta=_user_meta,
            reference=_user_reference,
            needs=bodies.customer_needs,
            renders=bodies.customer,
        ),
        Target(
            name="order",
            resource=ORDER,
            wakes=("invoice", "recurring"),
            must_have=_SUMS,
            reads_back=True,
            compares=_differences(projections.ORDER),
            meta=_order_meta,
            reference=money_flow.reference,
            needs=bodies.order_needs,
            renders=bodies.order,
            asks=currencies.learn,
        ),
        Target(
            name="invoice",
            resource=INVOICE,
            wakes=("payment", "credit"),
            must_have=_SUMS,
            reads_back=True,
            compares=_differences(projections.INVOICE),
            meta=_invoice_meta,
            reference=money_flow.reference,
            needs=bodies.money_needs,
            renders=bodies.invoice,
            asks=currencies.learn,
        ),
        Target(
            name="payment",
            resource=PAYMENT,
            wakes=(),
            must_have=("invoice_id", "amount"),
            reads_back=True,
            compares=_differences(projections.PAYMENT),
            meta=_payment_meta,
            reference=money_flow.reference,
            needs=bodies.money_needs,
            renders=bodies.payment,
            asks=currencies.learn,
        ),
        Target(
            name="credit",
            resource=INVOICE,
            wakes=(),
            must_have=_SUMS,
            reads_back=True,
            compares=_differences(projections.CREDIT),
            meta=_invoice_meta,
            reference=money_flow.reference,
            needs=bodies.money_needs,
            renders=bodies.credit,
            asks=currencies.learn,
        ),
        Target(
            name="recurring",
            resource=RECURRING,
            wakes=(),
            must_have=_SUMS,
            reads_back=True,
            compares=_differences(projections.RECURRING),
            meta=_invoice_meta,
            reference=money_flow.reference,
            needs=bodies.recurring_needs,
            renders=bodies.recurring,
            asks=currencies.learn,
        ),
    )
}
