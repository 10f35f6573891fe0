"""Tenants that keep an order's lines when an update leaves them out."""

from __future__ import annotations

import pytest

from syncline.sandbox.process import SandboxProcess
from tests.from_halo import last_call, readings
from tests.world import World, Worlds, small


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


def test_updates_whose_rows_are_to_be_read_before_go_on_where_quota_is_not_there_for_all(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    orders, calls = 40, 36
    small(sandbox, orders=orders, customers=3, transactions=0, subscriptions=0)
    world = worlds(send_batch=1000)
    world.pull()
    world.drive()
    world.do("update delivery set target_meta = target_meta - 'lines' where target = 'order'")
    world.do(
        "update ability set value = jsonb_set(value, '{proved}', '100')"
        " where name = 'array_size.order'"
    )
    world.do("update tenant set quota_calls = :calls, quota_seconds = 5", calls=calls)
    world.reopened()
    before = last_call(sandbox)
    sandbox.change_orders(orders, fields="amount")
    world.pull()
    world.drive(40)
    assert sandbox.audit()["clean"]
    assert readings(sandbox, "halo", before).count("GET /SalesOrder/{id}") < 2 * orders
