"""Runs of reconciliation, and the differences that they write down."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from syncline import jsontext
from syncline.ledger.database import text

_COLUMNS = (
    "r.id, r.connection_id, r.first, r.last, r.mode, r.sample, r.seed, r.state, r.cause, r.calls,"
    " r.found, r.progress, r.certificate, r.note, r.started_at, r.finished_at"
)


@dataclass(frozen=True, slots=True)
class Run:
    """A run as it stands; `progress` says how far Halo was read."""

    id: int
    connection_id: int
    first: date
    last: date
    mode: str
    sample: int | None
    seed: int
    state: str
    cause: str
    calls: int
    found: int
    progress: dict[str, Any] | None
    certificate: dict[str, Any] | None
    note: str | None
    started_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True, slots=True)
class FoundDifference:
    """A difference to write down; values as text, None where a side has nothing."""

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


@dataclass(frozen=True, slots=True)
class Written:
    """What became of the differences of a run: how many stand now, by state, and were new."""

    opened: int
    again: int
    marked: int
    accepted: int
    healed: int


def begin(
    connection: Connection,
    connection_id: int,
    period: tuple[date, date],
    cause: str,
    *,
    sample: int | None = None,
    seed: int = 0,
) -> int | None:
    """Note a run that is requested; None where one of this connection is running already."""
    row = connection.execute(
        text(
            """
            insert into reconciliation (connection_id, first, last, mode, sample, seed, cause)
            values (:connection_id, :first, :last, :mode, :sample, :seed, :cause)
            on conflict (connection_id) where state = 'running' do nothing
            returning id
            """
        ),
        {
            "connection_id": connection_id,
            "first": period[0],
            "last": period[1],
            "mode": "full" if sample is None else "sampled",
            "sample": sample,
            "seed": seed,
            "cause": cause,
        },
    ).first()
    return None if row is None else int(row.id)


def take(connection: Connection, connection_id: int, owner: UUID) -> Run | None:
    """Take the running run of a connection, unless a living worker has it; None if there is none.

    One whose worker died goes on where its reading ended.
    """
    row = connection.execute(
        text(
            f"""
            update reconciliation r set owner = :owner
            where r.id = (
                select r.id from reconciliation r left join session s on s.id = r.owner
                where r.connection_id = :connection_id and r.state = 'running'
                  and (r.owner is null or s.id is null or s.ended_at is not null)
                for update of r skip locked)
            returning {_COLUMNS}
            """  # noqa: S608 - built from a constant of this module
        ),
        {"connection_id": connection_id, "owner": owner},
    ).first()
    return None if row is None else Run(*row)


def leave(connection: Connection, run_id: int, owner: UUID, after: timedelta, why: str) -> None:
    """Give a running run up for a while, saying what it waits for; whoever takes it goes on."""
    connection.execute(
        text(
            """
            update reconciliation
            set owner = null, due_at = clock_timestamp() + make_interval(secs => :after),
                note = :why
            where id = :id and owner = :owner and state = 'running'
            """
        ),
        {"id": run_id, "owner": owner, "after": after.total_seconds(), "why": why},
    )


def stands_still(connection: Connection, run_id: int, since: timedelta) -> bool:
    """Whether a run came no further for so long."""
    stands = "select clock_timestamp() - advanced_at > :since from reconciliation where id = :id"
    found = connection.execute(text(stands), {"id": run_id, "since": since})
    return bool(found.scalar_one())


def advance(
    connection: Connection, run_id: int, owner: UUID, progress: Mapping[str, Any], calls: int
) -> bool:
    """Keep how far it was read, in the transaction that keeps the rows; False if it is not ours."""
    return bool(
        connection.execute(
            text(
                """
                update reconciliation
                set progress = cast(:progress as jsonb), calls = calls + :calls, note = null,
                    advanced_at = clock_timestamp()
                where id = :id and owner = :owner and state = 'running'
                """
            ),
            {
                "id": run_id,
                "owner": owner,
                "progress": jsontext.dumps(progress).decode(),
                "calls": calls,
            },
        ).rowcount
    )


def finish(
    connection: Connection,
    run_id: int,
    owner: UUID,
    *,
    state: str,
    found: int = 0,
    calls: int = 0,
    certificate: Mapping[str, Any] | None = None,
    note: str | None = None,
) -> bool:
    """Close a run as done or failed; what it had read of Halo goes. False if it is not ours."""
    closed = connection.execute(
        text(
            """
            update reconciliation
            set state = :state, found = :found, calls = calls + :calls, note = :note,
                certificate = cast(:certificate as jsonb), owner = null, progress = null,
                finished_at = clock_timestamp()
            where id = :id and owner = :owner and state = 'running'
            """
        ),
        {
            "id": run_id,
            "owner": owner,
            "state": state,
            "found": found,
            "calls": calls,
            "note": note,
            "certificate": None if certificate is None else jsontext.dumps(certificate).decode(),
        },
    ).rowcount
    connection.execute(text("delete from reconciliation_row where run_id = :id"), {"id": run_id})
    return bool(closed)


def waiting(connection: Connection) -> list[str]:
    """Names of connections whose run is due and in nobody's hands."""
    found = connection.execute(
        text(
            """
            select c.name from reconciliation r
            join connection c on c.id = r.connection_id
            left join session s on s.id = r.owner
            where r.state = 'running' and r.due_at <= statement_timestamp()
              and (r.owner is null or s.id is null or s.ended_at is not null)
            order by r.due_at
            """
        )
    )
    return list(found.scalars())


def latest(connection: Connection, connection_id: int, most: int) -> list[Run]:
    """The last runs of a connection, the newest first."""
    found = connection.execute(
        text(
            f"""
            select {_COLUMNS} from reconciliation r
            where r.connection_id = :connection_id order by r.id desc limit :most
            """  # noqa: S608 - built from a constant of this module
        ),
        {"connection_id": connection_id, "most": most},
    )
    return [Run(*row) for row in found]


def by_id(connection: Connection, run_id: int | None) -> Run | None:
    """One run; without an id the last one that has ended."""
    found = connection.execute(
        text(
            f"""
            select {_COLUMNS} from reconciliation r
            where r.id = :id or (cast(:id as bigint) is null and r.state <> 'running')
            order by r.id desc limit 1
            """  # noqa: S608 - built from a constant of this module
        ),
        {"id": run_id},
    ).first()
    return None if found is None else Run(*found)


FOUND_COLUMNS = tuple(FoundDifference.__slots__)
"""The columns of a difference that a run writes down; all of them are texts."""

_FOUND = f"""
    jsonb_to_recordset(cast(:rows as jsonb)) as f
        ({", ".join(f"{name} text" for name in FOUND_COLUMNS)})"""

_SAME_ROW = """
    d.connection_id = :connection_id and d.flow = f.flow and d.source_id = f.source_id
    and d.role = f.role and d.cause = f.cause and d.field = f.field"""

_ACCEPTED = f"""
    select 1 from discrepancy d
    where {_SAME_ROW} and d.state = 'accepted'
      and d.ours is not distinct from f.ours and d.theirs is not distinct from f.theirs"""  # noqa: S608 - built from a constant of this module


def write(connection: Connection, run: Run, found: Sequence[FoundDifference]) -> Written:
    """Write down what a run found: new ones open, known ones with their values of now.

    One that was accepted with these very values stays closed; one that was marked stays marked.
    """
    rows = {(f.flow, f.source_id, f.role, f.cause, f.field): f for f in found}
    given = {
        "run": run.id,
        "connection_id": run.connection_id,
        "rows": jsontext.dumps([_told(rows[key]) for key in sorted(rows)]).decode(),
    }
    accepted = connection.execute(
        text(
            f"""
            update discrepancy kept set seen_by = :run
            from {_FOUND}
            where kept.id = (
                select d.id from discrepancy d
                where {_SAME_ROW} and d.state = 'accepted'
                  and d.ours is not distinct from f.ours and d.theirs is not distinct from f.theirs
                order by d.id desc limit 1)
            """  # noqa: S608 - built from constants of this module
        ),
        given,
    ).rowcount
    touched = connection.execute(
        text(
            f"""
            insert into discrepancy (connection_id, found_by, seen_by, {", ".join(FOUND_COLUMNS)})
            select :connection_id, :run, :run, {", ".join(f"f.{name}" for name in FOUND_COLUMNS)}
            from {_FOUND}
            where not exists ({_ACCEPTED})
            on conflict (connection_id, flow, source_id, role, cause, field)
                where closed_at is null
            do update set seen_by = excluded.seen_by, target_id = excluded.target_id,
                ours = excluded.ours, theirs = excluded.theirs, delivered = excluded.delivered,
                currency = excluded.currency,
                state = case when discrepancy.state = 'marked' then 'marked' else 'open' end
            returning state, xmax = 0 as is_new
            """  # noqa: S608 - built from constants of this module
        ),
        given,
    ).all()
    marked = sum(row.state == "marked" for row in touched)
    opened = sum(row.is_new for row in touched)
    return Written(opened, len(touched) - opened - marked, marked, accepted, 0)


_IN_PERIOD = """
    exists (select 1 from record r
            where r.place = any(:places) and r.kind = d.source_kind and r.foreign_id = d.source_id
              and coalesce(r.created_at, r.noticed_at) >= :first
              and coalesce(r.created_at, r.noticed_at) < :until)"""

_ITS_DELIVERY = """
    select 1 from delivery o
    where o.connection_id = d.connection_id and o.flow = d.flow
      and o.source_id = d.source_id and o.role = d.role"""
_ON_ITS_WAY = f"exists ({_ITS_DELIVERY} and o.state not in ('delivered', 'parked'))"
_READ_SINCE = """
    exists (select 1 from record r
            where r.place = any(:places) and r.kind = d.source_kind and r.foreign_id = d.source_id
              and r.changed_at > d.found_at)"""
_UNREAD = f"exists ({_ITS_DELIVERY} and o.id = any(:unread))"
_SAMPLED = f"exists ({_ITS_DELIVERY} and o.id = any(:sample))"


def heal(
    connection: Connection,
    run: Run,
    *,
    places: Collection[str],
    flows: Collection[str],
    unread: Collection[int] = (),
    sample: Sequence[int] | None = None,
    known: Mapping[str, bool] | None = None,
) -> int:
    """Close what a run compared and did not find any more; returns how many.

    Args:
        connection: the transaction.
        run: the run, whose differences are written already.
        places: where the records of the connection stand.
        flows: which were compared.
        unread: deliveries that seem to differ and were not read again.
        sample: the deliveries that were compared; None: all of the period, and what nobody knows.
        known: kinds of records whose numbers were compared → whether they were equal.
    """
    healed = connection.execute(
        text(
            f"""
            update discrepancy d
            set state = 'healed', closed_at = coalesce(d.closed_at, clock_timestamp()),
                closed_by = :by
            where d.connection_id = :connection_id and d.seen_by < :run
              and (d.closed_at is null or d.state = 'applied')
              and d.state in ('open', 'marked', 'applied')
              and (d.cause = 'not_in_ledger' and d.source_id = any(:equal)
                   or d.cause = 'not_in_ledger' and {_READ_SINCE}
                   or d.cause = 'unknown_in_halo' and d.flow = any(:flows)
                      and cast(:sample as bigint[]) is null
                   or d.cause not in ('not_in_ledger', 'unknown_in_halo')
                      and d.flow = any(:flows)
                      and (cast(:sample as bigint[]) is null or {_SAMPLED})
                      and {_IN_PERIOD} and not {_ON_ITS_WAY} and not {_UNREAD})
            """  # noqa: S608 - built from constants of this module
        ),
        {
            "connection_id": run.connection_id,
            "run": run.id,
            "by": f"reconciliation {run.id}",
            "equal": [kind for kind, equal in (known or {}).items() if equal],
            "flows": sorted(flows),
            "unread": sorted(unread),
            "sample": None if sample is None else list(sample),
            "places": sorted(places),
            "first": run.first,
            "until": run.last + timedelta(days=1),
        },
    )
    return int(healed.rowcount)


def _told(found: FoundDifference) -> dict[str, Any]:
    return {name: getattr(found, name) for name in FOUND_COLUMNS}
