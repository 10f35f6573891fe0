"""A write with an unknown outcome is looked up, after the settle time, before it is repeated."""

from __future__ import annotations

import pytest

from syncline.runtime.registry import look_up, send
from syncline.sandbox.process import SandboxProcess
from tests.variants import in_turn, mostly
from tests.world import NAME, World, Worlds, small

ORDER = "POST /SalesOrder"


@pytest.fixture
def ready(worlds: Worlds, sandbox: SandboxProcess, request: pytest.FixtureRequest) -> World:
    """A tenant whose ways are known, and one new order to be sent."""

    def drive() -> World:
        small(sandbox, profile=request.param, orders=3, customers=1)
        world = worlds()
        world.pull()
        world.drive()
        sandbox.add_orders(1)
        world.pull()
        send(world.worker.open_line(NAME), "highlevel.order")
        while world.counts().get(("orders", "due")) != 1:
            world.follow_all()
        return world

    return worlds.as_after(drive, f"one new order {request.param}")


@pytest.mark.parametrize(
    ("kind", "ready"),
    in_turn(["cut_before", "cut_after", "500", "500_after", "late"]),
    indirect=["ready"],
)
def test_it_is_looked_up_first_whatever_became_of_it(
    ready: World, sandbox: SandboxProcess, kind: str
) -> None:
    sandbox.faults(side="halo", operation=ORDER, next=1, kind=kind, late_seconds=0.2)
    seen = len(sandbox.calls())
    ready.drive()
    operations = [call["operation"] for call in sandbox.calls("halo", after=seen)]
    write = operations.index(ORDER)
    assert operations[write + 1] != ORDER
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize("ready", mostly("plain"), indirect=True)
def test_it_is_not_even_looked_up_before_the_settle_time(
    ready: World, sandbox: SandboxProcess
) -> None:
    sandbox.faults(side="halo", operation=ORDER, next=1, kind="cut_after")
    ready.do("update tenant set settle_seconds = 3600")
    line = ready.reopened()
    send(line, "order")
    assert ready.counts()["orders", "doubtful"] == 1
    seen = len(sandbox.calls())
    assert look_up(line, "order").after is None
    assert send(line, "order").after is None
    assert sandbox.calls(after=seen) == []


@pytest.mark.parametrize("ready", mostly("awkward"), indirect=True)
def test_a_look_up_that_fails_concludes_nothing(ready: World, sandbox: SandboxProcess) -> None:
    sandbox.faults(
        {"side": "halo", "operation": ORDER, "kind": "cut_after", "next": 1},
        {"side": "halo", "operation": "GET *", "kind": "500", "probability": 0.7},
        {"side": "halo", "operation": "POST /Report", "kind": "500", "probability": 0.7},
    )
    ready.drive()
    assert sandbox.faults()["fired"]["500"] > 0
    assert sandbox.audit()["clean"]
