"""What channels are told: each message is taken by one worker, tried again, and given up in time.

A channel cannot be asked whether a message came, so one whose outcome is unknown goes again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from syncline import jsontext
from syncline.ledger.database import text

MOST_ATTEMPTS = 8
"""After so many, over about two hours, a channel is taken to be wrong and the message given up."""

_IN_HAND = timedelta(minutes=2)
"""So long a worker has a message for itself; one that died leaves it to another one then."""


@dataclass(frozen=True, slots=True)
class NewMessage:
    """A message to be sent, not before `after` where that is given."""

    alert_id: int
    connection_id: int
    what: str
    channel: str
    severity: str
    title: str
    body: str
    after: datetime | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """A message that this worker took.

    Attributes:
        channel: which channel: its number and scheme, never its address.
        attempts: how often it was tried, this time included.
    """

    id: int
    alert_id: int
    what: str
    channel: str
    severity: str
    title: str
    body: str
    attempts: int


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A message as it stands, for those who look."""

    alert_id: int
    what: str
    channel: str
    state: str
    attempts: int
    due_at: datetime
    error: str | None
    made_at: datetime
    sent_at: datetime | None


def add(connection: Connection, messages: Sequence[NewMessage]) -> None:
    """Note messages to be sent, in the transaction that notes that they were told."""
    if not messages:
        return
    connection.execute(
        text(
            """
            insert into alert_message (alert_id, connection_id, what, channel, severity, title,
                                       body, due_at)
            select alert_id, connection_id, what, channel, severity, title, body,
                   coalesce(after, clock_timestamp())
            from jsonb_to_recordset(cast(:rows as jsonb)) as new
                 (alert_id bigint, connection_id bigint, what text, channel text, severity text,
                  title text, body text, after timestamptz)
            """
        ),
        {
            "rows": jsontext.dumps(
                [{name: getattr(one, name) for name in NewMessage.__slots__} for one in messages]
            ).decode()
        },
    )


def waiting(connection: Connection) -> list[str]:
    """The names of connections that have messages to send now."""
    found = connection.execute(
        text(
            """
            select c.name from connection c
            where exists (select 1 from alert_message m
                          where m.state = 'due' and m.due_at <= statement_timestamp()
                            and m.connection_id = c.id)
            order by c.name
            """
        )
    )
    return list(found.scalars())


def take(connection: Connection, connection_id: int, most: int) -> list[Message]:
    """Take messages whose time has come; each counts an attempt."""
    found = connection.execute(
        text(
            """
            with taken as (
                select id from alert_message
                where state = 'due' and due_at <= statement_timestamp()
                  and connection_id = :connection_id
                order by id limit :most for update skip locked
            )
            update alert_message m
            set attempts = m.attempts + 1,
                due_at = clock_timestamp() + cast(:in_hand as interval)
            from taken where m.id = taken.id
            returning m.id, m.alert_id, m.what, m.channel, m.severity, m.title, m.body, m.attempts
            """
        ),
        {"connection_id": connection_id, "most": most, "in_hand": _IN_HAND},
    )
    return sorted((Message(*row) for row in found), key=lambda one: one.id)


def sent(connection: Connection, message: Message) -> None:
    """The channel took it; the audit log says so."""
    connection.execute(
        text(
            """
            with taken as (
                update alert_message
                set state = 'sent', sent_at = clock_timestamp(), error = null
                where id = :id returning alert_id, connection_id
            )
            insert into audit_entry (connection_id, flow, source_id, role, effect, target,
                                     target_id, version, cause, after)
            select taken.connection_id, 'alerts', a.source_id, 'message', 'create', 'channel',
                   :channel, 0, 'alert ' || a.id, jsonb_build_object('told', cast(:what as text))
            from taken join alert a on a.id = taken.alert_id
            """
        ),
        {"id": message.id, "channel": message.channel, "what": message.what},
    )


def not_sent(connection: Connection, message: Message, *, after: timedelta, why: str) -> None:
    """The channel did not take it: again after a while, or given up."""
    connection.execute(
        text(
            """
            update alert_message
            set state = case when attempts >= :most then 'failed' else 'due' end,
                due_at = clock_timestamp() + cast(:after as interval), error = :why
            where id = :id and state = 'due' and attempts = :attempts
            """
        ),
        {
            "id": message.id,
            "attempts": message.attempts,
            "most": MOST_ATTEMPTS,
            "after": after,
            "why": why,
        },
    )


def of_alert(connection: Connection, alert_id: int) -> list[SeenMessage]:
    """The messages of an alert, in the order in which they came to be."""
    found = connection.execute(
        text(
            """
            select alert_id, what, channel, state, attempts, due_at, error, made_at, sent_at
            from alert_message where alert_id = :alert_id order by id
            """
        ),
        {"alert_id": alert_id},
    )
    return [SeenMessage(*row) for row in found]
