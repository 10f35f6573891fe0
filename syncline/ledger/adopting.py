"""The ledger's part of an adoption: what is not in Halo yet as far as we know, and its pinning.

To pin a delivery is to write down which row of Halo it is, before anything is sent: whatever
crashes afterwards, that order is never created again. A pinned row that does not carry our
reference yet is marked, so that the writing of references can go on where it ended. Until then it
counts as doubtful: a worker that comes upon it reads the whole row first, so that the lines which
stand there are known to it when it writes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from syncline import jsontext
from syncline.deliveries.leases import Lease
from syncline.ledger.connections import Link

FIELD = "adopt"
"""The field by which a doubtful order is known among what is parked."""

_MARK = "adopting"
_LEASE = ", ".join(f"d.{name}" for name in Lease.__slots__)
OPEN = "d.target_id is null and d.sent_version is null"
"""A delivery that nothing was sent for."""

UNDECIDED = f"(d.state in ('due', 'waiting') or (d.state = 'parked' and d.field = '{FIELD}'))"
"""A delivery that nobody has decided about yet."""

NAMED = """
    r.foreign_id in (
        select t.canonical ->> 'entity_id' from record t
        join delivery p on p.tenant_id = :tenant_id and p.source_id = t.foreign_id
                       and p.flow = any(array['payments', 'subscriptions'])
        where t.place = :place and t.kind = any(array['transaction', 'subscription'])
          and t.created_at >= :since and t.canonical ->> 'entity_id' is not null)"""
"""An order, however old, that money from that day on belongs to, so that it is needed too."""

_UNSENT = "(d.state = 'due' or (d.state = 'doubtful' and d.sent_version is null))"
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
    """Orders from a day on that nothing was sent of, doubtful ones included.

    Older ones too, where a transaction or subscription from that day on belongs to them.
    """
    found = connection.execute(
        text(
            f"""
            select d.id, d.source_id, r.canonical
            from delivery d
            join record r on r.place = d.place and r.kind = d.source_kind
                         and r.foreign_id = d.source_id
            where d.connection_id = :connection_id and d.flow = :flow and {OPEN}
              and {UNDECIDED} and (r.created_at >= :since or {NAMED})
            order by d.source_id
            """  # noqa: S608 - built from constants of this module
        ),
        {
            "connection_id": link.id,
            "tenant_id": link.tenant,
            "place": link.location_place,
            "flow": flow,
            "since": since,
        },
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
            where d.id = any(:ids) and d.state in ('waiting', 'parked') and {OPEN}
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
                set state = 'doubtful', target_id = told.target_id, target_meta = told.meta,
                    projection = told.holds, cause = 'adopt', due_at = clock_timestamp()
                from jsonb_to_recordset(cast(:rows as jsonb))
                     as told (id bigint, target_id text, holds jsonb, meta jsonb)
                where d.id = told.id and d.state = 'due' and {OPEN}
                returning d.id
                """  # noqa: S608 - built from constants of this module
            ),
            {"rows": jsontext.dumps(rows).decode()},
        ).scalars()
    )


def claim(
    connection: Connection, owner: UUID, deliveries: Collection[int], most: int
) -> list[Lease]:
    """DUE, or pinned → LEASED for these deliveries, as `deliveries.claim` does for what is due."""
    found = connection.execute(
        text(
            f"""
            with open as (
                select d.id from delivery d
                where d.id = any(:ids) and {_UNSENT} and d.due_at <= statement_timestamp()
                order by d.id limit :most for update skip locked
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
    connection: Connection, link: Link, target: str, owner: UUID, most: int, *, doubtful: bool
) -> list[Lease]:
    """Pinned rows without our reference: not sent → LEASED, or doubtful and settled → CHECKING."""
    wanted = "d.state = 'doubtful' and d.sent_version is not null" if doubtful else _UNSENT
    found = connection.execute(
        text(
            f"""
            with open as (
                select d.id from delivery d
                where {_PINNED} and d.target = :target and {wanted}
                  and d.due_at <= statement_timestamp()
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
            "target": target,
            "claimed": "checking" if doubtful else "leased",
            "doubtful": doubtful,
            "owner": owner,
            "most": most,
        },
    )
    return sorted((Lease(*row) for row in found), key=lambda lease: lease.id)


def pinned(connection: Connection, link: Link, target: str) -> Pinned:
    """What is left of the references to write to one kind of row."""
    row = connection.execute(
        text(
            f"""
            select count(*) as many,
                   coalesce(extract(epoch from min(d.due_at) - clock_timestamp()), 0) as rest
            from delivery d
            where {_PINNED} and d.target = :target
              and d.state in ('due', 'leased', 'sending', 'doubtful', 'checking')
            """  # noqa: S608 - built from constants of this module
        ),
        {"connection_id": link.id, "target": target},
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


def named_orders(connection: Connection, link: Link, since: date) -> set[str]:
    """Orders that money from a day on belongs to."""
    found = connection.execute(
        text(
            f"""
            select r.foreign_id from record r
            where r.place = :place and r.kind = 'order' and {NAMED}
            """  # noqa: S608 - built from a constant of this module
        ),
        {"place": link.location_place, "tenant_id": link.tenant, "since": since},
    )
    return set(found.scalars())


def missing_orders(connection: Connection, link: Link) -> list[str]:
    """Orders that money belongs to and that nobody has read yet."""
    found = connection.execute(
        text(
            """
            select d.source_id from delivery d
            where d.connection_id = :connection_id and d.flow = 'details'
              and d.source_kind = 'order' and d.state = 'due' and d.wanted_version = 0
              and not exists (select 1 from record r where r.place = d.place
                              and r.kind = 'order' and r.foreign_id = d.source_id)
            order by d.source_id
            """
        ),
        {"connection_id": link.id},
    )
    return list(found.scalars())


_NOTHING_YET = f"{OPEN} and d.delivered_version is null"
_STILL = "d.state in ('due', 'waiting', 'parked')"

_FORGET_MONEY = f"""
    delete from delivery d using record r
    where d.connection_id = :connection_id and {_NOTHING_YET} and {_STILL}
      and d.source_kind = any(array['transaction', 'subscription'])
      and d.flow = any(array['payments', 'subscriptions', 'details'])
      and r.place = d.place and r.kind = d.source_kind and r.foreign_id = d.source_id
      and r.created_at < :since
"""  # noqa: S608 - built from constants of this module
_FORGET_ORDERS = f"""
    delete from delivery d using record r
    where d.connection_id = :connection_id and {_NOTHING_YET} and {_STILL}
      and d.source_kind = 'order' and d.flow = any(array['orders', 'payments', 'details'])
      and r.place = d.place and r.kind = d.source_kind and r.foreign_id = d.source_id
      and r.created_at < :since and not {NAMED}
    returning d.flow
"""  # noqa: S608 - built from constants of this module
_FORGET_CUSTOMERS = f"""
    delete from delivery d
    where d.connection_id = :connection_id and d.flow = 'customers' and {_NOTHING_YET}
      and d.state in ('due', 'waiting') and not d.source_id = any(:kept)
"""  # noqa: S608 - built from constants of this module


def forget_before(
    connection: Connection, link: Link, since: date, kept_customers: Collection[str]
) -> int:
    """Owe nothing for what is older than a day and was not sent; returns how many orders.

    Nor for customers whom nobody else needs. An older order is kept where later money needs it.
    """
    given = {
        "connection_id": link.id,
        "tenant_id": link.tenant,
        "place": link.location_place,
        "since": since,
    }
    money = connection.execute(text(_FORGET_MONEY), given).rowcount
    forgotten = list(connection.execute(text(_FORGET_ORDERS), given).scalars())
    if money or forgotten:
        kept = {"connection_id": link.id, "kept": list(kept_customers)}
        connection.execute(text(_FORGET_CUSTOMERS), kept)
    return len([flow for flow in forgotten if flow == "orders"])
