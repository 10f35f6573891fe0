"""The status of an order in Halo follows its payments, though they change nothing of the order."""

from __future__ import annotations

from typing import Any

from syncline.deliveries import leased
from syncline.deliveries.delivery import Confirmation
from syncline.ingest.record import record
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


def test_a_payment_that_the_same_pull_shows_while_the_order_is_in_hand_is_not_lost_on_it(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=3, transactions=3, subscriptions=0, money=True)
    world = worlds()
    map_as(world, default_document("detail", INCLUDING_TESTS) + TABLE)
    world.pull()
    world.drive()
    paying = (
        sandbox.get(f"/state/transactions/{one}")
        for one in sandbox.get("/state/transactions")["ids"]
    )
    payment = next(one for one in paying if one["entityType"] == "order")
    line = world.reopened()
    link, owner = line.link, line.worker.session()

    def shown(payload: dict[str, Any]) -> None:
        with world.worker.ledger.begin() as connection:
            read = {payload["_id"]: payload}
            record(connection, link, line.document, "transaction", "detail", read, "pull 7")

    shown(payment)
    with world.worker.ledger.begin() as connection:
        [lease] = leased.claim(connection, link.id, "order", owner, 9)
    shown({**payment, "_id": "another"})
    with world.worker.ledger.begin() as connection:
        leased.confirm(connection, [Confirmation(lease, None, None, None)], wrote=False)
    assert world.counts()["orders", "due"] == 1
