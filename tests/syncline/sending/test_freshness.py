"""Look-ups that lag, now and then and by any time: what they do not show may be there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from syncline.errors import Absent
from syncline.halo.capabilities import FindWay
from syncline.halo.sql.finding import LookupResult
from syncline.sandbox.process import SandboxProcess
from syncline.sending import unknown_outcomes
from syncline.sending.find import find
from syncline.sending.in_doubt import freshness, maybe_ours
from tests.from_halo import delete
from tests.tenants import brought_over, parked
from tests.world import World, Worlds


class Lagging:
    """Look-ups that show only orders which were there when it began, or none, while it is on."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, sandbox: SandboxProcess, *, shows: bool = True
    ) -> None:
        self.on, self.looks = True, 0
        self._shown = {int(row["id"]) for row in sandbox.halo_orders() if shows}
        for module in (unknown_outcomes, maybe_ours):
            monkeypatch.setattr(module, "find", self.found)

    def found(
        self, line: Any, api: Any, target: Any, way: FindWay, references: Sequence[str]
    ) -> LookupResult:
        found = find(line, api, target, way, references)
        if not self.on or target.name != "order":
            return found
        self.looks += 1
        rows = {
            ref: [row for row in rows if row.id in self._shown] for ref, rows in found.rows.items()
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


@pytest.mark.parametrize("profile", ["generous", "plain", "awkward"])
def test_what_a_lagging_look_up_does_not_show_is_not_made_again(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    world = brought_over(
        worlds, sandbox, orders=3, transactions=0, subscriptions=0, profile=profile
    )
    lagging = Lagging(monkeypatch, sandbox)
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind="cut_after", next=1)
    more(world, sandbox, lambda: world.counts().get(("orders", "doubtful")))
    world.do("update delivery set due_at = 'infinity' where state = 'doubtful'")
    more(world, sandbox, lambda: world.counts()["orders", "delivered"] == 4)
    until_looked_up(world, lagging, 3)
    assert len(sandbox.halo_orders()) == 5
    lagging.on = False
    world.do("update delivery set due_at = clock_timestamp() where state = 'doubtful'")
    world.drive()
    assert parked(world) == []
    assert len(sandbox.halo_orders()) == 5
    assert sandbox.audit()["clean"]


def test_a_tenant_that_shows_nothing_any_more_has_nothing_made_again(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As to somebody who lost a right: lists are empty, and no row is there by its id."""
    world = brought_over(
        worlds, sandbox, orders=3, transactions=0, subscriptions=0, profile="plain"
    )
    lagging = Lagging(monkeypatch, sandbox, shows=False)
    monkeypatch.setattr(freshness, "reference_on", absent)
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind="cut_after", next=1)
    more(world, sandbox, lambda: world.counts().get(("orders", "doubtful")))
    until_looked_up(world, lagging, 4)
    assert len(sandbox.halo_orders()) == 4
    lagging.on = False
    world.do("update delivery set due_at = clock_timestamp() where state = 'doubtful'")
    world.drive()
    assert parked(world) == []
    assert len(sandbox.halo_orders()) == 4
    assert sandbox.audit()["clean"]


def absent(*_: Any) -> Any:
    raise Absent("Halo answered 404")


def test_a_newest_row_that_was_deleted_keeps_nobody_in_doubt(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = brought_over(
        worlds, sandbox, orders=3, transactions=0, subscriptions=0, profile="plain"
    )
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind="cut_before", next=1)
    more(world, sandbox, lambda: world.counts().get(("orders", "doubtful")))
    newest = max(sandbox.halo_orders(), key=lambda row: int(row["id"]))
    delete(world, f"/SalesOrder/{newest['id']}")
    world.do("update delivery set due_at = clock_timestamp() where state = 'doubtful'")
    more(world, sandbox, lambda: world.counts()["orders", "delivered"] == 5)
    assert len(sandbox.halo_orders()) == 4
