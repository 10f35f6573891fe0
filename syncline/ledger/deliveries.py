"""The moves of a delivery: each one conditional UPDATE … RETURNING, and nothing else writes it.

Outcomes are fenced by owner and attempt: a worker that was declared dead finds that its rows have
moved on, and its late news changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, text

from syncline import jsontext
from syncline.ledger import causes, effects
from syncline.ledger.leases import Confirmation, Debt, Departure, Lease, is_urgent
from syncline.ledger.states import State
from syncline.ledger.target_rows import Standing
from syncline.ledger.waits import add_edges, wake

_UNPARKED = """
    case when delivery.target_id is null and delivery.sent_version is not null
         then 'doubtful' else 'due' end"""
"""Where a parked row goes on. One that was written once and has no known target row may have made
one, so it is looked up before it is sent again."""

_IN_DOUBT = "delivery.state = 'parked' and delivery.field is not distinct from 'adopt'"
"""Halo may hold it already: a new version must not let it be created before a person decided."""

_OUTDATED = "d.wanted_version > told.version"

_LEASE = ", ".join(f"d.{name}" for name in Lease.__slots__)


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
            "flow": debt.flow,
            "role": debt.role,
            "target": debt.target,
            "place": debt.place,
            "source_kind": debt.source_kind,
            "source_id": debt.source_id,
            "version": debt.version,
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
                field = case when delivery.state = 'parked' then null else delivery.field end,
                due_at = case when delivery.state in ('delivered', 'parked', 'waiting')
                              then excluded.due_at
                              when delivery.state = 'due'
                              then least(delivery.due_at, excluded.due_at)
                              else delivery.due_at end,
                state = case when delivery.state in ('delivered', 'waiting') then 'due'
                             when delivery.state = 'parked' then {_UNPARKED}
                             else delivery.state end
            where not ({_IN_DOUBT})
              and (delivery.wanted_version < excluded.wanted_version
                   or (:again and delivery.wanted_version = excluded.wanted_version))
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
                [
                    {
                        "flow": debt.flow,
                        "role": debt.role,
                        "target": debt.target,
                        "place": debt.place,
                        "source_kind": debt.source_kind,
                        "source_id": debt.source_id,
                        "version": debt.version,
                    }
                    for debt in sorted(debts, key=lambda debt: debt.source_id)
                ]
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


def claim(
    connection: Connection,
    connection_id: int,
    target: str,
    owner: UUID,
    most: int,
    state: State = State.DUE,
    *,
    urgent: bool = False,
) -> list[Lease]:
    """Take rows that are due (to send) or doubtful and settled (to look up); urgent ones alone.

    `state` DUE becomes LEASED and counts an attempt; DOUBTFUL becomes CHECKING and does not.
    """
    claimed = State.LEASED if state is State.DUE else State.CHECKING
    only = "and urgent and state = 'due'" if urgent else ""
    result = connection.execute(
        text(
            f"""
            with open as (
                select id from delivery
                where connection_id = :connection_id and target = :target
                  and state in ('due', 'doubtful')  -- as the partial index says it
                  and state = :state and due_at <= statement_timestamp() {only}
                order by due_at, id
                limit :most
                for update skip locked
            )
            update delivery d
            set state = :claimed, owner = :owner,
                attempt = d.attempt + case when :claimed = 'leased' then 1 else 0 end
            from open where d.id = open.id
            returning {_LEASE}
            """  # noqa: S608 - the columns are a constant of this module
        ),
        {
            "connection_id": connection_id,
            "target": target,
            "state": state,
            "claimed": claimed,
            "owner": owner,
            "most": most,
        },
    )
    leases = [Lease(*row) for row in result]
    return sorted(leases, key=lambda lease: lease.id)


def depart(connection: Connection, departures: Sequence[Departure]) -> set[int]:
    """LEASED → SENDING, right before the socket is written; returns the ids still ours."""
    return _move(
        connection,
        State.SENDING,
        [departure.lease for departure in departures],
        """sent_version = told.version, sent_at = clock_timestamp(), call_id = told.call_id,
           sent_projection = told.projection""",
        [
            {
                "version": departure.lease.wanted_version,
                "call_id": str(departure.call_id),
                "projection": departure.projection,
            }
            for departure in departures
        ],
    )


def confirm(connection: Connection, news: Sequence[Confirmation], *, wrote: bool) -> set[int]:
    """LEASED, SENDING or CHECKING → DELIVERED, or due again where the record moved on meanwhile.

    Wakes what waited, and writes the audit entry of an effect (`wrote`), in this transaction.
    """
    moved = _move(
        connection,
        State.DELIVERED,
        [item.lease for item in news],
        """delivered_version = told.version,
           state = case when d.wanted_version > told.version or d.cause <> told.cause
                        then 'due' else 'delivered' end,
           target_id = coalesce(told.target_id, d.target_id),
           target_meta = coalesce(told.meta, d.target_meta),
           projection = coalesce(told.projection, d.projection),
           confirmed_at = clock_timestamp(), due_at = clock_timestamp(),
           failures = 0, array_limit = null, reason = null, field = null, owner = null""",
        [
            {
                "version": item.lease.sent_version if wrote else item.lease.wanted_version,
                "cause": item.lease.cause,
                "target_id": item.target_id,
                "meta": item.meta,
                "projection": item.projection,
            }
            for item in news
        ],
        sets_state=True,
    )
    wake(connection, sorted(moved))
    if wrote:
        effects.note_deliveries(connection, [item for item in news if item.lease.id in moved])
    return moved


def learn_target(connection: Connection, news: Sequence[Confirmation]) -> set[int]:
    """SENDING or CHECKING → DUE: its target row is known, but does not hold yet what is wanted.

    What it holds is not what was confirmed last, so that is forgotten: the next write is made. A
    row that was not known before is an effect of ours, so it gets its audit entry now.
    """
    moved = _move(
        connection,
        State.DUE,
        [item.lease for item in news],
        """target_id = told.target_id, target_meta = told.meta, projection = null,
           due_at = clock_timestamp(), owner = null""",
        [{"target_id": item.target_id, "meta": item.meta} for item in news],
    )
    made = [item for item in news if item.lease.id in moved and item.lease.target_id is None]
    effects.note_deliveries(connection, made)
    return moved


def give_back(
    connection: Connection,
    leases: Sequence[Lease],
    *,
    after: timedelta = timedelta(0),
    why: str | None = None,
    failed: bool = False,
    forget_target: bool = False,
    array_limit: int | None = None,
) -> set[int]:
    """Any owned state → DUE, after a while: nothing was written, or its absence is proved."""
    return _move(
        connection,
        State.DUE,
        leases,
        """due_at = clock_timestamp() + make_interval(secs => told.after), owner = null,
           reason = told.why, failures = d.failures + told.failed,
           target_meta = case when told.forget then null else d.target_meta end,
           array_limit = coalesce(told.array_limit, d.array_limit)""",
        [
            {
                "after": after.total_seconds(),
                "why": why,
                "failed": int(failed),
                "forget": forget_target,
                "array_limit": array_limit,
            }
        ]
        * len(leases),
    )


def release(
    connection: Connection, leases: Sequence[Lease], *, after: timedelta, why: str | None
) -> set[int]:
    """LEASED → DUE only: rows that this worker took and has not begun to write."""
    return _move(
        connection,
        State.DUE,
        leases,
        """due_at = clock_timestamp() + make_interval(secs => told.after), owner = null,
           reason = coalesce(told.why, d.reason)""",
        [{"after": after.total_seconds(), "why": why}] * len(leases),
        sources=(State.LEASED,),
    )


def doubt(
    connection: Connection,
    leases: Sequence[Lease],
    *,
    settle: timedelta,
    why: str,
    array_limit: int | None = None,
) -> set[int]:
    """SENDING or CHECKING → DOUBTFUL: to be looked up after the settle time."""
    return _move(
        connection,
        State.DOUBTFUL,
        leases,
        """due_at = clock_timestamp() + make_interval(secs => told.after), owner = null,
           reason = told.why,
           failures = d.failures + case when d.state = 'sending' then 1 else 0 end,
           array_limit = coalesce(told.array_limit, d.array_limit)""",
        [{"after": settle.total_seconds(), "why": why, "array_limit": array_limit}] * len(leases),
    )


def park(
    connection: Connection,
    leases: Sequence[Lease],
    *,
    reason: str,
    field: str | None,
    known: Confirmation | None = None,
    gone: bool = False,
) -> set[int]:
    """Any owned state → PARKED: a person must look at it.

    A row whose record has moved on meanwhile goes on with the new version instead. What the other
    side holds is unknown after a look-up or an answer that is not as wanted, so what was confirmed
    last is forgotten: the next write is made.

    `known` is the target row as the other side answered, where it made one that is not as wanted.
    `gone` says that the target row is not there any more: it is forgotten, so that whichever way
    this goes on, it is looked up by its reference before it is made again.
    """
    target_id = None if known is None else known.target_id
    meta = None if known is None else known.meta
    moved = _move(
        connection,
        State.PARKED,
        leases,
        f"""state = case when not {_OUTDATED} then 'parked'
                        when d.state = 'leased' or not told.forget
                             and coalesce(told.target_id, d.target_id) is not null
                        then 'due' else 'doubtful' end,
           reason = case when not {_OUTDATED} then told.why end,
           field = case when not {_OUTDATED} then told.field end,
           owner = null, array_limit = null, due_at = clock_timestamp(),
           target_id = case when not told.forget
                            then coalesce(told.target_id, d.target_id) end,
           target_meta = case when not told.forget
                              then coalesce(told.meta, d.target_meta) end,
           sent_version = case when told.forget then coalesce(d.sent_version, d.wanted_version)
                               else d.sent_version end,
           projection = case when d.state <> 'checking' and told.target_id is null
                                  and not told.forget
                             then d.projection end""",
        [
            {
                "version": lease.wanted_version,
                "why": reason,
                "field": field,
                "target_id": target_id,
                "meta": meta,
                "forget": gone,
            }
            for lease in leases
        ],
        sets_state=True,
    )
    if known is not None and moved:
        effects.note_deliveries(connection, [known])
    return moved


_AT_REST = "delivery.state in ('due', 'waiting', 'delivered', 'parked')"
"""In nobody's hands: what the other side is seen to hold is not on its way to be something else."""


def learn_held(connection: Connection, standing: Standing, meta: Mapping[str, Any]) -> bool:
    """Its target row was looked at and holds what was confirmed; False while a worker has it."""
    return _at_rest(
        connection,
        standing,
        "target_meta = coalesce(target_meta, '{}') || cast(:meta as jsonb)",
        _AT_REST,
        {"meta": jsontext.dumps(meta).decode()},
    )


def overwrite(
    connection: Connection, standing: Standing, *, meta: Mapping[str, Any], cause: str
) -> bool:
    """DELIVERED → DUE: somebody changed its target row, so what was confirmed is forgotten.

    One that is due, waiting or parked stays so and is written in its turn. False while a worker
    has it.
    """
    return _at_rest(
        connection,
        standing,
        """projection = null, target_meta = coalesce(target_meta, '{}') || cast(:meta as jsonb),
           cause = case when state = 'delivered' then :cause else cause end,
           due_at = case when state = 'delivered' then clock_timestamp() else due_at end,
           state = case when state = 'delivered' then 'due' else state end""",
        _AT_REST,
        {"meta": jsontext.dumps(meta).decode(), "cause": cause},
    )


def park_changed(
    connection: Connection, standing: Standing, *, meta: Mapping[str, Any], reason: str, field: str
) -> bool:
    """DELIVERED → PARKED: somebody changed its target row, and a person must say who is right.

    One that is due or waiting is written in its turn. False while a worker has it.
    """
    return _at_rest(
        connection,
        standing,
        """projection = null, target_meta = coalesce(target_meta, '{}') || cast(:meta as jsonb),
           reason = case when state = 'delivered' then :reason else reason end,
           field = case when state = 'delivered' then :field else field end,
           due_at = case when state = 'delivered' then clock_timestamp() else due_at end,
           state = case when state = 'delivered' then 'parked' else state end""",
        _AT_REST,
        {
            "meta": jsontext.dumps(meta).decode(),
            "reason": reason,
            "field": field,
        },
    )


def lose(
    connection: Connection, standing: Standing, *, reason: str, cause: str, make_again: bool
) -> bool:
    """DELIVERED → PARKED, or DOUBTFUL to be made again: its target row is gone.

    It has no target row any more; whichever way it goes on, it is looked up before it is made, also
    where we never sent it but adopted it. False while a worker has it; one that is due finds out
    by itself. The `cause` is that of its being made again.
    """
    return _at_rest(
        connection,
        standing,
        """target_id = null, target_meta = null, projection = null, reason = :reason,
           field = null, due_at = clock_timestamp(),
           cause = case when :make_again then :cause else cause end,
           sent_version = coalesce(sent_version, wanted_version),
           state = case when :make_again then 'doubtful' else 'parked' end""",
        "delivery.state = 'delivered'",
        {"reason": reason, "cause": cause, "make_again": make_again},
    )


def call_off(connection: Connection, standing: Standing, *, reason: str) -> bool:
    """DUE, WAITING or DELIVERED → PARKED: what it was owed for is gone, so nothing is written.

    False while a worker has it.
    """
    return _at_rest(
        connection,
        standing,
        "state = 'parked', reason = :reason, field = null, due_at = clock_timestamp()",
        _AT_REST,
        {"reason": reason},
    )


def _at_rest(
    connection: Connection,
    standing: Standing,
    sets: str,
    states: str,
    parameters: Mapping[str, Any],
) -> bool:
    """One UPDATE of a row that no worker has, and none has written since it was looked at."""
    return bool(
        connection.execute(
            text(
                f"""
                update delivery set {sets}
                where id = :id and {states} and confirmed_at is not distinct from :confirmed_at
                """  # noqa: S608 - constants of this module
            ),
            {**parameters, "id": standing.id, "confirmed_at": standing.confirmed_at},
        ).rowcount
    )


def retry(
    connection: Connection,
    connection_id: int | None,
    *,
    source_id: str | None = None,
    number: int | None = None,
    cause: str | None = None,
) -> dict[str, int]:
    """PARKED → DUE or DOUBTFUL; returns how many, by target.

    Args:
        connection: the transaction.
        connection_id: only of this connection.
        source_id: only of this record.
        number: only the delivery with this number.
        cause: only those that are parked for this cause.
    """
    result = connection.execute(
        text(
            f"""
            with freed as (
                update delivery set state = {_UNPARKED}, due_at = clock_timestamp(), failures = 0
                where state = 'parked'
                  and (cast(:connection_id as bigint) is null or connection_id = :connection_id)
                  and (cast(:source_id as text) is null or source_id = :source_id)
                  and (cast(:number as bigint) is null or id = :number)
                  and (cast(:cause as text) is null or {causes.ID} = :cause)
                returning target
            )
            select target, count(*) as many from freed group by target order by target
            """  # noqa: S608 - built from constants
        ),
        {
            "connection_id": connection_id,
            "source_id": source_id,
            "number": number,
            "cause": cause,
            **causes.PATTERNS,
        },
    )
    return {row.target: row.many for row in result}


_ALLOWED: dict[State, tuple[State, ...]] = {
    State.SENDING: (State.LEASED,),
    State.DELIVERED: (State.LEASED, State.SENDING, State.CHECKING),
    State.DUE: (State.LEASED, State.SENDING, State.CHECKING),
    State.DOUBTFUL: (State.SENDING, State.CHECKING),
    State.PARKED: (State.LEASED, State.SENDING, State.CHECKING),
    State.WAITING: (State.LEASED,),
}
"""Owned states a worker may move a row out of; tests hold it against `states.MOVES`."""

_TOLD = {
    "cause": "text",
    "version": "bigint",
    "call_id": "uuid",
    "projection": "jsonb",
    "target_id": "text",
    "meta": "jsonb",
    "after": "double precision",
    "why": "text",
    "field": "text",
    "failed": "int",
    "forget": "boolean",
    "array_limit": "bigint",
}


def _move(
    connection: Connection,
    target: State,
    leases: Sequence[Lease],
    sets: str,
    told: Sequence[Mapping[str, Any]],
    *,
    sources: Sequence[State] = (),
    sets_state: bool = False,
) -> set[int]:
    """One UPDATE for many rows, each fenced by owner, attempt and allowed state."""
    if not leases:
        return set()
    rows = [
        {"id": lease.id, "attempt": lease.attempt, **values}
        for lease, values in zip(leases, told, strict=True)
    ]
    columns = ", ".join(f"{name} {_TOLD[name]}" for name in told[0])
    state = "" if sets_state else f"state = '{target}', "
    allowed = ", ".join(f"'{source}'" for source in sources or _ALLOWED[target])
    result = connection.execute(
        text(
            f"""
            with told as materialized (
                select * from jsonb_to_recordset(cast(:rows as jsonb))
                     as rows (id bigint, attempt bigint, {columns})
            ), mine as (
                select d.id from delivery d join told on told.id = d.id
                where d.owner = :owner and d.attempt = told.attempt and d.state in ({allowed})
                order by d.id for update of d
            )
            update delivery d set {state}{sets}
            from told, mine
            where d.id = mine.id and told.id = d.id
            returning d.id
            """  # noqa: S608 - built from constants of this module
        ),
        {"rows": jsontext.dumps(rows).decode(), "owner": leases[0].owner},
    )
    return set(result.scalars())
