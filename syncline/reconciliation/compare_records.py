"""What a reconciliation compares beside rows: fulfillments, records that nothing is requested for.

And what it cannot compare, since Halo or HighLevel does not tell it; and the draw of a sample.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from sqlalchemy import Connection

from syncline.adopt.pins import SHAPES
from syncline.deliveries.states import NEEDS_A_PERSON
from syncline.flows.lines import UNTOLD
from syncline.flows.orders import DETAILS
from syncline.halo.sql.readback import VOIDED
from syncline.highlevel.merging import CONTESTED, contested_in_words
from syncline.ledger.connections import Link
from syncline.ledger.database import text
from syncline.reconciliation.compare_rows import CAME_IN, KIND_OF, MOST, Scope, over_all, scope_of

MOST_EXAMPLES = 10


def draw(connection: Connection, scope: Scope, targets: Collection[str], most: int) -> list[int]:
    """Deliveries drawn by the run's seed among those that were confirmed; the same every time."""
    drawn: list[tuple[str, int]] = []
    for target in sorted(targets):
        found = over_all(
            connection,
            f"""
            with s as materialized ({scope_of(target)})
            select md5(s.id || '/' || :seed) as mark, s.id from s
            where s.stable order by 1 limit :most
            """,  # noqa: S608 - built from constants of this module
            {**scope.given(target), "seed": scope.run.seed, "most": most},
        )
        drawn += [(row.mark, row.id) for row in found]
    return sorted(row_id for _, row_id in sorted(drawn)[:most])


def rows_of(connection: Connection, scope: Scope, kind: str) -> list[int]:
    """Halo's ids of the sampled deliveries that make rows of a kind."""
    found = connection.execute(
        text(
            """
            select cast(target_id as bigint) from delivery
            where id = any(:sample) and target = any(:targets) order by 1
            """
        ),
        {
            "sample": list(scope.sample or ()),
            "targets": [target for target, of in KIND_OF.items() if of == kind],
        },
    )
    return list(found.scalars())


def records_of(connection: Connection, scope: Scope) -> list[tuple[str, str]]:
    """The records that the sampled deliveries are made of, by kind and id."""
    found = connection.execute(
        text(
            """
            select distinct source_kind, source_id from delivery
            where id = any(:sample) order by 1, 2
            """
        ),
        {"sample": list(scope.sample or ())},
    )
    return [(row.source_kind, row.source_id) for row in found]


@dataclass(frozen=True, slots=True)
class UntoldSum:
    """What HighLevel does not tell of orders' amounts, and so stands in a line of its own.

    Attributes:
        count: how many orders have such a line.
        total: what these lines come to.
        examples: the ids of some of the orders.
    """

    currency: str
    count: int
    total: Decimal
    examples: list[str]


_UNTOLD_LINE = f"line {UNTOLD}: "


def untold(connection: Connection, scope: Scope) -> list[UntoldSum]:
    """The untold differences of the orders that are compared, by currency."""
    found = over_all(
        connection,
        f"""
        with s as materialized ({scope_of("order")})
        select s.currency, count(*) as many,
               sum(cast(substring(line.key from ' at (-?[0-9.]+),') as numeric)) as total,
               (array_agg(s.source_id order by s.id))[1:{MOST_EXAMPLES}] as examples
        from s cross join lateral jsonb_object_keys(s.projection) as line (key)
        where s.stable and starts_with(line.key, :untold)
        group by s.currency order by s.currency
        """,  # noqa: S608 - built from constants of this module
        {**scope.given("order"), "untold": _UNTOLD_LINE},
    )
    return [UntoldSum(row.currency, row.many, row.total, list(row.examples)) for row in found]


@dataclass(frozen=True, slots=True)
class ContestedRecords:
    """Records of which HighLevel says two things, so that nobody can say what Halo should hold.

    Attributes:
        kind: of the records.
        count: how many there are.
        examples: some of them: the id, and what is said.
    """

    kind: str
    count: int
    examples: list[str]


def contested(connection: Connection, scope: Scope) -> list[ContestedRecords]:
    """The contested records of the period of which something is requested, by kind."""
    found = over_all(
        connection,
        f"""
        select r.kind, count(*) as many,
               (array_agg(r.canonical order by r.foreign_id))[1:{MOST_EXAMPLES}] as some
        from record r
        where r.place = :place and r.canonical ? '{CONTESTED}' and r.erased_at is null
          and coalesce(r.created_at, r.noticed_at) >= :first
          and coalesce(r.created_at, r.noticed_at) < :until
          and exists (
            select 1 from delivery d
            where d.connection_id = :connection_id and d.source_kind = r.kind
              and d.source_id = r.foreign_id and d.flow <> '{DETAILS}'
              and (cast(:sample as bigint[]) is null or d.id = any(:sample)))
        group by r.kind order by r.kind
        """,  # noqa: S608 - built from constants of this module
        {**scope.given("order"), "place": scope.link.location_place},
    )
    return [
        ContestedRecords(
            row.kind, row.many, [f"{one['id']} ({contested_in_words(one)})" for one in row.some]
        )
        for row in found
    ]


COMPARED: Mapping[str, tuple[str, ...]] = {
    target: (*shape.texts, *shape.numbers, *shape.amounts, *shape.flags)
    for target, shape in SHAPES.items()
}
"""Target → what every run compares of its rows, as far as it was confirmed."""

_VOIDABLE = ("invoice", "credit")


@dataclass(frozen=True, slots=True)
class UnshownFields:
    """Rows of which Halo does not show all that is compared; what is absent is never equal.

    Attributes:
        deliveries: whose rows these are.
        rows: some of the rows, drawn by the run's seed.
        fields: what is not shown of one of them at least.
        examples: the ids of some of the records.
    """

    deliveries: list[int]
    rows: list[int]
    fields: list[str]
    examples: list[str]


def fields_of(target: str, *, hidden: bool) -> tuple[str, ...]:
    """What Halo is to show of a target's rows; `hidden`: not whether they are voided."""
    return (*COMPARED[target], *((VOIDED,) if target in _VOIDABLE and not hidden else ()))


def unshown(
    connection: Connection, scope: Scope, target: str, fields: Collection[str], most: int = 0
) -> UnshownFields:
    """The rows of a target that were read and do not show all that is compared of them.

    Args:
        connection: the transaction.
        scope: what is compared.
        target: whose rows.
        fields: what they are to show.
        most: so many of the rows are given at most.
    """
    row = over_all(
        connection,
        f"""
        with s as materialized ({scope_of(target)}),
        lacking as (
            select s.id, s.row_id, s.source_id, md5(s.id || '/' || :seed) as mark, array(
                select name from jsonb_object_keys(s.projection) as name
                where name = any(:compared) and not coalesce(h.projection ? name, false)
                union all
                select '{VOIDED}'
                where :voidable and not coalesce(h.projection ? '{VOIDED}', false)) as fields
            from s join reconciliation_row h
                on h.run_id = :run and h.kind = :kind and h.id = s.row_id
            where s.stable
        )
        select coalesce(array_agg(id order by id), '{{}}') as deliveries,
               coalesce((array_agg(row_id order by mark))[1:cast(:most as int)], '{{}}') as rows,
               array(select distinct unnest(fields) from lacking order by 1) as fields,
               coalesce((array_agg(source_id order by mark))[1:{MOST_EXAMPLES}], '{{}}')
                   as examples
        from lacking where cardinality(fields) > 0
        """,  # noqa: S608 - built from constants of this module
        {
            **scope.given(target),
            "seed": scope.run.seed,
            "most": most,
            "compared": [name for name in fields if name != VOIDED],
            "voidable": VOIDED in fields,
        },
    ).one()
    return UnshownFields(*row)


@dataclass(frozen=True, slots=True)
class Shipped:
    """A fulfillment that was posted for a consignment.

    Attributes:
        consigned: whether Halo still has the consignment.
        shown: whether HighLevel still shows the fulfillment; None where that was not read.
    """

    id: int
    role: str
    source_id: str
    state: str
    reason: str | None
    target_id: str | None
    stable: bool
    late: bool
    consigned: bool
    shown: bool | None


_SHIPPED = f"""
    select d.id, d.role, d.source_id, d.state, d.reason, d.target_id,
           (d.state = 'delivered' or {NEEDS_A_PERSON}) and d.target_id is not null
               and coalesce(d.confirmed_at <= :began, true) as stable,
           {NEEDS_A_PERSON} or (d.state not in ('delivered', 'parked')
               and d.due_at < clock_timestamp() - cast(:late as interval)) as late,
           h.id is not null as consigned,
           case when f.foreign_id is not null
                then coalesce(o.canonical -> 'fulfillments', '[]')
                     @> jsonb_build_array(jsonb_build_object('id', d.target_id)) end as shown
    from delivery d
    join record r on r.place = d.place and r.kind = d.source_kind and r.foreign_id = d.source_id
    left join record o on o.place = :location and o.kind = 'order'
                      and o.foreign_id = r.canonical ->> 'order_id'
    left join facet f on f.place = o.place and f.kind = o.kind and f.foreign_id = o.foreign_id
                     and f.facet = 'fulfillments'
    left join reconciliation_row h on h.run_id = :run and h.kind = 'consignment'
                                  and h.id = cast(r.foreign_id as bigint)
    where d.connection_id = :connection_id and d.flow = 'fulfillments'
      and coalesce(r.created_at, r.noticed_at) >= :first
      and coalesce(r.created_at, r.noticed_at) < :until"""  # noqa: S608 - built from a constant


@dataclass(frozen=True, slots=True)
class Parcels:
    """Fulfillments of a period: how many stand on each side, and how many are on their way."""

    posted: int
    consigned: int
    shown: int
    on_the_way: int
    lowest: int | None


def parcels(connection: Connection, scope: Scope) -> Parcels:
    """What there is of fulfillments."""
    row = over_all(
        connection,
        f"""
        with s as materialized ({_SHIPPED})
        select count(*) filter (where stable) as posted,
               count(*) filter (where stable and consigned) as consigned,
               count(*) filter (where stable and shown is distinct from false) as shown,
               count(*) filter (where not stable and not late) as on_the_way,
               min(cast(source_id as bigint)) filter (where stable) as lowest
        from s
        """,  # noqa: S608 - built from a constant of this module
        {**scope.given("fulfillment"), "location": scope.link.location_place},
    ).one()
    return Parcels(*row)


def astray(connection: Connection, scope: Scope) -> tuple[list[Shipped], int]:
    """Fulfillments whose consignment is gone, that HighLevel does not show, or that are late."""
    found = over_all(
        connection,
        f"""
        with s as materialized ({_SHIPPED})
        select s.*, count(*) over () as many
        from s where stable and (not consigned or shown is false) or late
        order by id limit {MOST}
        """,  # noqa: S608 - built from constants of this module
        {**scope.given("fulfillment"), "location": scope.link.location_place},
    ).all()
    return [Shipped(*row[:-1]) for row in found], found[0].many if found else 0


@dataclass(frozen=True, slots=True)
class UnrequestedRecords:
    """Records of a kind for which nothing is requested, by whether HighLevel calls them live."""

    kind: str
    live: bool | None
    ids: list[str]
    count: int


_REQUESTED_BY = {"order": "orders", "transaction": "payments", "subscription": "subscriptions"}


def unrequested(connection: Connection, scope: Scope, kind: str) -> list[UnrequestedRecords]:
    """Records of the period without any delivery, of transactions those in which money came in.

    Left out are those that were noticed only just now.
    """
    money = f"and {CAME_IN} and coalesce(r.canonical ->> 'amount', '0') ~ '[1-9]'"
    found = over_all(
        connection,
        f"""
        select cast(r.canonical ->> 'live_mode' as boolean) as live, count(*) as many,
               (array_agg(r.foreign_id order by r.foreign_id))[1:{MOST}] as ids
        from record r
        where r.place = :place and r.kind = :record_kind
          and r.created_at >= :first and r.created_at < :until
          and r.noticed_at < clock_timestamp() - cast(:late as interval)
          {money if kind == "transaction" else ""}
          and not exists (
            select 1 from delivery d
            where d.tenant_id = :tenant_id and d.flow = :flow and d.source_id = r.foreign_id)
        group by 1
        """,  # noqa: S608 - built from constants of this module
        {
            **scope.given(kind),
            "place": scope.link.location_place,
            "record_kind": kind,
            "flow": _REQUESTED_BY[kind],
        },
    )
    return [UnrequestedRecords(kind, row.live, list(row.ids), row.many) for row in found]


def answers_for_strangers(connection: Connection, link: Link) -> bool:
    """Whether a connection answers for what nobody knows: the first one of its tenant does."""
    first = connection.execute(
        text("select min(id) from connection where tenant_id = :tenant_id"),
        {"tenant_id": link.tenant},
    ).scalar_one()
    return bool(first == link.id)
