"""The moves of deliveries that a worker holds: each one conditional UPDATE … RETURNING.

Outcomes are fenced by owner and attempt: a worker that was declared dead finds that its rows have
moved on, and its late news changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from syncline import jsontext
from syncline.deliveries import audit_entries
from syncline.deliveries.delivery import Confirmation, Departure, Lease
from syncline.deliveries.states import AHEAD, PINNED, UNTOLD, URGENT, State
from syncline.deliveries.target_rows import ACCEPTED, KEPT, NAME_TAKEN
from syncline.deliveries.waits import wake
from syncline.ledger.database import text
from syncline.ledger.modes import HELD

_OUTDATED = "(d.wanted_version > told.version or d.cause <> told.cause)"
"""It was requested anew meanwhile: by a new version, or under another mapping."""

_IS_HELD = f"d.field is not distinct from '{HELD}'"
_DUE = f"case when {_IS_HELD} then 'parked' else 'due' end"
"""DUE, but for what is not to leave any more since its connection went back to sandbox mode."""

_BACK = f"case when d.target_meta ? '{PINNED}' and not {_IS_HELD} then 'doubtful' else {_DUE} end"
"""The same where its target row is not known any better: a pinned one is to be read before."""

_KEEPS = ", ".join(
    f"'{key}', d.target_meta -> '{key}'" for key in (KEPT, NAME_TAKEN, AHEAD, UNTOLD)
)
_META = f"coalesce(told.meta || jsonb_strip_nulls(jsonb_build_object({_KEEPS})), d.target_meta)"
"""What is known of the target row by now, with what was found out that holds for the next write."""

_NOT_YET = _META.replace(_KEEPS, f"{_KEEPS}, '{ACCEPTED}', d.target_meta -> '{ACCEPTED}'")
"""The same of one that does not hold what is wanted: what was accepted of it stands until then."""

_NOTICES_WITHIN = timedelta(seconds=5)
"""By then a worker has read anew how its connection works."""

_LEASE = ", ".join(f"d.{name}" for name in Lease.__slots__)


def claim(
    connection: Connection,
    connection_id: int,
    target: str,
    owner: UUID,
    most: int,
    state: State = State.DUE,
    *,
    urgent: bool = False,
    one: int | None = None,
) -> list[Lease]:
    """Take rows that are due (to send) or doubtful and settled (to look up): all, urgent, or one.

    `state` DUE becomes LEASED and counts an attempt; DOUBTFUL becomes CHECKING and does not.
    """
    claimed = State.LEASED if state is State.DUE else State.CHECKING
    only = f"and {URGENT}" if urgent else "" if one is None else "and id = :one"
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
            **({} if one is None else {"one": one}),
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
        f"""delivered_version = told.version,
           state = case when d.wanted_version > told.version or d.cause <> told.cause
                        then {_DUE} else 'delivered' end,
           target_id = coalesce(told.target_id, d.target_id),
           target_meta = {_META},
           projection = coalesce(told.projection, d.projection),
           confirmed_at = clock_timestamp(), due_at = clock_timestamp(),
           failures = 0, array_limit = null, reason = told.why, owner = null,
           field = case when d.wanted_version > told.version or d.cause <> told.cause
                        then case when {_IS_HELD} then d.field end end""",
        [
            {
                "version": item.lease.sent_version if wrote else item.lease.wanted_version,
                "cause": item.lease.cause,
                "target_id": item.target_id,
                "meta": item.meta,
                "projection": item.projection,
                "why": item.why,
            }
            for item in news
        ],
        sets_state=True,
    )
    wake(connection, sorted(moved))
    if wrote:
        audit_entries.write(connection, [item for item in news if item.lease.id in moved])
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
        f"""state = {_DUE}, target_id = told.target_id, target_meta = ({_NOT_YET}) - '{PINNED}',
           projection = null, due_at = clock_timestamp(), owner = null""",
        [{"target_id": item.target_id, "meta": item.meta} for item in news],
        sets_state=True,
    )
    made = [item for item in news if item.lease.id in moved and item.lease.target_id is None]
    audit_entries.write(connection, made)
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
    sources: Sequence[State] = (),
) -> set[int]:
    """Any owned state → DUE, after a while: nothing was written, or its absence is proved.

    A pinned one is DOUBTFUL again, and unsent, as it was when it was pinned.
    """
    return _move(
        connection,
        State.DUE,
        leases,
        f"""due_at = clock_timestamp() + make_interval(secs => told.after), owner = null,
           reason = coalesce(told.why, case when d.state = 'leased' then d.reason end),
           failures = d.failures + told.failed,
           sent_version = case when d.target_meta ? '{PINNED}' then null else d.sent_version end,
           sent_projection = case when d.target_meta ? '{PINNED}' then null
                                  else d.sent_projection end,
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
        sources=sources,
    )


release = partial(give_back, sources=(State.LEASED,))
"""LEASED → DUE, or DOUBTFUL for a pinned one: rows that this worker has not begun to write."""


def doubt(
    connection: Connection,
    leases: Sequence[Lease],
    *,
    settle: timedelta,
    why: str,
    array_limit: int | None = None,
    failed: bool | None = None,
) -> set[int]:
    """SENDING or CHECKING → DOUBTFUL: to be looked up after the settle time.

    `failed` says whether that counts against the delivery; None: if it was being written.
    """
    return _move(
        connection,
        State.DOUBTFUL,
        leases,
        """due_at = clock_timestamp() + make_interval(secs => told.after), owner = null,
           reason = told.why,
           failures = d.failures + coalesce(told.failed,
                                            case when d.state = 'sending' then 1 else 0 end),
           array_limit = coalesce(told.array_limit, d.array_limit)""",
        [
            {
                "after": settle.total_seconds(),
                "why": why,
                "array_limit": array_limit,
                "failed": None if failed is None else int(failed),
            }
        ]
        * len(leases),
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

    A row that was requested anew meanwhile goes on instead: what is wrong with it may be right by
    now. What the other side holds is unknown after a look-up or an answer that is not as wanted, so
    what was confirmed last is forgotten: the next write is made.

    `known` is the target row as the other side answered, where it made one that is not as wanted.
    `gone` says that the target row is not there any more: it is forgotten, so that whichever way
    this goes on, it is looked up by its reference before it is made again.

    One that a worker would hold back until its connection is live, not knowing that it is by now,
    is due again in a moment.
    """
    if field == HELD and _is_live(connection, leases):
        return give_back(connection, leases, after=_NOTICES_WITHIN)
    target_id = None if known is None else known.target_id
    meta = None if known is None else known.meta
    moved = _move(
        connection,
        State.PARKED,
        leases,
        f"""state = case when not {_OUTDATED} then 'parked'
                        when not told.forget and (d.state = 'leased'
                             or coalesce(told.target_id, d.target_id) is not null)
                        then {_BACK} else 'doubtful' end,
           reason = case when not {_OUTDATED} then told.why end,
           field = case when not {_OUTDATED} then told.field when {_IS_HELD} then d.field end,
           owner = null, array_limit = null, due_at = clock_timestamp(),
           target_id = case when not told.forget
                            then coalesce(told.target_id, d.target_id) end,
           target_meta = case when not told.forget then {_NOT_YET} end,
           sent_version = case when told.forget then coalesce(d.sent_version, d.wanted_version)
                               else d.sent_version end,
           projection = case when d.state <> 'checking' and told.target_id is null
                                  and not told.forget
                             then d.projection end""",
        [
            {
                "version": lease.wanted_version,
                "cause": lease.cause,
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
        audit_entries.write(connection, [known])
    return moved


def _is_live(connection: Connection, leases: Sequence[Lease]) -> bool:
    """Whether the deliveries' connection is live; it stays as it is until this is committed."""
    mode = connection.execute(
        text(
            """
            select mode from connection
            where id = (select connection_id from delivery where id = :id) for share
            """
        ),
        {"id": leases[0].id},
    ).scalar_one()
    return bool(mode == "live")


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
    """One UPDATE for many rows, found by id alone, each fenced by owner, attempt, allowed state."""
    if not leases:
        return set()
    rows = [
        {"id": lease.id, "attempt": lease.attempt, **values}
        for lease, values in zip(leases, told, strict=True)
    ]
    columns = ", ".join(f"{name} {_TOLD[name]}" for name in told[0])
    moved = _BACK if target is State.DUE else f"'{target}'"
    state = "" if sets_state else f"state = {moved}, "
    allowed = ", ".join(f"'{source}'" for source in sources or _ALLOWED[target])
    result = connection.execute(
        text(
            f"""
            with told as materialized (
                select * from jsonb_to_recordset(cast(:rows as jsonb))
                     as rows (id bigint, attempt bigint, {columns})
            ), locked as (  -- not by owner: that index is full of rows that were owned
                select d.id, d.owner, d.attempt, d.state from delivery d join told using (id)
                order by d.id for update of d
            )
            update delivery d set {state}{sets}
            from told join locked using (id, attempt)
            where d.id = locked.id and locked.owner = :owner and locked.state in ({allowed})
            returning d.id
            """  # noqa: S608 - built from constants of this module
        ),
        {"rows": jsontext.dumps(rows).decode(), "owner": leases[0].owner},
    )
    return set(result.scalars())
