"""The status of an order in Halo follows its payments, though they change nothing of the order."""

from __future__ import annotations

from syncline.mapping.shipped import default_document
from syncline.sandbox.process import SandboxProcess
from tests.shipping import halo_orders, map_as
from tests.world import INCLUDING_TESTS, Worlds, small

TABLE = """
[[orders.status]]
payment = ["refunded", "partially_refunded"]
halo = 9
[[orders.status]]
payment = "paid"
halo = 3
[[orders.status]]
halo = 1
"""


def test_a_payment_and_its_refund_move_the_status_of_the_order(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=3, transactions=3, subscriptions=0, money=True)
    world = worlds()
    map_as(world, default_document("detail", INCLUDING_TESTS) + TABLE)
    world.pull()
    world.drive()
    assert {one["status"] for one in halo_orders(sandbox).values()} == {1}
    world.pull("transaction")
    world.drive()
    paid = {key for key, one in halo_orders(sandbox).items() if one["status"] == 3}
    assert paid
    [transaction] = sandbox.change_transactions(1, what="refund")
    world.pull("transaction")
    world.drive()
    order = sandbox.get(f"/state/transactions/{transaction}")["entityId"]
    assert halo_orders(sandbox)[order]["status"] == 9
    before = len(sandbox.calls("halo"))
    world.pull("transaction")
    world.pull()
    world.drive()
    assert len(sandbox.calls("halo")) == before
