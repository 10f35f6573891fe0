"""Consignments of Halo: recorded in their canonical form, with the fulfillments that they request.

A consignment says what was sent of which line; where the parcel is stands in its note or on its
order, so both are read and kept together.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from syncline.deliveries import needs, requests, target_rows, unleased
from syncline.deliveries.delivery import Lease
from syncline.deliveries.target_rows import TargetRow
from syncline.errors import Absent, SynclineError, Unmappable
from syncline.flows import fulfillments, orders
from syncline.flows.flow import reference_of
from syncline.halo.models import ConsignmentLineRow, ConsignmentRow, HaloOrderRow, OrderLineRow
from syncline.halo.sql.changes import moment
from syncline.halo_changes.lost_rows import find_stray, part_with
from syncline.halo_changes.row_changes import being_written
from syncline.halo_changes.second_rows import sent_with_second
from syncline.halo_changes.unit_of_work import ReadAgain, UnitOfWork, Waits
from syncline.ingest import rereading
from syncline.ingest.customer_requests import request_of
from syncline.ledger import records
from syncline.mapping.apply import plain

KIND = "consignment"

_OR_BY_HAND = (
    "If nothing was sent, or once you have added it in HighLevel by hand: "
    "syncline parked accept ID."
)

Canonical = Mapping[str, Any]


def order_of(row: ConsignmentRow) -> int | None:
    """The order of a consignment: the only one that its header and lines name."""
    named = _orders_named(row)
    return named.pop() if len(named) == 1 else None


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
    if len(_orders_named(row)) > 1:
        return _of_several(unit, lease, row)
    if sold is None:
        return _without_order(unit, lease, row)
    if isinstance(sold, SynclineError):
        return _order_not_shown(unit, row) if isinstance(sold, Absent) else sold
    standing = unit.order(sold.raw)
    if standing is not None and standing.target_id is None:
        # It may be our order or a copy of it; once ours is known, this can be told.
        edge = (standing.flow, standing.source_id, standing.role)
        return being_written(standing) if unit.is_moving(standing) else Waits(edge)
    if standing is None:
        return None
    return _of_ours(unit, lease, row, sold, standing)


def _of_ours(
    unit: UnitOfWork, lease: Lease, row: ConsignmentRow, sold: HaloOrderRow, standing: TargetRow
) -> SynclineError | ReadAgain | Waits | None:
    if standing.target_id != str(sold.id):
        return sent_with_second(row, sold, standing)
    stray = find_stray(unit, "salesorder", sold)
    if stray is not None:
        return part_with(unit, lease, stray)  # what was sent with it is none of our order's
    if lacking := _lacks(row):
        return _illegible(row, lacking)
    if _is_denied(row, sold):
        return _contradicted(row, sold.id, "none of its goods", "lines")
    order = _order_in_highlevel(unit, standing)
    if not order.get("items"):
        link, _ = unit.opened(standing)
        edge = (orders.DETAILS, standing.source_id, "detail")
        known = needs.find(unit.connection, link.tenant, [edge]).get(edge)
        cause = f"{lease.cause}, then Halo's consignment {row.id}"
        targets = rereading.reread(unit.connection, link, [standing.source_id], ["detail"], cause)
        unit.wake(link, targets)
        if known is None or not known.ready:
            return Waits(edge)  # by its items it is known what was sent, where a line tells no key
    _save(unit, lease, standing, _canonical(row, sold, standing.source_id, order))
    return None


def consignment_gone(unit: UnitOfWork, lease: Lease) -> SynclineError | ReadAgain | None:
    """What becomes of the reading of a consignment that is not there: its fulfillment says it.

    One that nobody has seen but an order of ours, which names it, may only be kept from us.
    """
    standing = _fulfillment(unit, lease)
    if standing is None:
        order_id = _named_by(lease)
        key = (unit.line.link.tenant_place, KIND, lease.source_id)
        was_seen = key in records.canonical(unit.connection, [key])
        return None if order_id is None or was_seen else _hidden(lease, order_id)
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
    order_id = _named_by(lease)
    if order_id is not None:
        return _contradicted(row, order_id, "no order", "salesorder_id")
    is_told = _names_nonsense(row) or _fulfillment(unit, lease) is not None
    return _illegible(row, "salesorder_id") if is_told else None


def _of_several(unit: UnitOfWork, lease: Lease, row: ConsignmentRow) -> SynclineError | None:
    """One of several orders is told if one of them is ours: a fulfillment is of one order."""
    named = _orders_named(row)
    ours = target_rows.of_targets(unit.connection, unit.tenant, ["order"], named)
    if not ours and _named_by(lease) is None and _fulfillment(unit, lease) is None:
        return None
    listed = " and ".join(str(one) for one in sorted(named))
    return Unmappable(
        f"Consignment {row.id} names several orders of Halo, {listed}, and a fulfillment is of "
        "one; nothing is posted now.",
        field="salesorder_id",
        remedy="Correct it in Halo, so that it is of one order, then retry. Or add what was sent "
        "to each order in HighLevel by hand, and then: syncline parked accept ID.",
    )


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
            remedy="Compare it in Halo: if the order is there, retry. If it was deleted: "
            "syncline parked accept ID.",
        )
    )


def _lacks(row: ConsignmentRow) -> str | None:
    """What says how much was sent or came back, and is not shown or is nonsense."""
    shown = row.raw.get("lines")
    if not isinstance(shown, list) or len(row.lines) < len(shown):
        return "lines"
    if any(line.quantity is None for line in row.lines):
        return "lines.quantity"
    if _is_nonsense(row.raw.get("is_return"), row.is_return):
        return "is_return"
    told = zip(shown, row.lines, strict=True)
    is_nonsense = any(_is_nonsense(one.get("is_return"), line.is_return) for one, line in told)
    return "lines.is_return" if is_nonsense else None


def _is_nonsense(told: Any, read: object) -> bool:
    """Whether a field says something, and nobody can read it."""
    return read is None and told is not None and told != ""


def _is_denied(row: ConsignmentRow, sold: HaloOrderRow) -> bool:
    """Whether a consignment shows nothing of what its order says to be sent with it."""
    is_named = any(row.id in line.consignment_ids for line in sold.lines)
    return is_named and not any(line.quantity for line in row.lines)


def _illegible(row: ConsignmentRow, lacking: str) -> ReadAgain:
    return ReadAgain(
        Unmappable(
            f"Halo does not show {lacking} of consignment {row.id}, read by its id.",
            field=lacking,
            remedy="Give our application leave to see all of such rows in Halo, then retry. "
            f"{_OR_BY_HAND}",
        )
    )


def _contradicted(row: ConsignmentRow, order_id: int, shows: str, field: str) -> ReadAgain:
    return ReadAgain(
        Unmappable(
            f"Halo's order {order_id} names consignment {row.id}, which shows {shows}.",
            field=field,
            remedy=f"Compare both in Halo, then retry. {_OR_BY_HAND}",
        )
    )


def _hidden(lease: Lease, order_id: int) -> ReadAgain:
    return ReadAgain(
        Unmappable(
            f"Halo's order {order_id} names consignment {lease.source_id}, which Halo says is not "
            "there.",
            field="id",
            remedy="Compare both in Halo: if it is there, give our application leave to see it, "
            f"then retry. {_OR_BY_HAND}",
        )
    )


def _fulfillment(unit: UnitOfWork, lease: Lease) -> TargetRow | None:
    """The delivery of a consignment's fulfillment, if it was ever seen."""
    edge = (fulfillments.FLOW, lease.source_id, fulfillments.ROLE)
    return target_rows.of_sources(unit.connection, unit.tenant, [edge]).get(edge)


def _named_by(lease: Lease) -> int | None:
    """The order of ours that names it, if one ever did."""
    order_id = (lease.target_meta or {}).get(requests.NAMED_BY)
    return None if order_id is None else int(order_id)


def _orders_named(row: ConsignmentRow) -> set[int]:
    told = (row.salesorder_id, *(line.salesorder_id for line in row.lines))
    return {one for one in told if one is not None and one > 0}


def _names_nonsense(row: ConsignmentRow) -> bool:
    """Whether an order is told in its header or a line, and nobody can read which."""
    pairs = [(row.raw, row.salesorder_id)]
    pairs += [
        (one, line.salesorder_id) for one, line in zip(row.raw["lines"], row.lines, strict=True)
    ]
    return any(_is_nonsense(raw.get("salesorder_id"), read) for raw, read in pairs)


def _save(unit: UnitOfWork, lease: Lease, standing: TargetRow, canonical: Canonical) -> None:
    connection, link = unit.connection, unit.line.link
    # First, since its mapping may be unreadable: recorded without its request, it would never be
    # requested.
    owner, document = unit.opened(standing)
    place, key = link.tenant_place, str(canonical["id"])
    records.lock(connection, place, KIND)
    stored = records.load(connection, place, KIND, [key]).get(key)
    date = moment(canonical.get("date"))
    new = records.next_version(key, canonical, stored, created_at=date, updated_at=date)
    if new is None:
        return
    records.save_versions(connection, place, KIND, [new], lease.cause)
    requested = [
        request_of(wanted, place, new.version)
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
        "is_return": bool(row.is_return) or any(line.is_return for line in row.lines),
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
        "is_return": line.is_return or None,
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
