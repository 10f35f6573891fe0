"""Where no event tells what changed in Halo, looking finds it, and finds nothing a second time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncline.alerts.run import evaluate
from syncline.calls.calls import NoQuota, Outage
from syncline.errors import Again, ForeignAnswer, RateLimited, Suspended, Unanswered
from syncline.halo.sql.changes import Noun
from syncline.halo.webhooks.bindable import BindableEvent
from syncline.halo_changes import polling
from syncline.halo_changes.installed_webhook import remember_bound
from syncline.halo_changes.polling import poll
from syncline.halo_changes.reading import POLL_AFTER
from syncline.runtime.pull_schedule import due_pulls
from syncline.runtime.registry import send
from syncline.sandbox.process import SandboxProcess
from tests.alerting import alerts
from tests.events import arrive
from tests.from_halo import (
    last_call,
    money_row,
    order_row,
    readings,
    synced,
    writes,
)
from tests.in_between import InBetween, page, said
from tests.spoiling import answered, spoil
from tests.variants import mostly
from tests.world import NAME, World, Worlds


def look(world: World) -> None:
    """One poll, and all that it leads to."""
    assert poll(world.worker.open_line(NAME)) is None
    world.drive()


def readings_due(world: World) -> list[Any]:
    return world.rows("select * from delivery where flow = 'halo' order by id")


@pytest.mark.parametrize("profile", mostly("awkward"))
def test_the_first_look_and_every_look_at_our_own_writes_leave_nothing(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    look(world)
    sandbox.change_orders(2, fields="amount")
    world.pull()
    world.drive()
    before = last_call(sandbox)
    look(world)
    assert readings_due(world) == []
    assert len(sandbox.calls("halo", before)) == 3
    assert readings(sandbox, "highlevel", before) == []


@pytest.mark.parametrize("profile", mostly("plain"))
def test_a_change_by_hand_is_found_by_looking_and_put_right_once(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    look(world)
    sandbox.edit_halo_order(int(order_row(world).target_id), note="mine")
    look(world)
    assert sandbox.audit()["clean"]
    before = last_call(sandbox)
    look(world)
    assert writes(sandbox, before) == []
    assert readings(sandbox, "highlevel", before) == []


def test_a_text_that_a_person_emptied_is_put_right_also_where_halo_shows_it_as_null(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = synced(worlds, sandbox)
    look(world)
    order = int(order_row(world).target_id)
    spoil(monkeypatch, f"/SalesOrder/{order}", lambda row: {**row, "note": row["note"] or None})
    [before] = [one["note"] for one in sandbox.halo_orders() if one["id"] == order]
    sandbox.edit_halo_order(order, note="")
    look(world)
    assert before in [one["note"] for one in sandbox.halo_orders() if one["id"] == order]
    seen = last_call(sandbox)
    look(world)
    assert writes(sandbox, seen) == []


@pytest.mark.parametrize("profile", mostly("generous"))
def test_a_payment_by_hand_is_found_by_looking(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    look(world)
    sandbox.pay_in_halo(int(money_row(world, "invoice").target_id), "3.10")
    look(world)
    [told] = readings_due(world)
    assert (told.target, told.state) == ("halo.payment", "parked")
    look(world)
    assert len(readings_due(world)) == 1


def test_a_list_that_cannot_be_read_keeps_nothing_back_that_another_one_showed(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox, reports_refused=True)
    look(world)
    sandbox.edit_halo_order(int(order_row(world).target_id), note="mine")
    paid = sandbox.pay_in_halo(int(money_row(world, "invoice").target_id), "3.10")
    sandbox.faults(side="halo", operation="GET /InvoicePayment", kind="500", next=1)
    assert poll(world.worker.open_line(NAME)) is not None
    world.drive()
    assert order_row(world).state == "delivered"
    assert str(paid) not in [one.source_id for one in readings_due(world)]
    look(world)
    assert str(paid) in [one.source_id for one in readings_due(world)]


def test_a_list_that_fails_again_and_again_keeps_nothing_back_that_another_one_shows(
    worlds: Worlds, sandbox: SandboxProcess, in_between: InBetween
) -> None:
    world = synced(worlds, sandbox, reports_refused=True)
    look(world)
    paid = sandbox.pay_in_halo(int(money_row(world, "invoice").target_id), "3.10")
    in_between.wanted = lambda call, _body: call.startswith("GET ") and "/SalesOrder" in call
    in_between.answers = page()
    line = world.reopened()
    assert [poll(line) is None for _ in range(2)] == [False, False]
    assert [one.source_id for one in readings_due(world)] == [str(paid)]


def test_the_other_lists_are_asked_unless_they_would_fail_in_the_same_way(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = synced(worlds, sandbox).reopened()
    asked = 0
    errors: list[Again] = [
        *(Again("504"), ForeignAnswer("a page"), Outage("this list fails for everybody")),
        *(NoQuota("used up"), RateLimited("429"), Unanswered("nobody"), Suspended("shut")),
    ]
    for number, error in enumerate(errors):
        error.after = timedelta(seconds=40 + number)

        def fails(*_: Any, error: Again = error) -> None:
            nonlocal asked
            asked += 1
            raise error

        monkeypatch.setattr(polling, "_poll", fails)
        asked = 0
        assert poll(line) == 40 + number
        assert asked == (3 if number < 3 else 1)


def test_a_change_is_found_by_the_list_where_somebody_else_keeps_answering_reports(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = synced(worlds, sandbox)
    look(world)
    sandbox.edit_halo_order(int(order_row(world).target_id), note="mine")
    answered(monkeypatch, "POST /Report", lambda _: (403, b""))
    line = world.worker.open_line(NAME)
    assert [poll(line) is None for _ in range(2)] == [False, True]
    world.drive()
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize(("told", "minutes"), [(False, 1), (True, 15)])
def test_looking_is_rare_where_halo_tells_everything_itself(
    worlds: Worlds,
    sandbox: SandboxProcess,
    told: bool,
    minutes: int,
) -> None:
    world = synced(worlds, sandbox)
    nouns: tuple[Noun, ...] = ("salesorder", "consignment", "payment")
    events = [BindableEvent(at, f"All of {noun}", noun) for at, noun in enumerate(nouns, 1)]
    if told:
        link = world.worker.open_line(NAME).link
        with world.worker.ledger.begin() as connection:
            remember_bound(connection, link.id, "w1", events)
    assert "poll_halo" in [nudge.task for nudge in due_pulls(world.worker)]
    assert "poll_halo" not in [nudge.task for nudge in due_pulls(world.worker)]
    [row] = world.rows(
        "select round(extract(epoch from due_at - clock_timestamp()) / 60) as minutes"
        " from cursor where kind = 'halo'"
    )
    assert row.minutes == minutes


def test_an_event_that_names_no_row_has_halo_looked_at_soon(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    assert "poll_halo" in [nudge.task for nudge in due_pulls(world.worker)]
    arrive(world, b'{"event": "Something happened"}', source="halo")
    world.drive()
    [row] = world.rows(
        "select extract(epoch from due_at - clock_timestamp()) as seconds"
        " from cursor where kind = 'halo'"
    )
    assert row.seconds <= POLL_AFTER.total_seconds()


@pytest.mark.parametrize("profile", mostly("plain"))
def test_tracking_that_a_note_gets_later_is_found_by_looking_and_sent_on(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    look(world)
    made = sandbox.consign(int(order_row(world).target_id))
    line = world.worker.open_line(NAME)
    for _ in range(2):
        assert poll(line) is None
        for target in ("halo.salesorder", "halo.consignment", "fulfillment"):
            send(line, target)
    [held] = world.rows("select * from delivery where flow = 'fulfillments'")
    assert held.state == "due"
    sandbox.edit_consignment(made, note="Tracking: 1Z77")
    look(world)
    [sent] = world.rows("select * from delivery where flow = 'fulfillments'")
    assert sent.state == "delivered"
    assert sandbox.audit()["fulfillments"]["clean"]


@pytest.mark.parametrize("told", [{}, {"salesorder_id": 0}, {"salesorder_id": "0"}])
def test_a_shipment_whose_order_the_list_does_not_tell_is_read_and_sent_on(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, told: dict[str, Any]
) -> None:
    world = synced(worlds, sandbox)
    look(world)

    def headers(document: Any) -> Any:
        shown = [{"id": row["id"], **told} for row in document["consignments"]]
        return {**document, "consignments": shown}

    spoil(monkeypatch, "/Consignment", headers)
    monkeypatch.setattr(polling, "_NOUNS", ("consignment",))  # no change of its order tells it
    sandbox.consign(int(order_row(world).target_id), note="Tracking: 1Z77")
    look(world)
    [sent] = world.rows("select * from delivery where flow = 'fulfillments'")
    assert sent.state == "delivered"


def test_a_poll_that_was_dear_rests(worlds: Worlds, sandbox: SandboxProcess) -> None:
    world = synced(worlds, sandbox)
    look(world)
    world.do(
        "update ability set value = value ||"
        " jsonb_build_object('rests_until', cast(:until as text)) where name = 'poll'",
        until=(world.worker.now() + timedelta(minutes=5)).isoformat(),
    )
    before = last_call(sandbox)
    look(world)
    assert sandbox.calls("halo", before) == []


@pytest.mark.parametrize("profile", ["generous", "plain"])
@pytest.mark.parametrize("seen_first", [True, False])
def test_an_order_that_was_changed_in_the_future_hides_no_later_change(
    worlds: Worlds, sandbox: SandboxProcess, profile: str, seen_first: bool
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    if not seen_first:
        look(world)
    odd = int(order_row(world, 0).target_id)
    sandbox.edit_halo_order(odd, last_update_time="9999-12-31T23:59:59.997")
    ahead = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=10)
    sandbox.edit_halo_order(int(order_row(world, 1).target_id), last_update_time=ahead.isoformat())
    look(world)
    sandbox.edit_halo_order(int(order_row(world, 2).target_id), note="mine")
    before = last_call(sandbox)
    look(world)
    assert "GET /SalesOrder/{id}" in readings(sandbox, "halo", before)
    assert sandbox.audit()["clean"]
    before = last_call(sandbox)
    look(world)
    assert "GET /SalesOrder/{id}" not in readings(sandbox, "halo", before)


def test_a_look_that_stood_in_the_future_already_looks_at_everything_once(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    look(world)
    world.do(
        "update ability set value = value || jsonb_build_object('orders', cast(:at as text))"
        " where name = 'poll'",
        at="2099-01-01T00:00:00+00:00",
    )
    sandbox.edit_halo_order(int(order_row(world).target_id), note="mine")
    look(world)
    assert sandbox.audit()["clean"]
    [row] = world.rows("select value ->> 'orders' as orders from ability where name = 'poll'")
    assert row.orders < "2099"


@pytest.mark.parametrize("profile", ["generous", "plain"])
def test_a_payment_with_an_id_far_out_of_line_hides_no_later_one(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = synced(worlds, sandbox, profile=profile)
    look(world)
    invoice = int(money_row(world, "invoice").target_id)
    odd = sandbox.pay_in_halo(invoice, "3.10", row_id=2_147_483_647)
    look(world)
    later = sandbox.pay_in_halo(invoice, "1.10")
    look(world)
    assert [one.source_id for one in readings_due(world)] == [str(odd), str(later)]
    before = last_call(sandbox)
    look(world)
    assert "GET /InvoicePayment/{id}" not in readings(sandbox, "halo", before)


def test_a_row_far_out_of_line_that_the_first_look_showed_is_not_new(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = synced(worlds, sandbox)
    invoice = int(money_row(world, "invoice").target_id)
    sandbox.pay_in_halo(invoice, "3.10", row_id=2_147_483_647)
    look(world)
    later = sandbox.pay_in_halo(invoice, "1.10")
    look(world)
    asked = [one.source_id for one in readings_due(world) if one.state != "delivered"]
    assert asked == [str(later)]


@pytest.mark.parametrize(("noun", "path"), [("consignment", "/Consignment"), ("payment", "/Inv")])
def test_a_list_that_halo_does_not_show_is_told_until_it_shows_it(
    worlds: Worlds, sandbox: SandboxProcess, in_between: InBetween, noun: str, path: str
) -> None:
    world = synced(worlds, sandbox, reports_refused=True)
    look(world)
    in_between.wanted = lambda call, _body: call.startswith("GET ") and path in call
    in_between.answers = said(403, {"Message": "You do not have permission to view this."})
    look(world)
    evaluate(world.worker)
    [alert] = [one for one in alerts(world) if one.kind == "pulls"]
    assert noun in alert.title
    assert alert.gone_at is None
    in_between.answers = None
    look(world)
    evaluate(world.worker)
    [alert] = [one for one in alerts(world) if one.kind == "pulls"]
    assert alert.gone_at is not None


def test_a_list_that_no_mapping_needs_is_not_told_of(
    worlds: Worlds, sandbox: SandboxProcess, in_between: InBetween
) -> None:
    world = synced(worlds, sandbox)
    world.do(
        "update connection set mapping = replace(mapping, :ships, 'into = \"none\"')",
        ships='into = "highlevel"',
    )
    world.reopened()
    in_between.wanted = lambda call, _body: call.startswith("GET ") and "/Consignment" in call
    in_between.answers = said(403, {"Message": "You do not have permission to view this."})
    assert poll(world.worker.open_line(NAME)) is None
    evaluate(world.worker)
    assert [one for one in alerts(world) if one.kind == "pulls"] == []
