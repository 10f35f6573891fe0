"""Which secrets are stored, since when, until when: for `credentials list` and for `status`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.calls.context import WorkerContext
from syncline.credentials import queries as credentials
from syncline.credentials.queries import StoredSecret
from syncline.ledger import connections
from syncline.ledger.connections import Link
from syncline.terminal.output import ago, plain, table

_COLUMNS = ("connections", "secret", "since", "expires (UTC)", "to be replaced", "key")


@dataclass(frozen=True, slots=True)
class ShownSecret:
    """What is said of a secret; never the secret."""

    owner: str
    connections: list[str]
    purpose: str
    since: datetime
    age_s: float
    expires_at: datetime | None
    rotation_due: datetime | None
    sealed_with_current_key: bool


@dataclass(frozen=True, slots=True)
class Secrets:
    """All of them, and what a person should do about some."""

    credentials: list[ShownSecret]
    warnings: list[str]


def read_secrets(
    connection: Connection, worker: WorkerContext, only: Link | None = None
) -> Secrets:
    """What is stored now, of all connections or of what one of them works with."""
    links = connections.everyone(connection)
    now = worker.now()
    return Secrets(
        [
            _shown(one, links, worker, now)
            for one in credentials.everything(connection)
            if one.purpose != credentials.REFRESH_INTENT
            and (only is None or credentials.users(one, [only]))
        ],
        credentials.credential_warnings(connection, now, only),
    )


def secrets_table(secrets: Secrets) -> list[RenderableType]:
    """A row for each, and the warnings below."""
    if not secrets.credentials:
        return [
            plain("No secret is stored yet. Add a connection with: syncline connection add NAME")
        ]
    rows = [
        [
            ", ".join(one.connections) or one.owner,
            one.purpose.replace("_", " "),
            ago(one.age_s),
            "" if one.expires_at is None else f"{one.expires_at:%Y-%m-%d %H:%M}",
            "by itself" if one.rotation_due is None else f"{one.rotation_due:%Y-%m-%d}",
            "current" if one.sealed_with_current_key else "older: syncline credentials rotate-key",
        ]
        for one in secrets.credentials
    ]
    return [table("credentials", _COLUMNS, rows), *(plain(one) for one in secrets.warnings)]


def _shown(
    stored: StoredSecret, links: Sequence[Link], worker: WorkerContext, now: datetime
) -> ShownSecret:
    return ShownSecret(
        owner=stored.owner,
        connections=[link.name for link in credentials.users(stored, links)],
        purpose=stored.purpose,
        since=stored.updated_at,
        age_s=(now - stored.updated_at).total_seconds(),
        expires_at=stored.expires_at,
        rotation_due=stored.rotation_due,
        sealed_with_current_key=worker.sealer.is_current(stored.sealed),
    )
