"""Tenants for tests: a small shop brought over to one, what came to it, what waits for a person."""

from __future__ import annotations

from collections import Counter
from typing import Any

from syncline.ingest.record import record
from syncline.sandbox.process import SandboxProcess
from tests.world import NAME, World, Worlds, small

KINDS = ("order", "transaction", "subscription")


def brought_over(worlds: Worlds, sandbox: SandboxProcess, **config: Any) -> World:
    """A world that brought a small shop and its money to a tenant with these dials."""
    small(sandbox, **{"money": True, "transactions": 12, **config})
    world = worlds()
    for kind in KINDS:
        world.pull(kind)
    world.drive()
    return world


def operations(sandbox: SandboxProcess, after: int = 0) -> Counter[str]:
    """How many calls came to Halo, by operation."""
    return Counter(call["operation"] for call in sandbox.calls("halo", after))


def parked(world: World) -> list[Any]:
    """What waits for a person, and why."""
    return world.rows("select target, reason, field from delivery where state = 'parked'")


def paid_by(world: World, transaction: str, day: int = 20, /, **contact: Any) -> None:
    """A payment without an order comes in, and all that follows from it is done."""
    comes_in(world, transaction, day, **contact)
    assert parked(world) == []


def comes_in(world: World, transaction: str, day: int = 20, /, **fields: Any) -> None:
    """A transaction is listed, and all that follows from it is done."""
    line = world.worker.open_line(NAME)
    moment = f"2026-11-{day:02}T10:00:00.000Z"
    row = {
        "_id": transaction, "altId": line.link.location_id, "altType": "location",
        "currency": "USD", "amount": 12.5, "status": "succeeded", "liveMode": False,
        "entityType": "invoice", "entityId": f"of-{transaction}", "entitySourceType": "invoice",
        "createdAt": moment, "updatedAt": moment, "fulfilledAt": moment, **fields,
    }  # fmt: skip
    world.worker.ledger.run(
        lambda c: record(
            c, line.link, line.document, "transaction", "list", {transaction: row}, "a test"
        )
    )
    world.drive()
