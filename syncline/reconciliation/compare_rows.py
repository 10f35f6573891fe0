"""Halo's rows set against what was delivered: all of it in SQL.

Only what differs leaves the database, so that a run needs the same memory for any number of rows.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from syncline.deliveries.states import NEEDS_A_PERSON
from syncline.ledger.connections import Link
from syncline.ledger.database import text
from syncline.ledger.modes import HELD
from syncline.reconciliation.queries import Run

MOST = 5_000
"""Rows that differ, of one target, that one run looks at."""

NUMBER = r"^-?[0-9]{1,18}(\.[0-9]{1,12})?$"
"""An amount as records have it; what is none is left to the rendering to refuse."""

KIND_OF = {
    "order": "order",
    "invoice": "invoice",
    "payment": "payment",
    "credit": "invoice",
    "recurring": "recurring",
}
"""Target of a delivery → the kind of Halo's rows that it makes."""


@dataclass(frozen=True, slots=True)
class SuspectDelivery:
    """A delivery that may differ from what Halo holds.

    Attributes:
        stable: it was confirmed before the reading began, and nobody is at it.
        late: it needs a person, or has been outstanding for longer than it should be. What is held
            back until its connection is live is neither stable nor late, and what was erased is
            never
            late: nothing is written of it any more.
        amount: what HighLevel's record says that the row comes to.
        held: Halo's row as it was read, None where it was not seen.
    """

    id: int
    flow: str
    role: str
    target: str
    place: str
    source_kind: str
    source_id: str
    state: str
    reason: str | None
    projection: dict[str, Any] | None
    target_id: str | None
    stable: bool
    late: bool
    amount: Decimal | None
    currency: str
    held: dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class Scope:
    """Which deliveries a run compares, and under which rules.

    Attributes:
        run: the run, with its days.
        link: the connection.
        began: when the reading of Halo began.
        paid: statuses of a transaction in which money came in.
        late: how long something may be outstanding before that is a difference.
        sample: the deliveries that are looked at; None: all.
    """

    run: Run
    link: Link
    began: datetime
    paid: Collection[str]
    late: timedelta
    sample: Sequence[int] | None = None

    def given(self, target: str) -> dict[str, Any]:
        """The parameters of the statements here."""
        return {
            "run": self.run.id,
            "kind": KIND_OF.get(target, target),
            "target": target,
            "connection_id": self.link.id,
            "tenant_id": self.link.tenant,
            "first": self.run.first,
            "until": self.run.last + timedelta(days=1),
            "began": self.began,
            "paid": sorted(self.paid),
            "late": self.late,
            "sample": None if self.sample is None else list(self.sample),
        }


CAME_IN = """
    (lower(r.canonical ->> 'status') = any(:paid)
     or coalesce(r.canonical ->> 'amount_refunded', '0') ~ '[1-9]')"""
"""Whether money came in with a transaction, as the flows say it."""
_AMOUNT = f"""
    case when r.canonical ->> 'amount' ~ '{NUMBER}'
         then cast(r.canonical ->> 'amount' as numeric) end"""
_REFUNDED = f"""
    case when coalesce(r.canonical ->> 'amount_refunded', '0') ~ '{NUMBER}'
         then cast(coalesce(r.canonical ->> 'amount_refunded', '0') as numeric) end"""
_UPTO = f"case when substr(d.role, 8) ~ '{NUMBER}' then cast(substr(d.role, 8) as numeric) end"
_OF_ORDER = """
    (lower(coalesce(r.canonical ->> 'entity_type', '')) = 'order'
     and r.canonical ->> 'entity_id' is not null)"""

_AMOUNTS = {
    "order": _AMOUNT,
    "recurring": _AMOUNT,
    "invoice": f"""
        case when d.source_kind = 'order' then {_AMOUNT}
             when {CAME_IN} and not {_OF_ORDER} then {_AMOUNT} else 0 end""",
    "payment": f"case when {CAME_IN} then {_AMOUNT} else 0 end",
    "credit": f"""
        - (least({_UPTO}, {_REFUNDED})
           - least(coalesce(lag({_UPTO}) over (partition by d.source_id order by {_UPTO}), 0),
                   {_REFUNDED}))""",
}
"""What HighLevel's record says that a row comes to, as the flows render it."""


def scope_of(target: str) -> str:
    """The deliveries of a target whose records were created in the period, as a CTE's body."""
    # The sample is taken outside: a credit is measured against the one before it.
    return f"""
        select * from (
        select d.id, d.flow, d.role, d.target, d.place, d.source_kind, d.source_id, d.state,
               d.reason, d.projection, d.target_id,
               case when d.target_id ~ '^[0-9]{{1,18}}$' then cast(d.target_id as bigint) end
                   as row_id,
               (d.state = 'delivered' or {NEEDS_A_PERSON}) and d.target_id is not null
                   and coalesce(d.confirmed_at <= :began, true) as stable,
               r.erased_at is null and ({NEEDS_A_PERSON} or (
                   d.state not in ('delivered', 'parked')
                   and r.changed_at < clock_timestamp() - cast(:late as interval))) as late,
               coalesce(d.field = '{HELD}', false) as held,
               {_AMOUNTS[target]} as amount,
               coalesce(r.canonical ->> 'currency', '') as currency,
               'HL-' || d.source_id || case when d.target = 'credit'
                   then '-R' || substr(d.role, 8) else '' end as reference
        from delivery d
        join record r on r.place = d.place and r.kind = d.source_kind
                     and r.foreign_id = d.source_id
        where d.connection_id = :connection_id and d.target = :target
          and d.flow = any(array['orders', 'payments', 'subscriptions'])
          and coalesce(r.created_at, r.noticed_at) >= :first
          and coalesce(r.created_at, r.noticed_at) < :until) every
        where cast(:sample as bigint[]) is null or every.id = any(:sample)"""  # noqa: S608 - built from constants of this module


_FIELD_DIFFERS = """
    exists (
        select 1 from jsonb_each_text(s.projection) as wanted (key, value)
        where (h.projection ? wanted.key
               or h.projection ? 'lines' and starts_with(wanted.key, 'line '))
          and wanted.value is distinct from h.projection ->> wanted.key)"""
_TOTAL = """coalesce(s.projection ->> 'total', s.projection ->> 'amount')"""
_HOLDS = """coalesce(projection ->> 'total', projection ->> 'amount')"""
_DIFFERS = f"""
    (h.id is null or h.reference = '' or h.projection ->> 'voided' = 'yes' or {_FIELD_DIFFERS}
     or (s.amount is not null and {_TOTAL} ~ '{NUMBER}'
         and s.amount <> cast({_TOTAL} as numeric)))"""


def over_all(connection: Connection, sql: str, given: Mapping[str, Any]) -> Any:
    """Run a statement over all that is compared.

    Each side is gone through once: what was read a moment ago has no statistics yet, by which the
    planner would look up one row after the other.
    """
    connection.execute(text("set local enable_nestloop = off"))
    return connection.execute(text(sql), given)


_COLUMNS = """
    s.id, s.flow, s.role, s.target, s.place, s.source_kind, s.source_id, s.state, s.reason,
    s.projection, s.target_id, s.stable, s.late, s.amount, s.currency"""
"""Of `scope_of`, as `SuspectDelivery` has them."""


def differing(
    connection: Connection, scope: Scope, target: str
) -> tuple[list[SuspectDelivery], int]:
    """The deliveries of a target that are not as Halo holds them, or are not there for long.

    The first ones, and how many there are in all; so with everything here that is cut at `MOST`.
    """
    found = over_all(
        connection,
        f"""
        with s as materialized ({scope_of(target)})
        select {_COLUMNS},
               h.projection, count(*) over () as many
        from s
        left join reconciliation_row h
            on h.run_id = :run and h.kind = :kind and h.id = s.row_id
        where s.stable and {_DIFFERS} or s.late
        order by s.id limit {MOST}
        """,  # noqa: S608 - built from constants of this module
        scope.given(target),
    ).all()
    return [SuspectDelivery(*row[:-1]) for row in found], _in_all(found)


def _in_all(found: Sequence[Any]) -> int:
    return found[0].many if found else 0


def again(
    connection: Connection, scope: Scope, target: str, ids: Sequence[int]
) -> dict[int, SuspectDelivery]:
    """The same deliveries as they stand now, after their rows were read once more."""
    some = replace(scope, sample=ids)
    found = over_all(
        connection,
        f"""
        with s as materialized ({scope_of(target)})
        select {_COLUMNS},
               cast(null as jsonb)
        from s
        """,  # noqa: S608 - built from constants of this module
        some.given(target),
    )
    return {row.id: SuspectDelivery(*row) for row in found}


def copies(connection: Connection, scope: Scope, target: str) -> tuple[dict[int, list[int]], int]:
    """Delivery → further rows of Halo that carry its reference and are not its own."""
    found = over_all(
        connection,
        f"""
        with s as materialized ({scope_of(target)})
        select s.id, array_agg(h.id order by h.id) as others, count(*) over () as many
        from s join reconciliation_row h
            on h.run_id = :run and h.kind = :kind and h.reference = s.reference
           and h.id <> s.row_id
        where s.stable group by s.id order by s.id limit {MOST}
        """,  # noqa: S608 - built from constants of this module
        scope.given(target),
    ).all()
    return {row.id: list(row.others) for row in found}, _in_all(found)


@dataclass(frozen=True, slots=True)
class Stranger:
    """A row of Halo that carries a reference of ours and that no delivery knows."""

    id: int
    reference: str
    currency: str
    projection: dict[str, Any]


_UNKNOWN = """
    h.run_id = :run and h.kind = :kind and starts_with(h.reference, 'HL-')
    and coalesce(h.projection ->> 'voided', '') <> 'yes'
    and not exists (
        select 1 from delivery d
        where d.tenant_id = :tenant_id and d.target = any(:targets)
          and d.source_id = regexp_replace(substr(h.reference, 4), '-R[0-9.]+$', ''))"""


def unknown(connection: Connection, scope: Scope, kind: str) -> tuple[list[Stranger], int]:
    """Rows of Halo with a reference of ours that no connection of the tenant knows."""
    found = over_all(
        connection,
        f"""
        select h.id, h.reference, h.currency, h.projection, count(*) over () as many
        from reconciliation_row h where {_UNKNOWN} order by h.id limit {MOST}
        """,  # noqa: S608 - built from constants of this module
        {
            **scope.given(kind),
            "targets": [target for target, of in KIND_OF.items() if of == kind],
        },
    ).all()
    return [Stranger(*row[:-1]) for row in found], _in_all(found)


@dataclass(frozen=True, slots=True)
class Sum:
    """How many rows of a target one side has in a currency, and what they come to."""

    target: str
    side: str
    currency: str
    count: int
    total: Decimal


def sums(connection: Connection, scope: Scope, target: str) -> list[Sum]:
    """Both sides' sums over the same deliveries; what is on its way is in neither.

    Halo's side counts every row that carries the reference of one of them, and sums what is shown.
    """
    found = over_all(
        connection,
        f"""
        with s as materialized ({scope_of(target)}),
        counted as (select * from s where stable or late),
        held as (
            select c.currency as ours, h.currency, h.projection
            from counted c join reconciliation_row h
                on h.run_id = :run and h.kind = :kind and h.id = c.row_id
            union all
            select c.currency, h.currency, h.projection
            from counted c join reconciliation_row h
                on h.run_id = :run and h.kind = :kind and h.reference = c.reference
               and h.id is distinct from c.row_id
        )
        select 'highlevel' as side, currency, count(*) as many,
               coalesce(sum(amount), 0) as total
        from counted group by currency
        union all
        select 'halo', case when currency = '' then ours else currency end, count(*),
               coalesce(sum(case when {_HOLDS} ~ '{NUMBER}' then cast({_HOLDS} as numeric) end), 0)
        from held where coalesce(projection ->> 'voided', '') <> 'yes'
        group by 2
        """,  # noqa: S608 - built from constants of this module
        scope.given(target),
    )
    return [Sum(target, row.side, row.currency, row.many, row.total) for row in found]


def on_the_way(connection: Connection, scope: Scope, target: str) -> tuple[int, int]:
    """Deliveries that are being written, or were after the reading began; and those held back."""
    row = over_all(
        connection,
        f"""
        with s as materialized ({scope_of(target)})
        select count(*) filter (where not held), count(*) filter (where held)
        from s where not stable and not late
        """,  # noqa: S608 - built from constants of this module
        scope.given(target),
    ).one()
    return row[0], row[1]


def lowest(connection: Connection, scope: Scope, targets: Collection[str]) -> int | None:
    """The lowest id in Halo of what is compared; None where nothing is there yet."""
    found: int | None = None
    for target in targets:
        row = connection.execute(
            text(
                f"with s as materialized ({scope_of(target)}) select min(s.row_id) from s"  # noqa: S608 - built from constants of this module
            ),
            scope.given(target),
        ).scalar_one()
        if row is not None:
            found = row if found is None else min(found, row)
    return found
