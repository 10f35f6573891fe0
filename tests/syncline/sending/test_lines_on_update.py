"""Tenants that keep an order's lines when an update leaves them out."""

from __future__ import annotations

import pytest

from syncline.sandbox.process import SandboxProcess
from tests.world import World


@pytest.mark.parametrize("profile", ["generous", "awkward"])
def test_a_line_that_an_update_leaves_out_is_gone_or_taken_to_nothing(
    database: str, redis_url: str, sandbox: SandboxProcess, profile: str
) -> None:
    sandbox.reset(orders=6, customers=3, transactions=0, subscriptions=0, profile=profile)
    world = World(database, redis_url, sandbox)
    try:
        world.pull()
        world.drive()
        [row] = world.rows(
            "select target_id, source_id from delivery where flow = 'orders' limit 1"
        )
        extra = {"name": "by hand", "quantity": 1, "baseprice": 5, "tax": 0}
        held = sandbox.get(f"/state/orders/{row.source_id}")
        assert held
        sandbox.post(f"/halo/order/{row.target_id}", {"lines": [extra]})
        assert not sandbox.audit()["clean"]
        sandbox.change_orders(ids=[row.source_id], fields="status")
        world.pull()
        world.drive()
        assert sandbox.audit()["clean"], sandbox.audit()
        assert world.counts()["orders", "delivered"] == 6
    finally:
        world.close()
