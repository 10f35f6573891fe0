"""A row that carries a reference of ours beside the one that is kept in line is told, once."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.deliveries import target_rows, unleased
from syncline.halo_changes.polling import poll
from syncline.repair.accept import accept, plan_parked
from syncline.sandbox.process import SandboxProcess
from tests.events import arrive
from tests.from_halo import a_sale, delete, hint, last_call, money_row, order_row, synced, writes
from tests.variants import mostly
from tests.world import NAME, World, Worlds

NOUN = {"order": "salesorder", "invoice": "invoice", "payment": "payment"}
PATH = {"order": "/SalesOrder", "invoice": "/Invoice", "payment": "/InvoicePayment"}


def doubled(sandbox: SandboxProcess, target: str) -> tuple[int, int]:
    """Our row and a second one of it, as a write makes it that was sent twice."""
    [told] = sandbox.tamper(f"{target}_doubled", 1)
    return int(told["before"]), int(told["after"])


def told(world: World, row_id: int) -> Any:
    """What the reading of a row of Halo came to."""
    [row] = world.rows(
        "select * from delivery where flow = 'halo' and source_id = :id and role <> 'consignment'",
        id=str(row_id),
    )
    return row


@pytest.mark.parametrize("target", ["order", "invoice", "payment"])
@pytest.mark.parametrize("profile", mostly("plain"))
def test_a_second_row_of_ours_that_an_event_names_is_told_with_what_to_do(
    worlds: Worlds, sandbox: SandboxProcess, profile: str, target: str
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    ours, second = doubled(sandbox, target)
    before = last_call(sandbox)
    arrive(world, hint(NOUN[target], second), source="halo")
    world.drive()
    row = told(world, second)
    assert row.state == "parked"
    assert f"twice: as {ours}, which is kept in line, and as {second}." in row.reason
    assert "Nothing is to be done in HighLevel" in row.reason
    assert writes(sandbox, before) == []
    delete(world, f"{PATH[target]}/{second}")
    world.worker.ledger.run(lambda c: unleased.retry(c, None, by="ada"))
    world.drive()
    assert told(world, second).state == "delivered"
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize("target", ["order", "payment"])
@pytest.mark.parametrize("profile", ["generous", "plain"])
def test_a_poll_tells_a_second_row_and_tells_no_more_what_a_person_accepted(
    worlds: Worlds, sandbox: SandboxProcess, profile: str, target: str
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    assert poll(world.worker.open_line(NAME)) is None
    _, second = doubled(sandbox, target)
    assert poll(world.worker.open_line(NAME)) is None
    world.drive()
    row = told(world, second)
    assert row.state == "parked"
    line = world.worker.open_line(NAME)
    known = world.worker.ledger.run(lambda c: target_rows.of_ids(c, [row.id]))
    accept(line, plan_parked(line, list(known.values())), "parked accept", "ada")
    arrive(world, hint(NOUN[target], second), source="halo")
    world.drive()
    assert told(world, second).state == "delivered"


def test_a_second_payment_is_told_on_whatever_invoice_it_stands(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    _, invoice = doubled(sandbox, "invoice")
    ours = money_row(world)
    second = sandbox.pay_in_halo(invoice, ours.sent_projection["amount"])
    sandbox.post(f"/halo/payment/{second}", {"thirdpartyid": ours.sent_projection["thirdpartyid"]})
    arrive(world, hint("payment", second), source="halo")
    world.drive()
    assert f"twice: as {ours.target_id}," in told(world, second).reason


def test_a_voided_second_invoice_is_not_told(worlds: Worlds, sandbox: SandboxProcess) -> None:
    world = synced(worlds, sandbox)
    _, second = doubled(sandbox, "invoice")
    sandbox.post(f"/halo/invoice/{second}", {"voided": True})
    arrive(world, hint("invoice", second), source="halo")
    world.drive()
    assert told(world, second).state == "delivered"


def test_our_reference_typed_onto_another_row_of_ours_is_put_right_there(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    one, other = order_row(world), order_row(world, 1)
    sandbox.edit_halo_order(int(other.target_id), po_number=f"HL-{one.source_id}")
    arrive(world, hint("salesorder", int(other.target_id)), source="halo")
    world.drive()
    assert told(world, int(other.target_id)).state == "delivered"
    assert sandbox.audit()["clean"]


def test_where_ours_is_gone_a_retry_takes_the_second_one(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox, transactions=0)
    ours, second = doubled(sandbox, "order")
    delete(world, f"/SalesOrder/{ours}")
    arrive(world, hint("salesorder", second), source="halo")
    world.drive()
    world.worker.ledger.run(lambda c: unleased.retry(c, None, by="ada"))
    world.drive()
    [row] = world.rows("select state from delivery where target_id = :id", id=str(second))
    assert row.state == "delivered"
    world.worker.ledger.run(lambda c: unleased.retry(c, None, by="ada"))
    world.drive()
    assert told(world, second).state == "delivered"
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize("seen", ["salesorder", "consignment"])
def test_what_was_sent_with_a_second_order_is_told_and_posted_nowhere(
    worlds: Worlds, sandbox: SandboxProcess, seen: str
) -> None:
    world = synced(worlds, sandbox)
    ours, second = doubled(sandbox, "order")
    sent = sandbox.consign(second)
    arrive(world, hint(seen, {"salesorder": second, "consignment": sent}[seen]), source="halo")
    world.drive()
    [row] = world.rows("select * from delivery where target = 'halo.consignment'")
    assert row.state == "parked"
    assert f"kept in line as {ours}, so nothing of it is posted now." in row.reason
    assert not world.rows("select 1 from delivery where target = 'fulfillment'")


def test_a_second_order_of_a_whole_sale_leaves_the_sale_in_line(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    order, invoice, paid = a_sale(world)
    _, second = doubled(sandbox, "order")
    arrive(world, hint("salesorder", second), source="halo")
    world.drive()
    kept = world.rows(
        "select state from delivery where id = any(:ids)", ids=[order.id, invoice.id, paid.id]
    )
    assert {row.state for row in kept} == {"delivered"}
