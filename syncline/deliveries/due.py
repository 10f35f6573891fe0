"""How much is due, without taking it."""

from __future__ import annotations

from sqlalchemy import Connection, text


def any_urgent(connection: Connection, connection_id: int, target: str) -> bool:
    """Whether something that an event asked for is due now."""
    found = connection.execute(
        text(
            """
            select 1 from delivery
            where connection_id = :connection_id and target = :target
              and urgent and state = 'due' and due_at <= statement_timestamp()
            limit 1
            """
        ),
        {"connection_id": connection_id, "target": target},
    )
    return found.first() is not None


def count(connection: Connection, connection_id: int, target: str, most: int) -> int:
    """Deliveries to a target that are due now, counted up to `most`."""
    found = connection.execute(
        text(
            """
            select count(*) from (
                select 1 from delivery
                where connection_id = :connection_id and target = :target
                  and state in ('due', 'doubtful')  -- as the partial index says it
                  and state = 'due' and due_at <= statement_timestamp()
                limit :most) due
            """
        ),
        {"connection_id": connection_id, "target": target, "most": most},
    )
    return int(found.scalar_one())
