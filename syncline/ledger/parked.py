"""Parked deliveries, for those who decide about them. Sending again is `deliveries.retry`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, text


@dataclass(frozen=True, slots=True)
class ParkedDelivery:
    """A delivery that needs a person: the reason, and the field where one is to blame."""

    id: int
    connection_id: int
    connection: str
    flow: str
    role: str
    target: str
    source_id: str
    target_id: str | None
    wanted_version: int
    delivered_version: int | None
    wanted: dict[str, Any] | None
    delivered: dict[str, Any] | None
    attempt: int
    sent_at: datetime | None
    reason: str | None
    field: str | None


def listed(
    connection: Connection,
    *,
    connection_id: int | None = None,
    record: str | None = None,
    most: int | None = None,
) -> list[ParkedDelivery]:
    """Parked deliveries in the order in which they came to be.

    Args:
        connection: the transaction.
        connection_id: only of this connection.
        record: only of the record with this id, or the one delivery with this number.
        most: so many at most.
    """
    found = connection.execute(
        text(
            """
            select d.id, d.connection_id, c.name, d.flow, d.role, d.target, d.source_id,
                   d.target_id, d.wanted_version, d.delivered_version, d.sent_projection,
                   d.projection, d.attempt, d.sent_at, d.reason, d.field
            from delivery d join connection c on c.id = d.connection_id
            where d.state = 'parked'
              and (cast(:connection_id as bigint) is null or d.connection_id = :connection_id)
              and (cast(:record as text) is null
                   or d.source_id = :record or cast(d.id as text) = :record)
            order by d.id limit cast(:most as bigint)
            """
        ),
        {"connection_id": connection_id, "record": record, "most": most},
    )
    return [ParkedDelivery(*row) for row in found]


def count(connection: Connection, connection_id: int | None = None) -> int:
    """How many deliveries are parked."""
    many: int = connection.execute(
        text(
            """
            select count(*) from delivery where state = 'parked'
              and (cast(:connection_id as bigint) is null or connection_id = :connection_id)
            """
        ),
        {"connection_id": connection_id},
    ).scalar_one()
    return many
