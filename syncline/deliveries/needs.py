"""What a delivery needs from others: whether it is there, and its ids on the other side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from syncline.deliveries.states import UNTOLD
from syncline.deliveries.target_rows import ANSWERED
from syncline.deliveries.waits import EACH_EDGE, Edge, edge_rows
from syncline.ledger.database import text

_OURS = """
    tenant_id = :tenant_id and target = :target and target_id is not null
    and sent_version is not null"""

_LAST_EFFECTS = 500


@dataclass(frozen=True, slots=True)
class Dependency:
    """A needed delivery as it stands; `ready` means that one may go on."""

    target_id: str | None
    meta: dict[str, Any] | None
    ready: bool


@dataclass(frozen=True, slots=True)
class Made:
    """A row that we made, or may have made.

    Attributes:
        delivery: the number of the delivery that made it.
        source_id: what it was made from.
        role: which of the rows that are made from that.
        target_id: its id on the other side, as that answered; empty where it named none.
        age: how long ago it was written last, as far as is known.
        made_after: a moment before which it was not there yet; None where that is not known.
    """

    delivery: int
    source_id: str
    role: str
    target_id: str
    age: timedelta = timedelta(0)
    made_after: datetime | None = None


def made_by_us(
    connection: Connection, tenant_id: int, target: str, *, but: int | None = None
) -> Made | None:
    """A row of this kind that we made at the tenant, if there is one.

    Best one of which nothing was accepted: another one may not have our reference.

    Args:
        connection: the transaction.
        tenant_id: whose row it is.
        target: the kind.
        but: the number of a delivery whose row is not meant.
    """
    row = connection.execute(
        text(
            """
            select id, source_id, role, target_id,
                   clock_timestamp() - coalesce(confirmed_at, sent_at) as age
            from delivery
            where tenant_id = :tenant_id and target = :target and target_id is not null
              and coalesce(target_meta ->> 'adopted', 'false') = 'false'
              and not coalesce(target_meta ? 'kept', false)
              and id is distinct from cast(:but as bigint)
            order by coalesce(target_meta ? 'accepted', false), sent_at desc nulls last limit 1
            """
        ),
        {"tenant_id": tenant_id, "target": target, "but": but},
    ).first()
    if row is None:
        return None
    return Made(row.id, row.source_id, row.role, row.target_id, row.age or timedelta(0))


def made_last(
    connection: Connection, tenant_id: int, target: str, within: timedelta, most: int
) -> list[Made]:
    """The newest rows of this kind that we made, if they were confirmed no longer ago than that.

    Of the newest deliveries, and of those that our last effects were of: what waited long or was
    retried is made after much that came later. None was there before the call left that made it
    and was answered. What was found after an unknown outcome may have been made by an earlier call,
    answered or not; an update does not tell when a row was made.
    """
    rows = connection.execute(
        text(
            f"""
            select id, source_id, role, target_id,
                   (select max(call.at) from audit_entry made join call on call.id = made.call_id
                    where made.source_id = newest.source_id and made.flow = newest.flow
                      and made.role = newest.role and made.target_id = newest.target_id
                      and made.connection_id = newest.connection_id
                      and made.effect = 'create'
                      and not coalesce(newest.target_meta ? '{UNTOLD}', false)
                      and call.fault is null and call.status < 300) as made_after
            from (
                select id, connection_id, flow, source_id, role, target_id, target_meta,
                       confirmed_at
                from delivery where id in (
                    (select id from delivery where {_OURS} order by id desc limit 100)
                    union
                    select one.id
                    from (select effect, flow, source_id, role from audit_entry
                          order by at desc, id desc limit {_LAST_EFFECTS}) last
                    cross join lateral (
                        select id from delivery
                        where {_OURS} and flow = last.flow and source_id = last.source_id
                          and role = last.role limit 1) one
                    where last.effect = 'create')
            ) newest
            where confirmed_at > clock_timestamp() - make_interval(secs => :within)
              and coalesce(target_meta ->> 'adopted', 'false') = 'false'
              and not coalesce(target_meta ?| array['kept', 'accepted'], false)
            order by length(target_id) desc, target_id desc limit :most
            """  # noqa: S608 - built from constants
        ),
        {
            "tenant_id": tenant_id,
            "target": target,
            "within": within.total_seconds(),
            "most": most,
        },
    )
    return [
        Made(row.id, row.source_id, row.role, row.target_id, made_after=row.made_after)
        for row in rows
    ]


def maybe_made_by_us(connection: Connection, tenant_id: int, target: str) -> Made | None:
    """A row of this kind of which Halo answered our write, and that is not known to be ours.

    Not one of a connection that stands still: nobody would tell, for as long as it does.
    """
    row = connection.execute(
        text(
            """
            select d.id, d.source_id, d.role,
                   coalesce(d.target_meta -> :answered ->> 0, '') as row_id
            from delivery d join connection c on c.id = d.connection_id
            where d.tenant_id = :tenant_id and d.target = :target and d.target_id is null
              and d.state in ('sending', 'doubtful', 'checking', 'parked')
              and d.sent_version is not null and d.target_meta ? :answered
              and c.state = 'active'
            order by d.id limit 1
            """
        ),
        {"tenant_id": tenant_id, "target": target, "answered": ANSWERED},
    ).first()
    return None if row is None else Made(row.id, row.source_id, row.role, row.row_id)


def made_lately(
    connection: Connection, tenant_id: int, edges: Sequence[Edge], within: timedelta
) -> set[Edge]:
    """Those of these deliveries that made their row themselves, no longer ago than that."""
    found = connection.execute(
        text(
            f"""
            select d.flow, d.source_id, d.role from {EACH_EDGE}
            where d.target_id is not null and d.sent_version is not null
              and coalesce(d.target_meta ->> 'adopted', 'false') = 'false'
              and d.confirmed_at > clock_timestamp() - make_interval(secs => :within)
            """  # noqa: S608 - built from a constant of waits
        ),
        {
            "tenant_id": tenant_id,
            "rows": edge_rows(edges),
            "within": within.total_seconds(),
        },
    )
    return {(row.flow, row.source_id, row.role) for row in found}


def find(connection: Connection, tenant_id: int, edges: Sequence[Edge]) -> dict[Edge, Dependency]:
    """The needed deliveries that exist, by (flow, source id, role)."""
    found = connection.execute(
        text(
            f"""
            select d.flow, d.source_id, d.role, d.target_id, d.target_meta,
                   (d.state = 'delivered' or d.target_id is not null) as ready
            from {EACH_EDGE}
            """  # noqa: S608 - built from a constant of waits
        ),
        {"tenant_id": tenant_id, "rows": edge_rows(edges)},
    )
    return {
        (row.flow, row.source_id, row.role): Dependency(row.target_id, row.target_meta, row.ready)
        for row in found
    }
