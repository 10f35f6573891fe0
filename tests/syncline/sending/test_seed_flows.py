"""What starts in Halo: our reference is resolved, HighLevel is read by id, Halo follows."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.sandbox.process import SandboxProcess
from tests.events import arrive
from tests.from_halo import (
    delete,
    hint,
    last_call,
    money_row,
    order_row,
    readings,
    synced,
    tracked,
    writes,
)
from tests.variants import mostly
from tests.world import Worlds

BY_ID = {
    "GET /payments/orders/{id}",
    "GET /payments/orders/{id}/fulfillments",
    "GET /payments/transactions",
}


def halo_order(sandbox: SandboxProcess, order_id: str) -> dict[str, Any]:
    return next(one for one in sandbox.halo_orders() if one["po_number"] == f"HL-{order_id}")


@pytest.mark.parametrize("profile", mostly("generous"))
def test_an_order_updated_in_halo_brings_what_highlevel_has_by_now(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    order = order_row(world)
    sandbox.change_orders(ids=[order.source_id], fields="amount")
    sandbox.edit_halo_order(int(order.target_id), ship_status="packed")
    before = last_call(sandbox)
    arrive(world, hint("salesorder", int(order.target_id)), source="halo")
    world.drive()
    assert set(readings(sandbox, "highlevel", before)) == BY_ID
    assert order_row(world).state == "delivered"
    amount = sandbox.get(f"/state/orders/{order.source_id}")["amount"]
    assert halo_order(sandbox, order.source_id)["total"] == pytest.approx(amount)
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize("profile", mostly("plain"))
def test_a_payment_in_halo_brings_the_transactions_that_highlevel_has_by_now(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    [invoice] = [
        row
        for row in world.rows("select * from delivery where target = 'invoice' order by id")
        if row.source_kind == "order"
    ][:1]
    [new] = sandbox.add_transactions(1, orders=[invoice.source_id])
    before = last_call(sandbox)
    paid = sandbox.pay_in_halo(int(invoice.target_id), "5.00")
    arrive(world, hint("payment", paid), hint("invoice", int(invoice.target_id)), source="halo")
    world.drive()
    assert set(readings(sandbox, "highlevel", before)) == BY_ID
    known = world.rows("select foreign_id from record where kind = 'transaction'")
    assert new in [row.foreign_id for row in known]
    [told] = world.rows("select * from delivery where target = 'halo.payment' and state = 'parked'")
    assert "HighLevel has not" in told.reason
    assert money_row(world).state == "delivered"


@pytest.mark.parametrize("profile", mostly("awkward"))
def test_a_fulfillment_in_halo_is_shown_in_highlevel_and_its_tracking_in_halos_order(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    tracked(world)
    order = order_row(world)
    made = sandbox.consign(int(order.target_id), note="Tracking: 1Z999AA10123456784")
    before = last_call(sandbox)
    hints = hint("consignment", made), hint("salesorder", int(order.target_id))
    arrive(world, *hints, source="halo")
    world.drive()
    assert set(readings(sandbox, "highlevel", before)) >= BY_ID
    [shipped] = world.rows("select * from delivery where flow = 'fulfillments'")
    assert (shipped.state, shipped.target) == ("delivered", "fulfillment")
    [record] = world.rows("select canonical from record where kind = 'consignment'")
    assert record.canonical["order_id"] == order.source_id
    assert all(line["price_id"] for line in record.canonical["lines"])
    fields = halo_order(sandbox, order.source_id)["customfields"]
    assert {"CFtracking": "1Z999AA10123456784"}.items() <= {
        one["name"]: one["value"] for one in fields
    }.items()
    quiet = last_call(sandbox)
    arrive(world, *hints, source="halo")
    world.drive()
    assert writes(sandbox, quiet) == []
    assert [one for one in sandbox.calls("highlevel", quiet) if one["method"] == "POST"] == []


def test_a_consignment_that_equals_what_is_known_writes_nothing(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    made = sandbox.consign(int(order_row(world).target_id), note="Tracking: 1Z1")
    for _ in range(2):
        arrive(world, hint("consignment", made), source="halo")
        world.drive()
    [record] = world.rows("select version from record where kind = 'consignment'")
    assert record.version == 1


def test_a_consignment_that_is_gone_before_it_was_sent_on_is_not_sent(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    made = sandbox.consign(int(order_row(world).target_id), note="Tracking: 1Z1")
    arrive(world, hint("consignment", made), source="halo")
    world.drive()
    delete(world, f"/Consignment/{made}")
    arrive(world, hint("consignment", made), source="halo")
    world.drive()
    [told] = world.rows("select * from delivery where flow = 'fulfillments'")
    assert told.state == "parked"
    assert "gone from Halo" in told.reason
