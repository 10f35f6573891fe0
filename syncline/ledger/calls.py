"""Calls: a row is committed before each call, so that no call is ever unaccounted for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from syncline import jsontext

SEND_WITHIN = timedelta(seconds=3)
"""How long after its row is committed a call may still be written to the socket."""

NOBODY = 0
"""In place of a status: nobody took the call up."""


@dataclass(frozen=True, slots=True)
class CallRow:
    """A call about to be made; its id is also its quota token."""

    id: UUID
    quota_key: str
    connection_id: int | None
    operation: str
    elements: int


@dataclass(frozen=True, slots=True)
class CallEnd:
    """How a call ended: `sent` False when nothing left, `status` None when no answer came.

    A call that did not leave since nobody took it up has `NOBODY` as its status.
    """

    id: UUID
    sent: bool
    status: int | None
    error: str | None


def begin(
    connection: Connection, session_id: UUID, rows: Sequence[CallRow], deadline: timedelta
) -> None:
    """Write the rows of calls that are about to be made."""
    connection.execute(
        text(
            """
            insert into call (id, quota_key, connection_id, operation, elements,
                              session_id, deadline_seconds)
            select id, quota_key, connection_id, operation, elements, :session_id, :deadline
            from jsonb_to_recordset(cast(:rows as jsonb)) as row
                 (id uuid, quota_key text, connection_id bigint, operation text, elements bigint)
            """
        ),
        {
            "session_id": session_id,
            "deadline": int(deadline.total_seconds()),
            "rows": jsontext.dumps(
                [
                    {
                        "id": str(row.id),
                        "quota_key": row.quota_key,
                        "connection_id": row.connection_id,
                        "operation": row.operation,
                        "elements": row.elements,
                    }
                    for row in rows
                ]
            ).decode(),
        },
    )


def end(connection: Connection, ends: Sequence[CallEnd]) -> None:
    """Write how calls ended."""
    if not ends:
        return
    connection.execute(
        text(
            """
            update call set sent = told.sent, status = told.status, error = told.error,
                            answered_at = clock_timestamp()
            from jsonb_to_recordset(cast(:rows as jsonb)) as told
                 (id uuid, sent boolean, status bigint, error text)
            where call.id = told.id and call.at > clock_timestamp() - interval '1 day'
            """
        ),
        {
            "rows": jsontext.dumps(
                [
                    {
                        "id": str(item.id),
                        "sent": item.sent,
                        "status": item.status,
                        "error": item.error,
                    }
                    for item in ends
                ]
            ).decode()
        },
    )


def spent(connection: Connection, quota_key: str, window: timedelta) -> list[tuple[str, datetime]]:
    """Calls that still weigh on a window: (token, when it comes back), for rebuilding a bucket.

    An answered call weighs until its answer + the window; one without an answer until the latest
    moment it may be written + its deadline + the window.
    """
    found = connection.execute(
        text(
            """
            select id, coalesce(answered_at, at + make_interval(secs => deadline_seconds + :late))
                       + make_interval(secs => :window) as back_at
            from call
            where quota_key = :quota_key and sent is distinct from false
              and at > clock_timestamp() - make_interval(secs => :window + 300)
            order by at
            """
        ),
        {
            "quota_key": quota_key,
            "window": window.total_seconds(),
            "late": SEND_WITHIN.total_seconds(),
        },
    )
    return [(str(row.id), row.back_at) for row in found]


@dataclass(frozen=True, slots=True)
class LastAnswer:
    """Whether the other side of a key answers.

    Attributes:
        answered_s: seconds since it last answered anything; None if it did not within a day.
        error: what a later call failed with, if one did: the side is silent since then.
    """

    answered_s: float | None
    error: str | None


def last_answer(connection: Connection, quota_key: str) -> LastAnswer:
    """When the other side last answered.

    An error status is an answer, but for those by which a gateway says that nobody answers it (502,
    503, 504). A connection that was cut, or that nobody accepts, is none. What this process did not
    send for reasons of its own says nothing.
    """
    row = connection.execute(
        text(
            """
            with recent as materialized (
                select answered_at, status, error from call
                where quota_key = :key and at > clock_timestamp() - interval '1 day'
                  and answered_at is not null
                  and (sent is distinct from false or status is not null)
                order by at desc limit 1000
            ), good as (
                select max(answered_at) as at from recent
                where status not in (:nobody, 502, 503, 504)
            )
            select cast(extract(epoch from clock_timestamp() - good.at) as double precision) as s,
                   (select error from recent
                    where answered_at > coalesce(good.at, '-infinity')
                    order by answered_at desc limit 1) as error
            from good
            """
        ),
        {"key": quota_key, "nobody": NOBODY},
    ).one()
    return LastAnswer(row.s, row.error)
