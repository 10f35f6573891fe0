"""The moves of deliveries that no worker holds: each one conditional UPDATE … RETURNING.

Somebody changed a target row, or it is gone, or a person decided. What the ledger knew of the row
when that was found out must still be true when it is written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from syncline import jsontext
from syncline.deliveries import causes
from syncline.deliveries.states import MAY_BE_THERE, NEEDS_A_PERSON, PINNED
from syncline.deliveries.target_rows import ACCEPTED, WITH_NONE_OURS, Taking, TargetRow
from syncline.deliveries.waits import wake
from syncline.ledger import effects
from syncline.ledger.database import text
from syncline.ledger.modes import HELD

UNPARKED = f"""
    case when delivery.target_id is null and delivery.sent_version is not null
              or delivery.target_meta ? '{PINNED}'
         then 'doubtful' else 'due' end"""
"""Where an unleased delivery goes on. One that was written once and has no known target row may
have made one, so it is looked up before it is sent again; so is one whose row was never read."""


_ROWLESS = """target_id = null, target_meta = null, projection = null, field = null,
    reason = :reason, due_at = clock_timestamp(),
    sent_version = coalesce(sent_version, wanted_version)"""
"""Without a target row: whichever way it goes on, it is looked up before it is made, also where we
never sent it but adopted it."""

_UNLEASED = "delivery.state in ('due', 'waiting', 'delivered', 'parked')"
"""Nobody holds it: what the other side is seen to hold is not on its way to be something else."""

_AT_AN_END = "delivery.state in ('delivered', 'parked')"
"""Nothing is on its way, and nothing comes without a new version or a person."""


def learn_held(connection: Connection, standing: TargetRow, meta: Mapping[str, Any]) -> bool:
    """Its target row was looked at and holds what was confirmed; False while a worker has it."""
    return _move(
        connection,
        standing,
        "target_meta = coalesce(target_meta, '{}') || cast(:meta as jsonb)",
        _UNLEASED,
        {"meta": jsontext.dumps(meta).decode()},
    )


def overwrite(
    connection: Connection, standing: TargetRow, *, meta: Mapping[str, Any], cause: str
) -> bool:
    """DELIVERED → DUE: somebody changed its target row, so what was confirmed is forgotten.

    One that is due, waiting or parked stays so and is written in its turn. False while a worker
    has it.
    """
    return _move(
        connection,
        standing,
        """projection = null, target_meta = coalesce(target_meta, '{}') || cast(:meta as jsonb),
           cause = case when state = 'delivered' then :cause else cause end,
           due_at = case when state = 'delivered' then clock_timestamp() else due_at end,
           state = case when state = 'delivered' then 'due' else state end""",
        _UNLEASED,
        {"meta": jsontext.dumps(meta).decode(), "cause": cause},
    )


def park_changed(
    connection: Connection, standing: TargetRow, *, meta: Mapping[str, Any], reason: str, field: str
) -> bool:
    """DELIVERED → PARKED: somebody changed its target row, and a person must say who is right.

    One that is due or waiting is written in its turn. False while a worker has it.
    """
    return _move(
        connection,
        standing,
        """projection = null, target_meta = coalesce(target_meta, '{}') || cast(:meta as jsonb),
           reason = case when state = 'delivered' then :reason else reason end,
           field = case when state = 'delivered' then :field else field end,
           due_at = case when state = 'delivered' then clock_timestamp() else due_at end,
           state = case when state = 'delivered' then 'parked' else state end""",
        _UNLEASED,
        {
            "meta": jsontext.dumps(meta).decode(),
            "reason": reason,
            "field": field,
        },
    )


def lose(
    connection: Connection, standing: TargetRow, *, reason: str, cause: str, make_again: bool
) -> bool:
    """DELIVERED → PARKED, or DOUBTFUL to be made again: its target row is gone.

    False while a worker has it; one that is due finds out
    by itself. The `cause` is that of its being made again.
    """
    return _move(
        connection,
        standing,
        f"""{_ROWLESS}, cause = case when :make_again then :cause else cause end,
           state = case when :make_again then 'doubtful' else 'parked' end""",
        "delivery.state = 'delivered'",
        {"reason": reason, "cause": cause, "make_again": make_again},
    )


def disown(connection: Connection, standing: TargetRow, *, reason: str) -> bool:
    """DUE, WAITING, DELIVERED or PARKED → PARKED: its target row is not known to be its own.

    False while a worker has it.
    """
    return _move(
        connection,
        standing,
        f"{_ROWLESS}, state = 'parked'",
        _UNLEASED,
        {"reason": reason},
    )


def cancel(connection: Connection, standing: TargetRow, *, reason: str) -> bool:
    """DUE, WAITING or DELIVERED → PARKED: what asked for it is gone, so nothing is written.

    False while a worker has it.
    """
    return _move(
        connection,
        standing,
        "state = 'parked', reason = :reason, field = null, due_at = clock_timestamp()",
        _UNLEASED,
        {"reason": reason},
    )


def write_again(connection: Connection, standings: Sequence[TargetRow], *, cause: str) -> set[int]:
    """DELIVERED or PARKED → DUE, or DOUBTFUL where nobody knows: a person wants our values there.

    What was confirmed is forgotten, so it is written whatever stands there; what was accepted is
    not any more. One that is due or waiting is written in its turn. Returns the ids.
    """
    return _move_all(
        connection,
        standings,
        f"""projection = null, target_meta = target_meta - :accepted, cause = :cause,
            reason = null, field = null, failures = 0, due_at = clock_timestamp(),
            state = case when state = 'delivered' then 'due' when state = 'parked' then {UNPARKED}
                         else state end""",
        _UNLEASED,
        {"cause": cause, "accepted": ACCEPTED},
    )


def make_again(
    connection: Connection, standings: Sequence[TargetRow], *, reason: str, cause: str
) -> set[int]:
    """DELIVERED or PARKED → DOUBTFUL: the target row is gone, and a person wants it made again.

    It is looked up by its reference before that. Returns the ids.
    """
    return _move_all(
        connection,
        standings,
        f"{_ROWLESS}, failures = 0, cause = :cause, state = 'doubtful'",
        _AT_AN_END,
        {"reason": reason, "cause": cause},
    )


def accept(connection: Connection, takings: Sequence[Taking], *, cause: str) -> set[int]:
    """PARKED or DELIVERED → DELIVERED: what the other side holds is taken as it is.

    Wakes what waited for it. A later version is delivered as usual; where nothing stands there any
    more, it is looked up before it is made. Returns the ids.
    """
    gone = {one.standing.id: one.gone for one in takings}
    accepted = _move_all(
        connection,
        [one.standing for one in takings],
        """state = 'delivered', delivered_version = wanted_version, cause = :cause,
           projection = coalesce(known.projection, delivery.projection),
           target_meta = coalesce(target_meta, '{}') || known.meta,
           target_id = case when known.id = any(:gone) then null else target_id end,
           sent_version = case when known.id = any(:gone)
                               then coalesce(sent_version, wanted_version)
                               else sent_version end,
           reason = null, field = null, failures = 0, confirmed_at = clock_timestamp()""",
        _AT_AN_END,
        {"cause": cause, "gone": [key for key, is_gone in gone.items() if is_gone]},
        {
            one.standing.id: {"projection": one.projection, "meta": {ACCEPTED: one.accepted}}
            for one in takings
        },
    )
    wake(connection, sorted(accepted))
    return accepted


def _move(
    connection: Connection,
    standing: TargetRow,
    sets: str,
    states: str,
    parameters: Mapping[str, Any],
) -> bool:
    return bool(_move_all(connection, [standing], sets, states, parameters))


def _move_all(
    connection: Connection,
    standings: Sequence[TargetRow],
    sets: str,
    states: str,
    parameters: Mapping[str, Any],
    told: Mapping[int, Mapping[str, Any]] | None = None,
) -> set[int]:
    """One UPDATE of rows that no worker has, and none has written since they were looked at."""
    if not standings:
        return set()
    rows = [
        {
            "id": one.id,
            "confirmed_at": None if one.confirmed_at is None else one.confirmed_at.isoformat(),
            **(told or {}).get(one.id, {}),
        }
        for one in standings
    ]
    moved = connection.execute(
        text(
            f"""
            with known as materialized (
                select * from jsonb_to_recordset(cast(:rows as jsonb))
                     as known (id bigint, confirmed_at timestamptz, projection jsonb, meta jsonb)
            ), free as (
                select delivery.id from delivery join known on known.id = delivery.id
                where {states} and delivery.confirmed_at is not distinct from known.confirmed_at
                order by delivery.id for update of delivery
            )
            update delivery set {sets}
            from known, free where delivery.id = free.id and known.id = free.id
            returning delivery.id
            """  # noqa: S608 - constants of this module
        ),
        {**parameters, "rows": jsontext.dumps(rows).decode()},
    )
    return set(moved.scalars())


def retry(
    connection: Connection,
    connection_id: int | None,
    *,
    source_id: str | None = None,
    number: int | None = None,
    cause: str | None = None,
    by: str | None = None,
    create: bool = False,
) -> dict[str, int]:
    """PARKED → DUE or DOUBTFUL; returns how many, by target. What is held until live stays.

    So does what the other side may hold already: due, it would be made a second time.

    Args:
        connection: the transaction.
        connection_id: only of this connection.
        source_id: only of this record.
        number: only the delivery with this number.
        cause: only those that are parked for this cause.
        by: who decided it: named in the log of each record, and as the cause of what is written.
        create: a person says that what may be there already is not there, and is to be made; of
            rows that may be its own, only where one record or delivery is meant.
    """
    what = "parked retry --create" if create else "parked retry"
    freed = connection.execute(
        text(
            f"""
                update delivery d
                set state = {UNPARKED.replace("delivery.", "d.")}, due_at = clock_timestamp(),
                    failures = 0, cause = coalesce(:decided, d.cause),
                    target_meta = case when :none_is_ours and d.target_id is null
                                            and d.sent_version is not null
                                       then {WITH_NONE_OURS} else d.target_meta end
                where {NEEDS_A_PERSON} and (:create or not {MAY_BE_THERE})
                  and (cast(:connection_id as bigint) is null or connection_id = :connection_id)
                  and (cast(:source_id as text) is null or source_id = :source_id)
                  and (cast(:number as bigint) is null or id = :number)
                  and (cast(:cause as text) is null or {causes.ID} = :cause)
                returning target, connection_id, source_id
            """  # noqa: S608 - built from constants
        ),
        {
            "create": create,
            "none_is_ours": create and (source_id is not None or number is not None),
            "decided": None if by is None else f"{what} by {by}",
            "connection_id": connection_id,
            "source_id": source_id,
            "number": number,
            "cause": cause,
            **causes.PATTERNS,
        },
    ).all()
    if by is not None:
        records = sorted({(row.connection_id, row.source_id) for row in freed})
        effects.decided_about(connection, records, what=what, by=by)
    return dict(sorted(Counter(row.target for row in freed).items()))


def hold_back(connection: Connection, connection_id: int, *, reason: str) -> int:
    """DUE or WAITING → PARKED: a connection's records that are not to leave in its mode any more.

    Those that may are requested again, which frees them. One that a worker holds, or in doubt, is
    marked: it comes to its end, and is parked where it would be due again. Shipments are judged one
    by one. Returns how many were parked.
    """
    _unhurried(connection)
    states = connection.execute(
        text(
            """
            with open as (
                select id from delivery
                where connection_id = :id
                  and state in ('due', 'waiting', 'leased', 'sending', 'doubtful', 'checking')
                  and flow in ('customers', 'orders', 'payments', 'subscriptions')
                order by id for update
            )
            update delivery d
            set field = :held,
                reason = case when d.state in ('due', 'waiting') then :reason else d.reason end,
                due_at = case when d.state in ('due', 'waiting') then clock_timestamp()
                              else d.due_at end,
                state = case when d.state in ('due', 'waiting') then 'parked' else d.state end
            from open where d.id = open.id
            returning d.state
            """
        ),
        {"id": connection_id, "reason": reason, "held": HELD},
    ).scalars()
    return list(states).count("parked")


def release_held(connection: Connection, connection_id: int) -> int:
    """PARKED → DUE or DOUBTFUL: what was held back until its connection is live."""
    _unhurried(connection)
    return connection.execute(
        text(
            f"""
            update delivery
            set due_at = case when state = 'parked' then clock_timestamp() else due_at end,
                failures = 0, reason = null, field = null,
                state = case when state = 'parked' then {UNPARKED} else state end
            where connection_id = :id and field = :held
            """  # noqa: S608 - built from a constant of this module
        ),
        {"id": connection_id, "held": HELD},
    ).rowcount


def _unhurried(connection: Connection) -> None:
    """It may be a million rows, and is done whole or not at all."""
    connection.execute(text("set local statement_timeout = 0"))


def release_held_for_others(connection: Connection, flows: Sequence[str]) -> int:
    """PARKED → DUE or DOUBTFUL: what is held back until live, and another connection waits for.

    It goes in the name of that one.
    """
    return connection.execute(
        text(
            f"""
            update delivery
            set connection_id = heir.id, state = {UNPARKED}, due_at = clock_timestamp(),
                failures = 0, reason = null, field = null
            from wait w
            join delivery waiting on waiting.id = w.delivery_id and waiting.state = 'waiting'
            join connection heir on heir.id = waiting.connection_id and heir.state = 'active'
            where delivery.state = 'parked' and delivery.field = :held
              and delivery.flow = any(:flows) and delivery.connection_id <> heir.id
              and delivery.connection_id in (select id from connection where mode = 'sandbox')
              and (w.tenant_id, w.flow, w.source_id, w.role)
                  = (delivery.tenant_id, delivery.flow, delivery.source_id, delivery.role)
            """  # noqa: S608 - built from a constant of this module
        ),
        {"flows": list(flows), "held": HELD},
    ).rowcount
