"""The status of an order in Halo follows its money and its parcels, and is written once."""

from __future__ import annotations

import pytest

from syncline.mapping.shipped import default_document
from syncline.sandbox.process import SandboxProcess
from tests.shipping import an_order, goods, halo_orders, hint, in_line, map_as
from tests.variants import mostly
from tests.world import INCLUDING_TESTS, Worlds, small

TABLE = """
[[orders.status]]
payment = ["paid", "partially_paid"]
fulfillment = "fulfilled"
halo = 3
[[orders.status]]
fulfillment = ["fulfilled", "partially_fulfilled"]
halo = 2
[[orders.status]]
payment = "unpaid"
halo = 1
"""


@pytest.mark.parametrize("profile", mostly("awkward"))
def test_the_status_follows_a_shipment_and_is_not_written_again(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    small(sandbox, profile=profile, orders=4, transactions=0, subscriptions=0)
    world = worlds()
    map_as(world, default_document("detail", INCLUDING_TESTS) + TABLE)
    in_line(world)
    order_id, order, line = an_order(sandbox)
    assert {one["status"] for one in halo_orders(sandbox).values()} == {1}
    hint(world, "consignment", sandbox.consign(order["id"], [(line["id"], 1)], "Tracking: 1Z1"))
    world.drive()
    assert halo_orders(sandbox)[order_id]["status"] == 2
    rest = [
        (one["id"], one["quantity"] - (one["id"] == line["id"]))
        for one in goods(order)
        if one["quantity"] - (one["id"] == line["id"]) > 0
    ]
    hint(world, "consignment", sandbox.consign(order["id"], rest, "Tracking: 1Z2"))
    world.drive()
    sandbox.add_transactions(1, orders=[order_id])
    world.pull("transaction")
    world.drive()
    map_as(world, default_document("detail", INCLUDING_TESTS) + TABLE + "# looked at again\n")
    world.follow_all()
    world.drive()
    status = halo_orders(sandbox)[order_id]["status"]
    before = len(sandbox.calls())
    in_line(world)
    assert status in {2, 3}  # whether the transaction succeeded is the sandbox's choice
    writes = [
        one for one in sandbox.calls("halo", before) if one["operation"].startswith("POST /S")
    ]
    assert writes == []
