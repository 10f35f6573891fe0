"""Deliveries read without being claimed: what is not delivered yet, and what would change."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from syncline.deliveries.delivery import Lease
from syncline.deliveries.states import URGENT
from syncline.deliveries.waits import EACH_EDGE, Edge, edge_rows
from syncline.ledger.database import text

_NOBODY = UUID(int=0)
WAITS_UNTIL = "waits until "
"""How it begins why one is put off that waits for the first row of its kind."""

_SOON_S = 15
"""What is put off for longer brings nothing that is worth waiting for."""

_PUT_OFF_S = 600
"""What is put off for longer, such as a parcel that has no number yet, is compared with nothing."""

_COLUMNS = ", ".join(f"d.{name}" for name in Lease.__slots__ if name != "owner")
_NAMES = [name for name in Lease.__slots__ if name != "owner"]


@dataclass(frozen=True, slots=True)
class Counted:
    """How many deliveries of a target stand how.

    Attributes:
        open: due, or waiting for others.
        doubtful: looked up before anything else.
        parked: a person must look at them.
    """

    open: int
    doubtful: int
    parked: int


def any_urgent(connection: Connection, connection_id: int, target: str) -> bool:
    """Whether something that an event asked for is due now."""
    found = connection.execute(
        text(
            f"""
            select 1 from delivery
            where connection_id = :connection_id and target = :target
              and {URGENT} and due_at <= statement_timestamp()
            limit 1
            """  # noqa: S608 - built from a constant
        ),
        {"connection_id": connection_id, "target": target},
    )
    return found.first() is not None


def state_of(connection: Connection, delivery_id: int) -> str | None:
    """How a delivery stands; None where it is not there any more."""
    found = connection.execute(
        text("select state from delivery where id = :id"), {"id": delivery_id}
    )
    return found.scalar_one_or_none()


def is_retried(connection: Connection, delivery_id: int) -> bool:
    """Whether a person has just retried a delivery: it has not waited for others since."""
    found = connection.execute(
        text(
            """
            select 1 from delivery
            where id = :id and starts_with(cause, 'parked retry')
              and not starts_with(coalesce(reason, ''), :waits)
            """
        ),
        {"id": delivery_id, "waits": WAITS_UNTIL},
    )
    return found.first() is not None


def is_on_its_way(connection: Connection, delivery_id: int) -> bool:
    """Whether a delivery is being done, or will be without a person, by a connection that works."""
    found = connection.execute(
        text(
            """
            select exists (
                select 1 from delivery d join connection c on c.id = d.connection_id
                where d.id = :id and c.state = 'active'
                  and d.state in ('due', 'leased', 'sending', 'doubtful', 'checking'))
            """
        ),
        {"id": delivery_id},
    )
    return bool(found.scalar_one())


def is_only_one(connection: Connection, lease: Lease) -> bool:
    """Whether no other row of its kind is on its way to the tenant, by a connection that works.

    What is put off for longer than any failure puts it off is not: it would be waited for too long.
    """
    found = connection.execute(
        text(
            """
            select not exists (
                select 1 from delivery d join connection c on c.id = d.connection_id
                where c.tenant_id = :tenant_id and c.state = 'active'
                  and d.target = :target and d.id <> :id
                  and d.state in ('due', 'leased', 'sending', 'doubtful', 'checking')
                  and (d.state <> 'due' or
                       d.due_at < clock_timestamp() + make_interval(secs => :put_off)))
            """
        ),
        {
            "tenant_id": lease.tenant_id,
            "target": lease.target,
            "id": lease.id,
            "put_off": _PUT_OFF_S,
        },
    )
    return bool(found.scalar_one())


def failed_last(connection: Connection, lease: Lease, failures: int) -> bool:
    """Whether another row of its kind was parked after so many failures, and none went since."""
    found = connection.execute(
        text(
            """
            with parked as materialized (
                select max(due_at) as at from delivery
                where connection_id in (select id from connection where tenant_id = :tenant_id)
                  and state = 'parked' and flow = :flow
                  and target = :target and failures >= :failures and id <> :id)
            select at is not null and not exists (
                select 1 from delivery
                where tenant_id = :tenant_id and target = :target and target_id is not null
                  and state = 'delivered' and sent_at > at)
            from parked
            """
        ),
        {
            "tenant_id": lease.tenant_id,
            "flow": lease.flow,
            "target": lease.target,
            "id": lease.id,
            "failures": failures,
        },
    )
    return bool(found.scalar_one())


def count_due(connection: Connection, connection_id: int, target: str, most: int) -> int:
    """Deliveries to a target that are due now, counted up to `most`."""
    found = connection.execute(
        text(
            """
            select count(*) from (
                select 1 from delivery
                where connection_id = :connection_id and target = :target
                  and state in ('due', 'doubtful')  -- as the partial index says it
                  and state = 'due' and due_at <= statement_timestamp()
                order by due_at limit :most) due  -- through the index, however much is due
            """
        ),
        {"connection_id": connection_id, "target": target, "most": most},
    )
    return int(found.scalar_one())


def more_to_come(connection: Connection, connection_id: int, target: str) -> bool:
    """Whether deliveries to a target will be due soon that are not yet.

    Something is being read that may ask for them, or they wait for others.
    """
    found = connection.execute(
        text(
            """
            select exists (select 1 from pull
                           where connection_id = :connection_id and state = 'running'
                             and (owner is not null or due_at < statement_timestamp()
                                                                + make_interval(secs => :soon)))
                or exists (select 1 from delivery
                           where connection_id = :connection_id and flow = 'details'
                             and state in ('due', 'leased')
                             and due_at < statement_timestamp() + make_interval(secs => :soon))
                or exists (select 1 from delivery
                           where connection_id = :connection_id and target = :target
                             and flow in ('customers', 'orders', 'payments', 'subscriptions')
                             and state = 'waiting')
            """
        ),
        {"connection_id": connection_id, "target": target, "soon": _SOON_S},
    )
    return bool(found.scalar_one())


def counts(connection: Connection, connection_id: int) -> dict[str, Counted]:
    """How the deliveries of a connection stand, by target; those that are done are left out."""
    found = connection.execute(
        text(
            """
            select target, count(*) filter (where state in ('due', 'waiting', 'leased')) as open,
                   count(*) filter (where state in ('sending', 'doubtful', 'checking')) as doubtful,
                   count(*) filter (where state = 'parked') as parked
            from delivery where connection_id = :id and state <> 'delivered' group by target
            """
        ),
        {"id": connection_id},
    )
    return {row.target: Counted(row.open, row.doubtful, row.parked) for row in found}


def listed(
    connection: Connection, connection_id: int, target: str, after: int, most: int
) -> list[Lease]:
    """Deliveries that are due or wait, behind the one with the number `after`; in nobody's name."""
    found = connection.execute(
        text(
            f"""
            select {_COLUMNS} from delivery d
            where d.connection_id = :id and d.target = :target
              and d.state in ('due', 'waiting', 'leased') and d.id > :after
            order by d.id limit :most
            """  # noqa: S608 - built from a constant of this module
        ),
        {"id": connection_id, "target": target, "after": after, "most": most},
    )
    return [Lease(**dict(zip(_NAMES, row, strict=True)), owner=_NOBODY) for row in found]


def of_edges(
    connection: Connection, tenant_id: int, edges: Sequence[Edge]
) -> dict[Edge, tuple[Lease, str]]:
    """Deliveries by (flow, source id, role) with their states; in nobody's name."""
    if not edges:
        return {}
    found = connection.execute(
        text(f"select {_COLUMNS}, d.state from {EACH_EDGE}"),  # noqa: S608 - constants
        {"tenant_id": tenant_id, "rows": edge_rows(edges)},
    )
    leases = [
        (Lease(**dict(zip(_NAMES, row, strict=False)), owner=_NOBODY), str(row.state))
        for row in found
    ]
    return {(one.flow, one.source_id, one.role): (one, state) for one, state in leases}


def states(connection: Connection, tenant_id: int, edges: Sequence[Edge]) -> dict[Edge, str]:
    """The states of deliveries that others wait for, by (flow, source id, role)."""
    found = connection.execute(
        text(f"select d.flow, d.source_id, d.role, d.state from {EACH_EDGE}"),  # noqa: S608 - a constant
        {"tenant_id": tenant_id, "rows": edge_rows(edges)},
    )
    return {(row.flow, row.source_id, row.role): row.state for row in found}


def parked_for(
    connection: Connection,
    connection_id: int,
    wanted: tuple[str, str, str],
    fields: Collection[str],
    source_ids: Collection[str],
) -> set[str]:
    """The source ids among these of what is parked for the sake of some fields.

    Args:
        connection: the transaction.
        connection_id: whose these are.
        wanted: their flow, kind and role.
        fields: for which they are parked.
        source_ids: the records.
    """
    flow, kind, role = wanted
    found = connection.execute(
        text(
            """
            -- Mostly nothing is parked: what is parked is gone through, not what comes.
            with parked as materialized (
                select source_id from delivery
                where connection_id = :connection_id and state = 'parked' and flow = :flow
                  and source_kind = :kind and role = :role and field = any(:fields))
            select source_id from parked where source_id = any(:source_ids)
            """
        ),
        {
            "connection_id": connection_id,
            "flow": flow,
            "kind": kind,
            "role": role,
            "fields": list(fields),
            "source_ids": list(source_ids),
        },
    )
    return set(found.scalars())


def shown(
    connection: Connection, place: str, order_ids: Sequence[str]
) -> dict[str, Mapping[str, Any]]:
    """What HighLevel showed last of the fulfillments of orders, as it was read."""
    found = connection.execute(
        text(
            """
            select foreign_id, payload from facet
            where place = :place and kind = 'order' and facet = 'fulfillments'
              and foreign_id = any(:ids)
            """
        ),
        {"place": place, "ids": list(order_ids)},
    )
    return {row.foreign_id: row.payload for row in found}
