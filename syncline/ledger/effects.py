"""Effects outside and decisions of people: each leaves an audit entry that names its cause."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from syncline import jsontext
from syncline.ledger.database import text


def note(
    connection: Connection,
    connection_id: int,
    *,
    flow: str,
    effect: str,
    target: str,
    target_id: str,
    reference: str,
    call_id: UUID,
    cause: str,
) -> None:
    """Write one audit entry of an effect that a command asked for; `flow` says which command.

    A call has an effect once, so a commit whose answer was lost may be made again.
    """
    connection.execute(
        text(
            """
            insert into audit_entry (connection_id, flow, source_id, role, effect, target,
                                     target_id, version, call_id, cause)
            select :connection_id, :flow, :reference, :flow, :effect, :target,
                   :target_id, 0, :call_id, :cause
            where not exists (
                select from audit_entry
                where source_id = :reference and call_id = :call_id and effect = :effect
                  and target = :target and target_id = :target_id
            )
            """
        ),
        {
            "connection_id": connection_id,
            "flow": flow,
            "reference": reference,
            "effect": effect,
            "target": target,
            "target_id": target_id,
            "call_id": call_id,
            "cause": cause,
        },
    )


def decided(
    connection: Connection,
    connection_id: int,
    *,
    what: str,
    subject: str,
    by: str,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write the audit entry of what a person decided, in the transaction that makes it so.

    Args:
        connection: the transaction.
        connection_id: whose log it stands in.
        what: the command, such as `connection stop`.
        subject: what it was about: a name, a record's id.
        by: who asked for it, as `syncline.actor.actor` tells.
        before: what was so until then, without secrets.
        after: what is so from then on, without secrets.
    """
    connection.execute(
        text(
            """
            insert into audit_entry (connection_id, flow, source_id, role, effect, target,
                                     target_id, version, cause, before, after)
            values (:connection_id, 'command', :subject, 'command', 'command', :what,
                    :subject, 0, :cause, cast(:before as jsonb), cast(:after as jsonb))
            """
        ),
        {
            "connection_id": connection_id,
            "subject": subject,
            "what": what,
            "cause": f"{what} by {by}",
            "before": _json(before),
            "after": _json(after),
        },
    )


def decided_about(
    connection: Connection, records: Sequence[tuple[int, str]], *, what: str, by: str
) -> None:
    """`decided` about many records at once, given as (connection, id): each is in their own log."""
    connection.execute(
        text(
            """
            insert into audit_entry (connection_id, flow, source_id, role, effect, target,
                                     target_id, version, cause)
            select connection_id, 'command', subject, 'command', 'command', :what, subject, 0,
                   :cause
            from unnest(cast(:connections as bigint[]), cast(:subjects as text[]))
                 as about (connection_id, subject)
            """
        ),
        {
            "connections": [connection_id for connection_id, _ in records],
            "subjects": [subject for _, subject in records],
            "what": what,
            "cause": f"{what} by {by}",
        },
    )


def decided_for_all(
    connection: Connection, *, what: str, subject: str, by: str, after: Mapping[str, Any]
) -> None:
    """`decided` in the log of every connection, for what concerns the whole installation."""
    found = connection.execute(text("select id from connection order by id"))
    for connection_id in found.scalars().all():
        decided(connection, connection_id, what=what, subject=subject, by=by, after=after)


def _json(document: Mapping[str, Any] | None) -> str | None:
    return None if document is None else jsontext.dumps(jsontext.without_nul(document)).decode()
