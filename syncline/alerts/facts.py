"""What the ledger knows that people may have to be told: read only, a statement for each fact."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from syncline import jsontext
from syncline.deliveries.states import NEEDS_A_PERSON
from syncline.ledger.database import text


@dataclass(frozen=True, slots=True)
class Differences:
    """Open discrepancies of one kind: how many, since when, and one of them."""

    connection_id: int
    flow: str
    cause: str
    many: int
    since: datetime
    latest: datetime
    source_id: str
    field: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """New orders that one alert tells of together: how many, and when the first and the last."""

    connection_id: int
    many: int
    since: datetime
    latest: datetime


@dataclass(frozen=True, slots=True)
class Missed:
    """Webhooks of a location that have not come, long after a pull found their records."""

    connection_id: int
    many: int
    since: datetime


@dataclass(frozen=True, slots=True)
class NewOrder:
    """An order that was noticed lately and is not old."""

    order_id: str
    canonical: dict[str, Any]
    created_at: datetime


def parked_anew(connection: Connection, ids: Collection[int]) -> set[tuple[int, str]]:
    """(connection, kind of alert) of which other deliveries are parked than its open alerts say.

    How many are parked and when the last one was are compared, not the causes: to tell these apart
    takes seconds where a hundred thousand are parked. Deliveries of alerts raise none.
    """
    found = connection.execute(
        text(
            f"""
            with parked as (
                select connection_id,
                       case when flow = 'fulfillments' then 'fulfillment' else 'parked' end as kind,
                       count(*) as many, max(due_at) as latest
                from delivery d
                where connection_id = any(:ids) and {NEEDS_A_PERSON} and flow <> 'alerts'
                group by 1, 2
            ), told as (
                select connection_id, kind, sum(count) as many, max(last_at) as latest
                from alert
                where connection_id = any(:ids) and state = 'open' and gone_at is null
                  and kind in ('parked', 'fulfillment')
                group by 1, 2
            )
            select connection_id, kind
            from parked full join told using (connection_id, kind)
            where (parked.many, parked.latest) is distinct from (told.many, told.latest)
            """  # noqa: S608 - built from a constant
        ),
        {"ids": sorted(ids)},
    )
    return {(row.connection_id, row.kind) for row in found}


def differences(connection: Connection, ids: Collection[int]) -> list[Differences]:
    """Open discrepancies by flow and cause; those that a person accepted or marked are left out."""
    found = connection.execute(
        text(
            """
            with counted as (
                select connection_id, flow, cause, count(*) as many, min(found_at) as since,
                       max(found_at) as latest, min(id) as example
                from discrepancy
                where connection_id = any(:ids) and state = 'open'
                group by connection_id, flow, cause
            )
            select c.connection_id, c.flow, c.cause, many, since, latest, d.source_id, d.field
            from counted c join discrepancy d on d.id = c.example
            order by c.connection_id, c.flow, c.cause
            """
        ),
        {"ids": sorted(ids)},
    )
    return [Differences(*row) for row in found]


def gathered(connection: Connection, ids: Collection[int], now: datetime) -> list[Gathered]:
    """New orders of a day that got no telling of their own, while that has happened within an hour.

    Args:
        connection: the transaction.
        ids: the connections.
        now: the database's time.
    """
    found = connection.execute(
        text(
            """
            select connection_id, count(*), min(first_at), max(first_at)
            from alert
            where connection_id = any(:ids) and kind = 'new_order' and detail ? 'gathered'
              and first_at > :now - interval '1 day'
            group by connection_id having max(first_at) > :now - interval '1 hour'
            order by connection_id
            """
        ),
        {"ids": sorted(ids), "now": now},
    )
    return [Gathered(*row) for row in found]


def missed(
    connection: Connection, ids: Collection[int], *, within: timedelta, given_up_after: timedelta
) -> list[Missed]:
    """Connections whose location sent no event of what pulls have found.

    Args:
        connection: the transaction.
        ids: the connections.
        within: how far back.
        given_up_after: how long an event may still come after a pull found its record.
    """
    found = connection.execute(
        text(
            """
            select c.id, count(*), min(e.found_at)
            from connection c
            join expected e on e.location_id = c.location_id
                           and e.found_at > clock_timestamp() - cast(:within as interval)
                           and e.found_at < clock_timestamp() - cast(:given_up as interval)
            where c.id = any(:ids) and e.came_at is null
            group by c.id order by c.id
            """
        ),
        {"ids": sorted(ids), "within": within, "given_up": given_up_after},
    )
    return [Missed(*row) for row in found]


def new_orders(
    connection: Connection, connection_id: int, place: str, *, overlap: timedelta, young: timedelta
) -> list[NewOrder]:
    """Orders that were noticed since the last change that was looked at, and are young.

    How far the changes were looked at is noted where there are new ones. A little is looked at
    twice, since what was being committed then was not seen; who tells them remembers each. An order
    whose items came only now, with its detail, is looked at again. An order is young that was made
    after the connection was added and not longer ago than `young` when it was noticed: so a
    backfill tells none.

    Args:
        connection: the transaction.
        connection_id: the connection.
        place: where its orders stand.
        overlap: how much is looked at twice.
        young: the greatest age of an order that is news.
    """
    found = connection.execute(
        text(
            """
            with last_look as materialized (
                select due_at as at from cursor
                where connection_id = :connection_id and kind = 'alerts' and band = 'new_order'
            ), noted as (
                insert into cursor (connection_id, kind, band, due_at)
                select :connection_id, 'alerts', 'new_order', at
                from (select max(at) as at from change) newest
                where at > coalesce((select at from last_look), '-infinity')
                on conflict (connection_id, kind, band) do update set due_at = excluded.due_at
            ), since as (
                select c.created_at as added_at, greatest(
                    coalesce((select at from last_look), c.created_at)
                        - cast(:overlap as interval),
                    clock_timestamp() - cast(:young as interval)) as at
                from connection c where c.id = :connection_id
            )
            select distinct on (r.created_at, r.foreign_id) r.foreign_id, r.canonical, r.created_at
            from since
            join change ch on ch.at > since.at
            join record r on r.place = ch.place and r.kind = ch.kind
                         and r.foreign_id = ch.foreign_id
            where ch.place = :place and ch.kind = 'order'
              and (ch.version = 1 or ch.fields ? 'items')
              and r.created_at >= since.added_at
              and r.created_at > ch.at - cast(:young as interval)
            order by r.created_at, r.foreign_id
            """
        ),
        {
            "connection_id": connection_id,
            "place": place,
            "overlap": overlap,
            "young": young,
        },
    )
    return [NewOrder(*row) for row in found]


def tried_alone(connection: Connection, connection_id: int) -> dict[str, list[str]]:
    """The records at which calls failed in which nothing else was, by operation.

    Those that are still to be written; of each only its last call is known. A customer without an
    id of his own is not named: it would be by his address.
    """
    found = connection.execute(
        text(
            """
            select operation, array_agg(distinct record order by record) as records
            from (
                select c.operation, case when d.source_kind = 'consignment' then 'consignment '
                                         else '' end || d.source_id as record
                from delivery d join call c on c.id = d.call_id
                where d.connection_id = :connection_id and d.state in ('due', 'doubtful')
                  and d.array_limit = 1 and c.elements = 1 and c.fault is not null
                  and d.source_id not like 'email:%'
            ) alone
            group by operation
            """
        ),
        {"connection_id": connection_id},
    )
    return {row.operation: row.records for row in found}


def first_orders(
    connection: Connection, place: str, tenant_place: str, customers: Sequence[tuple[str, str]]
) -> dict[str, str]:
    """The first order that was noticed of each customer, by the customer's key.

    A customer is noted in the transaction that has read all of the first order; of orders that were
    noticed or read with it, the oldest is the first. A customer who was known before has none here.

    Args:
        connection: the transaction.
        place: where the orders stand.
        tenant_place: where the customers stand.
        customers: (key, id of the contact) of each.
    """
    found = connection.execute(
        text(
            """
            select w.key, one.foreign_id
            from jsonb_to_recordset(cast(:rows as jsonb)) as w (key text, contact text)
            join record customer on customer.place = :tenant_place and customer.kind = 'customer'
                                and customer.foreign_id = w.key
            cross join lateral (
                select r.foreign_id from change ch
                join record r on r.place = ch.place and r.kind = ch.kind
                             and r.foreign_id = ch.foreign_id
                where ch.at between customer.noticed_at - interval '30 seconds'
                                and customer.noticed_at
                  and ch.place = :place and ch.kind = 'order'
                  and r.canonical -> 'contact' ->> 'id' = w.contact
                order by r.created_at, r.foreign_id limit 1) one
            """
        ),
        {
            "place": place,
            "tenant_place": tenant_place,
            "rows": jsontext.dumps(
                [{"key": key, "contact": contact} for key, contact in sorted(set(customers))]
            ).decode(),
        },
    )
    return {row.key: row.foreign_id for row in found}
