"""The audit entries of what deliveries made or changed on the other side."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection

from syncline import jsontext
from syncline.deliveries.delivery import Confirmation
from syncline.ledger.database import text


def write(connection: Connection, news: Sequence[Confirmation]) -> None:
    """Write one audit entry for each of these confirmations."""
    rows = [
        {
            "connection_id": item.lease.connection_id,
            "flow": item.lease.flow,
            "source_id": item.lease.source_id,
            "role": item.lease.role,
            "effect": "create" if item.lease.target_id is None else "update",
            "target": item.lease.target,
            "target_id": item.target_id,
            "version": item.lease.sent_version,
            "call_id": str(item.lease.call_id) if item.lease.call_id else None,
            "cause": item.lease.cause,
            "before": item.lease.projection,
            "after": item.projection,
        }
        for item in news
    ]
    if not rows:
        return
    connection.execute(
        text(
            """
            insert into audit_entry (connection_id, flow, source_id, role, effect, target,
                                     target_id, version, call_id, cause, before, after)
            select * from jsonb_to_recordset(cast(:rows as jsonb)) as entry
                 (connection_id bigint, flow text, source_id text, role text, effect text,
                  target text, target_id text, version bigint, call_id uuid, cause text,
                  before jsonb, after jsonb)
            """
        ),
        {"rows": jsontext.dumps(rows).decode()},
    )
