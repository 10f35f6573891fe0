"""Whatever HighLevel tells of its records, and with whatever nonsense: each of them is in line."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.sandbox.process import SandboxProcess
from tests.world import ENDED, World, Worlds, small

KINDS = ("order", "transaction", "subscription")


def driven(worlds: Worlds, sandbox: SandboxProcess, **config: Any) -> World:
    """A world that has read everything twice; what waits, waits for what is parked."""
    counts = {"orders": 40, "transactions": 30, "subscriptions": 12, "money": True}
    small(sandbox, **{**counts, **config})
    world = worlds()
    for _ in range(2):
        for kind in KINDS:
            world.request_pull(kind)
        world.drive(60, at_rest=(*ENDED, "waiting"))
    return world


def parked(world: World) -> dict[str, str]:
    found = world.rows("select source_id, reason from delivery where state = 'parked'")
    return {row.source_id: row.reason for row in found}


@pytest.mark.parametrize("shape", ["published", "printed"])
def test_all_of_it_is_in_line_whatever_is_not_told(
    worlds: Worlds, sandbox: SandboxProcess, shape: str
) -> None:
    world = driven(worlds, sandbox, highlevel_shape=shape)
    assert sandbox.audit()["clean"]
    assert parked(world) == {}
    assert world.rows("select * from left_out") == []
    [untold] = world.rows(
        "select count(*) from delivery where target = 'order' and projection::text like :line",
        line="%Untold difference%",
    )
    assert untold[0] > 0


@pytest.mark.parametrize("shape", ["rich", "published"])
def test_nonsense_costs_a_field_or_a_record_and_nothing_else(
    worlds: Worlds, sandbox: SandboxProcess, shape: str
) -> None:
    world = driven(worlds, sandbox, highlevel_shape=shape, nonsense=0.7, column_lengths=True)
    found = sandbox.audit()
    assert {name: many for name, many in found["counts"].items() if many} == {}
    for kind in ("orders", "transactions", "refunds", "subscriptions"):
        assert found[f"{kind}_in_line"] == found[f"{kind}_owed"]
    reasons = parked(world).values()
    asked = ("cannot be read: ", "The record tells no ", "no currency")
    assert all(any(one in reason for one in asked) for reason in reasons), reasons
    counted = world.rows("select kind from left_out where side = 'highlevel' group by kind")
    assert {one.kind for one in counted} == set(KINDS)
    assert not world.failures
    pulls = world.rows("select distinct state from pull")
    assert [one.state for one in pulls] == ["provisional"]
