"""Tenants for tests: a small shop brought over to one, what came to it, what waits for a person."""

from __future__ import annotations

from collections import Counter
from typing import Any

from syncline.sandbox.process import SandboxProcess
from tests.world import World, Worlds, small

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
