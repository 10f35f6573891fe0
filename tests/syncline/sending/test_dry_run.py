"""What a dry run shows is what leaves: the same rows, in arrays of the same sizes."""

from __future__ import annotations

from syncline.dry_run.plan import Call
from syncline.dry_run.run import dry_run
from syncline.runtime.sweep import sweep
from syncline.sandbox.process import SandboxProcess
from tests.world import World, Worlds, small


def shown(world: World) -> list[Call]:
    calls: list[Call] = []
    dry_run(
        world.reopened(),
        target=None,
        tell=lambda *_: None,
        call=calls.append,
        keep=lambda _: None,
    )
    return calls


def read(world: World) -> None:
    """Do the readings that are due, and write nothing."""
    for kind in ("order", "transaction"):
        world.pull(kind)
    while nudges := [one for one in sweep(world.worker) if one.target.startswith("highlevel.")]:
        for nudge in nudges:
            world.follow(nudge)


def posted(world: World) -> list[tuple[str, int]]:
    """(operation, elements) of what was written to Halo, the first first."""
    written = "select operation, elements from call where elements > 0 order by at"
    return [(row.operation, row.elements) for row in world.rows(written)]


def test_a_dry_run_shows_what_leaves(worlds: Worlds, sandbox: SandboxProcess) -> None:
    small(sandbox, orders=30, transactions=20, subscriptions=0, customers=12, money=True)
    world = worlds()
    read(world)
    calls = shown(world)
    assert {call.target for call in calls} >= {"client", "user", "order", "invoice", "payment"}
    assert posted(world) == []
    world.drive()
    assert posted(world) == [
        (f"POST {call.path.removeprefix('/api')}", len(call.references)) for call in calls
    ]
    assert shown(world) == []
