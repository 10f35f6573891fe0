"""Alerts as they stand: raised by their cause, closed when it heals, told, acknowledged.

One evaluator at a time changes them; one open alert of a cause is all that there can be.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from syncline import jsontext


@dataclass(frozen=True, slots=True)
class Raised:
    """Something that is so now: what raises an alert of its cause, or keeps it open."""

    connection_id: int
    kind: str
    cause: str
    severity: str
    title: str
    text: str
    count: int
    since: datetime | None
    order_id: str | None


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it stands.

    Attributes:
        id: its number.
        source_id: of its record, and what is found in Halo of it.
        detail: its text, and the order that it is about.
        record_version: of what was last to be told of it in Halo; None where nothing was.
        canonical: that version.
        shown_at: when that version was made.
        ticket_id: of its ticket in Halo, where there is one.
        ticket_state: of the delivery that makes the ticket.
    """

    id: int
    source_id: str
    connection_id: int
    connection: str
    kind: str
    cause: str
    severity: str
    title: str
    detail: dict[str, Any]
    count: int
    state: str
    first_at: datetime
    last_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    told_at: datetime | None
    told_state: str | None
    told_count: int
    tellings: int
    closed_at: datetime | None
    record_version: int | None
    canonical: dict[str, Any] | None
    shown_at: datetime | None
    ticket_id: str | None
    ticket_state: str | None


@dataclass(frozen=True, slots=True)
class Told:
    """What was told of an alert: its state and count by then."""

    id: int
    state: str
    count: int


_SELECT = """
    select a.id, a.source_id, a.connection_id, c.name, a.kind, a.cause, a.severity, a.title,
           a.detail, a.count, a.state, a.first_at, a.last_at, a.acknowledged_at,
           a.acknowledged_by, a.told_at, a.told_state, a.told_count, a.tellings, a.closed_at,
           r.version, r.canonical, r.changed_at, d.target_id, d.state
    from alert a
    join connection c on c.id = a.connection_id
    left join record r on r.place = 'location:' || c.location_id and r.kind = 'alert'
                      and r.foreign_id = a.source_id
    left join delivery d on d.tenant_id = c.tenant_id and d.flow = 'alerts'
                        and d.source_id = a.source_id and d.role = 'ticket'"""


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


def raise_all(connection: Connection, found: Sequence[Raised], now: datetime) -> None:
    """Open an alert for each cause that has none open, and bring the others up to date."""
    if not found:
        return
    connection.execute(
        text(
            """
            insert into alert (connection_id, kind, cause, severity, title, detail, count,
                               first_at, last_at)
            select connection_id, kind, cause, severity, title, detail, count,
                   least(since, :now), :now
            from jsonb_to_recordset(cast(:rows as jsonb)) as raised
                 (connection_id bigint, kind text, cause text, severity text, title text,
                  detail jsonb, count bigint, since timestamptz)
            on conflict (connection_id, cause) where state = 'open' do update
            set severity = excluded.severity, title = excluded.title, detail = excluded.detail,
                count = excluded.count, last_at = excluded.last_at
            """
        ),
        {"rows": _rows(found), "now": now},
    )


def note_once(connection: Connection, found: Sequence[Raised], now: datetime) -> None:
    """Note new orders to be told; one that was noted before, however long ago, is not again."""
    if not found:
        return
    connection.execute(
        text(
            """
            insert into alert (connection_id, kind, cause, severity, title, detail, count,
                               first_at, last_at, state)
            select connection_id, kind, cause, severity, title, detail, count, :now, :now, 'notice'
            from jsonb_to_recordset(cast(:rows as jsonb)) as raised
                 (connection_id bigint, kind text, cause text, severity text, title text,
                  detail jsonb, count bigint)
            on conflict (connection_id, cause) where kind = 'new_order' do nothing
            """
        ),
        {"rows": _rows(found), "now": now},
    )


def heal(connection: Connection, after: Mapping[int, timedelta], now: datetime) -> None:
    """Close alerts whose cause was not seen for a while; what was never told needs no telling.

    Args:
        connection: the transaction.
        after: for how long, by connection.
        now: the database's time.
    """
    rows = [
        {"connection_id": key, "after": gone.total_seconds()} for key, gone in sorted(after.items())
    ]
    connection.execute(
        text(
            """
            update alert a
            set state = 'closed', closed_at = :now,
                told_state = case when a.told_at is null then 'closed' else a.told_state end
            from jsonb_to_recordset(cast(:rows as jsonb))
                 as healed (connection_id bigint, after double precision)
            where a.connection_id = healed.connection_id and a.state = 'open'
              and a.kind <> 'test' and a.last_at <= :now - make_interval(secs => after)
              and a.last_at < :now
            """
        ),
        {"rows": jsontext.dumps(rows).decode(), "now": now},
    )


def unsettled(connection: Connection) -> list[Alert]:
    """Alerts that are open, and those of which something is to be told yet."""
    found = connection.execute(
        text(
            f"""
            {_SELECT}
            where a.state = 'open' or a.told_state is distinct from a.state
            order by a.id limit 10000
            """
        )
    )
    return [Alert(*row) for row in found]


def note_told(connection: Connection, told: Sequence[Told], now: datetime) -> None:
    """Note what was told, in the transaction that owes it to Halo and to the channels."""
    if not told:
        return
    rows = [{"id": one.id, "state": one.state, "count": one.count} for one in told]
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
        {"rows": jsontext.dumps(rows).decode(), "now": now},
    )


def listed(
    connection: Connection,
    *,
    connection_id: int | None = None,
    everything: bool = False,
    number: int | None = None,
    most: int | None = None,
) -> list[Alert]:
    """Alerts, the last one first.

    Args:
        connection: the transaction.
        connection_id: only of this connection.
        everything: those that healed and notices too, else what is open.
        number: only the one with this number.
        most: so many at most.
    """
    found = connection.execute(
        text(
            f"""
            {_SELECT}
            where (cast(:connection_id as bigint) is null or a.connection_id = :connection_id)
              and (:everything or a.state = 'open')
              and (cast(:number as bigint) is null or a.id = :number)
            order by a.id desc limit cast(:most as bigint)
            """
        ),
        {
            "connection_id": connection_id,
            "everything": everything,
            "number": number,
            "most": most,
        },
    )
    return [Alert(*row) for row in found]


def acknowledge(connection: Connection, ids: Collection[int], by: str) -> list[int]:
    """Note that somebody knows of open alerts: they are not told again until they heal.

    Returns:
        The numbers of those that nobody had acknowledged before.
    """
    found = connection.execute(
        text(
            """
            update alert set acknowledged_at = clock_timestamp(), acknowledged_by = :by
            where id = any(:ids) and state = 'open' and acknowledged_at is null
            returning id
            """
        ),
        {"ids": sorted(ids), "by": by},
    )
    return sorted(found.scalars())


def to_look_at(
    connection: Connection, connection_id: int, every: timedelta, most: int
) -> list[tuple[int, str]]:
    """(number, id of its ticket) of open alerts whose ticket was not looked at for a while.

    They are taken: no other worker looks at them in the meantime.
    """
    found = connection.execute(
        text(
            """
            with taken as (
                select a.id, d.target_id
                from alert a
                join connection c on c.id = a.connection_id
                join delivery d on d.tenant_id = c.tenant_id and d.flow = 'alerts'
                               and d.source_id = a.source_id and d.role = 'ticket'
                where a.connection_id = :connection_id and a.state = 'open'
                  and a.acknowledged_at is null and d.target_id is not null
                  and coalesce(a.looked_at, d.confirmed_at)
                      < clock_timestamp() - cast(:every as interval)
                order by a.id limit :most
                for update of a skip locked
            )
            update alert a set looked_at = clock_timestamp() from taken where a.id = taken.id
            returning a.id, taken.target_id
            """
        ),
        {"connection_id": connection_id, "every": every, "most": most},
    )
    return sorted((row.id, row.target_id) for row in found)


def open_test(connection: Connection, connection_id: int, raised: Raised) -> int:
    """Open the alert of a test; one that is open already is that of a test that was broken off."""
    return int(
        connection.execute(
            text(
                """
                insert into alert (connection_id, kind, cause, severity, title, detail)
                select connection_id, kind, cause, severity, title, detail
                from jsonb_to_recordset(cast(:rows as jsonb)) as raised
                     (connection_id bigint, kind text, cause text, severity text, title text,
                      detail jsonb)
                where connection_id = :connection_id
                on conflict (connection_id, cause) where state = 'open'
                do update set last_at = clock_timestamp()
                returning id
                """
            ),
            {"rows": _rows([raised]), "connection_id": connection_id},
        ).scalar_one()
    )


def close(connection: Connection, number: int) -> None:
    """Close an alert now, as if it had healed."""
    connection.execute(
        text(
            """
            update alert set state = 'closed', closed_at = clock_timestamp()
            where id = :id and state = 'open'
            """
        ),
        {"id": number},
    )


def delivered(connection: Connection, connection_id: int) -> datetime | None:
    """When a test last proved that alerts of a connection arrive; None if none did.

    Proved is a ticket that was made, read back and closed in Halo, or a message that was taken.
    """
    found = connection.execute(
        text(
            """
            select max(at) from (
                select (a.detail ->> 'proved_at')::timestamptz as at from alert a
                where a.connection_id = :connection_id and a.kind = 'test'
                union all
                select m.sent_at from alert_message m join alert a on a.id = m.alert_id
                where m.connection_id = :connection_id and a.kind = 'test' and m.state = 'sent'
            ) proved
            """
        ),
        {"connection_id": connection_id},
    ).scalar_one()
    return found if isinstance(found, datetime) else None


def prove(connection: Connection, number: int) -> None:
    """Note that the ticket of a test was made, read back and closed."""
    connection.execute(
        text(
            """
            update alert set detail = detail || jsonb_build_object('proved_at', clock_timestamp())
            where id = :id
            """
        ),
        {"id": number},
    )


def _rows(found: Sequence[Raised]) -> str:
    rows = [
        {
            "connection_id": one.connection_id,
            "kind": one.kind,
            "cause": one.cause,
            "severity": one.severity,
            "title": one.title,
            "detail": {"text": one.text, "order_id": one.order_id},
            "count": one.count,
            "since": one.since,
        }
        for one in sorted(found, key=lambda one: (one.connection_id, one.cause))
    ]
    return jsontext.dumps(jsontext.without_nul(rows)).decode()
