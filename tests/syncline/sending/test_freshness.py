"""Look-ups that lag, now and then and by any time: what they do not show may be there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from syncline.errors import Absent
from syncline.halo.capabilities import FindWay
from syncline.halo.sql.finding import LookupResult
from syncline.sandbox.process import SandboxProcess
from syncline.sending.find import find
from syncline.sending.in_doubt import freshness, looking, maybe_ours, resend
from tests.from_halo import delete
from tests.tenants import brought_over, parked
from tests.world import World, Worlds


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
    """So many orders more, whose writes have no answer."""
    sandbox.add_orders(orders)
    world.pull()
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind=kind, next=orders)
    for _ in range(200):
        world.follow_all()
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


@pytest.mark.parametrize("profile", ["generous", "plain", "awkward"])
def test_what_no_list_shows_is_found_by_the_ids_that_follow(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    """A first burst after a quiet spell: all made, none answered, and no list shows any of them."""
    world = brought_over(
        worlds, sandbox, orders=3, transactions=0, subscriptions=0, profile=profile
    )
    lagging = Lagging(monkeypatch, sandbox)
    lost(world, sandbox, "cut_after", 4)
    made = len(sandbox.halo_orders())
    assert made > 3
    until(world, lambda: world.counts()["orders", "delivered"] == made)
    assert lagging.looks
    lagging.on = False
    world.drive()
    assert world.counts()["orders", "delivered"] == 7
    assert sandbox.audit()["clean"]


def test_where_nothing_shows_what_was_made_one_alone_goes_ahead(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    lagging = Lagging(monkeypatch, sandbox)
    monkeypatch.setattr(resend, "reference_on", absent)
    lost(world, sandbox, "cut_after", 4)
    for looks in range(1, 9):
        until_looked_up(world, lagging, looks)
    assert len(sandbox.halo_orders()) == 3 + 5
    lagging.on = False
    long_ago(world)
    world.drive()
    assert len(sandbox.halo_orders()) == 3 + 5
    assert world.counts()["orders", "delivered"] == 7


@pytest.mark.parametrize("profile", ["generous", "plain", "awkward"])
def test_what_was_lost_is_sent_again_once_the_one_ahead_shows(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = brought_over(
        worlds, sandbox, orders=3, transactions=0, subscriptions=0, profile=profile
    )
    lost(world, sandbox, "cut_before", 4)
    seen = len(sandbox.calls())
    world.drive()
    sent = [
        call["elements"]
        for call in sandbox.calls("halo", after=seen)
        if call["operation"] == "POST /SalesOrder"
    ]
    assert sent[0] == 1
    assert sum(sent) == 4
    assert sandbox.audit()["clean"]


def test_after_one_has_gone_ahead_in_vain_the_next_waits_longer(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    lost(world, sandbox, "cut_before", 3)
    world.do("update tenant set settle_seconds = 3600")
    world.reopened()
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind="cut_before", next=1)
    before = attempts(world)
    until(world, lambda: attempts(world) == before + 1, minutes=1)
    until(world, lambda: world.counts()["orders", "doubtful"] == 3, minutes=1)
    for _ in range(5):
        looks_after(world, minutes=115)
    assert attempts(world) == before + 1
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind="cut_before", next=1)
    until(world, lambda: attempts(world) == before + 2, minutes=125)
    sandbox.faults()
    for _ in range(5):
        looks_after(world, minutes=600)
    world.drive()
    assert world.counts()["orders", "delivered"] == 6
    assert sandbox.audit()["clean"]


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


def test_a_row_that_was_sent_twice_and_found_by_a_list_speaks_for_no_other(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be the copy that the first call made, and tells nothing of what was made since."""
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    lagging = Lagging(monkeypatch, sandbox)
    monkeypatch.setattr(resend, "reference_on", absent)
    lost(world, sandbox, "cut_after", 2)
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind="cut_before", next=1)
    before = attempts(world)
    until(world, lambda: attempts(world) == before + 1, minutes=1)
    sandbox.faults()
    [first] = world.rows("select source_id from delivery where target_meta ? 'ahead'")
    made = {row["po_number"]: int(row["id"]) for row in sandbox.halo_orders()}
    lagging.shown.add(made[f"HL-{first.source_id}"])
    for _ in range(5):
        looks_after(world, minutes=1)
    assert world.counts()["orders", "delivered"] == 4
    assert len(sandbox.halo_orders()) == 3 + 2
