"""The ledger's part of an adoption: what is not in Halo yet as far as we know, and its pinning.

To pin a delivery is to write down which row of Halo it is, before anything is sent: whatever
crashes afterwards, that order is never created again. A pinned row that does not carry our
reference yet is marked, so that the writing of references can go on where it ended.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from syncline import jsontext
from syncline.ledger.connections import Link
from syncline.ledger.leases import Lease

FIELD = "adopt"
"""The field by which a doubtful order is known among what is parked."""

_MARK = "adopting"
_LEASE = ", ".join(f"d.{name}" for name in Lease.__slots__)
_OPEN = "d.target_id is null and d.sent_version is null"
_PINNED = f"d.connection_id = :connection_id and d.target_meta ? '{_MARK}'"


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order of which nothing was sent yet: its delivery, and the record as it is known."""

    delivery: int
    order_id: str
    canonical: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Pin:
    """Which row of Halo a delivery is, what it holds of what we compare, and its `change_seq`."""

    delivery: int
    target_id: str
    holds: Mapping[str, str]
    change_seq: int | None


@dataclass(frozen=True, slots=True)
class Pinned:
    """How many pinned rows do not carry our reference yet, and when the next may be looked at."""

    left: int
    next_in_s: float


def open_orders(connection: Connection, link: Link, flow: str, since: date) -> list[OpenOrder]:
    """Orders created from a day on that nothing was sent of, doubtful ones included."""
    found = connection.execute(
        text(
            f"""
            select d.id, d.source_id, r.canonical
            from delivery d
            join record r on r.place = d.place and r.kind = d.source_kind
                         and r.foreign_id = d.source_id
            where d.connection_id = :connection_id and d.flow = :flow and {_OPEN}
              and (d.state in ('due', 'waiting') or (d.state = 'parked' and d.field = :field))
              and r.created_at >= :since
            order by d.source_id
            """  # noqa: S608 - built from constants of this module
        ),
        {"connection_id": link.id, "flow": flow, "field": FIELD, "since": since},
    )
    return [OpenOrder(*row) for row in found]


def known_orders(connection: Connection, link: Link, flow: str) -> dict[str, str]:
    """Halo's id → the order that is known to be it, in the whole tenant."""
    found = connection.execute(
        text(
            """
            select target_id, source_id from delivery
            where tenant_id = :tenant_id and flow = :flow and target_id is not null
            """
        ),
        {"tenant_id": link.tenant, "flow": flow},
    )
    return {row.target_id: row.source_id for row in found}


def in_flight(connection: Connection, link: Link) -> int:
    """How many rows that may be made in Halo just now are in a worker's hands, or in doubt."""
    many: int = connection.execute(
        text(
            """
            select count(*) from delivery
            where connection_id = :connection_id and target_id is null
              and state in ('leased', 'sending', 'checking', 'doubtful')
            """
        ),
        {"connection_id": link.id},
    ).scalar_one()
    return many


def take_up(connection: Connection, deliveries: Collection[int]) -> None:
    """What waits, or was doubtful to an earlier adoption, becomes due, so that it can be taken."""
    connection.execute(
        text("delete from wait where delivery_id = any(:ids)"), {"ids": list(deliveries)}
    )
    connection.execute(
        text(
            f"""
            update delivery d set state = 'due', reason = null, field = null,
                                  due_at = clock_timestamp()
            where d.id = any(:ids) and d.state in ('waiting', 'parked') and {_OPEN}
            """  # noqa: S608 - built from constants of this module
        ),
        {"ids": list(deliveries)},
    )


def pin(connection: Connection, pins: Sequence[Pin]) -> set[int]:
    """Write down which rows of Halo these are; returns the deliveries that could be pinned."""
    rows = [
        {
            "id": one.delivery,
            "target_id": one.target_id,
            "holds": one.holds,
            "meta": {_MARK: True, "change_seq": one.change_seq},
        }
        for one in pins
    ]
    return set(
        connection.execute(
            text(
                f"""
                update delivery d
                set target_id = told.target_id, target_meta = told.meta,
                    projection = told.holds, cause = 'adopt', due_at = clock_timestamp()
                from jsonb_to_recordset(cast(:rows as jsonb))
                     as told (id bigint, target_id text, holds jsonb, meta jsonb)
                where d.id = told.id and d.state = 'due' and {_OPEN}
                returning d.id
                """  # noqa: S608 - built from constants of this module
            ),
            {"rows": jsontext.dumps(rows).decode()},
        ).scalars()
    )


def claim(
    connection: Connection, owner: UUID, deliveries: Collection[int], most: int
) -> list[Lease]:
    """DUE → LEASED for these deliveries, as `deliveries.claim` does for whatever is due."""
    found = connection.execute(
        text(
            f"""
            with open as (
                select id from delivery
                where id = any(:ids) and state = 'due' and due_at <= statement_timestamp()
                order by id limit :most for update skip locked
            )
            update delivery d set state = 'leased', owner = :owner, attempt = d.attempt + 1
            from open where d.id = open.id
            returning {_LEASE}
            """  # noqa: S608 - built from constants of this module
        ),
        {"ids": list(deliveries), "owner": owner, "most": most},
    )
    return sorted((Lease(*row) for row in found), key=lambda lease: lease.id)


def claim_pinned(
    connection: Connection, link: Link, owner: UUID, most: int, *, doubtful: bool
) -> list[Lease]:
    """Pinned rows without our reference: due → LEASED, or doubtful and settled → CHECKING."""
    found = connection.execute(
        text(
            f"""
            with open as (
                select d.id from delivery d
                where {_PINNED} and d.state = :state and d.due_at <= statement_timestamp()
                order by d.id limit :most for update skip locked
            )
            update delivery d set state = :claimed, owner = :owner,
                                  attempt = d.attempt + case when :doubtful then 0 else 1 end
            from open where d.id = open.id
            returning {_LEASE}
            """  # noqa: S608 - built from constants of this module
        ),
        {
            "connection_id": link.id,
            "state": "doubtful" if doubtful else "due",
            "claimed": "checking" if doubtful else "leased",
            "doubtful": doubtful,
            "owner": owner,
            "most": most,
        },
    )
    return sorted((Lease(*row) for row in found), key=lambda lease: lease.id)


def pinned(connection: Connection, link: Link) -> Pinned:
    """What is left of the references to write."""
    row = connection.execute(
        text(
            f"""
            select count(*) as many,
                   coalesce(extract(epoch from min(d.due_at) - clock_timestamp()), 0) as rest
            from delivery d
            where {_PINNED} and d.state in ('due', 'leased', 'sending', 'doubtful', 'checking')
            """  # noqa: S608 - built from constants of this module
        ),
        {"connection_id": link.id},
    ).one()
    return Pinned(row.many, max(float(row.rest), 0.0))


def note_sequence(connection: Connection, delivery: int, change_seq: int | None) -> None:
    """Keep the `change_seq` that a pinned row has now."""
    connection.execute(
        text(
            """
            update delivery
            set target_meta = target_meta || jsonb_build_object('change_seq', cast(:seq as bigint))
            where id = :id
            """
        ),
        {"id": delivery, "seq": change_seq},
    )


def start_from(connection: Connection, link: Link, since: date) -> None:
    """Let a connection begin at another day."""
    connection.execute(
        text("update connection set start_from = :since where id = :id"),
        {"since": since, "id": link.id},
    )


def forget_before(
    connection: Connection, link: Link, since: date, kept_customers: Collection[str]
) -> int:
    """Owe nothing for orders older than a day, of which nothing was sent; returns how many.

    Nor for customers whom nobody else needs.
    """
    forgotten = connection.execute(
        text(
            f"""
            delete from delivery d using record r
            where d.connection_id = :connection_id and d.flow = any(array['orders', 'details'])
              and d.source_kind = 'order' and {_OPEN} and d.delivered_version is null
              and d.state in ('due', 'waiting', 'parked')
              and r.place = d.place and r.kind = d.source_kind and r.foreign_id = d.source_id
              and r.created_at < :since
            returning d.flow
            """  # noqa: S608 - built from constants of this module
        ),
        {"connection_id": link.id, "since": since},
    ).scalars()
    many = len([flow for flow in forgotten if flow == "orders"])
    if many:
        connection.execute(
            text(
                f"""
                delete from delivery d
                where d.connection_id = :connection_id and d.flow = 'customers' and {_OPEN}
                  and d.delivered_version is null and d.state in ('due', 'waiting')
                  and not d.source_id = any(:kept)
                """  # noqa: S608 - built from constants of this module
            ),
            {"connection_id": link.id, "kept": list(kept_customers)},
        )
    return many
