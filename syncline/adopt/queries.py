"""The ledger's part of an adoption: what is not in Halo yet as far as we know."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Connection

from syncline.deliveries.pinned import OPEN
from syncline.deliveries.states import DOUBTED
from syncline.ledger.connections import Link
from syncline.ledger.database import text

UNDECIDED = f"(d.state in ('due', 'waiting') or (d.state = 'parked' and d.field = '{DOUBTED}'))"
"""A delivery that nobody has decided about yet."""

NAMED = """
    r.foreign_id in (
        select t.canonical ->> 'entity_id' from record t
        join delivery p on p.tenant_id = :tenant_id and p.source_id = t.foreign_id
                       and p.flow = any(array['payments', 'subscriptions'])
        where t.place = :place and t.kind = any(array['transaction', 'subscription'])
          and t.created_at >= :since and t.canonical ->> 'entity_id' is not null)"""
"""An order, however old, that money from that day on belongs to, so that it is needed too."""


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order of which nothing was sent yet: its delivery, and the record as it is known."""

    delivery: int
    order_id: str
    canonical: dict[str, Any]


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
    """Request nothing for what is older than a day and was not sent; returns how many orders.

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
