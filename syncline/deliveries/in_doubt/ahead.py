"""Deliveries that are sent again ahead of others, where nothing proves that their row is not there.

Once the row of one of them shows, it speaks for the others. Until then the next goes ever later, so
that few are made twice, however long what is shown lags.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from syncline.deliveries.delivery import Lease
from syncline.deliveries.states import AHEAD
from syncline.ledger.database import text

MOST_DOUBLINGS = 4
"""So often the wait of those that go ahead doubles."""


def in_doubt(connection: Connection, tenant_id: int, target: str) -> list[tuple[str, str]]:
    """What deliveries in doubt were made from and in which role, whose row is not known."""
    found = connection.execute(
        text(
            """
            select source_id, role from delivery
            where connection_id in (select id from connection where tenant_id = :tenant_id)
              and target = :target and state in ('doubtful', 'checking') and target_id is null
            """
        ),
        {"tenant_id": tenant_id, "target": target},
    )
    return [(row.source_id, row.role) for row in found]


def gone_ahead(meta: Mapping[str, Any] | None) -> int:
    """How often a delivery was sent again ahead of others.

    Args:
        meta: what it keeps.
    """
    return int((meta or {}).get(AHEAD, 0))


def waits_for(connection: Connection, lease: Lease, settle: timedelta) -> str | None:
    """What a delivery waits for before it is sent again ahead of others; None: nothing.

    The first one goes at once. While any has gone ahead and is not confirmed, or not for long, this
    one among them, the next goes ever later after the last. Not one of a connection that stands
    still: it would be waited for as long as that does. One that waits for another row, perhaps for
    a person, counts from when it was sent last.

    Args:
        connection: the transaction.
        lease: the delivery.
        settle: how long after the last one the next goes; it doubles with each that has gone.
    """
    connection.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:name, 4))"),
        {"name": f"{lease.tenant_id}:{lease.target}"},
    )
    ahead = connection.execute(
        text(
            f"""
            select coalesce(sum((target_meta ->> '{AHEAD}')::int), 0) as many,
                   clock_timestamp() - max(at) as since,
                   (array_agg(source_id order by at desc))[1] as last,
                   coalesce(max((target_meta ->> '{AHEAD}')::int) filter (where id = :id), 0) as own
            from (
                select d.id, d.source_id, d.target_meta,
                       case when d.state in ('due', 'leased') then clock_timestamp()
                            else greatest(d.sent_at, d.confirmed_at) end as at
                from delivery d join connection c on c.id = d.connection_id
                where d.tenant_id = :tenant_id and d.target = :target and d.target_meta ? '{AHEAD}'
                  and c.state = 'active'
                  and (d.target_id is null and d.state not in ('parked', 'delivered')
                       or d.confirmed_at > clock_timestamp() - make_interval(secs => :lately))
            ) ahead
            """  # noqa: S608 - built from a constant
        ),
        {
            "tenant_id": lease.tenant_id,
            "target": lease.target,
            "id": lease.id,
            "lately": (settle * (1 << MOST_DOUBLINGS)).total_seconds(),
        },
    ).one()
    rest = settle * (1 << min(ahead.many, MOST_DOUBLINGS))
    if ahead.many and ahead.since < rest:
        return f"{ahead.last}, sent ahead of it, shows, or {rest} have passed since that was sent"
    if ahead.own and (other := _less_often(connection, lease, ahead.own)) is not None:
        return f"{other} has been sent ahead of it"
    return None


def go(connection: Connection, lease: Lease) -> None:
    """Keep that a delivery is sent again ahead of others."""
    connection.execute(
        text(
            """
            update delivery set target_meta = coalesce(target_meta, '{}') || jsonb_build_object(
                cast(:ahead as text), coalesce((target_meta ->> :ahead)::int, 0) + 1)
            where id = :id
            """
        ),
        {"id": lease.id, "ahead": AHEAD},
    )


def _less_often(connection: Connection, lease: Lease, gone: int) -> str | None:
    """Another one in doubt that has gone ahead less often: one may fail for its own sake."""
    found = connection.execute(
        text(
            f"""
            select source_id from delivery
            where connection_id = :connection_id and target = :target
              and state in ('doubtful', 'checking')
              and target_id is null and sent_version is not null and id <> :id
              and coalesce((target_meta ->> '{AHEAD}')::int, 0) < :gone
            order by id limit 1
            """  # noqa: S608 - built from a constant
        ),
        {
            "connection_id": lease.connection_id,
            "target": lease.target,
            "id": lease.id,
            "gone": gone,
        },
    )
    return found.scalars().first()
