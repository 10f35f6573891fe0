"""Parked deliveries, for those who decide about them. Sending again is `unleased.retry`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from syncline.deliveries import causes
from syncline.deliveries.states import DOUBTED, MAY_BE_THERE, NEEDS_A_PERSON
from syncline.ledger.database import text
from syncline.ledger.modes import HELD


@dataclass(frozen=True, slots=True)
class ParkedDelivery:
    """A delivery that needs a person: the reason, and the field where one is to blame."""

    id: int
    connection_id: int
    connection: str
    flow: str
    role: str
    target: str
    source_kind: str
    source_id: str
    target_id: str | None
    wanted_version: int
    delivered_version: int | None
    wanted: dict[str, Any] | None
    delivered: dict[str, Any] | None
    target_meta: dict[str, Any] | None
    attempt: int
    sent_at: datetime | None
    parked_at: datetime
    reason: str | None
    field: str | None
    cause: str

    @property
    def may_be_there(self) -> bool:
        """Whether the other side may hold it already: made, it would be there twice."""
        return self.field == DOUBTED and self.target_id is None


@dataclass(frozen=True, slots=True)
class ParkedCause:
    """Why deliveries are parked: one reason, of one field, for any number of records.

    Attributes:
        id: stays the same as long as the reason does.
        records: how many deliveries are parked for it.
        since: when the one that has waited longest was parked.
        latest: when the last one was parked.
        flow: the flow of all of them.
        target: what they are in Halo.
        field: the field to blame, where one is.
        reason: with "…" for what differs between them.
        connections: the names of their connections.
        example: the number of one of them.
        example_record: its record's id.
        example_reason: its reason as it was given.
    """

    id: str
    records: int
    since: datetime
    latest: datetime
    flow: str
    target: str
    field: str | None
    reason: str
    connections: list[str]
    example: int
    example_record: str
    example_reason: str | None


@dataclass(frozen=True, slots=True)
class SourceRecord:
    """What a parked delivery is made from: the record, and each shape in which it was last seen."""

    version: int
    canonical: dict[str, Any]
    facets: dict[str, Any]


_ONLY = f"""
    {NEEDS_A_PERSON}
    and (cast(:connection_id as bigint) is null or d.connection_id = :connection_id)"""

_ONLY_CAUSE = f"(cast(:cause as text) is null or {causes.ID} = :cause)"

_ONLY_RECORD = """
    (cast(:record as text) is null or d.source_id = :record or cast(d.id as text) = :record)"""


def listed(
    connection: Connection,
    *,
    connection_id: int | None = None,
    record: str | None = None,
    cause: str | None = None,
    most: int | None = None,
) -> list[ParkedDelivery]:
    """Parked deliveries in the order in which they came to be.

    Args:
        connection: the transaction.
        connection_id: only of this connection.
        record: only of the record with this id, or the one delivery with this number.
        cause: only those with this cause.
        most: so many at most.
    """
    found = connection.execute(
        text(
            f"""
            select d.id, d.connection_id, c.name, d.flow, d.role, d.target, d.source_kind,
                   d.source_id, d.target_id, d.wanted_version, d.delivered_version,
                   d.sent_projection, d.projection, d.target_meta, d.attempt, d.sent_at, d.due_at,
                   d.reason, d.field, {causes.ID}
            from delivery d join connection c on c.id = d.connection_id
            where {_ONLY} and {_ONLY_CAUSE} and {_ONLY_RECORD}
            order by d.id limit cast(:most as bigint)
            """  # noqa: S608 - built from constants
        ),
        {
            "connection_id": connection_id,
            "record": record,
            "cause": cause,
            "most": most,
            **causes.PATTERNS,
        },
    )
    return [ParkedDelivery(*row) for row in found]


def by_cause(
    connection: Connection, *, connection_id: int | None = None, cause: str | None = None
) -> list[ParkedCause]:
    """Why deliveries are parked, the cause with the most records first.

    Args:
        connection: the transaction.
        connection_id: only of this connection.
        cause: only the one with this id.
    """
    found = connection.execute(
        text(
            f"""
            with parked as materialized (
                select d.id, d.connection_id, flow, target, field, d.due_at, {causes.SAID} as said
                from delivery d where {_ONLY}
            ), cause as (
                select {causes.id_of("said")} as id, count(*) as records, min(due_at) as since,
                       max(due_at) as latest, flow, target, field, said,
                       array_agg(distinct connection_id) as connections, min(id) as example
                from parked group by flow, target, field, said
            )
            select cause.id, records, since, latest, cause.flow, cause.target, cause.field, said,
                   array(select c.name from connection c where c.id = any(connections)
                         order by c.name),
                   example, d.source_id, d.reason
            from cause join delivery d on d.id = example
            where cast(:cause as text) is null or cause.id = :cause
            order by records desc, since, example
            """  # noqa: S608 - built from constants
        ),
        {"connection_id": connection_id, "cause": cause, **causes.PATTERNS},
    )
    return [ParkedCause(*row) for row in found]


def counts(
    connection: Connection,
    *,
    connection_id: int | None = None,
    record: str | None = None,
    cause: str | None = None,
    doubted: bool | None = None,
) -> dict[str, int]:
    """How many deliveries are parked, by target.

    Args:
        connection: the transaction.
        connection_id: only of this connection.
        record: only of the record with this id, or the one delivery with this number.
        cause: only those with this cause.
        doubted: only those that the other side may hold already, or only the others; None: all.
    """
    found = connection.execute(
        text(
            f"""
            select d.target, count(*) as many from delivery d
            where {_ONLY} and {_ONLY_CAUSE} and {_ONLY_RECORD}
              and (cast(:doubted as boolean) is null or {MAY_BE_THERE} = :doubted)
            group by d.target order by d.target
            """  # noqa: S608 - built from constants
        ),
        {
            "connection_id": connection_id,
            "record": record,
            "cause": cause,
            "doubted": doubted,
            **causes.PATTERNS,
        },
    )
    return {row.target: row.many for row in found}


def held(connection: Connection, *, connection_id: int | None = None) -> dict[str, int]:
    """How many deliveries are held back until their connection is live, by its name."""
    found = connection.execute(
        text(
            """
            select c.name, count(*) as many from delivery d
            join connection c on c.id = d.connection_id
            where d.state = 'parked' and d.field = :held
              and (cast(:connection_id as bigint) is null or d.connection_id = :connection_id)
            group by c.name order by c.name
            """
        ),
        {"connection_id": connection_id, "held": HELD},
    )
    return {row.name: row.many for row in found}


def source_of(connection: Connection, delivery_id: int) -> SourceRecord | None:
    """What a delivery is made from; None if its record was not seen yet."""
    found = connection.execute(
        text(
            """
            select r.version, r.canonical,
                   (select coalesce(jsonb_object_agg(f.facet, f.payload), '{}') from facet f
                    where f.place = d.place and f.kind = d.source_kind
                      and f.foreign_id = d.source_id)
            from delivery d
            join record r on r.place = d.place and r.kind = d.source_kind
                         and r.foreign_id = d.source_id
            where d.id = :id
            """
        ),
        {"id": delivery_id},
    ).first()
    return None if found is None else SourceRecord(*found)
