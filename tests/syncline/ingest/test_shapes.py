"""Whatever HighLevel tells of its records, and with whatever nonsense: each of them is in line."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.sandbox.process import SandboxProcess
from tests.world import World, Worlds, small

KINDS = ("order", "transaction", "subscription")


def driven(worlds: Worlds, sandbox: SandboxProcess, **config: Any) -> World:
    counts = {"orders": 40, "transactions": 30, "subscriptions": 12, "money": True}
    small(sandbox, **{**counts, **config})
    world = worlds()
    for _ in range(2):
        for kind in KINDS:
            world.request_pull(kind)
        world.drive()
    return world


@pytest.mark.parametrize(
    "config",
    [
        {"highlevel_shape": "published"},
        {"highlevel_shape": "printed"},
        {"nonsense": 0.7},
        {"highlevel_shape": "published", "nonsense": 0.7},
    ],
)
def test_all_of_which_enough_is_told_is_in_line(
    worlds: Worlds, sandbox: SandboxProcess, config: dict[str, Any]
) -> None:
    world = driven(worlds, sandbox, **config)
    found = sandbox.audit()
    assert {name: many for name, many in found["counts"].items() if many} == {}
    for kind in ("orders", "transactions", "refunds", "subscriptions"):
        assert found[f"{kind}_in_line"] == found[f"{kind}_owed"], found
    assert not world.failures
    pulls = world.rows("select distinct state from pull")
    assert [one.state for one in pulls] == ["provisional"]
