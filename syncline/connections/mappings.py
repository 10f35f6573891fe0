"""The mapping document that a connection follows."""

from __future__ import annotations

from sqlalchemy import Connection, text


def replace(connection: Connection, connection_id: int, document: str) -> None:
    """Let a connection follow another document; workers read it within seconds."""
    connection.execute(
        text("update connection set mapping = :document where id = :id"),
        {"id": connection_id, "document": document},
    )
