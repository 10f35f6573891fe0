"""What an earlier attempt of a shipment may have made: looked for before another one leaves.

HighLevel keeps no reference of ours. So what it shows of the order, less what it showed before the
call and less what other deliveries made, is compared with what was sent. Where it may be the same,
a person is asked: posted once more, it might be there twice.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy import Connection

from syncline.calls.context import Line
from syncline.engine.failures import Move
from syncline.errors import Unmappable
from syncline.flows import fulfillments
from syncline.flows.fulfillment_projections import (
    ITEMS,
    TRACKINGS,
    difference,
    mine,
    perhaps_mine,
    projection_of,
    told,
)
from syncline.fulfillments import outcomes, queries
from syncline.fulfillments.outcomes import BUSY, WAITS, Case, Shown
from syncline.highlevel.fulfillments import Fulfillment
from syncline.highlevel.pages import PageRecord

THERE_BEFORE = "there_before"
"""Where a sent projection keeps the ids that HighLevel showed before the call."""


def settle(line: Line, case: Case, shown: Shown) -> bool:
    """Write what an earlier attempt of a claimed shipment means for it; False if it means nothing.

    No other worker takes the same fulfillment for one of its own meanwhile: whoever finds one holds
    the lock of the order, and what is being posted is waited for.
    """
    if _sent(case) is None:
        return False

    def work(connection: Connection) -> bool:
        queries.lock_orders(connection, line.link.location_place, [case.order_id])
        # What ends between these two is in both.
        busy = queries.orders_in_flight(connection, line.link.id, fulfillments.FLOW)
        ids = [row.id for row in shown]
        owned = queries.owned(connection, line.link.id, fulfillments.FLOW, ids)
        move = _move(case, shown, owned, is_busy=case.order_id in busy)
        if move is not None:
            move(connection)
        return move is not None

    return line.worker.ledger.run_patiently(work, sleep=line.worker.sleep)


def _move(case: Case, shown: Shown, owned: Collection[str], *, is_busy: bool) -> Move | None:
    if is_busy:
        return outcomes.release([case.lease], BUSY, WAITS)
    row = made_before(case, shown, owned)
    return unsure(case, shown, owned) if row is None else outcomes.confirm(case, row)


def made_before(case: Case, shown: Shown, owned: Collection[str]) -> PageRecord[Fulfillment] | None:
    """The fulfillment that an earlier attempt of this delivery has made after all."""
    sent = _sent(case)
    if sent is None:
        return None
    found = mine(sent, _new(sent, shown, owned))
    return next((row for row in shown if found is not None and row.id == found.id), None)


def unsure(case: Case, shown: Shown, owned: Collection[str]) -> Move | None:
    """Asks a person where an earlier attempt may have made what HighLevel shows; else None."""
    sent = _sent(case)
    if sent is None:
        return None
    prices = {str(item.get("price_id")) for item in case.order.get("items") or ()}
    found = perhaps_mine(sent, _new(sent, shown, owned), prices)
    return None if found is None else outcomes.park(case.lease, _perhaps(sent, found))


def _sent(case: Case) -> Mapping[str, Any] | None:
    """What was sent of a delivery of which it is not known what that has made."""
    return case.lease.sent_projection if case.lease.target_id is None else None


def _new(sent: Mapping[str, Any], shown: Shown, owned: Collection[str]) -> list[Fulfillment]:
    """What is shown since the call, and no other delivery has made."""
    there_before = str(sent.get(THERE_BEFORE) or "").split()
    known = {*there_before, *owned}
    return [row.model for row in shown if row.id not in known]


def _perhaps(sent: Mapping[str, Any], found: Fulfillment) -> Unmappable:
    shown = projection_of(found)
    first = difference(sent, shown)
    both = "; ".join(
        f"{field}: sent {told(sent, field) or 'none'}, shown {told(shown, field) or 'none'}"
        for field in (ITEMS, TRACKINGS)
    )
    return Unmappable(
        f"HighLevel shows fulfillment {found.id} since this was sent, which may be this one, so "
        f"none is posted: {both}.",
        field=ITEMS if first is None else first.field,
        remedy="Compare both. If it is this one, or once you have added this one in HighLevel by "
        "hand: syncline parked accept ID.",
    )
