"""What is parked may be left as the other side holds it, and does not come back by itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from syncline.deliveries import target_rows, unleased
from syncline.mapping.shipped import default_document
from syncline.reconciliation import queries
from syncline.reconciliation.due import period_of
from syncline.reconciliation.run import advance, begin
from syncline.repair.accept import AcceptancePlan, accept, plan_parked
from syncline.sandbox.process import SandboxProcess
from tests.events import arrive
from tests.from_halo import hint, last_call, money_row, order_row, synced, writes
from tests.shipping import TRACKED, an_order, fulfillments, in_line, map_as, posts, the_row
from tests.shipping import hint as hinted
from tests.spoiling import spoil
from tests.world import INCLUDING_TESTS, NAME, World, Worlds, small


def left(world: World, *numbers: int) -> Sequence[AcceptancePlan]:
    """Accept parked deliveries; what was not accepted comes back with its reason."""
    line = world.worker.open_line(NAME)
    known = world.worker.ledger.run(lambda c: target_rows.of_ids(c, numbers))
    plans = plan_parked(line, list(known.values()))
    done = accept(line, plans, "parked accept", "ada")
    return [one for one in plans if one not in done]


def certificate(world: World) -> dict[str, Any]:
    """What a comparison of both sides comes to."""
    line = world.reopened()
    period = period_of(world.worker, line.link, date(2026, 1, 1), None)
    run_id = begin(world.worker, line.link, period, "test")
    while (came := advance(line, lambda *_: None)) and came.again_after is not None:
        pass
    run = world.worker.ledger.run(lambda c: queries.by_id(c, run_id))
    assert run is not None
    assert run.certificate is not None
    return run.certificate


def test_a_change_by_hand_stays_until_highlevel_moves_on(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    reporting = {"orders": {**INCLUDING_TESTS["orders"], "changed_in_halo": "report"}}
    map_as(world, default_document("detail", {**INCLUDING_TESTS, **reporting}))
    world.follow_all()
    world.drive()
    order = order_row(world)
    sandbox.edit_halo_order(int(order.target_id), po_number="by hand")
    arrive(world, hint("salesorder", int(order.target_id)), source="halo")
    world.drive()
    assert order_row(world).state == "parked"
    assert left(world, order.id) == []
    before = last_call(sandbox)
    for _ in range(2):
        arrive(world, hint("salesorder", int(order.target_id)), source="halo")
        world.drive()
    world.do("update connection set mapping = mapping || '# another'")
    world.reopened()
    world.follow_all()
    world.drive()
    kept = order_row(world)
    assert (kept.state, kept.projection) == ("delivered", order.projection)
    assert writes(sandbox, before) == []
    assert certificate(world)["accepted"] == 1
    assert world.rows("select 1 from discrepancy") == []
    [entry] = world.rows("select * from audit_entry where target = 'parked accept'")
    assert "ada" in entry.cause
    # Another value in Halo is another question; another one in HighLevel is delivered.
    sandbox.edit_halo_order(int(order.target_id), note="by another hand")
    arrive(world, hint("salesorder", int(order.target_id)), source="halo")
    world.drive()
    assert order_row(world).state == "parked"
    assert left(world, order.id) == []
    sandbox.change_orders(ids=[order.source_id], fields="amount")
    world.pull()
    world.drive()
    written = order_row(world)
    assert (written.state, "accepted" in written.target_meta) == ("delivered", False)
    notes = {one["id"]: one["note"] for one in sandbox.halo_orders()}
    assert notes[int(order.target_id)] != "by another hand"


def test_a_text_that_was_emptied_by_hand_stays_empty_once_that_is_accepted(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = synced(worlds, sandbox)
    reporting = {"orders": {**INCLUDING_TESTS["orders"], "changed_in_halo": "report"}}
    map_as(world, default_document("detail", {**INCLUDING_TESTS, **reporting}))
    world.follow_all()
    world.drive()
    order = order_row(world)
    number = int(order.target_id)
    spoil(monkeypatch, f"/SalesOrder/{number}", lambda row: {**row, "note": None})
    sandbox.edit_halo_order(number, note="")
    arrive(world, hint("salesorder", number), source="halo")
    world.drive()
    assert order_row(world).state == "parked"
    assert left(world, order.id) == []
    before = last_call(sandbox)
    sandbox.edit_halo_order(number, note=" ")
    arrive(world, hint("salesorder", number), source="halo")
    world.drive()
    assert order_row(world).state == "delivered"
    assert writes(sandbox, before) == []


def test_what_makes_no_sense_is_refused_with_the_reason(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    order, payment = order_row(world), money_row(world)
    world.do(
        """
        update delivery set state = 'parked', projection = null, field = 'total',
               reason = 'total: wanted 1.00, Halo holds 2.00' where id = :id
        """,
        id=payment.id,
    )
    assert left(world, payment.id) == []
    assert money_row(world).projection == payment.projection
    refused = {
        "Halo has no currency XTS.": "no row of it",
        "Halo holds several rows with reference HL-1: 1, 2": "One of them is to stay",
    }
    for reason, why in refused.items():
        world.do(
            "update delivery set state = 'parked', target_id = null, reason = :reason"
            " where id = :id",
            id=order.id,
            reason=reason,
        )
        [one] = left(world, order.id)
        assert why in one.why
    world.do("update delivery set reason = 'order 5 was there and is gone from Halo'")
    assert left(world, order.id) == []
    gone = order_row(world)
    assert (gone.state, gone.target_id) == ("delivered", None)
    # Wanted once more, it is looked up before it is made; it was never away, so it is found.
    sandbox.change_orders(ids=[order.source_id], fields="amount")
    world.pull()
    assert order_row(world).state == "doubtful"
    world.drive()
    assert order_row(world).target_id == order.target_id
    assert sandbox.audit()["clean"]


def test_the_client_of_a_customer_cannot_be_left_gone(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    """What the customer buys next needs it, and a retry has it looked up."""
    world = synced(worlds, sandbox)
    [client] = world.rows("select id, target_id from delivery where target = 'client' limit 1")
    world.do(
        "update delivery set state = 'parked', target_id = null, projection = null, "
        "reason = 'client 5 was there and is gone from Halo' where id = :id",
        id=client.id,
    )
    [one] = left(world, client.id)
    assert "needs its client" in one.why
    assert f"syncline parked retry {client.id}" in one.why
    with world.worker.ledger.begin() as connection:
        unleased.retry(connection, None, number=client.id)
    world.drive()
    [again] = world.rows("select state, target_id from delivery where id = :id", id=client.id)
    assert (again.state, again.target_id) == ("delivered", client.target_id)


def test_an_edit_of_a_posted_consignment_is_left_until_the_next_one(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=8, transactions=0, subscriptions=0)
    world = worlds()
    in_line(world)
    order_id, order, line = an_order(sandbox)
    number = sandbox.consign(order["id"], [(line["id"], 1)], TRACKED)
    hinted(world, "consignment", number)
    world.drive()
    for tracking in ("2Z", "3Z"):
        sandbox.edit_consignment(number, note=f"Tracking: {tracking}")
        hinted(world, "consignment", number)
        world.drive()
        row = the_row(world)
        assert row.state == "parked"
        assert left(world, row.id) == []
        assert the_row(world).state == "delivered"
    world.do("update delivery set state = 'due' where id = :id", id=row.id)
    world.drive()
    assert (the_row(world).state, the_row(world).target_id) == ("delivered", row.target_id)
    # What was never posted is not posted any more either.
    back = sandbox.consign(order["id"], [(line["id"], 1)], TRACKED)
    sandbox.edit_consignment(back, is_return=True)
    hinted(world, "consignment", back)
    world.drive()
    [parked] = world.rows("select * from delivery where state = 'parked'")
    assert left(world, parked.id) == []
    world.drive()
    assert posts(sandbox) == len(fulfillments(sandbox, order_id)) == 1
