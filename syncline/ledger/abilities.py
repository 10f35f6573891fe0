"""What was found out about a tenant or location, kept as rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import Connection, text

from syncline import jsontext


def read(connection: Connection, owner: str) -> dict[str, dict[str, Any]]:
    """All abilities of an owner (`tenant:1`, `location:1`): name → {value, found_at, how}."""
    found = connection.execute(
        text("select name, value, found_at, how from ability where owner = :owner"),
        {"owner": owner},
    )
    return {
        row.name: {"value": row.value, "found_at": row.found_at, "how": row.how} for row in found
    }


def lock(connection: Connection, owner: str, name: str) -> None:
    """One process at a time finds out an ability, until the transaction ends."""
    connection.execute(
        text("select pg_advisory_xact_lock(hashtextextended(:name, 1))"),
        {"name": f"{owner}/{name}"},
    )


def write(
    connection: Connection, owner: str, name: str, value: Mapping[str, Any], how: str
) -> None:
    """Keep what was found, and when and how."""
    connection.execute(
        text(
            """
            insert into ability (owner, name, value, how)
            values (:owner, :name, cast(:value as jsonb), :how)
            on conflict (owner, name) do update
            set value = excluded.value, how = excluded.how, found_at = clock_timestamp()
            where ability.value is distinct from excluded.value
            """
        ),
        {
            "owner": owner,
            "name": name,
            "value": jsontext.dumps(value).decode(),
            "how": how,
        },
    )
