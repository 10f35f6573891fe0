"""What needs a person before a connection goes live."""

from __future__ import annotations

from sqlalchemy import Connection

from syncline.deliveries.states import NEEDS_A_PERSON
from syncline.ledger.connections import Link
from syncline.ledger.database import text


def parked(connection: Connection, link: Link) -> int:
    """How many deliveries need a person; those that are held until live need none."""
    return int(
        connection.execute(
            text(
                f"""
                select count(*) from delivery d
                where connection_id = :id and {NEEDS_A_PERSON}
                """  # noqa: S608 - built from a constant
            ),
            {"id": link.id},
        ).scalar_one()
    )


def parked_events(connection: Connection, link: Link) -> int:
    """How many webhooks of this connection, or of its location, need a person."""
    return int(
        connection.execute(
            text(
                """
                select count(*) from event e
                where e.state = 'parked'
                  and (e.connection_id = :id
                       or e.location_id = (select location_id from location where id = :location))
                """
            ),
            {"id": link.id, "location": link.location},
        ).scalar_one()
    )


def refused_windows(connection: Connection, link: Link) -> list[str]:
    """What HighLevel does not show: the kind, the first day and the last of each window."""
    found = connection.execute(
        text(
            """
            select kind, first, last from pull
            where connection_id = :id and state = 'running' and refused order by kind, first
            """
        ),
        {"id": link.id},
    )
    return [
        f"{row.kind}s of {row.first}" + ("" if row.first == row.last else f" to {row.last}")
        for row in found
    ]
