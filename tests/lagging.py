"""Look-ups that lag, writes that are lost, and time that passes for what is in doubt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from syncline.errors import Absent
from syncline.halo.capabilities import FindWay
from syncline.halo.sql.finding import LookupResult
from syncline.runtime.sweep import sweep
from syncline.sandbox.process import SandboxProcess
from syncline.sending.find import find
from syncline.sending.in_doubt import looking, maybe_ours
from tests.world import World


class Lagging:
    """Look-ups that show only orders which were there when it began, or none, while it is on."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxProcess, *, shows: bool = True
    ) -> None:
        self.on, self.looks = True, 0
        self.shown = {int(row["id"]) for row in sandbox.halo_orders() if shows}
        for module in (looking, maybe_ours):
            monkeypatch.setattr(module, "find", self.found)

    def found(
        self, line: Any, api: Any, target: Any, way: FindWay, references: Sequence[str]
    ) -> LookupResult:
        found = find(line, api, target, way, references)
        if not self.on or target.name != "order":
            return found
        self.looks += 1
        rows = {
            ref: [row for row in rows if row.id in self.shown] for ref, rows in found.rows.items()
        }
        return LookupResult(rows, found.unsure, found.like)


def more(world: World, sandbox: SandboxProcess, until: Callable[[], object]) -> None:
    """One order more, which is followed until something is so."""
    sandbox.add_orders(1)
    world.pull()
    for _ in range(200):
        world.follow_all()
        if until():
            return
    raise AssertionError(world.counts())


def until_looked_up(world: World, lagging: Lagging, times: int) -> None:
    """Follow what is due, as if the settle times had passed, until it was looked so often."""
    for _ in range(200):
        world.do("update delivery set due_at = clock_timestamp() where state = 'doubtful'")
        world.follow_all()
        if lagging.looks >= times:
            return
    raise AssertionError(f"looked {lagging.looks} times")


def absent(*_: Any) -> Any:
    raise Absent("Halo answered 404")


def attempts(world: World) -> int:
    """How often orders were sent that are not there yet."""
    rows = world.rows("select attempt from delivery where flow = 'orders' and target_id is null")
    return sum(row.attempt for row in rows)


def lost(world: World, sandbox: SandboxProcess, kind: str, orders: int) -> None:
    """So many orders more, whose writes have no answer; none of them is looked up yet."""
    sandbox.add_orders(orders)
    world.pull()
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind=kind, next=orders)
    for _ in range(200):
        world.hurry()
        for nudge in sweep(world.worker):
            if nudge.task != "look_up":
                world.follow(nudge)
        if world.counts().get(("orders", "doubtful")) == orders:
            sandbox.faults()
            return
    raise AssertionError(world.counts())


def until(world: World, is_so: Callable[[], bool], minutes: int = 600) -> None:
    """Look up what is in doubt as if it had been sent so long ago, until something is so."""
    for _ in range(50):
        looks_after(world, minutes)
        if is_so():
            return
    raise AssertionError(world.counts())


def long_ago(world: World) -> None:
    """As if what is in doubt had been sent hours ago."""
    looks_after(world, minutes=600)


def looks_after(world: World, minutes: int) -> None:
    """Look up what is in doubt as if it had been sent so long ago."""
    world.do(
        """
        update delivery set due_at = clock_timestamp(),
                            sent_at = clock_timestamp() - make_interval(mins => :minutes)
        where state = 'doubtful'
        """,
        minutes=minutes,
    )
    world.follow_all()
