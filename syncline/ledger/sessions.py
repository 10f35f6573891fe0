"""Worker sessions: who may own deliveries.

A session that was declared dead stays dead: its process must begin a new one.
"""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection

from syncline.ledger.database import text


def begin(connection: Connection, session_id: UUID, name: str) -> None:
    """Write the row of a new worker process."""
    connection.execute(
        text("insert into session (id, name) values (:id, :name)"),
        {"id": session_id, "name": name},
    )


def beat(connection: Connection, session_id: UUID, dead_after: timedelta) -> bool:
    """Keep a session alive; False when it is dead, which is forever."""
    return (
        connection.execute(
            text(
                """
                update session set heartbeat_at = clock_timestamp()
                where id = :id and ended_at is null
                  and heartbeat_at > clock_timestamp() - make_interval(secs => :dead_after)
                """
            ),
            {"id": session_id, "dead_after": dead_after.total_seconds()},
        ).rowcount
        == 1
    )


def alive(connection: Connection, session_id: UUID, dead_after: timedelta) -> bool:
    """Whether a session's heartbeat is fresh.

    It is not locked: senders that overlap would keep the heartbeat waiting until they have killed
    it. One that ends right after this is found out by the fences, or its row becomes doubtful.
    """
    found = connection.execute(
        text(
            """
            select 1 from session
            where id = :id and ended_at is null
              and heartbeat_at > clock_timestamp() - make_interval(secs => :dead_after)
            """
        ),
        {"id": session_id, "dead_after": dead_after.total_seconds()},
    )
    return found.first() is not None


def end(connection: Connection, session_id: UUID) -> None:
    """A process that stops cleanly says so; the sweep need not wait for its silence."""
    connection.execute(
        text("update session set ended_at = clock_timestamp() where id = :id and ended_at is null"),
        {"id": session_id},
    )


def end_silent(connection: Connection, dead_after: timedelta) -> int:
    """End the sessions without a heartbeat for so long; returns how many."""
    return connection.execute(
        text(
            """
            update session set ended_at = clock_timestamp()
            where ended_at is null
              and heartbeat_at < clock_timestamp() - make_interval(secs => :dead_after)
            """
        ),
        {"dead_after": dead_after.total_seconds()},
    ).rowcount
