"""Deliveries by the rows that they made on the other side, for whoever found such a row changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from syncline import jsontext
from syncline.deliveries.delivery import Lease
from syncline.deliveries.waits import EACH_EDGE, Edge, edge_rows
from syncline.ledger.database import text

OVERWRITES = "changed in Halo"
"""How the cause of an overwriting begins; by it the audit says how often there was one."""

IN_HAND = frozenset({"leased", "sending", "checking", "doubtful"})
"""States in which the target row may be changing by us at this very moment."""

ACCEPTED = "accepted"
"""Where a delivery keeps, beside its target row, what a person took as the other side holds it."""

KEPT = "kept"
"""Where a delivery keeps, beside a target row that was there before us, the fields that are left as
they stand there: field → its value. They are what we want of it, and are never written over."""

ANSWERED = "answered"
"""Where a delivery without a target row keeps the ids that answers to its write named for it: one
of these rows may be its own, so it is never made again before they were read."""

NONE_IS_OURS = "none_is_ours"
"""Where a delivery without a target row keeps that, as a person says, none of the rows that may be
its own is, so that it is made. An answer that names rows once more ends that."""

WITH_NONE_OURS = f"""(coalesce(d.target_meta, '{{}}') - '{ANSWERED}')
                     || jsonb_build_object('{NONE_IS_OURS}', true)"""
"""SQL: what a delivery keeps once a person has said so."""

NAME_TAKEN = "name_taken"
"""Where a delivery keeps that the other side refused its row's name, since another row has it."""

GONE = "gone"
"""The field under which it is accepted that there is no target row any more."""

AS_READ = "reading"
"""The field under which it is accepted what a reading says, for which it was parked."""

_COLUMNS = (
    "d.id, d.connection_id, d.flow, d.role, d.target, d.place, d.source_kind, d.source_id,"
    " d.state, d.projection, d.target_id, d.target_meta, d.confirmed_at, d.wanted_version,"
    " d.sent_projection, d.reason, d.field"
)


@dataclass(frozen=True, slots=True)
class TargetRow:
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
    wanted_version: int
    sent_projection: dict[str, Any] | None
    reason: str | None
    field: str | None

    @property
    def confirmed(self) -> dict[str, Any] | None:
        """What its target row held or was to hold last; None of one that was never confirmed."""
        sent = None if self.confirmed_at is None else self.sent_projection
        return self.projection or sent

    def was_moving(self, since: datetime) -> bool:
        """Whether its target row may have been written by us after a moment: it is, or it was."""
        written = self.confirmed_at is not None and self.confirmed_at > since
        return written or self.state in IN_HAND


@dataclass(frozen=True, slots=True)
class Taking:
    """A delivery whose target row is taken as it is.

    Attributes:
        standing: the delivery as it was looked at.
        projection: what we wanted of the row; None leaves what was confirmed last.
        accepted: field → what we wanted and what the other side holds.
        gone: whether there is no target row any more.
    """

    standing: TargetRow
    projection: Mapping[str, Any] | None
    accepted: Mapping[str, Any]
    gone: bool = False


def accepted_in(meta: Mapping[str, Any] | None) -> dict[str, list[str]]:
    """What was accepted of a target row: field → what we wanted, and what is held instead.

    Args:
        meta: what a delivery keeps beside its target row.
    """
    kept = (meta or {}).get(ACCEPTED)
    return dict(kept) if isinstance(kept, Mapping) else {}


def answered_in(meta: Mapping[str, Any] | None) -> list[int]:
    """The ids that answers named for what has no target row yet.

    Args:
        meta: what a delivery keeps.
    """
    return [int(one) for one in (meta or {}).get(ANSWERED) or ()]


def none_is_ours(meta: Mapping[str, Any] | None) -> bool:
    """Whether a person said that no row which may be a delivery's own is.

    Args:
        meta: what it keeps.
    """
    return bool((meta or {}).get(NONE_IS_OURS))


def note_name_taken(connection: Connection, delivery: int) -> None:
    """Keep it of a delivery in hand that the name of its row is taken: it is to have another."""
    connection.execute(
        text(
            """
            update delivery
            set target_meta = coalesce(target_meta, '{}') || jsonb_build_object(cast(:key as text),
                                                                                true)
            where id = :id
            """
        ),
        {"id": delivery, "key": NAME_TAKEN},
    )


def of_sources(
    connection: Connection, tenant_id: int, edges: Collection[Edge]
) -> dict[Edge, TargetRow]:
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
    rows = [TargetRow(*row) for row in found]
    return {(row.flow, row.source_id, row.role): row for row in rows}


def of_targets(
    connection: Connection, tenant_id: int, targets: Sequence[str], ids: Collection[int]
) -> dict[int, TargetRow]:
    """Deliveries by the id of the row that they made; left out where there is none."""
    return {int(row.target_id or 0): row for row in holding(connection, tenant_id, targets, ids)}


def holding(
    connection: Connection, tenant_id: int, targets: Sequence[str], ids: Collection[int]
) -> list[TargetRow]:
    """The deliveries that hold these ids; two hold one where the other side gave it anew."""
    if not ids:
        return []
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
    return [TargetRow(*row) for row in found]


def of_ids(connection: Connection, ids: Collection[int]) -> dict[int, TargetRow]:
    """Deliveries by their numbers."""
    found = connection.execute(
        text(f"select {_COLUMNS} from delivery d where d.id = any(:ids)"),  # noqa: S608 - a constant
        {"ids": sorted(ids)},
    )
    return {row.id: TargetRow(*row) for row in found}


def accepted_of(connection: Connection, ids: Collection[int]) -> dict[int, dict[str, list[str]]]:
    """What was accepted of deliveries, by their numbers; left out where nothing was."""
    found = connection.execute(
        text(
            """
            select id, target_meta from delivery
            where id = any(:ids) and target_meta -> :accepted is not null
            """
        ),
        {"ids": sorted(ids), "accepted": ACCEPTED},
    )
    return {row.id: accepted_in(row.target_meta) for row in found}


def note_answered(
    connection: Connection, leases: Sequence[Lease], answered: Mapping[int, Sequence[int]]
) -> None:
    """Remember which ids an answer named for deliveries that are being written, by their numbers.

    It is done before anything else is done about the answer: whoever goes on finds them.
    """
    connection.execute(
        text(
            """
            update delivery d
            set target_meta = (coalesce(d.target_meta, '{}') - cast(:none_is_ours as text))
                              || jsonb_build_object(cast(:answered as text), told.ids)
            from jsonb_to_recordset(cast(:rows as jsonb))
                 as told (id bigint, attempt bigint, owner uuid, ids jsonb)
            where d.id = told.id and d.attempt = told.attempt and d.owner = told.owner
              and d.state = 'sending' and d.target_id is null
            """
        ),
        {
            "answered": ANSWERED,
            "none_is_ours": NONE_IS_OURS,
            "rows": jsontext.dumps(
                [
                    {
                        "id": lease.id,
                        "attempt": lease.attempt,
                        "owner": str(lease.owner),
                        "ids": list(
                            dict.fromkeys([*answered[lease.id], *answered_in(lease.target_meta)])
                        ),
                    }
                    for lease in leases
                ]
            ).decode(),
        },
    )


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
) -> list[TargetRow]:
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
    return [TargetRow(*row) for row in found]


def depending(
    connection: Connection,
    tenant_id: int,
    place: str,
    flows: tuple[str, str],
    *,
    orders: Collection[str],
    invoices: Collection[str],
) -> list[TargetRow]:
    """What names the target rows of these orders and invoices, and must follow when they are new.

    Args:
        connection: the transaction.
        tenant_id: whose rows these are.
        place: where the records stand.
        flows: the names of the flows of payments and of subscriptions.
        orders: their invoices and recurring invoices are meant.
        invoices: sources of invoices, whose payments and credits are meant.
    """
    if not orders and not invoices:
        return []
    found = connection.execute(
        text(
            f"""
            with source as materialized (
                select unnest(cast(:orders as text[])) as id, array['invoice'] as roles,
                       :payments as flow
                union all
                select unnest(cast(:invoices as text[])), array['payment', 'credit'], :payments
                union all
                select foreign_id, array['payment', 'credit'], :payments from record
                where kind = 'transaction' and place = :place
                  and canonical ->> 'entity_id' = any(:invoices)
                union all
                select foreign_id, array['subscription'], :subscriptions from record
                where kind = 'subscription' and place = :place
                  and canonical ->> 'entity_id' = any(:orders)
            )
            select distinct on (d.id) {_COLUMNS} from source
            join delivery d on d.source_id = source.id and d.tenant_id = :tenant_id
                           and d.flow = source.flow
                           and (d.flow = :subscriptions
                                or split_part(d.role, ':', 1) = any(source.roles))
            order by d.id
            """  # noqa: S608 - built from a constant of this module
        ),
        {
            "tenant_id": tenant_id,
            "place": place,
            "payments": flows[0],
            "subscriptions": flows[1],
            "orders": sorted(orders),
            "invoices": sorted(invoices),
        },
    )
    return [TargetRow(*row) for row in found]


def times_overwritten(connection: Connection, standing: TargetRow, within: timedelta) -> int:
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
