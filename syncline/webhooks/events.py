"""Webhooks as they arrive: stored once, as raw bytes, before anybody is told that they came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from sqlalchemy import Connection

from syncline.ledger.database import text

SEEN_MARGIN = timedelta(days=1)
"""An id is kept longer than the oldest event that is accepted, so that a replay finds it there."""

_STORE = text(
    """
    with new as (
        insert into event_seen (source, webhook_id)
        select * from unnest(cast(:named_sources as text[]), cast(:named_ids as text[]))
        order by 1, 2
        on conflict do nothing
        returning source, webhook_id
    ), stored as (
        insert into event
            (source, location_id, connection_id, webhook_id, type, body, content_type)
        select given.* from unnest(
            cast(:sources as text[]), cast(:locations as text[]), cast(:connections as bigint[]),
            cast(:ids as text[]), cast(:types as text[]), cast(:bodies as bytea[]),
            cast(:content_types as text[])
        ) as given (source, location_id, connection_id, webhook_id, type, body, content_type)
        left join new on new.source = given.source and new.webhook_id = given.webhook_id
        where given.webhook_id is null or new.webhook_id is not null
    )
    select source, webhook_id from new
    """
)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A webhook whose sender was verified; no text of it holds a NUL, which PostgreSQL refuses.

    Attributes:
        source: who sent it.
        body: the raw bytes.
        webhook_id: what tells it from others; None: it is never taken for one that was seen.
        type: what it calls itself.
        location_id: HighLevel's location.
        connection_id: the connection whose path it came by, for Halo.
        content_type: as given.
    """

    source: Literal["highlevel", "halo"]
    body: bytes
    webhook_id: str | None = None
    type: str | None = None
    location_id: str | None = None
    connection_id: int | None = None
    content_type: str | None = None


def store(connection: Connection, arrived: Sequence[Arrived]) -> list[bool]:
    """Store those that were never seen, in one statement; says of each whether it was new.

    Two receivers with the same event at the same time: one waits for the other's commit. Ids are
    inserted in one order, so neither can wait for both.
    """
    named: dict[tuple[str, str | None], Arrived] = {}
    for one in arrived:
        if one.webhook_id is not None:
            named.setdefault((one.source, one.webhook_id), one)
    sent = [one for one in arrived if named.get((one.source, one.webhook_id), one) is one]
    found = connection.execute(
        _STORE,
        {
            "named_sources": [source for source, _ in named],
            "named_ids": [webhook_id for _, webhook_id in named],
            "sources": [one.source for one in sent],
            "locations": [one.location_id for one in sent],
            "connections": [one.connection_id for one in sent],
            "ids": [one.webhook_id for one in sent],
            "types": [one.type for one in sent],
            "bodies": [one.body for one in sent],
            "content_types": [one.content_type for one in sent],
        },
    )
    new = {id(named[row.source, row.webhook_id]) for row in found}
    return [one.webhook_id is None or id(one) in new for one in arrived]


def forget_seen(connection: Connection, max_age: timedelta, *, most: int = 10_000) -> int:
    """Drop ids of events that would be refused for their age; returns how many went.

    Args:
        connection: the transaction.
        max_age: how old an event may be when it comes.
        most: rows in one go, so that no transaction becomes long.
    """
    return connection.execute(
        text(
            """
            delete from event_seen where (source, webhook_id) in (
                select source, webhook_id from event_seen
                where seen_at < clock_timestamp() - cast(:kept as interval)
                order by seen_at limit :most for update skip locked)
            """
        ),
        {"kept": max_age + SEEN_MARGIN, "most": most},
    ).rowcount


def came(
    connection: Connection, connection_id: int, first: datetime, last: datetime
) -> list[tuple[datetime, bytes]]:
    """When and with what body a connection's webhooks came, those taken from the log left out."""
    found = connection.execute(
        text(
            """
            select at, body from event
            where source = 'halo' and connection_id = :connection_id
              and at between :first and :last
              and (webhook_id is null or webhook_id not like 'halo:%')
            order by at
            """
        ),
        {"connection_id": connection_id, "first": first, "last": last},
    )
    return [(row.at, bytes(row.body)) for row in found]
