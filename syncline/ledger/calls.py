"""Calls: a row is committed before each call, so that no call is ever unaccounted for.

By its calls it is also known how a side answers: whether it does, who else does, and since when.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection

from syncline import jsontext
from syncline.ledger.database import text

SEND_WITHIN = timedelta(seconds=3)
"""How long after its row is committed a call may still be written to the socket."""

NOBODY = 0
"""In place of a status: nobody took the call up."""


class Fault(StrEnum):
    """Why a call brought no answer of the side that was asked."""

    SILENT = "silent"
    """Nobody took it up, or no whole answer came."""

    FOREIGN = "foreign"
    """Somebody else answered."""

    FAILING = "failing"
    """The other side's own server failed, or answered what is not as its API promises."""

    SUSPENDED = "suspended"
    """The other side keeps the account shut."""


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

    A call that did not leave since nobody took it up has `NOBODY` as its status. `answered_by` says
    who answered in place of the side that was asked.
    """

    id: UUID
    sent: bool
    status: int | None
    error: str | None
    fault: Fault | None = None
    answered_by: str | None = None


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
                            fault = told.fault, answered_by = told.answered_by,
                            answered_at = clock_timestamp()
            from jsonb_to_recordset(cast(:rows as jsonb)) as told
                 (id uuid, sent boolean, status bigint, error text, fault text, answered_by text)
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
                        "fault": item.fault,
                        "answered_by": item.answered_by,
                    }
                    for item in ends
                ]
            ).decode()
        },
    )


def failed_with(connection: Connection, call_id: UUID) -> str | None:
    """What a call failed with; None where it was answered, or is not known any more."""
    found = connection.execute(
        text("select error from call where id = :id and fault is not null"), {"id": call_id}
    )
    return found.scalar_one_or_none()


def ended_at(connection: Connection, call_id: UUID) -> datetime | None:
    """When a call had its answer, or at latest gave up waiting; None where it is not known."""
    found = connection.execute(
        text(
            """
            select coalesce(answered_at, at + make_interval(secs => deadline_seconds))
            from call where id = :id
            """
        ),
        {"id": call_id},
    )
    return found.scalar_one_or_none()


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
class FaultyOperation:
    """An operation of a key that has failed since it was last answered.

    Attributes:
        operation: its name; "" for all of the key together.
        fault: of the last one.
        many: how many in a row.
        since: when the first of them came.
        last: when the last one came.
        error: what it failed with.
        answered_by: who answered it in place of the other side.
    """

    operation: str
    fault: Fault
    many: int
    since: datetime
    last: datetime
    error: str
    answered_by: str | None


@dataclass(frozen=True, slots=True)
class LastAnswer:
    """How the other side of a key answers.

    Attributes:
        answered_s: seconds since it last answered anything; None if it did not within a day.
        now: when this was looked at.
        faulty: what has failed since it was last answered; first, with the name "", all of the
            key, where nothing of it was answered since.
        strangers: calls of the last minutes that somebody else answered, though it answers others.
        stranger: who answered the last one of these.
    """

    answered_s: float | None
    now: datetime
    faulty: tuple[FaultyOperation, ...] = ()
    strangers: int = 0
    stranger: str | None = None

    @property
    def outage(self) -> FaultyOperation | None:
        """Since when and how it answers nothing at all, if that is so."""
        return self.faulty[0] if self.faulty and not self.faulty[0].operation else None


LATELY = timedelta(minutes=5)
"""How far back it is looked whether somebody else answers now and then."""

_RECENT = """
    recent as materialized (
        select operation, answered_at, status, error, answered_by,
               coalesce(fault, case when status is null or status = :nobody then 'silent' end)
               as fault
        from call
        where quota_key = :key and at > clock_timestamp() - interval '1 day'
          and answered_at is not null
          and (sent is distinct from false or status is not null)
        order by at desc limit 1000
    ), good as (
        select operation, max(answered_at) as at from recent
        where fault is null and status <> 429 group by grouping sets ((operation), ())
    )"""


_FAILED = """
    (array_agg(fault order by answered_at desc))[1] as fault, count(*) as many,
    min(answered_at) as since, max(answered_at) as last,
    (array_agg(coalesce(error, '') order by answered_at desc))[1] as error,
    (array_agg(answered_by order by answered_at desc))[1] as answered_by"""


def last_answer(connection: Connection, quota_key: str) -> LastAnswer:
    """How the other side answers, by its calls of a day.

    A refusal is an answer. What somebody else said, what was cut, what nobody took up and an error
    of the other side's own server are none. What this process did not send for reasons of its own
    says nothing, and neither does a 429.
    """
    parameters = {"key": quota_key, "nobody": NOBODY}
    told = connection.execute(
        text(
            f"""
            with {_RECENT}
            select clock_timestamp() as now,
                   (select cast(extract(epoch from clock_timestamp() - at) as double precision)
                    from good where operation is null) as answered_s,
                   count(*) filter (where lately) as strangers,
                   (array_agg(answered_by order by answered_at desc) filter (where lately))[1]
                   as stranger
            from (select *, fault = 'foreign'
                            and answered_at > clock_timestamp() - cast(:lately as interval)
                            as lately from recent) recent
            """  # noqa: S608 - built from a constant
        ),
        {**parameters, "lately": LATELY},
    ).one()
    faulty = connection.execute(
        text(
            f"""
            with {_RECENT}, failed as (
                select '' as operation, {_FAILED} from recent
                where fault is not null and answered_at > coalesce(
                    (select at from good where operation is null), '-infinity')
                union all
                select r.operation, {_FAILED} from recent r
                left join good on good.operation = r.operation
                where fault is not null and answered_at > coalesce(good.at, '-infinity')
                group by r.operation
            )
            select * from failed where many > 0 order by operation
            """  # noqa: S608 - built from constants
        ),
        parameters,
    )
    found = [FaultyOperation(row[0], Fault(row[1]), *row[2:]) for row in faulty]
    return LastAnswer(told.answered_s, told.now, tuple(found), told.strangers, told.stranger)
