"""Look-ups that lag, now and then and by any time: what they do not show may be there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from syncline.halo.capabilities import FindWay
from syncline.halo.sql.finding import LookupResult
from syncline.sandbox.process import SandboxProcess
from syncline.sending.find import find
from syncline.sending.in_doubt import freshness, looking, maybe_ours
from tests.from_halo import delete
from tests.lagging import (
    Lagging,
    absent,
    attempts,
    long_ago,
    lost,
    more,
    until_looked_up,
)
from tests.tenants import brought_over, parked
from tests.world import Worlds


@pytest.mark.parametrize("profile", ["generous", "plain", "awkward"])
def test_what_a_lagging_look_up_does_not_show_is_not_made_again(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    world = brought_over(
        worlds, sandbox, orders=3, transactions=0, subscriptions=0, profile=profile
    )
    lagging = Lagging(monkeypatch, sandbox)
    lost(world, sandbox, "cut_after", 1)
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
    lost(world, sandbox, "cut_after", 1)
    until_looked_up(world, lagging, 4)
    assert len(sandbox.halo_orders()) == 4
    lagging.on = False
    world.do("update delivery set due_at = clock_timestamp() where state = 'doubtful'")
    world.drive()
    assert parked(world) == []
    assert len(sandbox.halo_orders()) == 4
    assert sandbox.audit()["clean"]


def test_a_newest_row_that_was_deleted_keeps_nobody_in_doubt(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = brought_over(
        worlds, sandbox, orders=3, transactions=0, subscriptions=0, profile="plain"
    )
    lost(world, sandbox, "cut_before", 1)
    newest = max(sandbox.halo_orders(), key=lambda row: int(row["id"]))
    delete(world, f"/SalesOrder/{newest['id']}")
    world.do("update delivery set due_at = clock_timestamp() where state = 'doubtful'")
    more(world, sandbox, lambda: world.counts()["orders", "delivered"] == 5)
    assert len(sandbox.halo_orders()) == 4


@pytest.mark.parametrize("again", [False, True])
def test_answers_that_are_not_true_now_and_then_double_nothing(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, again: bool
) -> None:
    world = brought_over(
        worlds, sandbox, orders=3, transactions=0, subscriptions=0, profile="plain"
    )
    lost(world, sandbox, "cut_after", 1)
    world.do("update delivery set due_at = 'infinity' where state = 'doubtful'")
    more(world, sandbox, lambda: world.counts()["orders", "delivered"] == 4)
    lies, told = iter([True, False] * 4 if again else [True]), list[LookupResult]()

    def lying(*args: Any) -> LookupResult:
        found = find(*args)
        if args[2].name != "order" or not next(lies, False):
            return found
        told.append(found)
        return LookupResult({ref: [] for ref in found.rows}, frozenset())

    monkeypatch.setattr(looking, "find", lying)
    for _ in range(12):
        long_ago(world)
    world.drive()
    assert told
    assert len(sandbox.halo_orders()) == 5
    assert sandbox.audit()["clean"]


def test_another_row_with_the_reference_of_a_witness_is_no_witness(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy that was made before it shows, and it does not: nothing newer shows either."""
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    lost(world, sandbox, "cut_after", 1)
    world.do("update delivery set due_at = 'infinity' where state = 'doubtful'")
    more(world, sandbox, lambda: world.counts()["orders", "delivered"] == 4)
    [newest] = world.rows(
        """
        select source_id, target_id from delivery where flow = 'orders' and target_id is not null
        order by target_id::int desc limit 1
        """
    )
    made_before = int(newest.target_id) - 2
    lost_ones = {
        f"HL-{row.source_id}"
        for row in world.rows("select source_id from delivery where state = 'doubtful'")
    }

    def found(
        line: Any, api: Any, target: Any, way: FindWay, references: Sequence[str]
    ) -> LookupResult:
        its = find(line, api, target, way, references)
        if target.name != "order":
            return its
        rows = dict(its.rows)
        if (ours := f"HL-{newest.source_id}") in rows:
            rows[ours] = [replace(row, id=made_before) for row in rows[ours]]
        return LookupResult(rows | {ref: [] for ref in lost_ones & set(rows)}, its.unsure, {})

    for module in (looking, maybe_ours):
        monkeypatch.setattr(module, "find", found)
    for _ in range(6):
        long_ago(world)
    assert attempts(world) == 1
