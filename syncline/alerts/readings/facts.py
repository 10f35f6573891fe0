"""How pulls and comparisons went: read only, a statement for each fact."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from syncline.ingest.unfinished import UnfinishedWindow, unfinished
from syncline.ledger.database import text

_RECENT_PULLS = 500
"""Windows looked at of each kind: the last readings are among them."""

_RECENT_RUNS = 50
"""Comparisons of a connection that are looked at."""


@dataclass(frozen=True, slots=True)
class Readings:
    """How the pulls of one kind went lately.

    Attributes:
        ended_at: when the last one ended; None if none ever did.
        uncertain: windows whose last reading did not agree with the other side's own count.
        since: when the first of these ended.
        added_at: when the connection was added.
        unfinished: windows that were tried and not read to their end, the oldest first.
    """

    connection_id: int
    kind: str
    ended_at: datetime | None
    uncertain: int
    since: datetime | None
    added_at: datetime
    unfinished: tuple[UnfinishedWindow, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparisons:
    """How the comparisons of a connection's two sides went lately.

    Attributes:
        ended_at: when the last one of these days came to its end; None if none ever did.
        failed: how many have failed since.
        failed_at: when the first of these did.
        why: why the last of these did.
        at_work: since when one is under way that comes further; None: there is none.
        waits_for: what one that is owed waits for; None where none is owed.
        added_at: when the connection was added.
    """

    connection_id: int
    ended_at: datetime | None
    failed: int
    failed_at: datetime | None
    why: str | None
    at_work: datetime | None
    waits_for: str | None
    added_at: datetime


def readings(connection: Connection, ids: Collection[int], kinds: Sequence[str]) -> list[Readings]:
    """How the last pulls of each connection and kind went, and which windows come to no end."""
    found = connection.execute(
        text(
            """
            with recent as materialized (
                select c.id as connection_id, k.kind, p.id, p.first, p.last, p.state, p.finished_at
                from connection c cross join unnest(cast(:kinds as text[])) as k (kind)
                cross join lateral (
                    select * from pull
                    where connection_id = c.id and kind = k.kind
                    order by id desc limit :recent) p
                where c.id = any(:ids)
            ), doubted as (
                -- Until all of its days are read again, also as a part of a longer window.
                select connection_id, kind, count(distinct (first, last)) as many,
                       min(finished_at) as since
                from recent r
                where state = 'uncertain' and not exists (
                    select from recent later
                    where later.connection_id = r.connection_id and later.kind = r.kind
                      and later.id > r.id and later.first <= r.first and later.last >= r.last
                      and later.state in ('certified', 'provisional', 'incomplete'))
                group by connection_id, kind
            ), ended as (
                select connection_id, kind, max(finished_at) as at
                from recent group by connection_id, kind
            )
            select c.id as connection_id, k.kind, e.at as ended_at,
                   coalesce(d.many, 0) as uncertain, d.since, c.created_at as added_at
            from connection c cross join unnest(cast(:kinds as text[])) as k (kind)
            left join ended e on e.connection_id = c.id and e.kind = k.kind
            left join doubted d on d.connection_id = c.id and d.kind = k.kind
            where c.id = any(:ids) order by c.id, k.kind
            """
        ),
        {"ids": sorted(ids), "kinds": list(kinds), "recent": _RECENT_PULLS},
    ).all()
    windows: dict[tuple[int, str], list[UnfinishedWindow]] = {}
    for one in unfinished(connection, ids):
        windows.setdefault((one.connection_id, one.kind), []).append(one)
    return [
        replace(Readings(*row), unfinished=tuple(windows.get((row.connection_id, row.kind), ())))
        for row in found
    ]


def comparisons(
    connection: Connection, ids: Collection[int], stands_after: timedelta
) -> list[Comparisons]:
    """How the last comparisons of each connection went.

    One of days that were over when it began, which a person asked for, ends no failure.

    Args:
        connection: the transaction.
        ids: the connections.
        stands_after: how long after its last step one that is under way stands still.
    """
    found = connection.execute(
        text(
            """
            select c.id, done.finished_at, failed.many, failed.first_at, failed.note,
                   case when running.advanced_at > clock_timestamp() - cast(:stands as interval)
                        then running.started_at end,
                   case when running.id is not null then coalesce(running.note, '') end,
                   c.created_at
            from connection c
            left join lateral (
                select r.id, r.finished_at from (
                    select * from reconciliation
                    where connection_id = c.id order by id desc limit :recent) r
                where r.state = 'done'
                  and r.last >= cast(r.started_at at time zone 'UTC' as date) - 1
                order by r.id desc limit 1) done on true
            left join lateral (
                select count(*) as many, min(r.finished_at) as first_at,
                       (array_agg(r.note order by r.id desc))[1] as note
                from (select * from reconciliation
                      where connection_id = c.id order by id desc limit :recent) r
                where r.state = 'failed' and r.id > coalesce(done.id, 0)) failed on true
            left join reconciliation running
                on running.connection_id = c.id and running.state = 'running'
            where c.id = any(:ids) order by c.id
            """
        ),
        {"ids": sorted(ids), "recent": _RECENT_RUNS, "stands": stands_after},
    )
    return [Comparisons(*row) for row in found]
