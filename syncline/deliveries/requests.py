"""Obligations: what deliveries are owed, and what is known already without being fetched.

Each is one INSERT … ON CONFLICT for many rows; one in a worker's hands stays there.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, text

from syncline import jsontext
from syncline.deliveries.leases import Debt, is_urgent
from syncline.deliveries.target_rows import ACCEPTED, GONE
from syncline.deliveries.unleased import UNPARKED
from syncline.deliveries.waits import add_edges, wake
from syncline.ledger.modes import HELD

_IN_DOUBT = "delivery.state = 'parked' and delivery.field is not distinct from 'adopt'"
"""Halo may hold it already: a new version must not let it be created before a person decided."""

_LEFT_GONE = f"delivery.target_meta #> '{{{ACCEPTED},{GONE}}}' is not null"
"""A person took it that its target row is gone: only a new version brings it back."""


def owe(
    connection: Connection,
    connection_id: int,
    tenant_id: int,
    debts: Sequence[Debt],
    cause: str,
    *,
    again: bool = False,
) -> int:
    """Make deliveries due for new versions; returns how many rows that touched.

    With `again`, also those of this very version: what they are rendered to may have changed with
    the mapping. One in a worker's hands is due once more when that one has ended.
    """
    if not debts:
        return 0
    rows = [
        {
            **_named(debt),
            "after": debt.after.total_seconds(),
            "waits": debt.waits_for is not None,
            "cause": debt.cause or cause,
            "urgent": is_urgent(debt.cause or cause),
        }
        for debt in sorted(set(debts), key=lambda debt: (debt.flow, debt.source_id, debt.role))
    ]
    touched = connection.execute(
        text(
            f"""
            insert into delivery (tenant_id, connection_id, flow, role, target, place,
                                  source_kind, source_id, wanted_version, cause, urgent, due_at,
                                  state)
            select :tenant_id, :connection_id, flow, role, target, place,
                   source_kind, source_id, version, cause, urgent,
                   clock_timestamp() + make_interval(secs => after),
                   case when waits then 'waiting' else 'due' end
            from jsonb_to_recordset(cast(:rows as jsonb)) as owed
                 (flow text, role text, target text, place text,
                  source_kind text, source_id text, version bigint, after double precision,
                  waits boolean, cause text, urgent boolean)
            on conflict (tenant_id, flow, source_id, role) do update
            set wanted_version = excluded.wanted_version,
                cause = excluded.cause,
                urgent = excluded.urgent or (delivery.urgent and delivery.state <> 'delivered'),
                -- What was sent before is not what is wanted now, even if it is found there.
                sent_version = case when :again and delivery.state = 'doubtful' then 0
                                    else delivery.sent_version end,
                failures = 0,
                reason = case when delivery.state = 'parked' then null else delivery.reason end,
                field = case when delivery.state = 'parked' or delivery.field = '{HELD}'
                             then null else delivery.field end,
                due_at = case when delivery.state in ('delivered', 'parked', 'waiting')
                              then excluded.due_at
                              when delivery.state = 'due'
                              then least(delivery.due_at, excluded.due_at)
                              else delivery.due_at end,
                state = case when delivery.state = 'waiting' then 'due'
                             when delivery.state in ('parked', 'delivered') then {UNPARKED}
                             else delivery.state end
            where not ({_IN_DOUBT})
              and (delivery.wanted_version < excluded.wanted_version
                   or (:again and delivery.wanted_version = excluded.wanted_version
                       and not ({_LEFT_GONE})))
            returning id, flow, source_id, role, xmax = 0 as is_new
            """  # noqa: S608 - built from a constant of this module
        ),
        {
            "tenant_id": tenant_id,
            "connection_id": connection_id,
            "again": again,
            "rows": jsontext.dumps(rows).decode(),
        },
    ).all()
    waiting = {(d.flow, d.source_id, d.role): d.waits_for for d in debts if d.waits_for}
    born = {(row.flow, row.source_id, row.role): row.id for row in touched if row.is_new}
    edges = {born[key]: edge for key, edge in waiting.items() if key in born}
    add_edges(connection, tenant_id, edges)
    return len(touched)


def settle(
    connection: Connection,
    connection_id: int,
    tenant_id: int,
    debts: Sequence[Debt],
    cause: str,
) -> set[int]:
    """DUE, WAITING, PARKED or not there → DELIVERED: what a reading would bring is known already.

    One in a worker's hands stays there. Wakes what waited for it; returns the ids.
    """
    if not debts:
        return set()
    settled = connection.execute(
        text(
            """
            insert into delivery (tenant_id, connection_id, flow, role, target, place, source_kind,
                                  source_id, wanted_version, delivered_version, cause, state,
                                  confirmed_at)
            select :tenant_id, :connection_id, flow, role, target, place, source_kind,
                   source_id, version, version, :cause, 'delivered', clock_timestamp()
            from jsonb_to_recordset(cast(:rows as jsonb)) as known
                 (flow text, role text, target text, place text,
                  source_kind text, source_id text, version bigint)
            on conflict (tenant_id, flow, source_id, role) do update
            set wanted_version = greatest(delivery.wanted_version, excluded.wanted_version),
                delivered_version = greatest(delivery.wanted_version, excluded.wanted_version),
                cause = excluded.cause, state = 'delivered', confirmed_at = clock_timestamp(),
                failures = 0, reason = null, field = null
            where delivery.state in ('due', 'waiting', 'parked', 'delivered')
            returning id
            """
        ),
        {
            "tenant_id": tenant_id,
            "connection_id": connection_id,
            "cause": cause,
            "rows": jsontext.dumps(
                [_named(debt) for debt in sorted(debts, key=lambda debt: debt.source_id)]
            ).decode(),
        },
    ).scalars()
    ids = set(settled)
    wake(connection, sorted(ids))
    return ids


def standing(
    connection: Connection, tenant_id: int, flow: str, source_ids: Sequence[str]
) -> dict[str, set[str]]:
    """The roles that a flow owes already, by source id; ids without any are left out."""
    found: dict[str, set[str]] = {}
    for source_id, role in connection.execute(
        text(
            """
            select source_id, role from delivery
            where tenant_id = :tenant_id and flow = :flow and source_id = any(:source_ids)
            """
        ),
        {"tenant_id": tenant_id, "flow": flow, "source_ids": list(source_ids)},
    ):
        found.setdefault(source_id, set()).add(role)
    return found


def _named(debt: Debt) -> dict[str, object]:
    return {
        "flow": debt.flow,
        "role": debt.role,
        "target": debt.target,
        "place": debt.place,
        "source_kind": debt.source_kind,
        "source_id": debt.source_id,
        "version": debt.version,
    }
