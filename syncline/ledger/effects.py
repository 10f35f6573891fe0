"""Effects outside that belong to no delivery, such as a probe: each leaves an audit entry too."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, text


def note(
    connection: Connection,
    connection_id: int,
    *,
    effect: str,
    target: str,
    target_id: str,
    reference: str,
    call_id: UUID,
    cause: str,
) -> None:
    """Write one audit entry of an effect that a command asked for."""
    connection.execute(
        text(
            """
            insert into audit_entry (connection_id, flow, source_id, role, effect, target,
                                     target_id, version, call_id, cause)
            values (:connection_id, 'probe', :reference, 'probe', :effect, :target,
                    :target_id, 0, :call_id, :cause)
            """
        ),
        {
            "connection_id": connection_id,
            "reference": reference,
            "effect": effect,
            "target": target,
            "target_id": target_id,
            "call_id": call_id,
            "cause": cause,
        },
    )
