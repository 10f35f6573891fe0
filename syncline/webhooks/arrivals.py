"""What came of Halo's webhooks by itself, to be compared with what Halo says that it sent."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text


def came(
    connection: Connection, connection_id: int, first: datetime, last: datetime
) -> list[tuple[datetime, bytes]]:
    """When and with what body a connection's webhooks came, those taken from the log left out."""
    found = connection.execute(
        text(
            """
            select at, body from event
            where source = 'halo' and connection_id = :connection_id
              and at between :first and :last
              and (webhook_id is null or webhook_id not like 'halo:%')
            order by at
            """
        ),
        {"connection_id": connection_id, "first": first, "last": last},
    )
    return [(row.at, bytes(row.body)) for row in found]
