"""A row under an id of ours that is somebody else's by now is never written over."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.alerts.run import evaluate
from syncline.calls.context import Nudge
from syncline.deliveries import unleased
from syncline.halo_changes.polling import poll
from syncline.sandbox.process import SandboxProcess
from syncline.sending.restored import mark
from tests.alerting import alerts
from tests.events import arrive
from tests.from_halo import (
    a_sale,
    delete,
    got_by_others,
    hint,
    last_call,
    order_row,
    synced,
    writes,
)
from tests.variants import mostly
from tests.world import NAME, World, Worlds


def retried(world: World, number: int, *, create: bool = False) -> None:
    world.worker.ledger.run(
        lambda c: unleased.retry(c, None, number=number, by="ada", create=create)
    )
    world.drive()


def standing(world: World, number: int) -> Any:
    [row] = world.rows("select * from delivery where id = :id", id=number)
    return row


@pytest.mark.parametrize("profile", mostly("plain"))
@pytest.mark.parametrize("seen", ["salesorder", "payment"])
def test_rows_that_somebody_else_got_under_our_ids_are_parked_and_never_written(
    worlds: Worlds, sandbox: SandboxProcess, profile: str, seen: str
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    order, invoice, paid = got_by_others(world, sandbox)
    first = {"salesorder": order, "payment": paid}[seen]
    before = last_call(sandbox)
    arrive(world, hint(seen, int(first.target_id)), source="halo")
    world.drive()
    assert writes(sandbox, before) == []
    for row, carried in ((order, "PO-134"), (invoice, "INV-9"), (paid, "pi_9")):
        now = standing(world, row.id)
        assert (now.state, now.target_id) == ("parked", None)
        assert now.reason == (
            f"{row.target} {row.target_id} in Halo is no longer ours: it carries {carried}."
        )


@pytest.mark.parametrize("profile", ["generous", "plain"])
def test_a_poll_that_meets_one_of_them_has_the_others_of_its_sale_looked_at(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    assert poll(world.worker.open_line(NAME)) is None
    rows = got_by_others(world, sandbox)
    before = last_call(sandbox)
    assert poll(world.worker.open_line(NAME)) is None
    world.drive()
    assert writes(sandbox, before) == []
    assert {standing(world, row.id).state for row in rows} == {"parked"}


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize("profile", ["plain", "generous"])
def test_a_retry_looks_for_ours_by_its_reference_before_it_is_made_again(
    worlds: Worlds, sandbox: SandboxProcess, profile: str, back: bool
) -> None:
    world = synced(worlds, sandbox, transactions=0, profile=profile)
    order = order_row(world)
    sold = {one["id"]: one for one in sandbox.halo_orders()}
    ours = sold[int(order.target_id)]
    other = next(one for one in sold.values() if one["client_id"] != ours["client_id"])
    place = {name: other[name] for name in ("client_id", "site_id", "user_id")}
    sandbox.edit_halo_order(ours["id"], po_number="PO-134", **place)
    arrive(world, hint("salesorder", ours["id"]), source="halo")
    world.drive()
    assert standing(world, order.id).state == "parked"
    if back:
        mine = {name: ours[name] for name in ("po_number", "client_id", "site_id", "user_id")}
        sandbox.edit_halo_order(ours["id"], **mine)
    before = last_call(sandbox)
    retried(world, order.id)
    now = standing(world, order.id)
    if now.state == "parked":  # a link that was ours leads there still
        assert now.reason.endswith(f"leads to order {ours['id']}, which carries PO-134.")
        retried(world, order.id, create=True)
        now = standing(world, order.id)
    assert now.state == "delivered"
    assert (now.target_id == order.target_id) == back
    assert len([one for one in writes(sandbox, before) if "SalesOrder" in one]) == (not back)
    kept = {one["id"]: one["po_number"] for one in sandbox.halo_orders()}
    assert kept[ours["id"]] == (ours["po_number"] if back else "PO-134")


@pytest.mark.parametrize(
    "changed",
    [
        {"po_number": "PO-134"},
        {"po_number": "", "user_id": None, "note": "mine"},
        {"note": "mine"},
    ],
)
def test_a_reference_alone_that_was_typed_over_is_put_right(
    worlds: Worlds, sandbox: SandboxProcess, changed: dict[str, Any]
) -> None:
    world = synced(worlds, sandbox)
    order = order_row(world)
    sandbox.edit_halo_order(int(order.target_id), **changed)
    arrive(world, hint("salesorder", int(order.target_id)), source="halo")
    world.drive()
    assert standing(world, order.id).state == "delivered"
    assert sandbox.audit()["clean"]


def test_what_was_sent_with_a_foreign_order_is_posted_nowhere(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    order, *_ = got_by_others(world, sandbox)
    sent = sandbox.consign(int(order.target_id))
    arrive(world, hint("consignment", sent), source="halo")
    world.follow(Nudge("", "events"))
    world.drive()
    assert standing(world, order.id).state == "parked"
    assert not world.rows("select 1 from delivery where target = 'fulfillment'")


def mark_restored(world: World) -> None:
    link = world.worker.open_line(NAME).link
    world.worker.ledger.run(lambda c: mark.note(c, link, "order 1 in Halo is no longer ours."))


def changed_in_highlevel(world: World, sandbox: SandboxProcess, order: Any) -> None:
    assert sandbox.change_orders(ids=[order.source_id], fields="amount")
    world.pull()
    world.drive(30, at_rest=("delivered", "parked", "waiting"))


@pytest.mark.parametrize("profile", ["plain", "generous"])
def test_rows_are_read_before_they_are_written_once_one_was_seen_to_be_somebody_elses(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    order, *_ = got_by_others(world, sandbox)
    others = world.rows("select * from delivery where target = 'order' and id <> :id", id=order.id)
    mark_restored(world)
    changed_in_highlevel(world, sandbox, order)
    changed_in_highlevel(world, sandbox, others[0])
    kept = {one["id"]: one["po_number"] for one in sandbox.halo_orders()}
    assert kept[int(order.target_id)] == "PO-134"
    now = standing(world, order.id)
    assert (now.state, now.target_id) == ("parked", None)
    assert "no longer ours: it carries PO-134" in now.reason
    ours = standing(world, others[0].id)
    assert (ours.state, ours.target_id) == ("delivered", others[0].target_id)
    assert ours.projection["total"] != others[0].projection["total"]


def test_the_first_sign_is_kept_and_told_until_a_person_says_that_it_is_over(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    order, *_ = got_by_others(world, sandbox)
    arrive(world, hint("salesorder", int(order.target_id)), source="halo")
    world.drive()
    link = world.worker.open_line(NAME).link
    assert world.worker.ledger.run(lambda c: mark.seen(c, link)) == (
        f"order {order.target_id} in Halo is no longer ours: it carries PO-134."
    )
    evaluate(world.worker)
    [told] = [one for one in alerts(world) if one.kind == "restored"]
    assert told.severity == "critical"
    world.worker.ledger.run(lambda c: mark.clear(c, link))
    assert world.worker.ledger.run(lambda c: mark.seen(c, link)) == ""


def test_nothing_hangs_on_a_client_that_is_somebody_elses_by_now(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox, transactions=0, profile="plain")
    order = order_row(world)
    client_id = int(order.projection["client_id"])
    sandbox.post(f"/halo/client/{client_id}", {"name": "Acme Motors", "ref": "CUST-7"})
    mark_restored(world)
    before = last_call(sandbox)
    changed_in_highlevel(world, sandbox, order)
    assert [one for one in writes(sandbox, before) if "SalesOrder" in one] == []
    [client] = world.rows(
        "select * from delivery where target = 'client' and reason like '%CUST-7%'"
    )
    assert (client.state, client.target_id) == ("parked", None)
    assert client.reason == (f"client {client_id} in Halo is no longer ours: it carries CUST-7.")
    assert standing(world, order.id).state == "waiting"


def test_an_id_that_halo_gave_to_another_row_of_ours_is_that_ones_alone(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox, transactions=0, profile="plain")
    sold = {str(one["id"]): one for one in sandbox.halo_orders()}
    rows = world.rows("select * from delivery where target = 'order' order by id")
    lost, *others = rows
    client = sold[lost.target_id]["client_id"]
    new = next(one for one in others if sold[one.target_id]["client_id"] != client)
    delete(world, f"/SalesOrder/{new.target_id}")
    as_new = {name: sold[new.target_id][name] for name in ("client_id", "site_id", "user_id")}
    sandbox.edit_halo_order(int(lost.target_id), po_number=f"HL-{new.source_id}", **as_new)
    world.do(
        "update delivery set state = 'doubtful', target_id = null, due_at = now() where id = :id",
        id=new.id,
    )
    world.drive()
    link = world.worker.open_line(NAME).link
    assert "which was another record's before" in world.worker.ledger.run(
        lambda c: mark.seen(c, link)
    )
    assert (standing(world, new.id).state, standing(world, new.id).target_id) == (
        "delivered",
        lost.target_id,
    )
    now = standing(world, lost.id)
    assert (now.state, now.target_id) == ("parked", None)
    assert now.reason.endswith(f"no longer ours: it carries HL-{new.source_id}.")
    changed_in_highlevel(world, sandbox, lost)
    made = standing(world, lost.id)  # a later version is looked up, and made
    assert (made.state, made.target_id in sold) == ("delivered", False)
    kept = {one["id"]: one["po_number"] for one in sandbox.halo_orders()}
    assert kept[int(lost.target_id)] == f"HL-{new.source_id}"


@pytest.mark.parametrize("profile", ["plain", "generous"])
def test_a_payment_of_ours_on_an_invoice_that_is_somebody_elses_by_now_is_told(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    order, invoice, paid = a_sale(world)
    on = int(invoice.target_id)
    client = {one["id"]: one["client_id"] for one in sandbox.halo_orders()}
    another = next(one for one in client.values() if one != client[int(order.target_id)])
    changed = {"thirdpartyinvoicenumber": "INV-9", "client_id": another}
    sandbox.post(f"/halo/invoice/{on}", changed)
    arrive(world, hint("invoice", on), source="halo")
    world.drive()
    [read] = world.rows("select * from delivery where target = 'halo.payment' and state = 'parked'")
    assert f"as {paid.target_id} on invoice {on}, which is not known to be ours" in read.reason
    assert f"take payment {paid.target_id} out of it" in read.reason
