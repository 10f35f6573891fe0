"""Sealed secrets: nothing in this table can be read without the installation's key."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from syncline.encryption import Sealer
from syncline.ledger import connections
from syncline.ledger.connections import Link
from syncline.ledger.database import text

ROTATE_AFTER = timedelta(days=90)
"""How long a secret that a person made should be used. Source: HighLevel's advice for its private
integration tokens; Halo's secrets get the same."""

WARN_AHEAD = timedelta(days=14)
"""How long before its end, or before a rotation is due, a secret is spoken of."""

UNUSED_FOR = timedelta(days=365)
"""A refresh token that was not used for so long is dead. Source: HighLevel's authorization page."""

OAUTH = "oauth"
"""The purpose of what an installed app was given: access token, refresh token, scope."""

REFRESH_INTENT = "refresh_intent"
"""The purpose of the note that a refresh was begun, whose answer may have been lost."""

_BY_HAND = ("private_token", "client_secret", "halo_webhook")


@dataclass(frozen=True, slots=True)
class StoredSecret:
    """A sealed secret and what is known of it.

    Attributes:
        owner: `location:<id>`, `tenant:<id>`, `connection:<id>` or `company:<HighLevel's id>`.
        expires_at: until when it is used; None for what has no end of its own.
        updated_at: since when this secret is in use.
        sealed_at: when it was sealed with the key that it is sealed with.
    """

    owner: str
    purpose: str
    sealed: bytes
    expires_at: datetime | None
    updated_at: datetime
    sealed_at: datetime

    @property
    def context(self) -> str:
        """What it is sealed for."""
        return f"{self.owner}:{self.purpose}"

    @property
    def rotation_due(self) -> datetime | None:
        """When a person should replace it; None for what renews itself."""
        return self.updated_at + ROTATE_AFTER if self.purpose in _BY_HAND else None


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
                updated_at = clock_timestamp(), sealed_at = clock_timestamp()
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


def about_to_seal(connection: Connection) -> None:
    """Let no rotation come between sealing a secret and its commit.

    A rotation waits for those who hold this, and re-seals what they wrote; who takes it after a
    rotation reads the keys after it, and so seals with the new one.
    """
    connection.execute(text("lock table credential in row exclusive mode"))


def everything(connection: Connection) -> list[StoredSecret]:
    """All sealed secrets, by owner and purpose."""
    found = connection.execute(
        text(
            """
            select owner, purpose, sealed, expires_at, updated_at, sealed_at
            from credential order by owner, purpose
            """
        )
    )
    return [StoredSecret(row.owner, row.purpose, bytes(row.sealed), *row[3:]) for row in found]


def lock_out_writers(connection: Connection) -> None:
    """Nobody seals or replaces anything until this transaction ends; reading goes on."""
    connection.execute(text("lock table credential in share row exclusive mode"))


def reseal(connection: Connection, sealer: Sealer) -> int:
    """Seal with the current key whatever is sealed with an older one, in the caller's transaction.

    Returns:
        How many were sealed anew.

    Raises:
        Refused: one of them was sealed with a key that is not known.
    """
    old = [one for one in everything(connection) if not sealer.is_current(one.sealed)]
    for one in old:
        connection.execute(
            text(
                """
                update credential set sealed = :sealed, sealed_at = clock_timestamp()
                where owner = :owner and purpose = :purpose
                """
            ),
            {
                "sealed": sealer.seal(sealer.open(one.sealed, one.context), one.context),
                "owner": one.owner,
                "purpose": one.purpose,
            },
        )
    return len(old)


def due_for_rotation(connection: Connection, now: datetime) -> list[StoredSecret]:
    """Secrets that a person made and should replace within the warning time, or by now."""
    return [
        one
        for one in everything(connection)
        if one.rotation_due is not None and one.rotation_due - WARN_AHEAD <= now
    ]


def credential_warnings(
    connection: Connection, now: datetime, only: Link | None = None
) -> list[str]:
    """What a person should know about the secrets, each with what to do about it.

    Args:
        connection: the transaction.
        now: aware UTC.
        only: whose secrets are meant; None: of all connections.
    """
    links = connections.everyone(connection)
    among = links if only is None else [only]
    warnings = [
        f"{in_words(one, links)} {_due(one.rotation_due, now)}: {_replacing(one, links)}"
        for one in due_for_rotation(connection, now)
        if one.rotation_due is not None and (only is None or users(one, among))
    ]
    for one in everything(connection):
        if one.purpose != OAUTH or not users(one, among):
            continue
        ends = one.updated_at + UNUSED_FOR
        healed = f"syncline connect highlevel {users(one, links)[0].name}"
        if ends - WARN_AHEAD <= now:
            warnings.append(f"{in_words(one, links)} ends unused on {ends:%Y-%m-%d}: {healed}")
        elif one.expires_at is not None and one.expires_at <= now:
            warnings.append(
                f"{in_words(one, links)} ended {one.expires_at:%Y-%m-%d %H:%M} UTC and was not "
                f"renewed yet; if it stays so: {healed}"
            )
    return warnings


def users(stored: StoredSecret, links: Sequence[Link]) -> list[Link]:
    """The connections that work with a secret."""
    return [
        link
        for link in links
        if stored.owner
        in (
            link.location_place,
            link.tenant_place,
            link.company_place,
            f"connection:{link.id}",
        )
    ]


def in_words(stored: StoredSecret, links: Sequence[Link]) -> str:
    """A secret in words: what it is, and of which connections."""
    names = ", ".join(link.name for link in users(stored, links)) or stored.owner
    return f"The {stored.purpose.replace('_', ' ')} of {names}"


def _due(at: datetime, now: datetime) -> str:
    if at <= now:
        return f"should have been replaced by {at:%Y-%m-%d}"
    return f"should be replaced by {at:%Y-%m-%d}"


def _replacing(stored: StoredSecret, links: Sequence[Link]) -> str:
    name = next((link.name for link in users(stored, links)), "NAME")
    if stored.purpose == "halo_webhook":
        return f"syncline halo webhooks install {name}"
    return f"syncline credentials set {name} {stored.purpose.replace('_', '-')}"
