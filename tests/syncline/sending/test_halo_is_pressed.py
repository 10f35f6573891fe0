"""Readings of Halo where quota is short, calls fail, and rows are lost or come late."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from syncline.calls import halo_queries
from syncline.deliveries import unleased
from syncline.halo.webhooks.hints import ChangeHint
from syncline.halo_changes.polling import poll
from syncline.halo_changes.reading import OWN_REST, notice
from syncline.halo_changes.row_changes import IN_DOUBT, is_as_known
from syncline.halo_changes.unit_of_work import UnitOfWork
from syncline.ledger import new_connections
from syncline.runtime.registry import send
from syncline.runtime.sweep import sweep
from syncline.sandbox.process import SandboxProcess
from syncline.webhooks import handling
from tests.events import arrive
from tests.from_halo import delete, hint, last_call, money_row, order_row, readings, synced, writes
from tests.variants import mostly
from tests.world import NAME, World, Worlds, beside

PARCEL = "Tracking: 1Z1"


def reading(world: World, target: str) -> Any:
    """The one reading of this kind, with the seconds until it is due."""
    [row] = world.rows(
        "select *, extract(epoch from due_at - clock_timestamp()) as rest"
        " from delivery where target = :target",
        target=target,
    )
    return row


def look(world: World) -> None:
    assert poll(world.worker.open_line(NAME)) is None
    world.drive()


def retry_all(world: World) -> None:
    with world.worker.ledger.begin() as connection:
        unleased.retry(connection, None)


def test_what_quota_let_through_is_kept_and_the_rest_goes_round(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    arrive(world, *(hint("consignment", 900_000 + at) for at in range(20)), source="halo")
    handling.handle(world.worker)
    [used] = world.rows("select count(*) as number from call where quota_key like 'halo%'")
    world.do("update tenant set quota_calls = :calls, quota_seconds = 3600", calls=used.number + 8)
    line = world.reopened()
    assert send(line, "halo.consignment").after is not None
    [done] = world.rows(
        "select count(*) as number from delivery"
        " where target = 'halo.consignment' and state = 'delivered'"
    )
    assert 0 < done.number < 20


def test_a_row_that_halo_cannot_show_is_asked_for_ever_more_seldom(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    arrive(world, hint("consignment", 900_000), source="halo")
    handling.handle(world.worker)
    sandbox.faults(side="halo", operation="GET /Consignment/{id}", kind="500", probability=1.0)
    rests = []
    for failures in range(1, 5):  # what goes on failing is an outage, which uses up no tries
        world.hurry()
        send(world.worker.open_line(NAME), "halo.consignment")
        assert reading(world, "halo.consignment").failures == failures
        rests.append(reading(world, "halo.consignment").rest)
    assert rests[1] < rests[2] < rests[3]  # before that, as Halo's trouble asks
    sandbox.faults()
    world.drive()
    assert reading(world, "halo.consignment").failures == 0


def test_every_webhook_of_our_own_writes_rests_not_only_the_first(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    order = order_row(world)
    for _ in range(2):
        world.do("update delivery set confirmed_at = clock_timestamp() where id = :id", id=order.id)
        arrive(world, hint("salesorder", int(order.target_id)), source="halo")
        handling.handle(world.worker)
        asked = reading(world, "halo.salesorder")
        assert (asked.state, asked.rest > OWN_REST.total_seconds() / 2) == ("due", True)
        world.drive()


def test_a_row_whose_write_is_in_doubt_is_not_asked_for_all_the_time(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    order = order_row(world)
    world.do(
        "update delivery set state = 'doubtful', due_at = clock_timestamp() + interval '1 minute'"
        " where id = :id",
        id=order.id,
    )
    arrive(world, hint("salesorder", int(order.target_id)), source="halo")
    handling.handle(world.worker)
    world.hurry()
    send(world.worker.open_line(NAME), "halo.salesorder")
    asked = reading(world, "halo.salesorder")
    assert asked.state == "due"
    assert asked.rest > IN_DOUBT.total_seconds() / 2


def test_a_payment_that_is_deleted_again_and_again_is_not_made_for_ever(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    number = money_row(world).id
    invoice = money_row(world).target_meta["invoice_id"]
    for _ in range(4):
        [payment] = world.rows("select * from delivery where id = :id", id=number)
        delete(world, f"/InvoicePayment/{payment.target_id}")
        arrive(world, hint("invoice", invoice), source="halo")
        world.drive()
    [payment] = world.rows("select * from delivery where id = :id", id=number)
    assert payment.state == "parked"
    assert "is gone from Halo" in payment.reason


def test_a_row_that_was_adopted_and_is_gone_is_looked_up_before_it_is_made(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox, transactions=0)
    order = order_row(world)
    world.do("update delivery set sent_version = null where id = :id", id=order.id)
    with world.worker.ledger.begin() as connection:
        unit = UnitOfWork(connection, world.worker.open_line(NAME), world.worker.now())
        standing = unit.made(["order"], int(order.target_id))
        assert standing is not None
        assert unleased.lose(connection, standing, reason="gone", cause="", make_again=False)
    rows = len(sandbox.halo_orders())
    retry_all(world)
    world.drive()
    assert len(sandbox.halo_orders()) == rows
    assert order_row(world).target_id == order.target_id


def test_a_row_that_is_found_gone_by_an_update_is_made_again_by_one_retry(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox, transactions=0)
    order = order_row(world)
    delete(world, f"/SalesOrder/{order.target_id}")
    sandbox.change_orders(ids=[order.source_id], fields="amount")
    world.pull()
    world.drive()
    assert order_row(world).state == "parked"
    retry_all(world)
    world.drive()
    again = order_row(world)
    assert again.state == "delivered", again.reason
    assert again.target_id != order.target_id
    assert sandbox.audit()["clean"]


def test_a_consignment_waits_until_it_is_known_whether_its_order_is_ours(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    order = order_row(world)
    world.do("update delivery set state = 'parked', target_id = null where id = :id", id=order.id)
    made = sandbox.consign(int(order.target_id), note=PARCEL)
    arrive(world, hint("consignment", made), source="halo")
    for _ in range(3):
        world.follow_all()
    assert reading(world, "halo.consignment").state == "waiting"
    retry_all(world)
    world.drive()
    [shipped] = world.rows("select * from delivery where flow = 'fulfillments'")
    assert shipped.state == "delivered"


def test_a_consignment_whose_mapping_was_unreadable_is_owed_once_it_is_corrected(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    order = order_row(world)
    link = world.worker.open_line(NAME).link
    with world.worker.ledger.begin() as connection:
        other = new_connections.add(connection, beside(link, "broken ["))
    world.do(
        "update delivery set connection_id = :other where id = :id", other=other.id, id=order.id
    )
    made = sandbox.consign(int(order.target_id), note=PARCEL)
    with world.worker.ledger.begin() as connection:
        notice(connection, link, [ChangeHint("consignment", made)], "a test")
    line = world.worker.open_line(NAME)
    send(line, "halo.consignment")
    assert reading(world, "halo.consignment").state == "parked"
    world.do(
        "update connection set mapping = :right where id = :id", right=link.mapping, id=other.id
    )
    retry_all(world)
    send(line, "halo.consignment")
    [owed] = world.rows("select * from delivery where flow = 'fulfillments'")
    assert owed.connection_id == other.id


def test_what_a_stopped_connection_heard_is_read_by_one_that_works(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    order = order_row(world)
    link = world.worker.open_line(NAME).link
    with world.worker.ledger.begin() as connection:
        other = new_connections.add(connection, beside(link, link.mapping))
    world.do(
        "update connection set state = 'stopped', owed_under = null where id = :id", id=other.id
    )
    sandbox.edit_halo_order(int(order.target_id), note="mine")
    world.do(
        "insert into event (source, connection_id, body) values ('halo', :other, :body)",
        other=other.id,
        body=hint("salesorder", int(order.target_id)),
    )
    handling.handle(world.worker)
    sweep(world.worker)
    world.hurry()
    send(world.worker.open_line(NAME), "halo.salesorder")
    assert order_row(world).cause.startswith("changed in Halo")


@pytest.mark.parametrize("profile", mostly("generous", of=("generous", "plain")))
def test_a_row_that_shows_after_one_with_a_higher_id_is_found_all_the_same(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    look(world)
    made = sandbox.consign(int(order_row(world).target_id), note=PARCEL)
    paid = sandbox.pay_in_halo(int(money_row(world, "invoice").target_id), "3.10")
    world.do(
        "update ability set value = jsonb_set(value, '{ids}', cast(:ids as jsonb))"
        " where name = 'poll'",
        ids=f'{{"consignment": {made + 1}, "payment": {paid + 1}}}',
    )
    look(world)
    [shipped] = world.rows("select * from delivery where flow = 'fulfillments'")
    assert shipped.source_id == str(made)
    assert reading(world, "halo.payment").source_id == str(paid)
    before = last_call(sandbox)
    look(world)
    assert [one for one in readings(sandbox, "halo", before) if one.endswith("/{id}")] == []


def test_what_was_there_at_the_first_look_is_never_news(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    sandbox.pay_in_halo(int(money_row(world, "invoice").target_id), "3.10")
    for _ in range(3):
        look(world)
    assert world.rows("select 1 from delivery where target = 'halo.payment'") == []


def test_the_first_order_of_a_tenant_in_another_zone_is_seen(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox, orders=0, transactions=0)
    look(world)
    [kept] = world.rows("select value ->> 'orders' as orders from ability where name = 'poll'")
    assert kept.orders < (world.worker.now() - timedelta(days=2)).isoformat()


def test_orders_without_a_time_are_told_apart_by_what_the_list_shows(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    order = order_row(world)
    [shown] = [one for one in sandbox.halo_orders() if one["id"] == int(order.target_id)]
    timeless = {name: value for name, value in shown.items() if name != "last_update_time"}
    with world.worker.ledger.begin() as connection:
        unit = UnitOfWork(connection, world.worker.open_line(NAME), world.worker.now())
        assert is_as_known(unit, "salesorder", timeless)
        assert not is_as_known(unit, "salesorder", {**timeless, "note": "mine"})
        assert not is_as_known(unit, "salesorder", {**timeless, "total": 1})


def test_a_report_whose_times_cannot_be_read_gives_way_to_the_list(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = synced(worlds, sandbox)

    def elsewhere(*given: Any) -> list[dict[str, str]]:
        return [{**row, "last_update_time": "24/11/2026 12:00:00"} for row in real(*given)]

    real = halo_queries.reported
    monkeypatch.setattr(halo_queries, "reported", elsewhere)
    look(world)
    order = order_row(world)
    sandbox.edit_halo_order(int(order.target_id), note="mine")
    look(world)
    assert sandbox.audit()["clean"]
    before = last_call(sandbox)
    look(world)
    assert writes(sandbox, before) == []
    listed = ["GET /SalesOrder", "GET /Consignment"]  # payments are told by a report
    assert readings(sandbox, "halo", before) == listed
