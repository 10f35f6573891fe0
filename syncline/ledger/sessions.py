"""Worker sessions: who may own rows, and what becomes of the rows of those who died.

A session that was declared dead stays dead: its process must begin a new one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from syncline.ledger.states import HELD


@dataclass(frozen=True, slots=True)
class Recovered:
    """What the sweep took from dead sessions: rows due at once, and rows in doubt."""

    sessions: int
    due: int
    doubtful: int


def begin(connection: Connection, session_id: UUID, name: str) -> None:
    """Write the row of a new worker process."""
    connection.execute(
        text("insert into session (id, name) values (:id, :name)"),
        {"id": session_id, "name": name},
    )


def beat(connection: Connection, session_id: UUID, dead_after: timedelta) -> bool:
    """Keep a session alive; False when it is dead, which is for ever."""
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


def recover(connection: Connection, dead_after: timedelta, settle: timedelta) -> Recovered:
    """End silent sessions and free the rows of ended ones.

    LEASED rows were never written: due at once. SENDING rows may have been: doubtful, to be
    looked up after the settle time. CHECKING rows were only being read about: doubtful, at once.
    """
    ended = connection.execute(
        text(
            """
            update session set ended_at = clock_timestamp()
            where ended_at is null
              and heartbeat_at < clock_timestamp() - make_interval(secs => :dead_after)
            """
        ),
        {"dead_after": dead_after.total_seconds()},
    ).rowcount
    freed = connection.execute(
        text(
            """
            with lost as (
                select d.id from delivery d join session s on s.id = d.owner
                where d.state in ('leased', 'sending', 'checking') and s.ended_at is not null
                order by d.id for update of d skip locked
            )
            update delivery d
            set state = case when d.state <> 'leased' then 'doubtful'
                             when d.field = :held then 'parked' else 'due' end,
                due_at = clock_timestamp() + case d.state when 'sending'
                    then make_interval(secs => coalesce(
                        (select settle_seconds from tenant where tenant.id = d.tenant_id),
                        :settle)) else interval '0' end,
                reason = case d.state when 'sending'
                    then 'its worker died while it was being sent' else d.reason end,
                owner = null
            from lost where d.id = lost.id
            returning d.state
            """
        ),
        {"settle": settle.total_seconds(), "held": HELD},
    ).scalars()
    states = list(freed)
    return Recovered(sessions=ended, due=states.count("due"), doubtful=states.count("doubtful"))
