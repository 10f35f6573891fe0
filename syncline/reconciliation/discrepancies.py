"""Differences that reconciliation found, for those who decide about them.

`reconciliation` writes them; here they are listed, and moved as a person says.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Literal

from sqlalchemy import Connection

from syncline import jsontext
from syncline.deliveries.waits import Edge
from syncline.ledger.database import text
from syncline.reconciliation.found_differences import FOUND_COLUMNS

Decision = Literal["applied", "accepted", "marked"]

UNDECIDED = ("open", "marked")
"""States in which a difference can be applied, accepted or marked."""

DECIDED = ("applied", "accepted", "marked")
"""States that can be taken back."""

_COLUMNS = f"""
    d.id, d.connection_id, c.name, c.tenant_id, {", ".join(f"d.{name}" for name in FOUND_COLUMNS)},
    d.state, d.note, d.closed_by, d.found_at, d.closed_at, r.first, r.last"""


@dataclass(frozen=True, slots=True)
class Discrepancy:
    """A difference as it stands.

    `first` and `last` are the period of the run that saw it last, `closed_by` who decided.
    """

    id: int
    connection_id: int
    connection: str
    tenant_id: int
    flow: str
    source_kind: str
    source_id: str
    role: str
    target: str
    target_id: str | None
    cause: str
    field: str
    ours: str | None
    theirs: str | None
    delivered: str | None
    currency: str | None
    state: str
    note: str | None
    closed_by: str | None
    found_at: datetime
    closed_at: datetime | None
    first: date
    last: date

    @property
    def edge(self) -> Edge:
        """The delivery that it is about."""
        return self.flow, self.source_id, self.role


@dataclass(frozen=True, slots=True)
class Only:
    """Which differences are meant; None is any.

    Attributes:
        connection_id: of this connection.
        ids: with these numbers.
        record: of the record with this id.
        cause: with this cause.
        flow: of this flow.
        since: found on this day or later, by UTC.
        states: in one of these states.
    """

    connection_id: int | None = None
    ids: Sequence[int] | None = None
    record: str | None = None
    cause: str | None = None
    flow: str | None = None
    since: date | None = None
    states: Collection[str] | None = None


_WHERE = """
    (cast(:connection_id as bigint) is null or d.connection_id = :connection_id)
    and (cast(:ids as bigint[]) is null or d.id = any(:ids))
    and (cast(:record as text) is null or d.source_id = :record)
    and (cast(:cause as text) is null or d.cause = :cause)
    and (cast(:flow as text) is null or d.flow = :flow)
    and (cast(:since as date) is null
         or d.found_at >= cast(:since as timestamp) at time zone 'UTC')
    and (cast(:states as text[]) is null or d.state = any(:states))"""


def listed(
    connection: Connection, only: Only, *, after: int = 0, most: int | None = None
) -> list[Discrepancy]:
    """Differences in the order in which they were found.

    Args:
        connection: the transaction.
        only: which.
        after: those with a higher number.
        most: so many at most.
    """
    found = connection.execute(
        text(
            f"""
            select {_COLUMNS} from discrepancy d
            join connection c on c.id = d.connection_id
            join reconciliation r on r.id = d.seen_by
            where d.id > :after and {_WHERE}
            order by d.id limit cast(:most as bigint)
            """  # noqa: S608 - built from constants of this module
        ),
        {**_parameters(only), "after": after, "most": most},
    )
    return [Discrepancy(*row) for row in found]


def counts(connection: Connection, only: Only) -> dict[tuple[str, str], int]:
    """How many differences there are, by cause and state."""
    found = connection.execute(
        text(
            f"""
            select d.cause, d.state, count(*) as many from discrepancy d where {_WHERE}
            group by d.cause, d.state order by d.cause, d.state
            """  # noqa: S608 - built from a constant of this module
        ),
        _parameters(only),
    )
    return {(row.cause, row.state): row.many for row in found}


def uncompared(connection: Connection, name: str | None) -> list[str]:
    """The names of connections, or of this one, of which no comparison has come to its end.

    Their differences are not known, so that none is listed says nothing.
    """
    found = connection.execute(
        text(
            """
            select c.name from connection c
            where (cast(:name as text) is null or c.name = :name) and not exists (
                select from reconciliation r where r.connection_id = c.id and r.state = 'done')
            order by c.name
            """
        ),
        {"name": name},
    )
    return list(found.scalars())


def hold(connection: Connection, shown: Sequence[Discrepancy]) -> set[int]:
    """Lock those that are still undecided with the values that were shown; returns their ids."""
    found = connection.execute(
        text(
            """
            select d.id from discrepancy d
            join jsonb_to_recordset(cast(:rows as jsonb))
                 as shown (id bigint, state text, ours text, theirs text) on shown.id = d.id
            where d.state = shown.state and d.closed_at is null
              and d.ours is not distinct from shown.ours
              and d.theirs is not distinct from shown.theirs
            order by d.id for update of d
            """
        ),
        {
            "rows": jsontext.dumps(
                [
                    {"id": one.id, "state": one.state, "ours": one.ours, "theirs": one.theirs}
                    for one in shown
                ]
            ).decode()
        },
    )
    return set(found.scalars())


def decide(
    connection: Connection, ids: Collection[int], decision: Decision, by: str, note: str | None
) -> set[int]:
    """OPEN or MARKED → APPLIED, ACCEPTED or MARKED; returns the ids.

    An accepted one is closed. One that is applied or marked stays until a comparison shows both
    sides equal; an applied one that comes again is open again.
    """
    moved = connection.execute(
        text(
            """
            update discrepancy
            set state = :decision, closed_by = :by, note = coalesce(:note, note),
                closed_at = case when :decision = 'accepted' then clock_timestamp() end
            where id = any(:ids) and state in ('open', 'marked') and closed_at is null
            returning id
            """
        ),
        {"ids": sorted(ids), "decision": decision, "by": by, "note": note},
    )
    return set(moved.scalars())


def reopen(connection: Connection, ids: Collection[int]) -> set[int]:
    """APPLIED, ACCEPTED or MARKED → OPEN, but where the same has been found again meanwhile."""
    moved = connection.execute(
        text(
            """
            update discrepancy d
            set state = 'open', closed_by = null, closed_at = null
            where d.id = any(:ids) and d.state in ('applied', 'accepted', 'marked')
              and not exists (
                select 1 from discrepancy o
                where o.connection_id = d.connection_id and o.flow = d.flow
                  and o.source_id = d.source_id and o.role = d.role and o.cause = d.cause
                  and o.field = d.field and o.id <> d.id
                  and (o.closed_at is null or o.id > d.id and o.id = any(:ids)))
            returning d.id
            """
        ),
        {"ids": sorted(ids)},
    )
    return set(moved.scalars())


def values(one: Discrepancy) -> dict[str, object]:
    """What the audit log keeps of a difference."""
    return {
        "discrepancy": one.id,
        "state": one.state,
        "cause": one.cause,
        "field": one.field,
        "ours": one.ours,
        "theirs": one.theirs,
        "delivered": one.delivered,
    }


def _parameters(only: Only) -> dict[str, object]:
    return {
        "connection_id": only.connection_id,
        "ids": None if only.ids is None else sorted(only.ids),
        "record": only.record,
        "cause": only.cause,
        "flow": only.flow,
        "since": only.since,
        "states": None if only.states is None else sorted(only.states),
    }
