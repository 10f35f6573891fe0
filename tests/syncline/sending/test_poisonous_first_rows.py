"""The first row of a kind at which Halo fails gives way, and its neighbours go on at once.

It is tried again alone, later, and is neither forgotten nor made twice.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncline import jsontext
from syncline.calls import capabilities
from syncline.engine import failures
from syncline.engine.failures import PARK_AFTER
from syncline.errors import NoAnswer
from syncline.halo.capabilities import Capabilities
from syncline.halo.sql.finding import LookupResult
from syncline.sandbox.process import SandboxProcess
from syncline.sending import round_trips
from syncline.sending.in_doubt import looking
from syncline.sending.targets import TARGETS
from tests.in_between import InBetween, QuotaClock, page, said
from tests.poison import OWN_500, go_on
from tests.world import World, Worlds, small

UNNAMED = said(400, {"Message": "Object reference not set to an instance of an object."})
SETTLE = 3600.0
"""Seconds, none of which pass unless a test lets them."""

KINDS = ("order", "invoice", "payment")


ANSWERS = {
    "500": (OWN_500, "An error has occurred."),
    "504": (page(504), "504"),
    "unnamed": (UNNAMED, "Object reference not set"),
}


class FirstRow:
    """The row of a kind that is posted first: somebody answers whatever holds it.

    Attributes:
        reference: of that row, once it was posted.
        posts: how often it was.
    """

    def __init__(self, in_between: InBetween, target: str, answer: Any) -> None:
        self.reference, self.posts = "", 0
        self._target = TARGETS[target]
        in_between.wanted, in_between.answers = self._holds, answer

    def _holds(self, call: str, body: bytes) -> bool:
        if not (call.startswith("POST") and call.endswith(self._target.path)):
            return False
        references = [str(one.get(self._target.key)) for one in jsontext.loads(body)]
        self.reference = self.reference or references[0]
        self.posts += self.reference in references
        return self.reference in references


def owing(worlds: Worlds, sandbox: SandboxProcess, **config: Any) -> World:
    """A worker that owes a tenant the first rows of each kind."""
    small(sandbox, **{"orders": 6, "customers": 3, "transactions": 5, "subscriptions": 0, **config})
    world = worlds(style="summary", settle=SETTLE)
    world.pull()
    world.pull("transaction")
    return world


def states(world: World, target: str) -> Counter[str]:
    found = world.rows("select state from delivery where target = :target", target=target)
    return Counter(row.state for row in found)


def the_poisonous(world: World, target: str) -> Any:
    """The delivery of a kind that is not done."""
    [row] = world.rows(
        "select * from delivery where target = :target and state <> 'delivered'", target=target
    )
    return row


def until_others_are_done(world: World, clock: QuotaClock, target: str) -> None:
    """Go on without any settle time that passes."""
    give_up = time.monotonic() + 60
    while (found := states(world, target))["delivered"] < max(found.total() - 1, 2):
        world.follow_all()
        clock.pass_by(1)
        assert time.monotonic() < give_up, f"its neighbours wait: {found}"


def settled(world: World, clock: QuotaClock, looks: int) -> None:
    """Look so often at what is due, each time after another settle time."""
    world.do("update delivery set sent_at = sent_at - interval '2 hours'")
    go_on(world, clock, looks, passes="2 hours")


@pytest.mark.parametrize("target", KINDS)
@pytest.mark.parametrize(("answer", "words"), ANSWERS.values(), ids=ANSWERS)
def test_a_first_row_at_which_halo_fails_gives_way_before_its_own_fate_is_known(
    worlds: Worlds,
    sandbox: SandboxProcess,
    quota_clock: QuotaClock,
    in_between: InBetween,
    target: str,
    answer: Any,
    words: str,
) -> None:
    world = owing(worlds, sandbox)
    first = FirstRow(in_between, target, answer)
    until_others_are_done(world, quota_clock, target)
    row = the_poisonous(world, target)
    assert (row.state, first.posts) == ("doubtful", 1)
    settled(world, quota_clock, 150)
    row = the_poisonous(world, target)
    assert row.state == "parked"
    assert first.posts <= PARK_AFTER + 2
    assert words in row.reason


def each_is_there_once(sandbox: SandboxProcess, many: int) -> bool:
    references = [row["po_number"] for row in sandbox.halo_orders()]
    return len(references) == len(set(references)) == many


def test_a_first_row_that_was_made_though_a_gateway_answered_is_found_and_not_made_twice(
    worlds: Worlds, sandbox: SandboxProcess, quota_clock: QuotaClock, in_between: InBetween
) -> None:
    world = owing(worlds, sandbox, transactions=0)
    first = FirstRow(in_between, "order", page(504))
    in_between.effect = True
    until_others_are_done(world, quota_clock, "order")
    assert the_poisonous(world, "order").state == "doubtful"
    settled(world, quota_clock, 20)
    assert states(world, "order") == {"delivered": 6}
    assert (first.posts, each_is_there_once(sandbox, 6)) == (1, True)


def test_while_halo_fails_at_every_first_row_each_is_tried_once_ever_further_apart(
    worlds: Worlds,
    sandbox: SandboxProcess,
    quota_clock: QuotaClock,
    in_between: InBetween,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rests: list[float] = []
    backoff = failures.backoff

    def noted(*given: Any) -> timedelta:
        rests.append(backoff(*given).total_seconds())
        return timedelta(0)

    monkeypatch.setattr(round_trips, "backoff", noted)
    world = owing(worlds, sandbox, transactions=0)
    in_between.wanted = lambda call, _: call.startswith("POST") and call.endswith("/SalesOrder")
    in_between.answers = OWN_500
    for _ in range(30):
        world.follow_all()
        quota_clock.pass_by(20)
    assert states(world, "order") == {"doubtful": 6}
    assert (rests, len(in_between.calls)) == ([1, 2, 4, 8, 16, 32], 6)
    in_between.answers = None
    settled(world, quota_clock, 40)
    assert states(world, "order") == {"delivered": 6}
    assert each_is_there_once(sandbox, 6)


def test_the_next_first_row_is_not_tried_before_the_rest_after_the_last_one_is_over(
    worlds: Worlds,
    sandbox: SandboxProcess,
    quota_clock: QuotaClock,
    in_between: InBetween,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(round_trips, "backoff", lambda *_: timedelta(hours=1))
    world = owing(worlds, sandbox, transactions=0)
    first = FirstRow(in_between, "order", OWN_500)
    for _ in range(20):
        world.follow_all()
        quota_clock.pass_by(1)
    assert states(world, "order") == {"doubtful": 1, "due": 5}
    assert (first.posts, sandbox.halo_orders()) == (1, [])
    capabilities.teach(world.reopened(), rested)
    until_others_are_done(world, quota_clock, "order")


def rested(known: Capabilities) -> Capabilities:
    """The same, and the rest after an order that gave way is over."""
    seen = replace(known.round_trip("order"), rests_until=None)
    return known.with_round_trip("order", seen, found_at=datetime.now(UTC), how="a test")


def test_a_first_row_that_cannot_be_looked_up_keeps_no_other_waiting(
    worlds: Worlds,
    sandbox: SandboxProcess,
    quota_clock: QuotaClock,
    in_between: InBetween,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where nobody answered its write, others wait for its look-up, but for no more than one."""

    def unanswered(*_: Any) -> LookupResult:
        raise NoAnswer("Halo did not answer the look-up.")

    world = owing(worlds, sandbox, transactions=0)
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind="cut_before", next=1)
    while states(world, "order")["doubtful"] == 0:
        world.follow_all()
    with monkeypatch.context() as patched:
        patched.setattr(looking, "find", unanswered)
        for _ in range(3):
            world.follow_all()
        assert states(world, "order") == {"doubtful": 1, "due": 5}
        settled(world, quota_clock, 2)
        until_others_are_done(world, quota_clock, "order")
        assert states(world, "order") == {"doubtful": 1, "delivered": 5}
    settled(world, quota_clock, 20)
    assert states(world, "order") == {"delivered": 6}
    assert each_is_there_once(sandbox, 6)
