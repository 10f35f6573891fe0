"""How connections stand: what was seen, what the other side confirmed, what is still outstanding.

Reading only. Counting is done by PostgreSQL, so an answer stays small whatever the ledger holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from syncline.deliveries.in_doubt import sent_again
from syncline.deliveries.states import NEEDS_A_PERSON, State, counted_as
from syncline.ledger.connections import Link
from syncline.ledger.database import text
from syncline.ledger.modes import HELD

_ON_THE_WAY = (State.DUE, State.LEASED, State.SENDING)
_IN_DOUBT = (State.DOUBTFUL, State.CHECKING)

_KINDS = {
    "orders": ("order", "orders"),
    "details": (None, "details"),
    "transactions": ("transaction", "payments/payment"),
    "invoices": (None, "payments/invoice"),
    "refunds": (None, "payments/credit"),
    "subscriptions": ("subscription", "subscriptions"),
    "customers": ("customer", "customers"),
    "fulfillments": (None, "fulfillments"),
    "alerts": (None, "alerts"),
    "Halo's changes": (None, "halo"),
}
"""What is shown → the kind of its records; the flow of its deliveries, and of payments which."""

_STATE = f"case when d.state = 'parked' and d.field = '{HELD}' then '{HELD}' else d.state end"

_RECENT_PULLS = 500
"""Windows looked at for the last pull; a first reading opens one for each month at once."""


@dataclass(frozen=True, slots=True)
class PullStatus:
    """One reading of a window with its certificate, or how far a running one has come.

    Attributes:
        total: how many rows the other side says the window has; None before the first page.
        seen: rows read so far.
        age_s: seconds since it ended, or since it began if it still runs.
    """

    state: str
    first: date
    last: date
    total: int | None
    seen: int
    new: int
    changed: int
    unreadable: int
    rereads: int
    note: str | None
    started_at: datetime
    finished_at: datetime | None
    age_s: float


@dataclass(frozen=True, slots=True)
class KindStatus:
    """One kind of a connection.

    Attributes:
        seen: records in the ledger.
        owed: of these, how many Halo shall have; the rest is left out by the mapping.
        in_line: confirmed by the other side in the wanted version.
        due: to be sent, or being sent.
        waiting: needs another delivery first.
        held_up: of these, how many need one that is parked: they wait until a person has acted.
        doubtful: sent with an unknown outcome, and looked up before it is sent again; or sent
            again, and looked for whether its row stands there twice.
        parked: needs a person.
        held: live records, held back until their connection is live; they need nobody.
        pull: the last finished pull.
        running: the pull that runs now.
        unread: windows that must still be read, the running one among them.
    """

    kind: str
    seen: int
    owed: int
    in_line: int
    due: int
    waiting: int
    held_up: int
    doubtful: int
    parked: int
    held: int
    pull: PullStatus | None
    running: PullStatus | None
    unread: int


@dataclass(frozen=True, slots=True)
class WorkerStatus:
    """One worker process that has not ended cleanly.

    Attributes:
        silent_s: seconds since its last heartbeat.
        alive: whether it may still own rows.
    """

    session: UUID
    name: str
    started_at: datetime
    silent_s: float
    alive: bool


def kinds(connection: Connection, link: Link) -> list[KindStatus]:
    """How each kind of a connection stands; reading of details only where some are requested."""
    seen = _seen(connection, link)
    states = _states(connection, link)
    finished, running = _pulls(connection, link)
    unread = _unread(connection, link)
    held_up = _held_up(connection, link)
    twice = sent_again.by_flow(connection, link.id)
    found = []
    for shown, (kind, flow) in _KINDS.items():
        counts, again = states.get(flow or "", {}), twice.get(flow or "", 0)
        owed = sum(counts.values())
        if kind is None and not owed:
            continue
        found.append(
            KindStatus(
                kind=shown,
                seen=owed if kind is None else seen.get(kind, 0),
                owed=owed,
                in_line=counts.get(State.DELIVERED, 0) - again,
                due=sum(counts.get(state, 0) for state in _ON_THE_WAY),
                waiting=counts.get(State.WAITING, 0),
                held_up=held_up.get(flow or "", 0),
                doubtful=sum(counts.get(state, 0) for state in _IN_DOUBT) + again,
                parked=counts.get(State.PARKED, 0),
                held=counts.get(HELD, 0),
                pull=finished.get(kind or ""),
                running=running.get(kind or ""),
                unread=unread.get(kind or "", 0),
            )
        )
    return found


def workers(connection: Connection, dead_after: timedelta) -> list[WorkerStatus]:
    """Worker processes that live, and those that fell silent within the last hour."""
    found = connection.execute(
        text(
            """
            select id, name, started_at,
                   cast(extract(epoch from clock_timestamp() - heartbeat_at)
                        as double precision) as silent_s,
                   ended_at is null and heartbeat_at
                       > clock_timestamp() - make_interval(secs => :dead_after) as alive
            from session
            where (ended_at is null and heartbeat_at > clock_timestamp() - interval '1 hour')
               -- The sweep ends the sessions of the dead, later than they could have beaten.
               or (ended_at > heartbeat_at + make_interval(secs => :dead_after)
                   and ended_at > clock_timestamp() - interval '1 hour')
            order by started_at, id
            """
        ),
        {"dead_after": dead_after.total_seconds()},
    )
    return [WorkerStatus(*row) for row in found]


def _seen(connection: Connection, link: Link) -> dict[str, int]:
    found = connection.execute(
        text(
            """
            select kind, count(*) as records from record
            where place = :location or (place = :tenant and kind = 'customer') group by kind
            """
        ),
        {"location": link.location_place, "tenant": link.tenant_place},
    )
    return {row.kind: row.records for row in found}


def _states(connection: Connection, link: Link) -> dict[str, Mapping[str, int]]:
    """Deliveries by flow and state; a customer's several rows count as one, by the worst state.

    What is held back until its connection is live counts as a state of its own.
    """
    found = connection.execute(
        text(
            f"""
            select flow, state, sum(many) as many from (
                select {counted_as("d")} as flow,
                       {_STATE} as state, count(*) as many
                from delivery d
                where connection_id = :connection_id and flow <> 'customers'
                group by flow, target, 2) part
            group by flow, state
            union all
            select 'customers', state, count(*) from (
                select (array_agg(state order by array_position(cast(:worst as text[]), state)))[1]
                       as state
                from (select source_id, {_STATE} as state from delivery d
                      where tenant_id = :tenant_id and flow = 'customers') row
                group by source_id) customer
            group by state
            """  # noqa: S608 - built from a constant of this module
        ),
        {
            "connection_id": link.id,
            "tenant_id": link.tenant,
            "worst": [
                State.PARKED,
                HELD,
                State.DOUBTFUL,
                State.CHECKING,
                State.SENDING,
                State.LEASED,
                State.DUE,
                State.WAITING,
                State.DELIVERED,
            ],
        },
    )
    states: dict[str, dict[str, int]] = {}
    for row in found:
        states.setdefault(row.flow, {})[row.state] = int(row.many)
    return dict(states)


def _held_up(connection: Connection, link: Link) -> dict[str, int]:
    """How many deliveries of each flow wait for one that needs a person."""
    found = connection.execute(
        text(
            f"""
            select {counted_as("w")} as flow, count(distinct w.id) as many
            from delivery d
            join wait on wait.tenant_id = d.tenant_id and wait.flow = d.flow
                     and wait.source_id = d.source_id and wait.role = d.role
            join delivery w on w.id = wait.delivery_id and w.state = 'waiting'
            where d.connection_id = :connection_id and {NEEDS_A_PERSON}
            group by 1
            """  # noqa: S608 - built from a constant
        ),
        {"connection_id": link.id},
    )
    return {row.flow: row.many for row in found}


def _pulls(
    connection: Connection, link: Link
) -> tuple[dict[str, PullStatus], dict[str, PullStatus]]:
    found = connection.execute(
        text(
            """
            select distinct on (kind, state = 'running')
                   kind, state, first, last, total, seen, new, changed, unreadable, rereads, note,
                   started_at, finished_at,
                   cast(extract(epoch from clock_timestamp() - coalesce(finished_at, started_at))
                        as double precision) as age_s
            from unnest(cast(:kinds as text[])) as of (shown), lateral (
                select * from pull
                where connection_id = :connection_id and kind = of.shown
                  and (state <> 'running' or owner is not null)  -- the rest is only owed yet
                order by id desc limit :recent) pull
            order by kind, state = 'running', finished_at desc, id desc
            """
        ),
        {
            "connection_id": link.id,
            "kinds": [kind for kind, _ in _KINDS.values() if kind],
            "recent": _RECENT_PULLS,
        },
    )
    finished: dict[str, PullStatus] = {}
    running: dict[str, PullStatus] = {}
    for kind, *values in found:
        pull = PullStatus(*values)
        (running if pull.finished_at is None else finished)[kind] = pull
    return finished, running


def _unread(connection: Connection, link: Link) -> dict[str, int]:
    found = connection.execute(
        text(
            """
            select kind, count(*) as windows from pull
            where connection_id = :connection_id and state = 'running' group by kind
            """
        ),
        {"connection_id": link.id},
    )
    return {row.kind: row.windows for row in found}
