"""Sealed secrets: nothing in this table can be read without the installation's key."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, text


def save(
    connection: Connection,
    owner: str,
    purpose: str,
    sealed: bytes,
    expires_at: datetime | None = None,
) -> None:
    """Store a sealed secret in place of an earlier one of the same purpose."""
    connection.execute(
        text(
            """
            insert into credential (owner, purpose, sealed, expires_at)
            values (:owner, :purpose, :sealed, :expires_at)
            on conflict (owner, purpose) do update
            set sealed = excluded.sealed, expires_at = excluded.expires_at,
                updated_at = clock_timestamp()
            """
        ),
        {"owner": owner, "purpose": purpose, "sealed": sealed, "expires_at": expires_at},
    )


def find(connection: Connection, owner: str, purpose: str) -> tuple[bytes, datetime | None] | None:
    """A sealed secret with its expiry, if there is one."""
    row = connection.execute(
        text(
            "select sealed, expires_at from credential where owner = :owner and purpose = :purpose"
        ),
        {"owner": owner, "purpose": purpose},
    ).first()
    return None if row is None else (bytes(row.sealed), row.expires_at)


def remove(connection: Connection, owner: str, purpose: str) -> None:
    """Delete a sealed secret."""
    connection.execute(
        text("delete from credential where owner = :owner and purpose = :purpose"),
        {"owner": owner, "purpose": purpose},
    )


def lock(connection: Connection, owner: str) -> None:
    """One renewal of an owner's secrets at a time, across all processes."""
    connection.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:name, 2))"), {"name": owner}
    )
