"""Halo's rows are read by a hint; what we wrote is an echo, what others changed is put right."""

from __future__ import annotations

import pytest

from syncline.calls.context import Nudge
from syncline.deliveries import unleased
from syncline.ledger import new_connections
from syncline.runtime.registry import send
from syncline.sandbox.process import SandboxProcess
from syncline.webhooks import handling
from tests.events import arrive
from tests.from_halo import (
    delete,
    hint,
    last_call,
    money_row,
    order_row,
    readings,
    synced,
    writes,
)
from tests.in_between import InBetween, said
from tests.variants import mostly
from tests.world import NAME, Worlds, beside


@pytest.mark.parametrize("profile", mostly("plain"))
def test_our_own_write_that_comes_back_is_an_echo_and_asks_nothing(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    rows = world.rows("select target, target_id from delivery where flow in ('orders', 'payments')")
    nouns = {"order": "salesorder", "invoice": "invoice", "payment": "payment", "credit": "invoice"}
    before = last_call(sandbox)
    arrive(world, *(hint(nouns[row.target], int(row.target_id)) for row in rows), source="halo")
    world.drive()
    assert writes(sandbox, before) == []
    assert readings(sandbox, "highlevel", before) == []
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize(
    ("state", "becomes", "said_so"),
    [
        ("doubtful", "due", "is not known yet."),
        ("parked", "parked", "waits for a person. Look at our payment "),
        ("waiting", "parked", "which HighLevel has not."),
    ],
)
def test_a_payment_that_may_be_our_own_unconfirmed_one_is_not_called_a_strangers(
    worlds: Worlds, sandbox: SandboxProcess, state: str, becomes: str, said_so: str
) -> None:
    world = synced(worlds, sandbox)
    ours = money_row(world)
    amount, on = ours.sent_projection["amount"], int(ours.target_meta["invoice_id"])
    world.do(
        f"update delivery set state = '{state}', target_id = null,"  # noqa: S608 - of this test
        f" due_at = clock_timestamp() + interval '1 hour' where id = {ours.id}"
    )
    paid = sandbox.pay_in_halo(on, amount)
    arrive(world, hint("payment", paid), source="halo")
    world.follow(Nudge("", "events"))
    send(world.worker.open_line(NAME), "halo.payment")
    [read] = world.rows("select state, reason from delivery where target = 'halo.payment'")
    assert read.state == becomes
    assert said_so in read.reason


def test_a_second_row_of_our_own_payment_is_not_to_be_entered_in_highlevel(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    ours = money_row(world)
    on, wrote = int(ours.target_meta["invoice_id"]), ours.sent_projection
    second = sandbox.pay_in_halo(on, wrote["amount"])
    sandbox.post(f"/halo/payment/{second}", {"intent_id": wrote["intent_id"]})
    arrive(world, hint("payment", second), source="halo")
    world.drive()
    [read] = world.rows(
        "select state, reason from delivery where target = 'halo.payment' and source_id = :id",
        id=str(second),
    )
    assert read.state == "parked"
    assert f"twice: as {ours.target_id}, which is kept in line, and as {second}" in read.reason
    assert f"Take payment {second} out of Halo" in read.reason
    delete(world, f"/InvoicePayment/{second}")
    world.worker.ledger.run(lambda c: unleased.retry(c, None, by="ada"))
    world.drive()
    assert sandbox.audit()["clean"]


def test_many_echoes_cost_one_report_and_no_call_each(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox, orders=20)
    rows = world.rows("select target_id from delivery where target = 'order'")
    before = last_call(sandbox)
    arrive(world, *(hint("salesorder", int(row.target_id)) for row in rows), source="halo")
    world.drive()
    assert [one["operation"] for one in sandbox.calls("halo", before)] == ["POST /Report"]


def test_a_list_that_fails_keeps_no_row_from_being_read_by_its_id(
    worlds: Worlds, sandbox: SandboxProcess, in_between: InBetween
) -> None:
    world = synced(worlds, sandbox, orders=20)
    rows = world.rows("select target_id from delivery where target = 'order'")
    in_between.answers = said(500, {"Message": "No."})
    in_between.wanted = lambda call, _: call.endswith(("/Report", "/SalesOrder"))
    sandbox.edit_halo_order(int(rows[0].target_id), note="mine")
    arrive(world, *(hint("salesorder", int(row.target_id)) for row in rows), source="halo")
    for _ in range(4):
        world.follow_all()
    assert not world.rows(
        "select 1 from delivery where target = 'halo.salesorder' and state = 'due'"
    )


@pytest.mark.parametrize("profile", mostly("awkward"))
def test_an_order_that_was_changed_by_hand_is_written_again(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    order = order_row(world)
    sandbox.edit_halo_order(int(order.target_id), po_number=f"HL-{order.source_id}", note="mine")
    before = last_call(sandbox)
    arrive(world, hint("salesorder", int(order.target_id)), source="halo")
    world.drive()
    assert len([one for one in writes(sandbox, before) if "SalesOrder" in one]) >= 1
    assert sandbox.audit()["clean"]
    [entry] = world.rows("select cause from audit_entry where cause like 'changed in Halo%'")
    assert "note" in entry.cause


def test_an_order_that_is_changed_again_and_again_is_parked_with_both_values(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    order = order_row(world)
    for number in range(4):
        sandbox.edit_halo_order(int(order.target_id), note=f"mine {number}")
        arrive(world, hint("salesorder", int(order.target_id)), source="halo")
        world.drive()
    parked = order_row(world)
    assert (parked.state, parked.field) == ("parked", "note")
    assert "wanted" in parked.reason
    assert "Halo holds mine 3" in parked.reason
    [counted] = world.rows(
        "select count(*) as number from audit_entry where cause like 'changed in Halo%'"
    )
    assert counted.number == 3


def test_a_mapping_may_ask_a_person_about_each_change_by_hand(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    world.do(
        "update connection set mapping = replace(mapping, :default, :other)",
        default='changed_in_halo = "overwrite"',
        other='changed_in_halo = "report"',
    )
    world.reopened()
    world.follow_all()
    world.drive()
    order = order_row(world)
    sandbox.edit_halo_order(int(order.target_id), note="mine")
    before = last_call(sandbox)
    arrive(world, hint("salesorder", int(order.target_id)), source="halo")
    world.drive()
    assert order_row(world).state == "parked"
    assert writes(sandbox, before) == []
    world.do("update delivery set state = 'due' where state = 'parked'")
    world.drive()
    assert sandbox.audit()["clean"]


def test_the_same_state_of_a_row_is_looked_into_once(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    order = order_row(world)
    sandbox.edit_halo_order(int(order.target_id), ship_status="packed")
    for number in range(2):
        before = last_call(sandbox)
        arrive(world, hint("salesorder", int(order.target_id)), source="halo")
        world.drive()
        asked = readings(sandbox, "highlevel", before)
        assert bool(asked) == (number == 0)


def test_rows_that_are_not_ours_and_rows_that_are_not_there_leave_nothing(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    before = last_call(sandbox)
    nouns = ("salesorder", "invoice", "payment", "consignment")
    arrive(world, *(hint(noun, 999_999) for noun in nouns), source="halo")
    world.drive()
    assert writes(sandbox, before) == []
    states = world.rows("select distinct state from delivery where flow = 'halo'")
    assert [row.state for row in states] == ["delivered"]


def test_ids_of_different_kinds_do_not_get_into_each_others_way(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    arrive(world, hint("salesorder", 7), hint("invoice", 7), hint("payment", 7), source="halo")
    world.drive()
    rows = world.rows("select target from delivery where flow = 'halo' order by target")
    assert [row.target for row in rows] == ["halo.invoice", "halo.payment", "halo.salesorder"]


def test_an_order_that_was_deleted_in_halo_is_parked_and_made_again_by_a_retry(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox, transactions=0)
    order = order_row(world)
    delete(world, f"/SalesOrder/{order.target_id}")
    arrive(world, hint("salesorder", int(order.target_id)), source="halo")
    world.drive()
    gone = order_row(world)
    assert gone.state == "parked"
    assert "is gone from Halo" in gone.reason
    world.do("update delivery set state = 'doubtful', due_at = now() where state = 'parked'")
    world.drive()
    assert order_row(world).target_id != order.target_id
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize("how", ["changed", "deleted"])
def test_a_payment_that_was_changed_or_deleted_by_hand_is_put_right(
    worlds: Worlds, sandbox: SandboxProcess, how: str
) -> None:
    world = synced(worlds, sandbox)
    payment = money_row(world)
    if how == "changed":
        sandbox.post(f"/halo/payment/{payment.target_id}", {"amount": 1.23})
    else:
        delete(world, f"/InvoicePayment/{payment.target_id}")
    invoice = payment.target_meta["invoice_id"]
    arrive(world, hint("invoice", invoice), source="halo")
    world.drive()
    assert money_row(world).state == "delivered"
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize("profile", mostly("generous"))
def test_a_payment_by_hand_in_halo_is_reconciled_with_highlevel_and_never_touched(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    invoice = money_row(world, "invoice")
    before = last_call(sandbox)
    paid = sandbox.pay_in_halo(int(invoice.target_id), "12.50")
    arrive(world, hint("payment", paid), source="halo")
    world.drive()
    asked = set(readings(sandbox, "highlevel", before))
    assert asked == {
        "GET /payments/orders/{id}",
        "GET /payments/orders/{id}/fulfillments",
        "GET /payments/transactions",
    }
    [told] = world.rows("select * from delivery where target = 'halo.payment' and state = 'parked'")
    assert "12.5" in told.reason
    assert told.field == "amount"
    assert writes(sandbox, before) == []


def test_a_hint_that_comes_while_we_write_the_row_waits_for_our_write_to_end(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    order = order_row(world)
    world.do(
        "update delivery set state = 'sending', owner = :owner where id = :id",
        owner=world.worker.session(),
        id=order.id,
    )
    sandbox.edit_halo_order(int(order.target_id), note="mine")
    arrive(world, hint("salesorder", int(order.target_id)), source="halo")
    for _ in range(3):
        world.follow_all()
    [waiting] = world.rows("select * from delivery where target = 'halo.salesorder'")
    assert waiting.state == "due"
    assert "has not ended yet" in waiting.reason
    world.do("update delivery set state = 'delivered', owner = null where id = :id", id=order.id)
    world.drive()
    assert sandbox.audit()["clean"]


def test_the_mapping_of_the_connection_whose_order_it_is_decides(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    order = order_row(world)
    arrive(world, hint("salesorder", int(order.target_id)), source="halo")
    handling.handle(world.worker)
    link = world.worker.open_line(NAME).link
    text = link.mapping.replace('changed_in_halo = "overwrite"', 'changed_in_halo = "report"')
    with world.worker.ledger.begin() as connection:
        other = new_connections.add(connection, beside(link, text))
    world.do(
        "update delivery set connection_id = :other where id = :id", other=other.id, id=order.id
    )
    sandbox.edit_halo_order(int(order.target_id), note="mine")
    world.hurry()
    send(world.worker.open_line(NAME), "halo.salesorder")
    assert order_row(world).state == "parked"


def test_webhooks_of_our_own_writes_rest_and_are_settled_by_one_glance(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    world.do("update delivery set confirmed_at = clock_timestamp()")  # written just now
    rows = world.rows("select target_id from delivery where target = 'order'")
    before = last_call(sandbox)
    arrive(world, *(hint("salesorder", int(row.target_id)) for row in rows), source="halo")
    handling.handle(world.worker)
    line = world.worker.open_line(NAME)
    assert send(line, "halo.salesorder").after is None
    assert sandbox.calls("halo", before) == []
    world.hurry()
    send(line, "halo.salesorder")
    assert [call["operation"] for call in sandbox.calls("halo", before)] == ["POST /Report"]


def test_what_was_written_long_ago_is_read_at_once(worlds: Worlds, sandbox: SandboxProcess) -> None:
    world = synced(worlds, sandbox)
    world.do("update delivery set confirmed_at = confirmed_at - interval '1 minute'")
    order = order_row(world)
    sandbox.edit_halo_order(int(order.target_id), note="mine")
    arrive(world, hint("salesorder", int(order.target_id)), source="halo")
    handling.handle(world.worker)
    send(world.worker.open_line(NAME), "halo.salesorder")
    assert order_row(world).cause.startswith("changed in Halo")
    assert order_row(world).state == "due"
