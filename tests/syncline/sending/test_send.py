"""An array with a bad element: that one is parked with Halo's words, the rest is through."""

from __future__ import annotations

import pytest

from syncline.deliveries import unleased
from syncline.sandbox.process import SandboxProcess
from tests.variants import mostly
from tests.world import Worlds, small

TEXT = "This customer order number is on hold."


@pytest.mark.parametrize("profile", mostly("generous"))
def test_the_bad_element_of_an_array_is_parked_and_the_rest_is_through(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    small(sandbox, profile=profile, orders=30)
    ids = sandbox.get("/state/orders")["ids"]
    bad = sorted(ids[::11])
    sandbox.post("/halo/refuse", {"po_numbers": [f"HL-{one}" for one in bad], "text": TEXT})
    world = worlds()
    world.pull()
    world.drive()
    parked = world.rows("select source_id, reason from delivery where state = 'parked'")
    assert sorted(row.source_id for row in parked) == bad
    assert all(TEXT in row.reason for row in parked)
    verdict = sandbox.audit()
    assert sorted(verdict["missing"]) == bad
    assert verdict["orders_in_line"] == 30 - len(bad)
    sandbox.post("/halo/refuse", {"po_numbers": []})
    with world.worker.ledger.begin() as connection:
        unleased.retry(connection, None)
    world.drive()
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize("profile", mostly("awkward"))
def test_what_was_changed_by_hand_while_in_doubt_is_looked_up_and_put_right(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    small(sandbox, profile=profile, orders=6)
    world = worlds()
    world.pull()
    world.drive()
    [changed] = sandbox.change_orders(1, fields="amount")
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind="cut_after", next=1)
    world.pull()
    while ("orders", "doubtful") not in world.counts():
        world.follow_all()
    order = "select * from delivery where source_id = :id and flow = 'orders'"
    [doubtful] = world.rows(order, id=changed)
    line = {"name": "By hand", "quantity": 1, "baseprice": 1, "tax": 0}
    sandbox.post(f"/halo/order/{doubtful.target_id}", {"lines": [line]})
    assert sandbox.audit()["orders_in_line"] == 5
    world.drive()
    [ended] = world.rows(order, id=changed)
    assert (ended.state, ended.target_id) == ("delivered", doubtful.target_id)
    assert sandbox.audit()["clean"]


def test_an_invoice_whose_order_was_read_and_brought_nothing_is_parked_and_crashes_nobody(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=4, transactions=4, subscriptions=0, money=True)
    world = worlds()
    world.pull("transaction")
    world.do("update delivery set state = 'delivered' where flow = 'details'")
    world.do("delete from record where kind = 'order'")
    for _ in range(3):
        world.follow_all()
    lost = world.rows("select * from delivery where target = 'invoice' and source_kind = 'order'")
    assert {(row.state, row.field) for row in lost} == {("parked", "entity_id")}
    assert "nothing came that could be recorded" in lost[0].reason
    world.do(
        "update delivery set state = 'doubtful', sent_version = 1, due_at = now() where id = :id",
        id=lost[0].id,
    )
    for _ in range(3):
        world.follow_all()
    [row] = world.rows("select * from delivery where id = :id", id=lost[0].id)
    assert row.state == "parked"
