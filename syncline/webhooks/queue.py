"""Events that are stored and not handled yet: taken, handled and closed in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection

from syncline import jsontext
from syncline.ledger.database import text

Place = tuple[Literal["highlevel", "halo"], str | None, int | None]
"""Where events come from: who sends them, HighLevel's location, the connection for Halo."""


@dataclass(frozen=True, slots=True)
class TakenEvent:
    """A stored event in this transaction's hands."""

    id: int
    at: datetime
    source: Literal["highlevel", "halo"]
    location_id: str | None
    connection_id: int | None
    body: bytes

    @property
    def place(self) -> Place:
        """Where it comes from."""
        return self.source, self.location_id, self.connection_id


@dataclass(frozen=True, slots=True)
class Handled:
    """What became of an event.

    Attributes:
        event: the event.
        state: done, ignored (kept and counted, no flow uses it) or parked (a person should look).
        kind: of the record that it told of.
        foreign_id: that record's id.
        note: why, for a person.
    """

    event: TakenEvent
    state: Literal["done", "ignored", "parked"]
    kind: str | None = None
    foreign_id: str | None = None
    note: str | None = None


_Turn = tuple[str, int | str | None]
"""A condition with an order, and what comes before it."""

_OLDEST = "true order by id"
_OF_HALO = """source = 'halo' and location_id is null and connection_id > :beyond
              order by source, location_id, connection_id, id"""
_OF_LOCATIONS = """source = 'highlevel' and location_id > :beyond
                   order by source, location_id, connection_id, id"""
_OF_NO_LOCATION = "source = 'highlevel' and location_id is null order by id"


def take(connection: Connection, most: int, *, after: Place | None = None) -> list[TakenEvent]:
    """Unhandled events of one place, the oldest first, locked until the commit.

    Those of one place only, so that a transaction holds the locks of one location's records; and a
    place is in one worker's hands at a time, so that no other waits for those locks.

    Args:
        connection: the transaction.
        most: how many.
        after: the place that was served last, for the next one in turn, so that a place with very
            many holds up no other; None: the place of the oldest event.
    """
    busy: set[Place] = set()
    place = _next_place(connection, after)
    while place is not None and not _lock(connection, place):
        if place in busy:
            return []
        busy.add(place)
        place = _next_place(connection, place)
    if place is None:
        return []
    source, location_id, connection_id = place
    found = connection.execute(
        text(
            """
            select id, at, source, location_id, connection_id, body from event
            where state = 'new' and source = :source
              and location_id is not distinct from :location_id
              and connection_id is not distinct from :connection_id
            order by id limit :most for update skip locked
            """
        ),
        {
            "source": source,
            "location_id": location_id,
            "connection_id": connection_id,
            "most": most,
        },
    )
    return [
        TakenEvent(row.id, row.at, row.source, row.location_id, row.connection_id, bytes(row.body))
        for row in found
    ]


def _next_place(connection: Connection, after: Place | None) -> Place | None:
    for where, beyond in _turns(after):
        first = connection.execute(
            text(
                f"""
                select source, location_id, connection_id from event
                where state = 'new' and {where} limit 1
                """  # noqa: S608 - constants of this module
            ),
            {} if beyond is None else {"beyond": beyond},
        ).first()
        if first is not None:
            return first.source, first.location_id, first.connection_id
    return None


def _lock(connection: Connection, place: Place) -> bool:
    """Whether nobody else has the place; then it is ours until the transaction ends."""
    found = connection.execute(
        text("select pg_try_advisory_xact_lock(hashtextextended(:name, 3))"),
        {"name": "/".join(str(part) for part in place)},
    )
    return bool(found.scalar_one())


def _turns(after: Place | None) -> list[_Turn]:
    """Where to look next, from one place on and around; each is one look into an index."""
    if after is None:
        return [(_OLDEST, None)]
    around: list[_Turn] = [(_OF_HALO, 0), (_OF_LOCATIONS, ""), (_OF_NO_LOCATION, None)]
    source, location_id, connection_id = after
    if source == "halo":
        return [(_OF_HALO, connection_id or 0), *around[1:], *around]
    if location_id is not None:
        return [(_OF_LOCATIONS, location_id), around[2], *around]
    return around


def close(connection: Connection, handled: Sequence[Handled]) -> None:
    """NEW → done, ignored or parked."""
    rows = [
        {
            "id": one.event.id,
            "at": one.event.at,
            "state": one.state,
            "kind": one.kind,
            "foreign_id": one.foreign_id,
            "note": one.note,
        }
        for one in handled
    ]
    connection.execute(
        text(
            """
            update event e
            set state = told.state, kind = told.kind, foreign_id = told.foreign_id,
                note = told.note, handled_at = clock_timestamp()
            from jsonb_to_recordset(cast(:rows as jsonb)) as told
                 (id bigint, at timestamptz, state text, kind text, foreign_id text, note text)
            where e.id = told.id and e.at = told.at and e.state = 'new'
            """
        ),
        {"rows": jsontext.dumps(rows).decode()},
    )


def is_waiting(connection: Connection) -> bool:
    """Whether there is anything to handle."""
    found = connection.execute(text("select 1 from event where state = 'new' order by id limit 1"))
    return found.first() is not None


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as it stands, for a person."""

    id: int
    at: datetime
    source: str
    place: str | None
    type: str | None
    state: str
    kind: str | None
    foreign_id: str | None
    note: str | None
    bytes: int
    handled_at: datetime | None


_STORED = """
    select e.id, e.at, e.source, coalesce(c.name, e.location_id) as place, e.type, e.state,
           e.kind, e.foreign_id, e.note, length(e.body) as bytes, e.handled_at
    from event e left join connection c on c.id = e.connection_id"""


def listed(
    connection: Connection, *, state: str | None, event_type: str | None, most: int
) -> list[StoredEvent]:
    """The newest events, of one state and type if they are given."""
    found = connection.execute(
        text(
            f"""
            {_STORED}
            where (cast(:state as text) is null or e.state = :state)
              and (cast(:type as text) is null or e.type = :type)
            order by e.at desc, e.id desc limit :most
            """
        ),
        {"state": state, "type": event_type, "most": most},
    )
    return [StoredEvent(*row) for row in found]


def stored(connection: Connection, event_id: int) -> tuple[StoredEvent, bytes] | None:
    """One event with its body as it came."""
    row = connection.execute(text(f"{_STORED} where e.id = :id"), {"id": event_id}).first()
    if row is None:
        return None
    body = connection.execute(text("select body from event where id = :id"), {"id": event_id})
    return StoredEvent(*row), bytes(body.scalar_one())


def again(connection: Connection, *, event_id: int | None) -> int:
    """PARKED or ignored → NEW for one event, or for all that are parked; returns how many."""
    return connection.execute(
        text(
            """
            update event set state = 'new', note = null
            where (cast(:id as bigint) is null and state = 'parked')
               or (id = :id and state in ('parked', 'ignored'))
            """
        ),
        {"id": event_id},
    ).rowcount


def set_aside(connection: Connection, *, event_id: int | None) -> int:
    """PARKED → ignored for one event, or for all that are parked; returns how many."""
    return connection.execute(
        text(
            """
            update event set state = 'ignored'
            where state = 'parked' and (cast(:id as bigint) is null or id = :id)
            """
        ),
        {"id": event_id},
    ).rowcount
