"""What sending a consignment must know of others: of the same order, and of what they have made."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from syncline.deliveries.states import State
from syncline.ledger import records
from syncline.ledger.database import text


@dataclass(frozen=True, slots=True)
class Noticed:
    """A consignment as it is known, and when it was first noticed."""

    version: int
    canonical: dict[str, Any]
    noticed_at: datetime


def consignments(connection: Connection, place: str, ids: Sequence[str]) -> dict[str, Noticed]:
    """Consignments of a tenant, by Halo's id."""
    found = connection.execute(
        text(
            """
            select foreign_id, version, canonical, noticed_at from record
            where place = :place and kind = 'consignment' and foreign_id = any(:ids)
            """
        ),
        {"place": place, "ids": list(ids)},
    )
    return {row.foreign_id: Noticed(row.version, row.canonical, row.noticed_at) for row in found}


def lock_orders(connection: Connection, place: str, order_ids: Collection[str]) -> None:
    """One worker at a time decides about the fulfillments of an order, until the transaction ends.

    In the order of their ids, so that no two workers wait for each other.
    """
    for order_id in sorted(order_ids):
        records.lock(connection, place, f"fulfillments of {order_id}")


def orders_in_flight(
    connection: Connection,
    connection_id: int,
    flow: str,
    *,
    states: Collection[State] = (State.SENDING, State.DOUBTFUL, State.CHECKING),
    but: Sequence[int] = (),
) -> set[str]:
    """The orders of which a fulfillment is on its way, or may have been made and is not found.

    Args:
        connection: the transaction.
        connection_id: whose deliveries count.
        flow: that of fulfillments.
        states: those that count.
        but: the numbers of deliveries that do not count.
    """
    found = connection.execute(
        text(
            """
            select distinct r.canonical ->> 'order_id' from delivery d
            join record r on r.place = d.place and r.kind = d.source_kind
                         and r.foreign_id = d.source_id
            where d.connection_id = :connection_id and d.flow = :flow
              and d.state = any(:states) and d.id <> all(cast(:but as bigint[]))
            """
        ),
        {
            "connection_id": connection_id,
            "flow": flow,
            "states": [str(state) for state in states],
            "but": list(but),
        },
    )
    return set(found.scalars())


def last_seen(connection: Connection, place: str, order_ids: Sequence[str]) -> dict[str, datetime]:
    """When the fulfillments of orders were last seen to be others than before, by order."""
    found = connection.execute(
        text(
            """
            select foreign_id, read_at from facet
            where place = :place and kind = 'order' and facet = 'fulfillments'
              and foreign_id = any(:ids)
            """
        ),
        {"place": place, "ids": list(order_ids)},
    )
    return {row.foreign_id: row.read_at for row in found}


def owned(
    connection: Connection, connection_id: int, flow: str, target_ids: Sequence[str]
) -> set[str]:
    """Which of these rows of the other side a delivery has made."""
    if not target_ids:
        return set()
    found = connection.execute(
        text(
            """
            select target_id from delivery
            where connection_id = :connection_id and flow = :flow
              and target_id = any(:target_ids)
            """
        ),
        {"connection_id": connection_id, "flow": flow, "target_ids": list(target_ids)},
    )
    return set(found.scalars())
