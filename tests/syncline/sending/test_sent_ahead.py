"""What no look-up shows: sent again once that is proved, or one ahead of the others."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.deliveries.status_counts import kinds
from syncline.errors import MissingScope, NoAnswer
from syncline.runtime.sweep import sweep
from syncline.sandbox.process import SandboxProcess
from syncline.sending.find import reference_on
from syncline.sending.in_doubt import resend
from tests.from_halo import delete
from tests.lagging import (
    Lagging,
    absent,
    attempts,
    looks_after,
    lost,
    until,
    until_looked_up,
)
from tests.tenants import brought_over, parked
from tests.world import World, Worlds


@pytest.mark.parametrize("profile", ["generous", "plain", "awkward"])
def test_what_no_list_shows_is_found_by_the_ids_that_follow(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, profile: str
) -> None:
    """A first burst after a quiet spell: all made, none answered, and no list shows any of them."""
    world = brought_over(
        worlds, sandbox, orders=3, transactions=0, subscriptions=0, profile=profile
    )
    lagging = Lagging(monkeypatch, sandbox)
    lost(world, sandbox, "cut_after", 4)
    made = len(sandbox.halo_orders())
    assert made > 3
    until(world, lambda: world.counts()["orders", "delivered"] == made)
    assert lagging.looks
    lagging.on = False
    world.drive()
    assert world.counts()["orders", "delivered"] == 7
    assert sandbox.audit()["clean"]


def test_where_nothing_shows_what_was_made_one_alone_goes_ahead(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    lagging = Lagging(monkeypatch, sandbox)
    monkeypatch.setattr(resend, "reference_on", absent)
    lost(world, sandbox, "cut_after", 4)
    for looks in range(1, 9):
        until_looked_up(world, lagging, looks)
    assert len(sandbox.halo_orders()) == 3 + 5
    assert doubtful(world) == 4
    lagging.on = False
    world.do("update delivery set confirmed_at = confirmed_at - interval '1 hour'")
    world.do("update delivery set target_meta = target_meta - 'second_look'")
    until(world, lambda: bool(parked(world)))
    until(world, lambda: doubtful(world) == 0)
    assert len(sandbox.halo_orders()) == 3 + 5
    assert world.counts()["orders", "delivered"] == 6
    [twice] = parked(world)
    assert twice.reason.startswith("Halo holds several rows with reference HL-")
    older = min(int(one) for one in twice.reason.rpartition(": ")[2].split(", "))
    delete(world, f"/SalesOrder/{older}")
    world.do("update delivery set state = 'doubtful', reason = null where state = 'parked'")
    world.drive()
    assert world.counts()["orders", "delivered"] == 7
    assert sandbox.audit()["clean"]


def test_what_went_ahead_and_stands_there_once_is_in_line(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    lost(world, sandbox, "cut_before", 1)
    until(world, lambda: world.counts()["orders", "delivered"] == 4)
    assert world.rows("select id from delivery where target_meta ? 'ahead'")
    assert doubtful(world) == 1
    world.do("update delivery set confirmed_at = confirmed_at - interval '1 hour'")
    until(world, lambda: doubtful(world) == 0)
    assert parked(world) == []
    assert not world.rows("select id from delivery where target_meta ? 'ahead'")


def doubtful(world: World) -> int:
    """How many orders `status` calls doubtful."""
    link = world.reopened().link
    found = world.worker.ledger.run(lambda connection: kinds(connection, link))
    return sum(one.doubtful for one in found if one.kind == "orders")


@pytest.mark.parametrize("profile", ["generous", "plain", "awkward"])
def test_what_was_lost_is_sent_again_once_the_one_ahead_shows(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    world = brought_over(
        worlds, sandbox, orders=3, transactions=0, subscriptions=0, profile=profile
    )
    lost(world, sandbox, "cut_before", 4)
    seen = len(sandbox.calls())
    world.drive()
    sent = [
        call["elements"]
        for call in sandbox.calls("halo", after=seen)
        if call["operation"] == "POST /SalesOrder"
    ]
    assert sent[0] == 1
    assert len(sandbox.halo_orders()) == 3 + 4
    assert sandbox.audit()["clean"]


def test_after_one_has_gone_ahead_in_vain_the_next_waits_longer(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    lost(world, sandbox, "cut_before", 3)
    world.do("update tenant set settle_seconds = 3600")
    world.reopened()
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind="cut_before", next=1)
    before = attempts(world)
    until(world, lambda: attempts(world) == before + 1, minutes=1)
    until(world, lambda: world.counts()["orders", "doubtful"] == 3, minutes=1)
    for _ in range(5):
        looks_after(world, minutes=115)
    assert attempts(world) == before + 1
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind="cut_before", next=1)
    until(world, lambda: attempts(world) == before + 2, minutes=125)
    sandbox.faults()
    for _ in range(5):
        looks_after(world, minutes=600)
    world.drive()
    assert world.counts()["orders", "delivered"] == 6
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize(("second", "made"), [("cut_before", 2), ("too_few", 3)])
def test_a_row_that_was_sent_twice_and_found_by_a_list_speaks_for_no_other(
    worlds: Worlds,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    second: str,
    made: int,
) -> None:
    """It may be the copy that the first call made, and tells nothing of what was made since."""
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    lagging = Lagging(monkeypatch, sandbox)
    monkeypatch.setattr(resend, "reference_on", absent)
    lost(world, sandbox, "cut_after", 2)
    sandbox.faults(side="halo", operation="POST /SalesOrder", kind=second, next=1)
    before = attempts(world)
    until(world, lambda: attempts(world) == before + 1, minutes=1)
    sandbox.faults()
    [first] = world.rows("select source_id from delivery where target_meta ? 'ahead'")
    copies = [
        int(row["id"])
        for row in sandbox.halo_orders()
        if row["po_number"] == f"HL-{first.source_id}"
    ]
    lagging.shown.add(min(copies))
    for _ in range(5):
        looks_after(world, minutes=1)
    assert world.counts()["orders", "delivered"] == 4
    assert len(sandbox.halo_orders()) == 3 + made


def test_that_a_row_is_not_there_is_no_news_for_long(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is to be sent again may be held back, and meanwhile its row may come to be shown."""
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    lagging = Lagging(monkeypatch, sandbox)
    monkeypatch.setattr(resend, "reference_on", absent)
    lost(world, sandbox, "cut_after", 1)
    until(world, lambda: world.counts().get(("orders", "due")) == 1, minutes=1)
    lagging.on = False
    world.do(
        """
        update delivery set target_meta = target_meta || jsonb_build_object(
            'absent', (target_meta ->> 'absent')::float - 3600)
        where state = 'due' and target_meta ? 'absent'
        """
    )
    world.drive()
    assert world.counts()["orders", "delivered"] == 4
    assert len(sandbox.halo_orders()) == 4
    assert sandbox.audit()["clean"]


def test_one_that_went_ahead_of_a_stopped_connection_holds_up_no_other_one(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    lost(world, sandbox, "cut_before", 2)
    world.do("update tenant set settle_seconds = 3600")
    world.reopened()
    [first, second] = world.rows("select * from delivery where state = 'doubtful' order by id")
    world.do(
        """
        with other as (
            insert into location (location_id, base_url, quota_calls, quota_seconds, quota_daily)
            values ('other', 'http://127.0.0.1', 1, 1, 1) returning id
        )
        insert into connection (id, name, location_id, tenant_id, mapping, mode, state, start_from)
        select 99, 'stopped', other.id, c.tenant_id, c.mapping, c.mode, 'stopped', c.start_from
        from connection c, other
        """
    )
    world.do(
        """
        update delivery set connection_id = 99, target_meta = '{"ahead": 1}',
                            sent_at = clock_timestamp() where id = :id
        """,
        id=first.id,
    )
    until(world, lambda: world.counts().get(("orders", "delivered")) == 4, minutes=1)
    assert second.id in {row.id for row in world.rows("select id from delivery where attempt = 2")}


@pytest.mark.parametrize("status", ["500", "403"])
def test_a_following_row_that_cannot_be_read_keeps_nothing_from_being_made(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, status: str
) -> None:
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    Lagging(monkeypatch, sandbox)
    lost(world, sandbox, "cut_after", 2)
    newest = max(int(row["id"]) for row in sandbox.halo_orders())

    def refused(line: Any, api: Any, target: Any, row_id: int) -> str:
        if row_id == newest - 1:
            raise NoAnswer("Halo answered 500") if status == "500" else MissingScope("403")
        return reference_on(line, api, target, row_id)

    monkeypatch.setattr(resend, "reference_on", refused)
    until(world, lambda: world.counts().get(("orders", "delivered")) == 4, minutes=1)


def test_what_cannot_be_looked_up_is_parked_with_the_reason_and_the_row(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    newest = max(int(row["id"]) for row in sandbox.halo_orders())

    def failing(*_: Any) -> str:
        raise NoAnswer("Halo answered 500")

    monkeypatch.setattr(resend, "reference_on", failing)
    lost(world, sandbox, "cut_before", 1)
    until(world, lambda: bool(parked(world)), minutes=1)
    [one] = parked(world)
    assert f"order {newest + 1}: Halo answered 500" in one.reason
    assert attempts(world) == 1


def test_an_array_that_was_lost_costs_few_calls_to_find_out(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    """Links are a call for each row, and where reports find rows, one of them is enough."""
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    lost(world, sandbox, "cut_before", 4)
    seen = len(sandbox.calls("halo"))
    until(world, lambda: world.counts()["orders", "delivered"] == 3 + 4)
    assert sandbox.audit()["clean"]
    calls = [call["operation"] for call in sandbox.calls("halo")[seen:]]
    assert calls.count("GET /ExternalLink") <= 5


def test_one_that_went_ahead_and_waits_for_a_person_holds_up_no_other_one(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    lost(world, sandbox, "cut_before", 4)
    until_one_is_due(world)
    [first] = world.rows("select * from delivery where flow = 'orders' and state = 'due'")
    world.do(
        """
        update delivery set state = 'parked', target_id = null, reason = 'of a test'
        where flow = 'customers' and target_id = :client
        """,
        client=str(first.sent_projection["client_id"]),
    )
    until(world, lambda: world.counts()["orders", "delivered"] == 3 + 3)
    assert world.counts()["orders", "waiting"] == 1


def until_one_is_due(world: World) -> None:
    """Look up what is in doubt, and send nothing, until an order is to be sent again."""
    for _ in range(50):
        world.do("update delivery set due_at = clock_timestamp() where state = 'doubtful'")
        for nudge in sweep(world.worker):
            if nudge.task == "look_up":
                world.follow(nudge)
        if world.counts().get(("orders", "due")):
            return
    raise AssertionError(world.counts())


def test_what_stops_waiting_after_links_were_left_out_does_not_go_ahead_without_them(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Much time may pass between: the rows that follow are read."""
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    lost(world, sandbox, "cut_before", 1)
    with monkeypatch.context() as patched:
        patched.setattr(resend, "waits", lambda *_: True)
        for _ in range(5):
            looks_after(world, minutes=600)
    assert world.counts()["orders", "doubtful"] == 1
    assert attempts(world) == 1
    until(world, lambda: world.counts()["orders", "delivered"] == 4)


def test_an_answer_that_hides_a_row_settles_nothing(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It shows a row that is newer than the last call, and not one that Halo has besides."""
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    lagging = Lagging(monkeypatch, sandbox)
    monkeypatch.setattr(resend, "reference_on", absent)
    lost(world, sandbox, "cut_after", 1)
    until(world, lambda: world.counts()["orders", "delivered"] == 4, minutes=1)
    sandbox.add_orders(2)
    world.pull()
    world.drive()
    lagging.shown.add(max(int(row["id"]) for row in sandbox.halo_orders()))
    world.do("update delivery set target_meta = target_meta - 'second_look'")
    world.do("update delivery set confirmed_at = confirmed_at - interval '1 hour'")
    world.follow_all()
    assert world.rows("select id from delivery where target_meta ?& array['ahead', 'second_look']")


def test_a_customer_is_counted_once_where_one_row_is_parked_and_another_went_ahead(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    went = """
        update delivery set target_meta = target_meta || jsonb_build_object('ahead', 1)
        where target = 'client' and flow = 'customers'
    """
    world.do(went)
    link = world.reopened().link
    [customers] = [
        one
        for one in world.worker.ledger.run(lambda connection: kinds(connection, link))
        if one.kind == "customers"
    ]
    assert (customers.in_line, customers.doubtful, customers.parked) == (0, 3, 0)
    world.do("update delivery set state = 'parked', reason = 'of a test' where target = 'user'")
    [customers] = [
        one
        for one in world.worker.ledger.run(lambda connection: kinds(connection, link))
        if one.kind == "customers"
    ]
    assert (customers.in_line, customers.doubtful, customers.parked) == (0, 0, 3)


NEWER = """
    insert into delivery (tenant_id, connection_id, flow, role, target, place, source_kind,
                          source_id, state, wanted_version, sent_version, delivered_version,
                          target_id, target_meta, cause, sent_at, confirmed_at)
    select tenant_id, connection_id, flow, role, target, place, source_kind, 'newer' || at,
           'delivered', 1, 1, 1, cast(1000 + at as text), '{}', 'of a test', at_, at_
    from delivery, generate_series(1, 100) at,
         lateral (select clock_timestamp() - interval '2 days' as at_) moment
    where id = (select min(id) from delivery where target = 'order')
"""
"""Deliveries that came after all others, and were done long before them."""


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
def test_what_is_done_after_much_that_came_later_speaks_for_the_others_too(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    """As what is retried, or has waited long: its row is newer than those of newer deliveries."""
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    lagging = Lagging(monkeypatch, sandbox)
    lost(world, sandbox, kind, 4)
    world.do("update tenant set settle_seconds = 3600")
    world.do(NEWER)
    world.reopened()
    lagging.on = kind == "cut_after"
    made = len(sandbox.halo_orders()) if lagging.on else 3 + 4
    until(world, lambda: world.counts()["orders", "delivered"] == 100 + made)
    lagging.on = False
    until(world, lambda: world.counts()["orders", "delivered"] == 100 + 3 + 4)
    assert len(sandbox.halo_orders()) == 3 + 4
