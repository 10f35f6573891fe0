"""Deliveries by the rows that they made on the other side, for whoever found such a row changed."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, text

from syncline.ledger.waits import EACH_EDGE, Edge, edge_rows

OVERWRITES = "changed in Halo"
"""How the cause of an overwriting begins; by it the audit says how often there was one."""

IN_HAND = frozenset({"leased", "sending", "checking", "doubtful"})
"""States in which the target row may be changing by us at this very moment."""

_COLUMNS = (
    "d.id, d.connection_id, d.flow, d.role, d.target, d.place, d.source_kind, d.source_id,"
    " d.state, d.projection, d.target_id, d.target_meta, d.confirmed_at"
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A delivery as it stands, with what was confirmed of its target row last."""

    id: int
    connection_id: int
    flow: str
    role: str
    target: str
    place: str
    source_kind: str
    source_id: str
    state: str
    projection: dict[str, Any] | None
    target_id: str | None
    target_meta: dict[str, Any] | None
    confirmed_at: datetime | None

    def was_moving(self, since: datetime) -> bool:
        """Whether its target row may have been written by us after a moment: it is, or it was."""
        written = self.confirmed_at is not None and self.confirmed_at > since
        return written or self.state in IN_HAND


def of_sources(
    connection: Connection, tenant_id: int, edges: Collection[Edge]
) -> dict[Edge, Standing]:
    """Deliveries by (flow, source id, role); left out where there is none."""
    if not edges:
        return {}
    found = connection.execute(
        text(
            f"""
            select {_COLUMNS}
            from {EACH_EDGE}
            """  # noqa: S608 - built from constants of ours
        ),
        {"tenant_id": tenant_id, "rows": edge_rows(sorted(set(edges)))},
    )
    rows = [Standing(*row) for row in found]
    return {(row.flow, row.source_id, row.role): row for row in rows}


def of_targets(
    connection: Connection, tenant_id: int, targets: Sequence[str], ids: Collection[int]
) -> dict[int, Standing]:
    """Deliveries by the id of the row that they made; left out where there is none."""
    if not ids:
        return {}
    found = connection.execute(
        text(
            f"""
            select {_COLUMNS} from delivery d
            where d.tenant_id = :tenant_id and d.target = any(:targets)
              and d.target_id = any(:ids)
            """  # noqa: S608 - built from a constant of this module
        ),
        {
            "tenant_id": tenant_id,
            "targets": list(targets),
            "ids": [str(one) for one in sorted(set(ids))],
        },
    )
    rows = [Standing(*row) for row in found]
    return {int(row.target_id): row for row in rows if row.target_id}


def is_creating(connection: Connection, tenant_id: int, targets: Sequence[str]) -> bool:
    """Whether we may be making a row whose id the other side knows before we do."""
    found = connection.execute(
        text(
            """
            select 1 from delivery
            where tenant_id = :tenant_id and target = any(:targets) and target_id is null
              and owner is not null and state in ('sending', 'checking')
            limit 1
            """
        ),
        {"tenant_id": tenant_id, "targets": list(targets)},
    )
    return found.first() is not None


def payments_for(
    connection: Connection, tenant_id: int, place: str, flow: str, source_id: str
) -> list[Standing]:
    """The payments that stand on the invoice of an order, or of a transaction without one."""
    found = connection.execute(
        text(
            f"""
            select {_COLUMNS} from delivery d
            where d.tenant_id = :tenant_id and d.flow = :flow and d.role = 'payment'
              and d.source_id in (
                select :source_id
                union all
                select foreign_id from record
                where kind = 'transaction' and place = :place
                  and canonical ->> 'entity_id' = :source_id)
            """  # noqa: S608 - built from a constant of this module
        ),
        {"tenant_id": tenant_id, "place": place, "flow": flow, "source_id": source_id},
    )
    return [Standing(*row) for row in found]


def times_overwritten(connection: Connection, standing: Standing, within: timedelta) -> int:
    """How often its target row was written again because somebody had changed it."""
    return int(
        connection.execute(
            text(
                """
                select count(*) from audit_entry
                where source_id = :source_id and flow = :flow and role = :role
                  and connection_id = :connection_id and starts_with(cause, :overwrites)
                  and at > clock_timestamp() - cast(:within as interval)
                """
            ),
            {
                "source_id": standing.source_id,
                "flow": standing.flow,
                "role": standing.role,
                "connection_id": standing.connection_id,
                "overwrites": OVERWRITES,
                "within": within,
            },
        ).scalar_one()
    )


def not_delivered(connection: Connection, connection_id: int, target: str, most: int) -> list[str]:
    """Source ids of what a target has not got yet and waits for its time, the oldest first."""
    found = connection.execute(
        text(
            """
            select source_id from delivery
            where connection_id = :connection_id and target = :target
              and state in ('due', 'doubtful')  -- as the partial index says it
              and state = 'due'
            order by id limit :most
            """
        ),
        {"connection_id": connection_id, "target": target, "most": most},
    )
    return list(found.scalars())
