"""What was found out about a tenant or location, kept as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection

from syncline import jsontext
from syncline.ledger.database import text


def read(connection: Connection, owner: str) -> list[dict[str, Any]]:
    """All findings of an owner (`tenant:1`): rows of name, value, found_at and how."""
    found = connection.execute(
        text("select name, value, found_at, how from ability where owner = :owner"),
        {"owner": owner},
    )
    return [dict(row._mapping) for row in found]  # noqa: SLF001 - SQLAlchemy's public spelling


def everywhere(connection: Connection, name: str) -> dict[str, Any]:
    """One finding of all owners that have it: owner → value."""
    found = connection.execute(
        text("select owner, value from ability where name = :name"), {"name": name}
    )
    return {row.owner: row.value for row in found}


def lock(connection: Connection, owner: str) -> None:
    """One process at a time changes an owner's capabilities, until the transaction ends."""
    connection.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:owner, 1))"), {"owner": owner}
    )


def write(connection: Connection, owner: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Keep what was found (rows of name, value, how); what is known already stays as it is."""
    connection.execute(
        text(
            """
            insert into ability (owner, name, value, how)
            select :owner, name, value, how
            from jsonb_to_recordset(cast(:rows as jsonb)) as row (name text, value jsonb, how text)
            on conflict (owner, name) do update
            set value = excluded.value, how = excluded.how, found_at = clock_timestamp()
            where ability.value is distinct from excluded.value
            """
        ),
        {
            "owner": owner,
            "rows": jsontext.dumps(
                [{"name": r["name"], "value": r["value"], "how": r["how"]} for r in rows]
            ).decode(),
        },
    )
