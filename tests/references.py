"""Tenants that keep our references otherwise, and what was posted to them."""

from __future__ import annotations

import time
from collections import Counter

from syncline.sandbox.process import SandboxProcess
from tests.world import World


def keep(sandbox: SandboxProcess, how: str, *fields: str) -> None:
    sandbox.post("/halo/keep_references", {"how": how, "fields": fields})


def followed(world: World, *, rounds: int = 3) -> None:
    """Follow what is asked for until nothing is in hand or in doubt, and some rounds more."""
    give_up = time.monotonic() + 20
    moving = "select 1 from delivery where state in ('leased', 'sending', 'checking', 'doubtful')"
    while rounds:
        world.do("update delivery set due_at = clock_timestamp() where state = 'due'")
        world.follow_all()
        rounds -= not world.rows(moving)
        assert time.monotonic() < give_up, (world.counts(), world.failures[-3:])


def posted(sandbox: SandboxProcess, after: int = 0) -> Counter[str]:
    """How many elements were posted, by path."""
    found: Counter[str] = Counter()
    for call in sandbox.calls("halo", after):
        if call["method"] == "POST":
            found[call["operation"].removeprefix("POST ")] += call["elements"]
    return found
