"""Differences are mended as a person decides: ours again, theirs as it is, and never on a guess."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.calls.calls import halo_calls
from syncline.queues import Lane
from syncline.reconciliation import discrepancies
from syncline.reconciliation.discrepancies import Discrepancy, Only
from syncline.repair import accept as accepting
from syncline.repair import marking
from syncline.repair import plan as repair
from syncline.repair import run as repair_writing
from syncline.sandbox.process import SandboxProcess
from tests.events import arrive
from tests.from_halo import (
    a_sale,
    delete,
    got_by_others,
    hint,
    last_call,
    money_row,
    order_row,
    synced,
    writes,
)
from tests.spoiling import spoil
from tests.world import NAME, World, Worlds

BY = "ada"


def found(world: World, row: Any, cause: str, field: str, **values: str | None) -> int:
    """A difference as reconciliation writes it; returns its number."""
    world.do(
        """
        insert into reconciliation (connection_id, first, last, mode, cause, state)
        select id, current_date - 30, current_date, 'full', 'a test', 'done' from connection
        """
    )
    told = {"ours": None, "theirs": None, "delivered": None, **values}
    [made] = world.rows(
        """
        insert into discrepancy (connection_id, found_by, seen_by, flow, source_kind, source_id,
                                 role, target, target_id, cause, field, ours, theirs, delivered)
        select :connection, max(id), max(id), :flow, :kind, :source, :role, :target, :target_id,
               :cause, :field, :ours, :theirs, :delivered
        from reconciliation returning id
        """,
        connection=row.connection_id,
        flow=row.flow,
        kind=row.source_kind,
        source=row.source_id,
        role=row.role,
        target=row.target,
        target_id=row.target_id,
        cause=cause,
        field=field,
        **told,
    )
    return int(made.id)


def chosen(world: World, *numbers: int) -> list[Discrepancy]:
    return world.worker.ledger.run(lambda c: discrepancies.listed(c, Only(ids=numbers)))


def planned(world: World, *numbers: int, **options: bool) -> list[repair.RepairPlan]:
    line = world.worker.open_line(NAME)
    return repair.plan(line, chosen(world, *numbers), **options)


def applied(world: World, *numbers: int, **options: bool) -> set[int]:
    line = world.worker.open_line(NAME)
    plans = planned(world, *numbers, **options)
    left = repair_writing.apply(line, plans, BY)
    wanted = {one.discrepancy.id for one in plans if one.act is not None}
    return wanted - left.keys()


def accepted(world: World, *numbers: int) -> list[accepting.AcceptancePlan]:
    line = world.worker.open_line(NAME)
    plans = accepting.plan_differences(line, chosen(world, *numbers))
    return accepting.accept(line, plans, "discrepancies accept", BY)


def state(world: World, number: int) -> Any:
    [row] = world.rows("select * from discrepancy where id = :id", id=number)
    return row


def test_what_was_changed_in_halo_is_written_again_or_left_as_it_is(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    ours, theirs = order_row(world), order_row(world, 1)
    was = {one["id"]: one["note"] for one in sandbox.halo_orders()}
    for row in (ours, theirs):
        sandbox.edit_halo_order(int(row.target_id), note="by hand")
    note = {"ours": ours.projection["note"], "theirs": "by hand"}
    again = found(world, ours, "changed_in_halo", "note", **note)
    stale = found(world, ours, "changed_on_both", "note", **{**note, "theirs": "otherwise"})
    taken = found(world, theirs, "changed_in_halo", "note", **note)
    before = last_call(sandbox)
    plans = {one.discrepancy.id: one for one in planned(world, again, stale, taken)}
    assert f"POST /SalesOrder update {ours.target_id}" in plans[again].writes[0]
    assert "Halo holds by hand" in plans[stale].why
    assert applied(world, again, stale) == {again}
    assert (state(world, again).state, state(world, again).closed_by) == ("applied", BY)
    [plan] = accepted(world, taken)
    assert plan.takes.startswith("note: by hand in place of")
    assert state(world, taken).closed_at is not None
    for row in (ours, theirs):
        arrive(world, hint("salesorder", int(row.target_id)), source="halo")
    world.drive()
    notes = {one["id"]: one["note"] for one in sandbox.halo_orders()}
    assert notes[int(ours.target_id)] == was[int(ours.target_id)] != "by hand"
    assert notes[int(theirs.target_id)] == "by hand"
    assert len([one for one in writes(sandbox, before) if "SalesOrder" in one]) == 1
    decided = world.rows("select target, cause from audit_entry where effect = 'command'")
    assert {(one.target, BY in one.cause) for one in decided} >= {
        ("discrepancies apply", True),
        ("discrepancies accept", True),
    }
    # Neither value has moved: asked again, nothing happens. Halo's moves on: it is put right.
    assert accepted(world, again) == []
    sandbox.edit_halo_order(int(theirs.target_id), note="by another hand")
    arrive(world, hint("salesorder", int(theirs.target_id)), source="halo")
    world.drive()
    assert order_row(world, 1).target_meta.get("accepted") is None
    assert sandbox.audit()["clean"]
    a_total_is_taken_with_its_lines(world, sandbox)


def a_total_is_taken_with_its_lines(world: World, sandbox: SandboxProcess) -> None:
    """A comparison by report sees the total alone; an event brings the whole row."""
    [priced] = sandbox.tamper("order_price", 1)
    [row] = world.rows(
        "select * from delivery where target = 'order' and source_id = :id", id=priced["source"]
    )
    told = {"ours": priced["before"], "theirs": priced["after"]}
    number = found(world, row, "changed_in_halo", "total", **told)
    assert len(accepted(world, number)) == 1
    before = last_call(sandbox)
    arrive(world, hint("salesorder", int(row.target_id)), source="halo")
    world.drive()
    assert writes(sandbox, before) == []
    assert marking.reopen(world.worker, chosen(world, number), BY) == {number}
    arrive(world, hint("salesorder", int(row.target_id)), source="halo")
    world.drive()
    assert len(writes(sandbox, before)) == 1


def test_a_lost_order_is_made_again_and_what_hangs_on_it_follows(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    order, invoice, _ = a_sale(world)
    there = found(world, order, "missing", "row")
    assert "is in Halo" in planned(world, there)[0].why
    for one in world.rows("select * from delivery where target in ('payment', 'credit')"):
        on = one.target_meta.get("invoice_id")
        if one.target == "payment" and str(on) == invoice.target_id:
            delete(world, f"/InvoicePayment/{one.target_id}")
    delete(world, f"/Invoice/{invoice.target_id}")
    delete(world, f"/SalesOrder/{order.target_id}")
    [plan] = planned(world, there)
    assert [one.partition(" HL-")[0] for one in plan.writes][:3] == [
        "POST /SalesOrder create",
        "POST /Invoice create",
        "POST /InvoicePayment create",
    ]
    assert applied(world, there) == {there}
    assert applied(world, there) == set()
    world.drive()
    assert world.rows("select 1 from delivery where state = 'parked'") == []
    assert sandbox.audit()["clean"]
    number = int(order_row(world).source_id == order.source_id)
    gone = found(world, order_row(world, number), "missing", "row")
    delete(world, f"/SalesOrder/{order_row(world, number).target_id}")
    before = last_call(sandbox)
    assert len(accepted(world, gone)) == 1
    world.drive()
    assert writes(sandbox, before) == []
    kept = order_row(world, number)
    assert (kept.state, kept.target_id) == ("delivered", None)


def test_a_row_that_is_somebody_elses_by_now_is_not_written_and_ours_is_made_again(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox, profile="plain")
    order, invoice, paid = got_by_others(world, sandbox)
    told = {"ours": order.projection["client_id"], "theirs": "7"}
    changed = found(world, order, "changed_in_halo", "client_id", **told)
    [plan] = planned(world, changed)
    assert f"order {order.target_id} in Halo is no longer ours: it carries PO-134" in plan.why
    assert applied(world, changed) == set()
    gone = found(world, order, "missing", "row")
    [plan] = planned(world, gone)
    assert [one.partition(" HL-")[0] for one in plan.writes] == [
        "POST /SalesOrder create",
        "POST /Invoice create",
        "POST /InvoicePayment create",
    ]
    assert applied(world, gone) == {gone}
    world.drive()
    kept = {one["id"]: one["po_number"] for one in sandbox.halo_orders()}
    assert kept[int(order.target_id)] == "PO-134"
    for row in (order, invoice, paid):
        [now] = world.rows("select * from delivery where id = :id", id=row.id)
        assert (now.state, now.target_id == row.target_id) == ("delivered", False)


def test_an_extra_row_is_removed_only_where_it_is_asked_for_and_nothing_hangs_on_it(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    order = order_row(world)
    copy = post(world, "/SalesOrder", copied(sandbox, int(order.target_id)))
    doubled = found(
        world, order, "doubled", "reference", ours=order.target_id, theirs=f"{order.target_id}, 1"
    )
    assert "--delete-extra" in planned(world, doubled)[0].why
    [plan] = planned(world, doubled, delete_extra=True)
    assert plan.writes == (f"DELETE /SalesOrder/{copy}, which carries HL-{order.source_id} too",)
    sandbox.edit_halo_order(copy, po_number="mine now")
    assert "2 rows" not in planned(world, doubled, delete_extra=True)[0].why
    sandbox.edit_halo_order(copy, po_number=f"HL-{order.source_id}")
    sold = next(one for one in sandbox.halo_orders() if one["id"] == copy)["lines"][0]
    sandbox.consign(copy, [(sold["id"], 1)], "sent")
    assert "goods were sent" in planned(world, doubled, delete_extra=True)[0].why
    other = order_row(world, 1)
    twin = post(world, "/SalesOrder", copied(sandbox, int(other.target_id)))
    second = found(world, other, "doubled", "reference", ours=other.target_id, theirs="two")
    assert applied(world, second, delete_extra=True) == {second}
    assert twin not in {one["id"] for one in sandbox.halo_orders()}
    [entry] = world.rows("select * from audit_entry where effect = 'delete'")
    assert (entry.target_id, entry.source_id, BY in entry.cause) == (
        str(twin),
        other.source_id,
        True,
    )


def test_an_extra_row_that_does_not_show_what_hangs_on_it_is_not_removed(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = synced(worlds, sandbox)
    order, invoice = order_row(world), money_row(world, "invoice")
    copy = post(world, "/SalesOrder", copied(sandbox, int(order.target_id)))
    doubled = found(world, order, "doubled", "reference", ours=order.target_id, theirs="two")
    for lines in (None, "many", [None], [{"name": "A"}, "B"]):
        with monkeypatch.context() as patched:
            spoil(patched, f"/SalesOrder/{copy}", lambda row: {**row, "lines": lines})  # noqa: B023 - called at once
            [plan] = planned(world, doubled, delete_extra=True)
        assert (plan.act, "does not show its lines" in (plan.why or "")) == (None, True), lines
    body = {
        "client_id": invoice.target_meta["client_id"],
        "thirdpartyinvoicenumber": invoice.projection["thirdpartyinvoicenumber"],
        "lines": [{"item_shortdescription": "again", "qty_order": 1, "unit_price": 5}],
        "_isimport": True,
    }
    twin = post(world, "/Invoice", body)
    second = found(world, invoice, "doubled", "reference", ours=invoice.target_id, theirs="two")
    untold = {"payments": None, "amountpaid": None}
    with monkeypatch.context() as patched:
        spoil(patched, f"/Invoice/{twin}", lambda row: {**row, **untold})
        [plan] = planned(world, second, delete_extra=True)
    assert (plan.act, "whether anything was paid" in (plan.why or "")) == (None, True)
    assert planned(world, second, delete_extra=True)[0].act is not None


def copied(sandbox: SandboxProcess, order_id: int) -> dict[str, Any]:
    [order] = [one for one in sandbox.halo_orders() if one["id"] == order_id]
    kept = ("client_id", "site_id", "user_id", "po_number", "currency_code")
    return {
        **{name: order[name] for name in kept if order.get(name) is not None},
        "lines": [{"name": "again", "quantity": 1, "baseprice": 5}],
        "_dont_fire_automations": True,
    }


def post(world: World, path: str, body: dict[str, Any]) -> int:
    """A row that a person makes in Halo."""
    line = world.worker.open_line(NAME)
    api = halo_calls(line, Lane.UPKEEP)
    made = api.read(f"POST {path}", lambda permit: line.halo.post(path, [body], permit).document)
    return int(made[0]["id"] if isinstance(made, list) else made["id"])


def test_what_was_not_delivered_is_owed_again_and_what_was_not_read_is_read_again(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    order = order_row(world)
    world.do("update delivery set state = 'parked', reason = 'why' where id = :id", id=order.id)
    late = found(world, order, "not_delivered", "row", theirs="parked: why")
    world.do("delete from pull_page")
    unread = found(world, order, "not_in_ledger", "count", ours="5", theirs="4")
    stranger = found(world, order, "unknown_in_halo", "reference", theirs="77")
    world.do("update discrepancy set source_id = 'order' where id = :id", id=unread)
    [held] = [one for one in planned(world, late, unread, stranger) if one.act is None]
    assert held.discrepancy.id == stranger
    assert applied(world, late, unread, stranger) == {late, unread}
    assert order_row(world).state == "due"
    assert world.open_pulls() > 0
    world.drive()
    assert order_row(world).state == "delivered"
    # Theirs is nothing here, so it cannot be taken; a stranger's difference is only closed.
    reasons = accepting.plan_differences(world.worker.open_line(NAME), chosen(world, late, unread))
    assert all(one.why for one in reasons)
    assert len(accepted(world, stranger)) == 1
    taken = chosen(world, stranger)
    assert marking.reopen(world.worker, taken, BY) == {stranger}
    assert marking.mark(world.worker, chosen(world, stranger), "known", BY) == {stranger}
    marked = state(world, stranger)
    assert (marked.state, marked.note, marked.closed_at) == ("marked", "known", None)
    world.do("update delivery set state = 'sending' where id = :id", id=order.id)
    assert "at this moment" in planned(world, late)[0].why
