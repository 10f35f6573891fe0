"""Missed-event detection: what a pull found before its event, late or alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from syncline import jsontext
from syncline.deliveries.requests import OF_AN_EVENT
from syncline.ledger.database import text

Sighting = tuple[str, datetime]
"""(id of a record, when it was last changed)."""


def first_event(connection: Connection, location_id: int) -> None:
    """Note that a location sends events; from now on they are expected."""
    connection.execute(
        text(
            """
            update location set events_since = clock_timestamp()
            where id = :id and events_since is null
            """
        ),
        {"id": location_id},
    )


def expect(connection: Connection, location_id: int, kind: str, found: Sequence[Sighting]) -> None:
    """Note changes that a pull has found and no event has told of yet.

    Of a location that sends no events nothing is expected, nor of what changed before it did.
    """
    if not found:
        return
    connection.execute(
        text(
            """
            insert into expected (location_id, kind, foreign_id, updated_at)
            select l.id, :kind, seen.foreign_id, seen.updated_at
            from jsonb_to_recordset(cast(:rows as jsonb)) as seen
                 (foreign_id text, updated_at timestamptz)
            join location l on l.id = :location_id and l.events_since < seen.updated_at
            on conflict do nothing
            """
        ),
        {"location_id": location_id, "kind": kind, "rows": _rows(found)},
    )


def came(connection: Connection, location_id: int, kind: str, told: Sequence[Sighting]) -> None:
    """Note events; what was expected up to their state of the record has come."""
    if not told:
        return
    connection.execute(
        text(
            """
            update expected e set came_at = clock_timestamp()
            from jsonb_to_recordset(cast(:rows as jsonb)) as told
                 (foreign_id text, updated_at timestamptz)
            where e.location_id = :location_id and e.kind = :kind
              and e.foreign_id = told.foreign_id and e.updated_at <= told.updated_at
              and e.came_at is null
            """
        ),
        {"location_id": location_id, "kind": kind, "rows": _rows(told)},
    )


@dataclass(frozen=True, slots=True)
class MissedEvents:
    """The events of one connection in a period.

    Attributes:
        since: when its location first sent one; None if it never did.
        received: how many came, from both sides.
        waiting: of these, how many are not handled yet.
        ignored: kept, and used by no flow.
        parked: a person should look at them.
        late: records that a pull found before their event came.
        missed: records whose event has not come long after a pull found them.
        p50: median seconds from an order's event to what Halo confirmed because of it; None
            without any.
        p95: the same, of nineteen out of twenty.
    """

    since: datetime | None
    received: int
    waiting: int
    ignored: int
    parked: int
    late: int
    missed: int
    p50: float | None
    p95: float | None


def figures(
    connection: Connection,
    connection_id: int,
    location_id: int,
    *,
    period: timedelta,
    given_up_after: timedelta,
) -> MissedEvents:
    """What came, late or never, to one connection in the period up to now.

    Args:
        connection: the transaction.
        connection_id: the connection.
        location_id: its location, by our id.
        period: how far back.
        given_up_after: how long an event may still come after a pull found its record.
    """
    row = connection.execute(
        text(
            """
            with of_place as materialized (
                select e.* from event e
                where e.at > clock_timestamp() - cast(:period as interval)
                  and (e.connection_id = :connection_id
                       or e.location_id = (select location_id from location where id = :location))
            ), taken as (
                -- What is delivered again, such as for a new mapping, has another cause.
                select extract(epoch from min(a.at) - told.at) as seconds
                from of_place told
                join audit_entry a on a.source_id = told.foreign_id
                    and a.cause = :event || told.id and a.flow = 'orders'
                where told.source = 'highlevel' and told.kind = 'order' and told.state = 'done'
                  and a.connection_id = :connection_id and a.at >= told.at
                group by told.id, told.at
            )
            select
                (select events_since from location where id = :location) as since,
                (select count(*) from of_place) as received,
                (select count(*) from of_place where state = 'new') as waiting,
                (select count(*) from of_place where state = 'ignored') as ignored,
                (select count(*) from of_place where state = 'parked') as parked,
                (select count(*) from expected where location_id = :location
                    and found_at > clock_timestamp() - cast(:period as interval)
                    and came_at is not null) as late,
                (select count(*) from expected where location_id = :location
                    and found_at > clock_timestamp() - cast(:period as interval)
                    and found_at < clock_timestamp() - cast(:given_up as interval)
                    and came_at is null) as missed,
                (select percentile_cont(0.5) within group (order by seconds) from taken) as p50,
                (select percentile_cont(0.95) within group (order by seconds) from taken) as p95
            """
        ),
        {
            "connection_id": connection_id,
            "event": OF_AN_EVENT,
            "location": location_id,
            "period": period,
            "given_up": given_up_after,
        },
    ).one()
    return MissedEvents(
        row.since,
        row.received,
        row.waiting,
        row.ignored,
        row.parked,
        row.late,
        row.missed,
        None if row.p50 is None else float(row.p50),
        None if row.p95 is None else float(row.p95),
    )


def _rows(sightings: Sequence[Sighting]) -> str:
    rows = [{"foreign_id": key, "updated_at": moment} for key, moment in sightings]
    return jsontext.dumps(rows).decode()
