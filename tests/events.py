"""Webhooks for tests: bodies as HighLevel sends them, stored as the receiver stores them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from sqlalchemy import text

from syncline.ingest import missed
from syncline.sandbox.config import LOCATION
from syncline.sandbox.process import SandboxProcess
from tests.world import World


def order_event(
    sandbox: SandboxProcess, order_id: str, name: str = "OrderStatusUpdate", **changed: Any
) -> bytes:
    """The event that carries this order as the sandbox holds it, or with some fields changed."""
    order = sandbox.get(f"/state/orders/{order_id}")
    return event(name, {**order, **changed})


def event(name: str, fields: dict[str, Any], location: str | None = LOCATION) -> bytes:
    """Any event, in its envelope."""
    envelope = {
        "type": name,
        "locationId": location,
        "appId": "app",
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "webhookId": str(uuid4()),
        **fields,
    }
    return json.dumps(envelope).encode()


def arrive(world: World, *bodies: bytes, source: str = "highlevel") -> None:
    """Store events as they would stand once the receiver has answered."""
    insert = text(
        """
        insert into event (source, location_id, connection_id, body)
        values (:source, :location_id,
                (select id from connection where :source = 'halo'), :body)
        """
    )
    came = [
        {
            "source": source,
            "location_id": None if source == "halo" else _location(body),
            "body": body,
        }
        for body in bodies
    ]
    with world.worker.ledger.engine.begin() as connection:
        connection.execute(insert, came)


def _location(body: bytes) -> str | None:
    try:
        document = json.loads(body)
    except ValueError:
        return None
    found = document.get("locationId") if isinstance(document, dict) else None
    return found if isinstance(found, str) else None


def order_ids(sandbox: SandboxProcess) -> list[str]:
    found: list[str] = sandbox.get("/state/orders")["ids"]
    return found


def event_states(world: World) -> list[tuple[str, str | None]]:
    return [(row.state, row.note) for row in world.rows("select * from event order by id")]


def event_figures(world: World) -> missed.MissedEvents:
    link = world.reopened().link
    with world.worker.ledger.begin() as connection:
        return missed.figures(
            connection,
            link.id,
            link.location,
            period=timedelta(days=1),
            given_up_after=timedelta(0),
        )
