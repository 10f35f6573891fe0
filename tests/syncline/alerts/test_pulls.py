"""Each window that comes to no end is told, however many others do, and until it does."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from syncline.alerts.run import evaluate
from syncline.sandbox.process import SandboxProcess
from tests.alerting import alerts, pass_time
from tests.spoiling import refused
from tests.world import World, Worlds, small

HEALED = timedelta(minutes=6)
READ = """
    insert into pull (connection_id, kind, first, last, state, finished_at)
    select id, kind, cast(:first as date), cast(:last as date), :state, clock_timestamp()
    from connection, unnest(cast(:kinds as text[])) as kind
"""
KINDS = ["order", "transaction", "subscription"]


@pytest.fixture
def world(worlds: Worlds, sandbox: SandboxProcess) -> World:
    """All kinds were read just now, so that nothing of all of them is late."""
    small(sandbox, orders=8, transactions=0, subscriptions=0, days=4)
    world = worlds(style="summary")
    read(world, "2026-01-01", "2026-01-01", kinds=KINDS)
    return world


def read(
    world: World, first: str, last: str, state: str = "certified", kinds: Any = ("order",)
) -> None:
    """Have a window been read."""
    world.do(READ, first=first, last=last, state=state, kinds=list(kinds))


def owe(world: World, first: str, **columns: str) -> None:
    """Have a window been open for two hours."""
    read(world, first, first, "running")
    changes = {"moved_at": "clock_timestamp() - interval '2 hours'", **columns}
    for name, value in changes.items():
        world.do(
            f"update pull set {name} = {value}, finished_at = null"  # noqa: S608 - of this module
            " where first = cast(:first as date) and state = 'running'",
            first=first,
        )


def told(world: World) -> dict[str, Any]:
    """The open alerts of pulls, by their causes."""
    evaluate(world.worker)
    found = (one for one in alerts(world) if one.kind == "pulls" and one.state == "open")
    return {one.cause: one for one in found}


def healed(world: World) -> bool:
    """Whether no alert of pulls is left, once what has gone has been gone for a while."""
    told(world)
    pass_time(world, HEALED)
    return told(world) == {}


def test_a_window_that_always_fails_is_told_although_others_are_read_and_until_it_is_too(
    world: World,
) -> None:
    owe(world, "2026-02-01", failures="9", note="'HighLevel answered with 500'")
    owe(world, "2026-02-02", failures="2", moved_at="clock_timestamp()")
    owe(world, "2026-02-03")  # it waits for its turn
    read(world, "2026-02-04", "2026-02-04")
    [(cause, alert)] = told(world).items()
    assert (cause, alert.count) == ("late window order", 1)
    assert "- 2026-02-01: HighLevel answered with 500" in alert.detail["text"]
    assert "pull-orders --connection acme --since 2026-02-01" in alert.detail["text"]
    world.do("update pull set state = 'certified' where first = '2026-02-01'")
    assert healed(world)


def test_a_window_whose_workers_die_is_told_and_one_that_goes_on_is_not(world: World) -> None:
    owe(world, "2026-02-01", owner="gen_random_uuid()")
    owe(world, "2026-02-02", owner="gen_random_uuid()", moved_at="clock_timestamp()")
    [alert] = told(world).values()
    assert "- 2026-02-01: no worker that has begun it" in alert.detail["text"]
    assert "2026-02-02" not in alert.detail["text"]


def test_where_no_window_at_all_is_read_that_alone_is_told(world: World) -> None:
    owe(world, "2026-02-01", failures="9", note="'HighLevel answered with 500'")
    world.do("update pull set finished_at = finished_at - interval '2 hours'")
    assert {one.kind for one in told(world).values()} == {"pulls"}
    assert set(told(world)) == {f"late {kind}" for kind in KINDS}
    assert "HighLevel answered with 500" in told(world)["late order"].detail["text"]


def test_days_that_highlevel_refuses_to_show_are_an_alert_until_it_shows_them(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = sandbox.get("/state/orders")["ids"][0]
    spoiler = refused(
        monkeypatch,
        "/payments/orders",
        lambda _, shown: any(row["_id"] == bad for row in shown["data"]),
    )
    world.request_pull()
    while not (days := world.rows("select first from pull where refused")):
        world.follow_all()
    [(cause, alert)] = told(world).items()
    assert (cause, alert.count, alert.severity) == ("refused order", len(days), "warning")
    assert f"- {days[0].first}: Row " in alert.detail["text"]
    assert "422: This cannot be shown" in alert.detail["text"]
    spoiler.on = False
    world.drive()
    assert healed(world)


def test_a_window_is_uncertain_until_all_of_its_days_are_read_again(world: World) -> None:
    read(world, "2026-02-01", "2026-02-03", "uncertain")
    assert {cause: one.count for cause, one in told(world).items()} == {"uncertain order": 1}
    read(world, "2026-02-02", "2026-02-09")
    read(world, "2026-01-01", "2026-02-09", "uncertain")
    assert told(world)["uncertain order"].count == 2
    read(world, "2026-01-01", "2026-02-28", "provisional")
    assert healed(world)
