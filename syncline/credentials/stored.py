"""Secrets in the ledger: sealed when they are kept, opened when they are read."""

from __future__ import annotations

from datetime import datetime

from pydantic import SecretStr
from sqlalchemy import Connection

from syncline.credentials import queries
from syncline.encryption import Sealer

ALERT_URLS = "alert_urls"
"""The purpose of a connection's addresses for alerts."""


def secret(connection: Connection, sealer: Sealer, owner: str, purpose: str) -> SecretStr | None:
    """A stored secret, opened."""
    found = queries.find(connection, owner, purpose)
    return None if found is None else sealer.open(found[0], f"{owner}:{purpose}")


def keep(
    connection: Connection,
    sealer: Sealer,
    owner: str,
    purpose: str,
    value: SecretStr,
    *,
    expires_at: datetime | None = None,
) -> None:
    """Seal and store a secret, with the key that is current when this commits."""
    queries.about_to_seal(connection)
    sealed = sealer.seal(value, f"{owner}:{purpose}")
    queries.save(connection, owner, purpose, sealed, expires_at)
