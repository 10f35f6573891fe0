"""One transaction over rows of Halo that were read: whose they are, and what is to be read next."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from syncline.calls.context import Line, Nudge
from syncline.deliveries import requests, target_rows
from syncline.deliveries.requests import DeliveryRequest
from syncline.deliveries.target_rows import TargetRow
from syncline.deliveries.waits import Edge
from syncline.engine.connection_rules import rules_of
from syncline.errors import Unmappable, Unreadable
from syncline.flows import orders, payments
from syncline.flows.flow import reference_of
from syncline.halo.models import HaloRow
from syncline.halo.sql.changes import Noun
from syncline.ingest import rereading
from syncline.ledger import connections, records
from syncline.ledger.connections import Link
from syncline.mapping.document import Document

FLOW = "halo"
"""The flow of the readings of Halo's rows."""

WRITTEN: Mapping[Noun, tuple[str, ...]] = {
    "salesorder": ("order",),
    "invoice": ("invoice", "credit"),
    "payment": ("payment",),
}
"""Noun → the targets by which we write such rows ourselves."""

_ROLES = ("detail", "transactions", "fulfillments")
_REFERENCE = reference_of("")


def request_readings(
    connection: Connection,
    link: Link,
    wanted: Iterable[tuple[Noun, int]],
    cause: str,
    *,
    after: timedelta = timedelta(0),
    named_by: int | None = None,
) -> frozenset[str]:
    """Have rows of Halo read, after a while; returns the targets that are due by it.

    Args:
        connection: the transaction.
        link: of the tenant.
        wanted: the rows.
        cause: why.
        after: how long they are put off.
        named_by: the id of a row of Halo that says that they are there.
    """
    requested = [
        replace(_reading(link, *one), after=after, named_by=named_by) for one in sorted(set(wanted))
    ]
    requests.enqueue(connection, link.id, link.tenant, requested, cause, again=True)
    return frozenset(request.target for request in requested)


def _reading(link: Link, noun: Noun, row_id: int) -> DeliveryRequest:
    """The noun is the role too: ids are unique within an entity only."""
    return DeliveryRequest(
        flow=FLOW,
        source_kind=noun,
        source_id=str(row_id),
        role=noun,
        target=f"halo.{noun}",
        place=link.tenant_place,
        version=1,
    )


@dataclass(frozen=True, slots=True)
class Waits:
    """A reading that cannot be judged before a delivery has its target row, and waits for that."""

    edge: Edge


@dataclass(frozen=True, slots=True)
class ReadAgain:
    """A row that does not show what it must: read again for a while, then parked with `why`."""

    why: Unmappable | Unreadable


class UnitOfWork:
    """One transaction over rows that were read; several connections may share the tenant.

    Args:
        connection: the transaction, which the caller commits.
        line: who read them.
        began: when the reading began, by the ledger's clock: what we wrote since is newer.

    Attributes:
        nudges: what there is to do by it, for after the commit.
    """

    def __init__(self, connection: Connection, line: Line, began: datetime) -> None:
        self.connection = connection
        self.line = line
        self.began = began
        self.nudges: dict[Nudge, None] = {}
        self._opened: dict[int, tuple[Link, Document]] = {line.link.id: (line.link, line.document)}

    @property
    def tenant(self) -> int:
        """Whose rows these are."""
        return self.line.link.tenant

    def opened(self, standing: TargetRow) -> tuple[Link, Document]:
        """The connection whose delivery it is, which may be another one than the reader's.

        Raises:
            BadDocument: its mapping cannot be read.
        """
        if standing.connection_id not in self._opened:
            link = connections.by_id(self.connection, standing.connection_id)
            self._opened[link.id] = (link, rules_of(link))
        return self._opened[standing.connection_id]

    def wake(self, link: Link, targets: Iterable[str]) -> None:
        """Nudge senders after the commit."""
        self.nudges |= dict.fromkeys(Nudge(link.name, "send", name) for name in sorted(targets))

    def is_moving(self, standing: TargetRow) -> bool:
        """Whether a row may show less than what we wrote ourselves meanwhile."""
        return standing.was_moving(self.began)

    def read(
        self, wanted: Collection[tuple[Noun, int]], cause: str, *, named_by: int | None = None
    ) -> None:
        """Have further rows of Halo read, which another one names, where it is told which."""
        if wanted:
            link = self.line.link
            due = request_readings(self.connection, link, wanted, cause, named_by=named_by)
            self.wake(link, due)

    def leave(self, known: Collection[tuple[Noun, int]], cause: str) -> None:
        """Have rows of Halo count as read that were never asked for."""
        link = self.line.link
        requested = [_reading(link, *one) for one in sorted(set(known))]
        requests.complete(self.connection, link.id, link.tenant, requested, cause)

    def reread(self, standing: TargetRow, cause: str) -> None:
        """Have HighLevel asked for the order that a row belongs to, if it belongs to one."""
        link, _ = self.opened(standing)
        order_id = self.order_of(standing)
        if order_id is not None:
            targets = rereading.reread(self.connection, link, [order_id], _ROLES, cause)
            self.wake(link, targets)

    def order(self, row: Mapping[str, Any]) -> TargetRow | None:
        """The delivery of an order's row, by our reference on it, else by its id."""
        source_id = _source_of(row.get("po_number"))
        edge = (orders.FLOW, source_id, orders.SOURCE_KIND)
        return self._found(edge if source_id else None, ("order",), row)

    def invoice(self, row: Mapping[str, Any]) -> TargetRow | None:
        """The delivery of an invoice's or credit's row."""
        source_id = _source_of(row.get("thirdpartyinvoicenumber"))
        source_id, _, refunded = source_id.partition("-R")
        role = f"credit:{refunded}" if refunded else "invoice"
        edge = (payments.FLOW, source_id, role)
        return self._found(edge if source_id else None, ("invoice", "credit"), row)

    def payment(self, row: Mapping[str, Any]) -> TargetRow | None:
        """The delivery of a payment's row."""
        # A payment provider's number may stand in the first one.
        source_id = _source_of(row.get("intent_id")) or _source_of(row.get("thirdpartyid"))
        edge = (payments.FLOW, source_id, "payment")
        return self._found(edge if source_id else None, ("payment",), row)

    def made(self, targets: Sequence[str], row_id: int | None) -> TargetRow | None:
        """The delivery that made the row with this id."""
        if row_id is None:
            return None
        found = target_rows.of_targets(self.connection, self.tenant, targets, [row_id])
        return found.get(row_id)

    def currency(self, standing: TargetRow) -> str:
        """ISO 4217 of a delivery's amounts; "" where its record is not known."""
        key = (standing.place, standing.source_kind, standing.source_id)
        found = records.canonical(self.connection, [key])
        return str(found[key][1].get("currency") or "") if key in found else ""

    def order_of(self, standing: TargetRow) -> str | None:
        """HighLevel's order that a row belongs to; None where it belongs to none."""
        if standing.source_kind == orders.SOURCE_KIND:
            return standing.source_id
        key = (standing.place, standing.source_kind, standing.source_id)
        found = records.canonical(self.connection, [key])
        return payments.order_of(found[key][1]) if key in found else None

    def _found(
        self, edge: Edge | None, targets: Sequence[str], row: Mapping[str, Any]
    ) -> TargetRow | None:
        """By our reference; but a row that another one holds is that one's, whatever it carries."""
        row_id, found = HaloRow.of(row).id, None
        if edge is not None:
            found = target_rows.of_sources(self.connection, self.tenant, [edge]).get(edge)
        if found is not None and found.target_id in {None, str(row_id)}:
            return found
        return self.made(targets, row_id) or found


def _source_of(reference: Any) -> str:
    """The source id in a reference of ours; "" in any other text."""
    text = reference.strip() if isinstance(reference, str) else ""
    return text.removeprefix(_REFERENCE) if text.startswith(_REFERENCE) else ""
