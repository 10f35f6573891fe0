"""Alerts raised by their cause, closed when it has gone, told: what one evaluation writes.

One evaluator at a time does so; one open alert of a cause is all that there can be. What is as it
was before is not written, and takes no number of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from syncline import jsontext
from syncline.ledger.database import text


@dataclass(frozen=True, slots=True)
class Raised:
    """Something that is so now: what raises an alert of its cause, or keeps it open.

    Attributes:
        since: since when it is so, where that is known; else since it was raised.
        latest: when the last of what it counts came to be, where that is known; else when something
            about it changed last.
    """

    connection_id: int
    kind: str
    cause: str
    severity: str
    title: str
    text: str
    count: int
    since: datetime | None
    order_id: str | None
    latest: datetime | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """What was told of an alert: its state and count by then."""

    id: int
    state: str
    count: int


def begin(connection: Connection) -> datetime | None:
    """The database's time for this evaluation; None while another one is under way."""
    row = connection.execute(
        text(
            """
            select pg_try_advisory_xact_lock(hashtextextended('alerts', 0)) as mine,
                   clock_timestamp() as now
            """
        )
    ).one()
    return row.now if row.mine else None


_RAISED = """
    raised as materialized (
        select distinct on (connection_id, cause) *
        from jsonb_to_recordset(cast(:rows as jsonb)) as raised
             (connection_id bigint, kind text, cause text, severity text, title text, detail jsonb,
              count bigint, since timestamptz, latest timestamptz, place bigint)
        order by connection_id, cause
    )"""

_HEALED = "coalesce(a.gone_at, :now) <= :now - h.after"


def raise_all(connection: Connection, found: Sequence[Raised], now: datetime) -> None:
    """Open an alert for each cause that has none open, and bring the others up to date."""
    if not found:
        return
    connection.execute(
        text(
            f"""
            with {_RAISED}, changed as (
                update alert a
                set severity = r.severity, title = r.title, detail = r.detail, count = r.count,
                    last_at = coalesce(r.latest, :now), gone_at = null
                from raised r
                where a.connection_id = r.connection_id and a.cause = r.cause and a.state = 'open'
                  and (a.severity, a.title, a.detail, a.count, a.last_at, a.gone_at)
                      is distinct from (r.severity, r.title, r.detail, r.count,
                                        coalesce(r.latest, a.last_at),
                                        cast(null as timestamptz))
            )
            insert into alert (connection_id, kind, cause, severity, title, detail, count,
                               first_at, last_at)
            select connection_id, kind, cause, severity, title, detail, count,
                   least(since, :now), coalesce(latest, :now)
            from raised r
            where not exists (select 1 from alert a
                              where a.connection_id = r.connection_id and a.cause = r.cause
                                and a.state = 'open')
            """  # noqa: S608 - built from constants
        ),
        {"rows": rows(found), "now": now},
    )


def note_once(
    connection: Connection, found: Sequence[Raised], most: Mapping[int, int], now: datetime
) -> None:
    """Note new orders to be told; one that was noted before, however long ago, is not again.

    Those beyond the most of an hour are noted as gathered: one alert tells of all of them.

    Args:
        connection: the transaction.
        found: the orders, the first one first.
        most: how many of a connection are told one by one in an hour.
        now: the database's time.
    """
    if not found:
        return
    connection.execute(
        text(
            f"""
            with {_RAISED}, room as (
                select m.connection_id, m.most - count(a.id) as many
                from jsonb_to_recordset(cast(:most as jsonb)) as m (connection_id bigint, most int)
                left join alert a on a.connection_id = m.connection_id and a.kind = 'new_order'
                                 and a.first_at > :now - interval '1 hour'
                                 and not a.detail ? 'gathered'
                group by m.connection_id, m.most
            ), fresh as (
                select r.*, row_number() over (partition by r.connection_id order by r.place)
                            > room.many as gathered
                from raised r join room using (connection_id)
                where not exists (select 1 from alert a
                                  where a.connection_id = r.connection_id and a.cause = r.cause
                                    and a.kind = 'new_order')
            )
            insert into alert (connection_id, kind, cause, severity, title, detail, count,
                               first_at, last_at, state, told_state)
            select connection_id, kind, cause, severity, title,
                   case when gathered then detail || jsonb_build_object('gathered', true)
                        else detail end,
                   count, :now, :now, 'notice', case when gathered then 'notice' end
            from fresh order by connection_id, place
            """  # noqa: S608 - built from constants
        ),
        {
            "rows": rows(found),
            "most": jsontext.dumps(
                [{"connection_id": key, "most": many} for key, many in sorted(most.items())]
            ).decode(),
            "now": now,
        },
    )


def heal(
    connection: Connection,
    found: Sequence[Raised],
    as_before: Collection[tuple[int, str]],
    after: Mapping[int, timedelta],
    now: datetime,
) -> None:
    """Close alerts whose cause has been gone for a while; what was never told needs no telling.

    Args:
        connection: the transaction.
        found: what is so now.
        as_before: (connection, kind) of alerts whose causes are there as they were.
        after: for how long a cause must be gone, by connection; others are left alone.
        now: the database's time.
    """
    healing = [
        {"connection_id": key, "after": gone.total_seconds()} for key, gone in sorted(after.items())
    ]
    connection.execute(
        text(
            f"""
            with {_RAISED}, healing as (
                select connection_id, make_interval(secs => after) as after
                from jsonb_to_recordset(cast(:healing as jsonb))
                     as healing (connection_id bigint, after double precision)
            )
            update alert a
            set gone_at = coalesce(a.gone_at, :now),
                state = case when {_HEALED} then 'closed' else a.state end,
                closed_at = case when {_HEALED} then :now end,
                told_state = case when {_HEALED} and a.told_at is null then 'closed'
                                  else a.told_state end
            from healing h
            where a.connection_id = h.connection_id and a.state = 'open' and a.kind <> 'test'
              and (a.gone_at is null or {_HEALED})
              and not exists (select 1 from raised r
                              where r.connection_id = a.connection_id and r.cause = a.cause)
              and (a.gone_at is not null
                   or not exists (select 1 from jsonb_to_recordset(cast(:as_before as jsonb))
                                                as b (connection_id bigint, kind text)
                                  where b.connection_id = a.connection_id and b.kind = a.kind))
            """  # noqa: S608 - built from constants
        ),
        {
            "rows": rows(found),
            "healing": jsontext.dumps(healing).decode(),
            "as_before": jsontext.dumps(
                [{"connection_id": key, "kind": kind} for key, kind in sorted(as_before)]
            ).decode(),
            "now": now,
        },
    )


def note_told(connection: Connection, told: Sequence[Notification], now: datetime) -> None:
    """Note what was told, in the transaction that requests it of Halo and of the channels."""
    if not told:
        return
    news = [{"id": one.id, "state": one.state, "count": one.count} for one in told]
    connection.execute(
        text(
            """
            update alert a set told_at = :now, told_state = told.state, told_count = told.count,
                               tellings = a.tellings + 1
            from jsonb_to_recordset(cast(:rows as jsonb))
                 as told (id bigint, state text, count bigint)
            where a.id = told.id
            """
        ),
        {"rows": jsontext.dumps(news).decode(), "now": now},
    )


def rows(found: Sequence[Raised]) -> str:
    """What was raised, as a JSON array for a statement; `place` is its place in the sequence."""
    documents = [
        {
            "connection_id": one.connection_id,
            "kind": one.kind,
            "cause": one.cause,
            "severity": one.severity,
            "title": one.title,
            "detail": {"text": one.text, "order_id": one.order_id},
            "count": one.count,
            "since": one.since,
            "latest": one.latest,
            "place": place,
        }
        for place, one in enumerate(found)
    ]
    return jsontext.dumps(jsontext.without_nul(documents)).decode()
