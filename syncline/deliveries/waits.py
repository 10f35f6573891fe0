"""Wait edges: a delivery that needs what is not there yet, woken by the transaction that brings it.

The dependency's row is locked in share mode before an edge is written, so its confirmation either
sees the edge or is seen by us: no wake-up is lost.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from uuid import UUID

from sqlalchemy import Connection

from syncline import jsontext
from syncline.deliveries.delivery import Lease
from syncline.ledger.database import text

Edge = tuple[str, str, str]
"""(flow, source id, role) of the delivery that is waited for."""

EACH_EDGE = """
    jsonb_to_recordset(cast(:rows as jsonb)) as edge (flow text, source_id text, role text)
    cross join lateral (
        select * from delivery d
        where d.tenant_id = :tenant_id and d.flow = edge.flow
          and d.source_id = edge.source_id and d.role = edge.role
        limit 1) d"""
"""The deliveries `d` of edges: one look into the index each, whatever the planner thinks."""

# One look into the index for each, whatever the planner thinks of the table's size.
_EACH_DEPENDENCY = """
    (select distinct flow, source_id, role
     from jsonb_to_recordset(cast(:rows as jsonb))
          as edge (flow text, source_id text, role text)) edge
    cross join lateral (
        select id from delivery dep
        where dep.tenant_id = :tenant_id and dep.flow = edge.flow
          and dep.source_id = edge.source_id and dep.role = edge.role limit 1) found
    join delivery dep on dep.id = found.id"""

_READY = "(dep.state = 'delivered' or dep.target_id is not null)"


def ready(connection: Connection, tenant_id: int, edges: Sequence[Edge]) -> set[Edge]:
    """Which of these deliveries are there; the others stay as they are until the caller commits."""
    found = connection.execute(
        text(
            f"""
            select dep.flow, dep.source_id, dep.role, {_READY} as ready
            from {_EACH_DEPENDENCY}
            order by dep.id for share of dep
            """  # noqa: S608 - built from constants of this module
        ),
        {"tenant_id": tenant_id, "rows": edge_rows(edges)},
    )
    return {(row.flow, row.source_id, row.role) for row in found if row.ready}


def add_edges(connection: Connection, tenant_id: int, edges: Mapping[int, Edge]) -> None:
    """Edges of deliveries that were born waiting; the caller has asked `ready` before."""
    if not edges:
        return
    rows = [
        {"id": delivery, "flow": flow, "source_id": source_id, "role": role}
        for delivery, (flow, source_id, role) in sorted(edges.items())
    ]
    connection.execute(
        text(
            """
            insert into wait (delivery_id, tenant_id, flow, source_id, role)
            select id, :tenant_id, flow, source_id, role
            from jsonb_to_recordset(cast(:rows as jsonb))
                 as edge (id bigint, flow text, source_id text, role text)
            """
        ),
        {"tenant_id": tenant_id, "rows": jsontext.dumps(rows).decode()},
    )


def wait(
    connection: Connection,
    tenant_id: int,
    owner: UUID,
    edges: Mapping[int, Sequence[Edge]],
    leases: Iterable[Lease] = (),
) -> set[int]:
    """LEASED → WAITING for each delivery id; back to DUE where its needs have come meanwhile.

    One that was requested anew since its needs were found out, by a new version or under another
    mapping, is due again too: it may need others by now, and nobody might ever make what it needed
    before.

    Args:
        connection: the transaction.
        tenant_id: whose.
        owner: the session that holds them.
        edges: what each needs.
        leases: the deliveries as they were when their needs were found out.

    Returns:
        The ids that wait now.
    """
    wanted = [edge for needs in edges.values() for edge in needs]
    if not wanted:
        return set()
    there = ready(connection, tenant_id, wanted)
    as_asked = {one.id: {"version": one.wanted_version, "cause": one.cause} for one in leases}
    rows = [
        {
            "id": delivery,
            "flow": edge[0],
            "source_id": edge[1],
            "role": edge[2],
            "there": edge in there,
            **as_asked.get(delivery, {}),
        }
        for delivery, needs in sorted(edges.items())
        for edge in needs
    ]
    parameters = {
        "tenant_id": tenant_id,
        "owner": owner,
        "rows": jsontext.dumps(rows).decode(),
    }
    # Locked first: else a newer version that is being committed would be seen by nobody.
    connection.execute(
        text("select 1 from delivery where id = any(:ids) order by id for update"),
        {"ids": sorted(edges)},
    )
    # What it needed in an earlier version it may not need any more.
    connection.execute(
        text(
            """
            delete from wait using delivery d
            where d.id = wait.delivery_id and d.id = any(:ids)
              and d.state = 'leased' and d.owner = :owner
            """
        ),
        {"ids": sorted(edges), "owner": owner},
    )
    waiting = connection.execute(
        text(
            """
            with edge as (
                select * from jsonb_to_recordset(cast(:rows as jsonb))
                     as edge (id bigint, flow text, source_id text, role text, there boolean,
                              version bigint, cause text)
            ), missing as (
                select edge.* from edge join delivery d using (id)
                where not there and (edge.version is null or d.wanted_version <= edge.version)
                  and (edge.cause is null or d.cause = edge.cause)
            ), added as (
                insert into wait (delivery_id, tenant_id, flow, source_id, role)
                select missing.id, :tenant_id, missing.flow, missing.source_id, missing.role
                from missing join delivery d on d.id = missing.id
                where d.state = 'leased' and d.owner = :owner
                on conflict do nothing
            )
            update delivery d
            set owner = null, due_at = clock_timestamp(),
                state = case when d.id in (select id from missing) then 'waiting' else 'due' end
            where d.id in (select id from edge) and d.state = 'leased' and d.owner = :owner
            returning d.id, d.state
            """
        ),
        parameters,
    )
    return {row.id for row in waiting if row.state == "waiting"}


def wake(connection: Connection, delivered: Sequence[int]) -> int:
    """WAITING → DUE for what waited only for these deliveries; returns how many."""
    if not delivered:
        return 0
    freed = connection.execute(
        text(
            f"""
            delete from wait using delivery dep
            where dep.id = any(:ids) and wait.tenant_id = dep.tenant_id
              and wait.flow = dep.flow and wait.source_id = dep.source_id
              and wait.role = dep.role and {_READY}
            returning wait.delivery_id
            """  # noqa: S608 - built from a constant of this module
        ),
        {"ids": list(delivered)},
    ).scalars()
    return _free(connection, sorted(set(freed)))


def wake_ready(connection: Connection) -> int:
    """WAITING → DUE for whatever has no unmet edge any more: the sweep's safety net."""
    connection.execute(
        text(
            f"""
            delete from wait using delivery dep
            where wait.tenant_id = dep.tenant_id and wait.flow = dep.flow
              and wait.source_id = dep.source_id and wait.role = dep.role and {_READY}
            """  # noqa: S608 - built from a constant of this module
        )
    )
    idle = connection.execute(
        text(
            """
            select d.id from delivery d
            where d.state = 'waiting'
              and not exists (select 1 from wait where wait.delivery_id = d.id)
            """
        )
    ).scalars()
    return _free(connection, sorted(idle))


def hurry(connection: Connection, tenant_id: int, target: str, why: str) -> None:
    """Those of a kind that are put off are due now, where the reason for that begins so."""
    connection.execute(
        text(
            """
            with put_off as (
                select id from delivery
                where tenant_id = :tenant_id and target = :target and state = 'due'
                  and due_at > clock_timestamp() and starts_with(coalesce(reason, ''), :why)
                order by id for update skip locked
            )
            update delivery d set due_at = clock_timestamp() from put_off where d.id = put_off.id
            """
        ),
        {"tenant_id": tenant_id, "target": target, "why": why},
    )


def _free(connection: Connection, ids: Sequence[int]) -> int:
    if not ids:
        return 0
    return connection.execute(
        text(
            """
            update delivery d set state = 'due', due_at = clock_timestamp()
            where d.id = any(:ids) and d.state = 'waiting'
              and not exists (select 1 from wait where wait.delivery_id = d.id)
            """
        ),
        {"ids": list(ids)},
    ).rowcount


def edge_rows(edges: Collection[Edge]) -> str:
    """Edges as the JSON that `EACH_EDGE` takes them from."""
    return jsontext.dumps(
        [{"flow": flow, "source_id": source_id, "role": role} for flow, source_id, role in edges]
    ).decode()
