"""Consignments of Halo: recorded in their canonical form, with the fulfillments that they request.

A consignment says what was sent of which line; where the parcel is stands in its note or on its
order, so both are read and kept together.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from syncline.deliveries import requests, target_rows, unleased
from syncline.deliveries.delivery import Lease
from syncline.deliveries.target_rows import TargetRow
from syncline.errors import Absent, SynclineError, Unmappable
from syncline.fingerprint import fingerprint
from syncline.flows import fulfillments, orders
from syncline.flows.flow import reference_of
from syncline.halo.models import ConsignmentLineRow, ConsignmentRow, HaloOrderRow, OrderLineRow
from syncline.halo.sql.changes import moment
from syncline.halo_changes.row_changes import being_written
from syncline.halo_changes.unit_of_work import ReadAgain, UnitOfWork, Waits
from syncline.ingest import rereading
from syncline.ingest.customer_requests import request_of
from syncline.ledger import records
from syncline.mapping.apply import plain

KIND = "consignment"

Canonical = Mapping[str, Any]


def order_of(row: ConsignmentRow) -> int | None:
    """The order of a consignment: as its header says it, else as all of its lines do."""
    if row.salesorder_id:
        return row.salesorder_id
    of_lines = _orders_of_lines(row)
    return of_lines.pop() if len(of_lines) == 1 else None


def record_consignments(
    unit: UnitOfWork, lease: Lease, row: ConsignmentRow, sold: HaloOrderRow | SynclineError | None
) -> SynclineError | ReadAgain | Waits | None:
    """Record a consignment of an order of ours that was read, and request its fulfillment.

    One that equals what is known writes nothing. One that does not show what was sent writes
    nothing either: taken for empty, it would be done with for good.

    Args:
        unit: the transaction.
        lease: its reading.
        row: the consignment with its lines.
        sold: its order with lines and custom fields, or why that could not be read.

    Returns:
        What becomes of the reading; None when it is done with.
    """
    if sold is None:
        return _without_order(unit, lease, row)
    if isinstance(sold, SynclineError):
        return _order_not_shown(unit, row) if isinstance(sold, Absent) else sold
    standing = unit.order(sold.raw)
    if standing is not None and standing.target_id is None:
        # It may be our order or a copy of it; once ours is known, this can be told.
        edge = (standing.flow, standing.source_id, standing.role)
        return being_written(standing) if unit.is_moving(standing) else Waits(edge)
    if standing is None or standing.target_id != str(sold.id):
        return None
    if lacking := _lacks(row):
        return _illegible(row, lacking)
    order = _order_in_highlevel(unit, standing)
    if not order.get("items"):
        link, _ = unit.opened(standing)
        cause = f"{lease.cause}, then Halo's consignment {row.id}"
        targets = rereading.reread(unit.connection, link, [standing.source_id], ["detail"], cause)
        unit.wake(link, targets)
    _save(unit, lease, standing, _canonical(row, sold, standing.source_id, order))
    return None


def consignment_gone(unit: UnitOfWork, lease: Lease) -> SynclineError | None:
    """What becomes of the reading of a consignment that is not there: its fulfillment says it."""
    edge = (fulfillments.FLOW, lease.source_id, fulfillments.ROLE)
    standing = target_rows.of_sources(unit.connection, unit.tenant, [edge]).get(edge)
    if standing is None:
        return None
    if unit.is_moving(standing):
        return being_written(standing)
    posted = "" if standing.target_id is None else f"; HighLevel shows it as {standing.target_id}"
    reason = f"Consignment {lease.source_id} was there and is gone from Halo{posted}."
    unleased_now = unleased.cancel(unit.connection, standing, reason=reason)
    return None if unleased_now else being_written(standing)


def _without_order(unit: UnitOfWork, lease: Lease, row: ConsignmentRow) -> ReadAgain | None:
    """One of no order is none of ours, if Halo really shows it so."""
    if _lacks(row) == "lines":
        return _illegible(row, "lines")  # they might name it
    is_nonsense = bool(row.raw.get("salesorder_id")) and row.salesorder_id is None
    edge = (fulfillments.FLOW, lease.source_id, fulfillments.ROLE)
    is_known = edge in target_rows.of_sources(unit.connection, unit.tenant, [edge])
    is_told = is_nonsense or is_known or bool(_orders_of_lines(row))
    return _illegible(row, "salesorder_id") if is_told else None


def _order_not_shown(unit: UnitOfWork, row: ConsignmentRow) -> ReadAgain | None:
    """An order that is not there is none of ours, unless we know it: then it may show again."""
    order_id = order_of(row)
    standing = unit.made(("order",), order_id)
    if standing is None:
        return None
    return ReadAgain(
        Unmappable(
            f"Halo does not show the order {order_id} of consignment {row.id}, which is "
            f"{standing.source_id} in HighLevel.",
            field="salesorder_id",
            remedy="Compare it in Halo: if the order is there, retry; if it was deleted, leave "
            "this as it is.",
        )
    )


def _lacks(row: ConsignmentRow) -> str | None:
    """What says how much was sent, and is not shown or is nonsense."""
    shown = row.raw.get("lines")
    if not isinstance(shown, list) or len(row.lines) < len(shown):
        return "lines"
    is_counted = all(line.quantity is not None for line in row.lines)
    return None if is_counted else "lines.quantity"


def _illegible(row: ConsignmentRow, lacking: str) -> ReadAgain:
    return ReadAgain(
        Unmappable(
            f"Halo does not show {lacking} of consignment {row.id}, read by its id.",
            field=lacking,
            remedy="Give our application leave to see all of such rows in Halo, then retry.",
        )
    )


def _orders_of_lines(row: ConsignmentRow) -> set[int]:
    return {line.salesorder_id for line in row.lines if line.salesorder_id}


def _save(unit: UnitOfWork, lease: Lease, standing: TargetRow, canonical: Canonical) -> None:
    connection, link = unit.connection, unit.line.link
    # First, since its mapping may be unreadable: recorded without its request, it would never be
    # requested.
    owner, document = unit.opened(standing)
    place, key = link.tenant_place, str(canonical["id"])
    records.lock(connection, place, KIND)
    stored = records.load(connection, place, KIND, [key]).get(key)
    mark = fingerprint(canonical, volatile=())
    if stored is not None and stored.fingerprint == mark:
        return
    version = 1 if stored is None else stored.version + 1
    date = moment(canonical.get("date"))
    new = records.NewVersion(
        foreign_id=key,
        version=version,
        canonical=canonical,
        fingerprint=mark,
        created_at=date,
        updated_at=date,
        fields={} if stored is None else records.difference(stored.canonical, canonical),
    )
    records.save_versions(connection, place, KIND, [new], lease.cause)
    requested = [
        request_of(wanted, place, version)
        for wanted in fulfillments.delivery_requests(canonical, document)
    ]
    requests.enqueue(connection, owner.id, owner.tenant, requested, lease.cause)
    unit.wake(owner, {request.target for request in requested})


def _order_in_highlevel(unit: UnitOfWork, standing: TargetRow) -> Canonical:
    key = (standing.place, orders.SOURCE_KIND, standing.source_id)
    found = records.canonical(unit.connection, [key])
    return found[key][1] if key in found else {}


def _canonical(
    row: ConsignmentRow, sold: HaloOrderRow, order_id: str, order: Canonical
) -> Canonical:
    items = list(order.get("items") or [])
    lines = {line.id: line for line in sold.lines}
    form: dict[str, Any] = {
        "id": str(row.id),
        "order_id": order_id,
        "halo_order_id": sold.id,
        "is_return": bool(row.is_return),
        "lines": [_line(line, lines.get(line.salesorder_line), items) for line in row.lines],
        "order": _of_order(sold),
    }
    date = moment(row.date)
    if date is not None:
        form["date"] = date.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if row.note.strip():
        form["note"] = row.note
    return form


def _line(
    line: ConsignmentLineRow, sold: OrderLineRow | None, items: list[Mapping[str, Any]]
) -> dict[str, Any]:
    """What was sent of a line, with the item's key and price where they can be told."""
    name = line.name or (sold.name if sold else "")
    reference = (sold.item_external_reference if sold else "") or line.item_externalreference
    key = reference.removeprefix(reference_of(""))
    item = fulfillments.item_of(key, name, items)
    price = sold.baseprice if sold and sold.baseprice is not None else line.price
    told = {
        "line_id": line.salesorder_line,
        "key": item["key"] if item else key,
        "price_id": item.get("price_id") if item else None,
        "name": name,
        "unit_price": None if price is None else plain(price),
        "qty": plain(line.quantity if line.quantity is not None else Decimal(0)),
    }
    return {key: value for key, value in told.items() if value not in (None, "")}


def _of_order(sold: HaloOrderRow) -> dict[str, Any]:
    fields = sold.raw.get("customfields")
    told = {
        str(one["name"]): str(one["value"])
        for one in (fields if isinstance(fields, list) else [])
        if isinstance(one, Mapping) and one.get("name") and one.get("value") not in (None, "")
    }
    note = sold.raw.get("note")
    return {"customfields": told, **({"note": str(note)} if note else {})}
