"""Alerts as they stand: looked at, acknowledged, tried. `alert_raising` opens and closes them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from syncline.alerts.raising import Raised, rows
from syncline.ledger.database import text


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it stands.

    Attributes:
        id: its number.
        last_at: when something about it changed last.
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


def untold(connection: Connection) -> list[Alert]:
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


def acknowledge(connection: Connection, ids: Collection[int], by: str) -> dict[int, str]:
    """Note that somebody knows of open alerts: they are not told again until they heal.

    Returns:
        The source ids of those that nobody had acknowledged before, by their numbers.
    """
    found = connection.execute(
        text(
            """
            update alert set acknowledged_at = clock_timestamp(), acknowledged_by = :by
            where id = any(:ids) and state = 'open' and acknowledged_at is null
            returning id, source_id
            """
        ),
        {"ids": sorted(ids), "by": by},
    )
    return {row.id: row.source_id for row in found}


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
            {"rows": rows([raised]), "connection_id": connection_id},
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
    """When a trial last proved that alerts of a connection arrive; None if none did.

    Proved is that every way that was set took it: a ticket was made, read back and closed in Halo,
    and each channel took the message.
    """
    found = connection.execute(
        text(
            """
            select max(cast(detail ->> 'proved_at' as timestamptz)) from alert
            where connection_id = :connection_id and kind = 'test'
            """
        ),
        {"connection_id": connection_id},
    ).scalar_one()
    return found if isinstance(found, datetime) else None


def prove(connection: Connection, number: int) -> None:
    """Note that a trial arrived by every way."""
    connection.execute(
        text(
            """
            update alert set detail = detail || jsonb_build_object('proved_at', clock_timestamp())
            where id = :id
            """
        ),
        {"id": number},
    )
