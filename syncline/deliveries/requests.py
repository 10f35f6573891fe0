"""What records make due, and what is known already without being fetched.

Each is one INSERT … ON CONFLICT for many rows; a delivery that a worker holds stays with it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from sqlalchemy import Connection

from syncline import jsontext
from syncline.deliveries.states import DOUBTED
from syncline.deliveries.target_rows import ACCEPTED, GONE
from syncline.deliveries.unleased import UNPARKED
from syncline.deliveries.waits import add_edges, wake
from syncline.ledger.database import text
from syncline.ledger.modes import HELD

_DAYS = "days"
"""The key in `target_meta` for the days of the list that showed what is parked."""

NAMED_BY = "named_by"
"""The key in `target_meta` for the row of the other side that named what is to be read."""

OF_AN_EVENT = "event "
"""How the cause of what an event makes due begins; its id follows."""


def cause_of_event(event_id: int) -> str:
    """The cause of what an event makes due, and of what is read because of it."""
    return f"{OF_AN_EVENT}{event_id}"


def is_urgent(cause: str) -> bool:
    """Whether an event asks for it: it goes before what is only being caught up with."""
    return cause.startswith(OF_AN_EVENT)


@dataclass(frozen=True, slots=True)
class DeliveryRequest:
    """What one version of a record asks of one target row.

    Attributes:
        after: how long it is put off; one that is due already comes no later.
        waits_for: the (flow, source id, role) without which a new one need not be looked at.
        cause: its own, where requests that are made together have different ones.
        days: of one that is parked at once: the first and last day of the list that showed it.
        named_by: of a row that is to be read: the id of the row that names it; once known, it is
            kept.
    """

    flow: str
    source_kind: str
    source_id: str
    role: str
    target: str
    place: str
    version: int
    after: timedelta = timedelta(0)
    waits_for: tuple[str, str, str] | None = None
    cause: str | None = None
    days: tuple[date, date] | None = None
    named_by: int | None = None


_IN_DOUBT = f"delivery.state = 'parked' and delivery.field is not distinct from '{DOUBTED}'"
"""Halo may hold it already: a new version must not let it be created before a person decided."""

_LEFT_GONE = f"delivery.target_meta #> '{{{ACCEPTED},{GONE}}}' is not null"
"""A person took it that its target row is gone: only a new version brings it back."""


def enqueue(
    connection: Connection,
    connection_id: int,
    tenant_id: int,
    requested: Sequence[DeliveryRequest],
    cause: str,
    *,
    again: bool = False,
) -> int:
    """Make deliveries due for new versions; returns how many rows that touched.

    With `again`, also those of this very version: what they are rendered to may have changed with
    the mapping. One that a worker holds is due once more when that attempt has ended.
    """
    if not requested:
        return 0
    rows = [
        {
            **_named(one),
            "after": one.after.total_seconds(),
            "waits": one.waits_for is not None,
            "cause": one.cause or cause,
            "urgent": is_urgent(one.cause or cause),
            "meta": None if one.named_by is None else {NAMED_BY: one.named_by},
        }
        for one in sorted(set(requested), key=lambda one: (one.flow, one.source_id, one.role))
    ]
    touched = connection.execute(
        text(
            f"""
            insert into delivery (tenant_id, connection_id, flow, role, target, place,
                                  source_kind, source_id, wanted_version, cause, urgent, due_at,
                                  state, target_meta)
            select :tenant_id, :connection_id, flow, role, target, place,
                   source_kind, source_id, version, cause, urgent,
                   clock_timestamp() + make_interval(secs => after),
                   case when waits then 'waiting' else 'due' end, meta
            from jsonb_to_recordset(cast(:rows as jsonb)) as asked
                 (flow text, role text, target text, place text,
                  source_kind text, source_id text, version bigint, after double precision,
                  waits boolean, cause text, urgent boolean, meta jsonb)
            on conflict (tenant_id, flow, source_id, role) do update
            set wanted_version = excluded.wanted_version,
                cause = excluded.cause,
                urgent = excluded.urgent or (delivery.urgent and delivery.state <> 'delivered'),
                -- What was sent before is not what is wanted now, even if it is found there.
                sent_version = case when :again and delivery.state = 'doubtful' then 0
                                    else delivery.sent_version end,
                failures = 0,
                target_meta = case when excluded.target_meta is null then delivery.target_meta
                                   else coalesce(delivery.target_meta, '{{}}')
                                        || excluded.target_meta end,
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
    waiting = {(d.flow, d.source_id, d.role): d.waits_for for d in requested if d.waits_for}
    born = {(row.flow, row.source_id, row.role): row.id for row in touched if row.is_new}
    edges = {born[key]: edge for key, edge in waiting.items() if key in born}
    add_edges(connection, tenant_id, edges)
    return len(touched)


def complete(
    connection: Connection,
    connection_id: int,
    tenant_id: int,
    requested: Sequence[DeliveryRequest],
    cause: str,
) -> set[int]:
    """DUE, WAITING, PARKED or not there → DELIVERED: what a reading would bring is known already.

    One that a worker holds stays with it. Wakes what waited for it; returns the ids.
    """
    if not requested:
        return set()
    completed = connection.execute(
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
                [_named(one) for one in sorted(requested, key=lambda one: one.source_id)]
            ).decode(),
        },
    ).scalars()
    ids = set(completed)
    wake(connection, sorted(ids))
    return ids


def park(
    connection: Connection,
    connection_id: int,
    tenant_id: int,
    unreadable: Mapping[DeliveryRequest, str],
    cause: str,
) -> None:
    """Not there, DUE, WAITING or DELIVERED → PARKED: what was shown for a request reads as nothing.

    One of this very version is told already: it stays as it is, whatever became of it; only the
    days of its list are added where they were not known.

    Args:
        connection: the transaction.
        connection_id: whose these are.
        tenant_id: its tenant.
        unreadable: request → why a person must look; its version tells what was shown.
        cause: what showed it.
    """
    if not unreadable:
        return
    rows = [
        {**_named(one), "reason": reason, "meta": None if one.days is None else {_DAYS: one.days}}
        for one, reason in sorted(unreadable.items(), key=lambda each: each[0].source_id)
    ]
    connection.execute(
        text(
            """
            insert into delivery (tenant_id, connection_id, flow, role, target, place, source_kind,
                                  source_id, wanted_version, cause, state, reason, target_meta)
            select :tenant_id, :connection_id, flow, role, target, place, source_kind,
                   source_id, version, :cause, 'parked', reason, meta
            from jsonb_to_recordset(cast(:rows as jsonb)) as shown
                 (flow text, role text, target text, place text,
                  source_kind text, source_id text, version bigint, reason text, meta jsonb)
            on conflict (tenant_id, flow, source_id, role) do update
            set wanted_version = excluded.wanted_version, cause = excluded.cause,
                reason = excluded.reason, field = null, failures = 0,
                target_meta = excluded.target_meta,
                due_at = clock_timestamp(), state = 'parked'
            where (delivery.wanted_version <> excluded.wanted_version
                   or delivery.state = 'parked' and delivery.target_meta is null
                      and excluded.target_meta is not null)
              and delivery.state in ('due', 'waiting', 'delivered', 'parked')
            """
        ),
        {
            "tenant_id": tenant_id,
            "connection_id": connection_id,
            "cause": cause,
            "rows": jsontext.dumps(rows).decode(),
        },
    )


def unpark(
    connection: Connection,
    connection_id: int,
    flow: str,
    roles: Sequence[str],
    source_ids: Collection[str],
) -> set[int]:
    """PARKED → DELIVERED: what `park` was told of can be read now. Returns the ids.

    If it is shown as it was once more, it is parked once more.
    """
    parked = """
        select id, source_id from delivery
        where connection_id = :connection_id and state = 'parked'
          and flow = :flow and role = any(:roles)
        """
    which = {"connection_id": connection_id, "flow": flow, "roles": list(roles)}
    # Mostly nothing is parked, and then it costs much to tell what has come.
    some = text(f"select exists ({parked})")
    if not source_ids or not connection.execute(some, which).scalar_one():
        return set()
    healed = connection.execute(
        text(
            f"""
            -- Few are parked of what comes: these are gone through, not what comes.
            with parked as materialized ({parked})
            update delivery
            set state = 'delivered', wanted_version = 0, delivered_version = 0,
                confirmed_at = clock_timestamp(), failures = 0, reason = null, field = null
            where state = 'parked'
              and id in (select id from parked where source_id = any(:source_ids))
            returning id
            """  # noqa: S608 - a constant of this function
        ),
        {**which, "source_ids": list(source_ids)},
    )
    return set(healed.scalars())


def parked_of_days(
    connection: Connection,
    connection_id: int,
    wanted: tuple[str, str, str],
    days: tuple[date, date],
) -> set[str]:
    """The source ids of what `park` was told of, whose list showed these days or fewer.

    Args:
        connection: the transaction.
        connection_id: whose these are.
        wanted: their flow, role and kind.
        days: the first and last day.
    """
    flow, role, kind = wanted
    found = connection.execute(
        text(
            f"""
            select source_id from delivery
            where connection_id = :connection_id and state = 'parked' and flow = :flow
              and role = :role and source_kind = :kind
              and cast(target_meta -> '{_DAYS}' ->> 0 as date) >= :first
              and cast(target_meta -> '{_DAYS}' ->> 1 as date) <= :last
            """  # noqa: S608 - built from a constant of this module
        ),
        {
            "connection_id": connection_id,
            "flow": flow,
            "role": role,
            "kind": kind,
            "first": days[0],
            "last": days[1],
        },
    )
    return set(found.scalars())


def existing_roles(
    connection: Connection, tenant_id: int, flow: str, source_ids: Sequence[str]
) -> dict[str, set[str]]:
    """The roles of a flow that have a delivery, by source id; ids without any are left out."""
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


def _named(one: DeliveryRequest) -> dict[str, object]:
    return {
        "flow": one.flow,
        "role": one.role,
        "target": one.target,
        "place": one.place,
        "source_kind": one.source_kind,
        "source_id": one.source_id,
        "version": one.version,
    }
