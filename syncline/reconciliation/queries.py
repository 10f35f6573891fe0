"""Runs of reconciliation: begun, taken, left, closed."""

from __future__ import annotations

from collections.abc import Mapping
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
