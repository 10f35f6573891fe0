"""Deliveries that were sent again while nothing proved that their row was not there, and are done.

Their row may stand there twice. They are looked for until what is shown is newer than their last
call; a day later reconciliation has compared them.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from syncline.deliveries import target_rows
from syncline.deliveries.states import AHEAD, SECOND_LOOK, counted_as
from syncline.deliveries.target_rows import TargetRow
from syncline.ledger.database import text

AT_MOST = timedelta(days=1)
"""How long after it was confirmed a delivery is looked at."""

_DONE = f"d.target_meta ? '{AHEAD}' and d.state = 'delivered' and d.target_id is not null"

_IS_DUE = f"""
    coalesce(cast(d.target_meta ->> '{SECOND_LOOK}' as double precision),
             extract(epoch from d.confirmed_at) + coalesce(t.settle_seconds, :settle))
    <= extract(epoch from clock_timestamp())"""


class SentAgain(NamedTuple):
    """One of them.

    Attributes:
        standing: as it stands.
        call_id: the last call that wrote it.
        is_last: whether it is looked at for the last time.
    """

    standing: TargetRow
    call_id: UUID | None
    is_last: bool


def to_look_at(connection: Connection, settle: timedelta) -> list[tuple[str, str]]:
    """The connections that work, and their targets, that have any to look at.

    Args:
        connection: the transaction.
        settle: how long after it was confirmed one is looked at first, where its tenant says
            nothing.
    """
    found = connection.execute(
        text(
            f"""
            select distinct c.name, d.target from delivery d
            join connection c on c.id = d.connection_id join tenant t on t.id = d.tenant_id
            where {_DONE} and c.state = 'active' and {_IS_DUE}
            order by 1, 2
            """  # noqa: S608 - built from constants of this module
        ),
        {"settle": settle.total_seconds()},
    )
    return [(row.name, row.target) for row in found]


def due(
    connection: Connection, connection_id: int, target: str, settle: timedelta, most: int
) -> list[SentAgain]:
    """Those of one target that are to be looked at; they are not again before as long has passed.

    Each look rests as long as has passed since it was confirmed, and a settle time at least.
    """
    taken = connection.execute(
        text(
            f"""
            update delivery set target_meta = delivery.target_meta || jsonb_build_object(
                '{SECOND_LOOK}', extract(epoch from clock_timestamp() + greatest(
                    clock_timestamp() - delivery.confirmed_at, make_interval(secs => :settle))))
            from (
                select d.id from delivery d join tenant t on t.id = d.tenant_id
                where d.connection_id = :connection_id and d.target = :target
                  and d.tenant_id = (select tenant_id from connection where id = :connection_id)
                  and {_DONE} and {_IS_DUE}
                order by d.id limit :most for update of d skip locked
            ) taken
            where delivery.id = taken.id
            returning delivery.id, delivery.call_id,
                      clock_timestamp() - delivery.confirmed_at > :at_most as is_last
            """  # noqa: S608 - built from constants of this module
        ),
        {
            "connection_id": connection_id,
            "target": target,
            "settle": settle.total_seconds(),
            "most": most,
            "at_most": AT_MOST,
        },
    ).all()
    standing = target_rows.of_ids(connection, [row.id for row in taken])
    return [SentAgain(standing[row.id], row.call_id, row.is_last) for row in taken]


def settled(connection: Connection, ids: Collection[int]) -> None:
    """Keep of these that their row stands there once, or is not to be looked for any more."""
    connection.execute(
        text(
            """
            update delivery set target_meta = target_meta - cast(:ahead as text) - :second_look
            where id = any(:ids) and state = 'delivered'
            """
        ),
        {"ids": sorted(ids), "ahead": AHEAD, "second_look": SECOND_LOOK},
    )


def by_flow(connection: Connection, connection_id: int) -> dict[str, int]:
    """How many of a connection are not settled yet, by flow, payments by their target too.

    Of customers those of its tenant, of whose rows none is worse than that.
    """
    found = connection.execute(
        text(
            f"""
            select {counted_as("d")} as flow, count(distinct d.source_id) as many
            from delivery d
            where d.tenant_id = (select tenant_id from connection where id = :connection_id)
              and (d.connection_id = :connection_id or d.flow = 'customers') and {_DONE}
              and not (d.flow = 'customers' and exists (
                  select 1 from delivery other
                  where other.tenant_id = d.tenant_id and other.flow = d.flow
                    and other.source_id = d.source_id and other.state <> 'delivered'))
            group by 1
            """  # noqa: S608 - built from constants of this module
        ),
        {"connection_id": connection_id},
    )
    return {row.flow: int(row.many) for row in found}
