"""What Halo sends of itself to a connection, as it was when the webhook was installed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection

from syncline.halo.webhooks.bindable import WANTED, BindableEvent
from syncline.ledger import capabilities

_NAME = "webhook"
_HOW = "halo webhooks install"


@dataclass(frozen=True, slots=True)
class Bound:
    """Our webhook in Halo; without an id there is none, and changes are found by polling."""

    webhook_id: str | None
    events: tuple[BindableEvent, ...]

    @property
    def missing(self) -> tuple[str, ...]:
        """What no event tells of, so that it has to be polled for."""
        told = {event.entity for event in self.events}
        return tuple(entity for entity in WANTED if self.webhook_id is None or entity not in told)


def bound(connection: Connection, connection_id: int) -> Bound:
    """What is known of a connection's webhook."""
    rows = capabilities.read(connection, _owner(connection_id))
    value: Mapping[str, Any] = next((row["value"] for row in rows if row["name"] == _NAME), {})
    events = [
        BindableEvent(int(one["number"]), str(one["name"]), one["entity"])
        for one in value.get("events", [])
    ]
    return Bound(value.get("webhook_id"), tuple(events))


def remember_bound(
    connection: Connection,
    connection_id: int,
    webhook_id: str | None,
    events: Sequence[BindableEvent],
) -> None:
    """Keep what Halo confirmed, in the caller's transaction."""
    told = [
        {"number": event.number, "name": event.name, "entity": event.entity} for event in events
    ]
    value = {"webhook_id": webhook_id, "events": told}
    capabilities.write(
        connection, _owner(connection_id), [{"name": _NAME, "value": value, "how": _HOW}]
    )


def _owner(connection_id: int) -> str:
    return f"connection:{connection_id}"
