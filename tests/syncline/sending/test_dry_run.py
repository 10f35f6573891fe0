"""What a dry run shows is what leaves: the same rows, in arrays of the same sizes, and read so."""

from __future__ import annotations

from collections import Counter

from syncline.dry_run.plan import Call, DryRunPlan
from syncline.dry_run.run import dry_run
from syncline.runtime.sweep import sweep
from syncline.sandbox.process import SandboxProcess
from tests.world import World, Worlds, small


def shown(world: World) -> tuple[list[Call], DryRunPlan]:
    calls: list[Call] = []
    plan = dry_run(
        world.reopened(),
        target=None,
        tell=lambda *_: None,
        call=calls.append,
        keep=lambda _: None,
    )
    return calls, plan


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
    calls, plan = shown(world)
    assert {call.target for call in calls} >= {"client", "user", "order", "invoice", "payment"}
    assert posted(world) == []
    world.drive()
    assert posted(world) == [
        (f"POST {call.path.removeprefix('/api')}", len(call.references)) for call in calls
    ]
    assert shown(world)[0] == []
    made = halo_calls_by_operation(world)
    assert sum(made.values()) * 0.9 <= plan.halo_calls <= sum(made.values()) * 1.1
    assert plan.counts["order"].calls == made["POST /SalesOrder"] + made["GET /SalesOrder/id"] + 1
    assert made["GET /SalesOrder/id"] > 0


def halo_calls_by_operation(world: World) -> Counter[str]:
    """What Halo was asked and told, without the sign-in."""
    counted = """
        select operation, count(*) as many from call
        where quota_key like 'halo:%' and operation not in ('GET /authinfo', 'POST /token')
        group by 1
    """
    return Counter({row.operation: row.many for row in world.rows(counted)})
