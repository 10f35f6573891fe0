"""The keys for Halo's webhooks, kept sealed in the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection

from syncline.credentials import stored
from syncline.encryption import Sealer
from syncline.errors import Refused
from syncline.halo.webhooks.authentication import InboundKeys
from syncline.ledger import connections

PURPOSE = "halo_webhook"


@dataclass(frozen=True, slots=True)
class Door:
    """Where webhooks of one connection come in, and what lets them in."""

    connection_id: int
    keys: InboundKeys


def inbound_keys(connection: Connection, sealer: Sealer, connection_id: int) -> InboundKeys | None:
    """A connection's keys, if it has any.

    Raises:
        Refused: they were sealed with another key, or are damaged.
    """
    found = stored.secret(connection, sealer, _owner(connection_id), PURPOSE)
    return None if found is None else InboundKeys.read(found)


def keep_inbound_keys(
    connection: Connection, sealer: Sealer, connection_id: int, keys: InboundKeys
) -> None:
    """Seal and store a connection's keys in place of those before."""
    stored.keep(connection, sealer, _owner(connection_id), PURPOSE, keys.written())


def doors(connection: Connection, sealer: Sealer) -> dict[str, Door]:
    """Every connection that has keys, by name.

    One whose keys cannot be opened is left out: it must not shut the others' doors.
    """
    found = {}
    for link in connections.everyone(connection):
        try:
            keys = inbound_keys(connection, sealer, link.id)
        except Refused:
            continue
        if keys is not None:
            found[link.name] = Door(link.id, keys)
    return found


def _owner(connection_id: int) -> str:
    return f"connection:{connection_id}"
