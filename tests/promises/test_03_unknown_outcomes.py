"""A write with an unknown outcome is looked up, after the settle time, before it is repeated."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.sandbox.process import SandboxProcess
from syncline.steps.look_up import look_up
from syncline.steps.send import send
from tests.world import NAME, PROFILES, World, Worlds, small

ORDER = "POST /SalesOrder"


@pytest.fixture(params=PROFILES)
def ready(worlds: Worlds, sandbox: SandboxProcess, request: pytest.FixtureRequest) -> World:
    """A tenant whose ways are known, and one new order to be sent."""
    small(sandbox, profile=request.param, orders=3, customers=1)
    world = worlds()
    world.pull()
    world.drive()
    sandbox.add_orders(1)
    world.pull()
    send(world.parts, world.parts.open_line(NAME), "highlevel.order")
    while world.counts().get(("orders", "due")) != 1:
        world.follow_all()
    return world


@pytest.mark.parametrize(
    ("fault", "posts"),
    [
        ({"kind": "cut_before"}, 2),
        ({"kind": "cut_after"}, 1),
        ({"kind": "500"}, 2),
        ({"kind": "500_after"}, 1),
        ({"kind": "late", "late_seconds": 0.2}, 1),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_it_is_repeated_only_where_the_look_up_found_nothing(
    ready: World, sandbox: SandboxProcess, fault: dict[str, Any], posts: int
) -> None:
    sandbox.faults(side="halo", operation=ORDER, next=1, **fault)
    seen = len(sandbox.calls())
    ready.drive()
    calls = sandbox.calls("halo", after=seen)
    writes = [at for at, call in enumerate(calls) if call["operation"] == ORDER]
    assert len(writes) == posts
    after_doubt = [call["operation"] for call in calls[writes[0] + 1 :]]
    assert after_doubt
    assert after_doubt[0] != ORDER
    assert sandbox.audit()["clean"]


def test_it_is_not_even_looked_up_before_the_settle_time(
    ready: World, sandbox: SandboxProcess
) -> None:
    sandbox.faults(side="halo", operation=ORDER, next=1, kind="cut_after")
    line = ready.parts.open_line(NAME)
    ready.do("update tenant set settle_seconds = 3600")
    line = ready.reopened()
    send(ready.parts, line, "order")
    assert ready.counts()["orders", "doubtful"] == 1
    seen = len(sandbox.calls())
    assert look_up(ready.parts, line, "order") is None
    assert send(ready.parts, line, "order") is None
    assert sandbox.calls(after=seen) == []


def test_a_look_up_that_fails_concludes_nothing(ready: World, sandbox: SandboxProcess) -> None:
    sandbox.faults(
        {"side": "halo", "operation": ORDER, "kind": "cut_after", "next": 1},
        {"side": "halo", "operation": "GET *", "kind": "500", "next": 2},
        {"side": "halo", "operation": "POST /Report", "kind": "500", "next": 2},
    )
    seen = len(sandbox.calls())
    ready.drive()
    writes = [call for call in sandbox.calls("halo", after=seen) if call["operation"] == ORDER]
    assert len(writes) == 1
    assert sandbox.audit()["clean"]
