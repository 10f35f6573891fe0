"""An event is as good as a reading: nothing more is asked, nothing goes back, nothing is lost."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncline.sandbox.config import LOCATION
from syncline.sandbox.process import SandboxProcess
from syncline.webhooks import handling
from syncline.webhooks import queue as event_queue
from tests.events import arrive, event, event_figures, event_states, order_event, order_ids
from tests.variants import mostly
from tests.world import World, Worlds, small

TRACKING = """
[[orders.field]]
target = "customfields.CFtracking"
source = "tracking_numbers"
transform = { use = "join", with = ", " }
type = "text"
owner = "highlevel"
"""


def calls(sandbox: SandboxProcess) -> list[str]:
    return [call["operation"] for call in sandbox.calls("highlevel")]


@pytest.mark.parametrize("profile", mostly("plain"))
def test_an_event_brings_its_order_to_halo_and_only_its_transactions_are_asked_for(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    small(sandbox, orders=3, transactions=3, subscriptions=0, money=True, profile=profile)
    world = worlds()
    arrive(world, *(order_event(sandbox, one, "OrderCreate") for one in order_ids(sandbox)))
    world.drive()
    assert set(calls(sandbox)) == {"GET /payments/transactions"}
    assert sandbox.audit()["clean"]
    assert event_states(world) == [("done", None)] * 3


def test_a_pull_after_the_event_reads_no_detail_and_writes_nothing(
    world: World, sandbox: SandboxProcess
) -> None:
    arrive(world, *(order_event(sandbox, one) for one in order_ids(sandbox)))
    world.drive()
    before = len(sandbox.calls("halo"))
    world.pull()
    world.drive()
    assert "GET /payments/orders/{id}" not in calls(sandbox)
    posts = [call for call in sandbox.calls("halo")[before:] if call["method"] == "POST"]
    assert posts == []


def test_an_event_makes_the_reading_that_a_pull_asked_for_needless(
    world: World, sandbox: SandboxProcess
) -> None:
    world.pull()
    arrive(world, *(order_event(sandbox, one) for one in order_ids(sandbox)))
    handling.handle(world.worker)
    world.drive()
    assert "GET /payments/orders/{id}" not in calls(sandbox)
    assert sandbox.audit()["clean"]


def test_events_in_any_order_leave_the_newest_state(world: World, sandbox: SandboxProcess) -> None:
    [order, *_] = order_ids(sandbox)
    old = order_event(sandbox, order)
    sandbox.change_orders(ids=[order], fields="status")
    new = order_event(sandbox, order)
    arrive(world, new, old)
    world.drive()
    arrive(world, old)
    world.drive()
    status = sandbox.get(f"/state/orders/{order}")["status"]
    [row] = world.rows("select canonical from record where kind = 'order'")
    assert row.canonical["status"] == status
    assert event_states(world) == [("done", None)] * 3


def test_a_paid_invoice_asks_for_its_transactions(world: World, sandbox: SandboxProcess) -> None:
    arrive(world, event("InvoicePaid", {"_id": "inv12345", "status": "paid"}))
    world.drive()
    assert calls(sandbox) == ["GET /payments/transactions"]
    [reading] = world.rows("select source_id, target, state from delivery")
    assert tuple(reading) == ("inv12345", "highlevel.transactions", "delivered")


def test_events_sent_for_another_app_change_nothing(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=1)
    world = worlds(highlevel_client_id="ours-abc")
    arrive(world, order_event(sandbox, order_ids(sandbox)[0]))
    world.drive()
    assert event_states(world) == [("ignored", "sent for another app, app")]
    assert world.counts() == {}


def test_missed_event_detection_counts_what_a_pull_found_first(
    world: World, sandbox: SandboxProcess
) -> None:
    [first, second, third] = order_ids(sandbox)
    arrive(world, order_event(sandbox, first))
    world.drive()
    assert event_figures(world).received == 1
    sandbox.change_orders(ids=[second, third], fields="status")
    world.pull()
    assert (event_figures(world).late, event_figures(world).missed) == (0, 2)
    arrive(world, order_event(sandbox, second))
    world.drive()
    seen = event_figures(world)
    assert (seen.late, seen.missed) == (1, 1)
    assert seen.p50 is not None


def test_how_long_an_event_takes_is_of_its_own_delivery_and_of_none_that_came_later(
    world: World, sandbox: SandboxProcess
) -> None:
    arrive(world, *(order_event(sandbox, one) for one in order_ids(sandbox)))
    world.drive()
    before = event_figures(world)
    assert before.p50 is not None
    world.do(
        "update connection set mapping = replace(mapping, '\"HighLevel order\"', '\"An order\"')"
    )
    world.reopened()
    world.follow_all()
    world.drive()
    [(latest,)] = world.rows(
        "select cause from audit_entry where flow = 'orders' order by id desc limit 1"
    )
    assert latest.startswith("mapping ")
    after = event_figures(world)
    assert (after.p50, after.p95) == (before.p50, before.p95)


def test_nothing_is_expected_of_a_location_that_sends_no_events(
    world: World, sandbox: SandboxProcess
) -> None:
    world.pull()
    sandbox.change_orders(ids=order_ids(sandbox), fields="status")
    world.pull()
    assert (event_figures(world).since, event_figures(world).missed) == (None, 0)


def test_tracking_numbers_of_highlevel_come_to_the_mapped_field(
    world: World, sandbox: SandboxProcess
) -> None:
    map_tracking(world)
    [order, *_] = order_ids(sandbox)
    arrive(world, order_event(sandbox, order))
    world.drive()
    sandbox.fulfill_by_hand(order, trackings=[{"trackingNumber": "1Z-99"}])
    world.pull()
    world.drive()
    assert tracking(sandbox, order) == "1Z-99"


def map_tracking(world: World) -> None:
    world.do("update connection set mapping = mapping || :rows", rows=TRACKING)
    world.reopened()


def tracking(sandbox: SandboxProcess, order: str) -> Any:
    """What stands in the mapped field of the order in Halo."""
    [row] = [one for one in sandbox.halo_orders() if one["po_number"] == f"HL-{order}"]
    return next(one["value"] for one in row["customfields"] if one["name"] == "CFtracking")


def test_a_second_parcel_that_moves_no_status_is_found_on_the_cadence(
    world: World, sandbox: SandboxProcess
) -> None:
    map_tracking(world)
    order = many_pieces(sandbox)
    sandbox.fulfill_by_hand(order, items=one_piece(sandbox, order), trackings=parcel("A"))
    world.pull()
    world.drive()
    sandbox.fulfill_by_hand(order, items=one_piece(sandbox, order), trackings=parcel("B"))
    world.do("update cursor set due_at = clock_timestamp() where kind = 'fulfillments'")
    world.schedule()
    world.drive()
    assert tracking(sandbox, order) == "A, B"


def parcel(number: str) -> list[dict[str, str]]:
    return [{"trackingNumber": number}]


def many_pieces(sandbox: SandboxProcess) -> str:
    for one in order_ids(sandbox):
        items = sandbox.get(f"/state/orders/{one}")["items"]
        if sum(item["qty"] for item in items) >= 3:
            return one
    raise AssertionError("no order of three pieces; choose another seed")


def one_piece(sandbox: SandboxProcess, order: str) -> list[tuple[str, float]]:
    item = max(sandbox.get(f"/state/orders/{order}")["items"], key=lambda item: item["qty"])
    return [(item["price"]["_id"], 1)]


def test_the_change_names_the_event_that_showed_it(world: World, sandbox: SandboxProcess) -> None:
    arrive(world, *(order_event(sandbox, one) for one in order_ids(sandbox)))
    world.drive()
    causes = {row.cause for row in world.rows("select cause from change where kind = 'order'")}
    assert causes == {f"event {row.id}" for row in world.rows("select id from event")}


def test_what_an_event_asks_for_goes_before_what_is_being_caught_up_with(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=40, transactions=0, subscriptions=0, customers=3, profile="plain")
    world = worlds(style="summary", halo=(30, 600), quota_reserve=0.4)
    arrive(world, order_event(sandbox, order_ids(sandbox)[0]))
    world.drive()
    world.pull()
    for _ in range(3):
        world.follow_all()
    assert world.open_deliveries()
    known: dict[str, Any] = sandbox.get(f"/state/orders/{order_ids(sandbox)[0]}")
    [new] = sandbox.add_orders(1)
    arrive(world, order_event(sandbox, new, contactSnapshot=known["contactSnapshot"]))
    for _ in range(3):
        world.follow_all()
    [row] = world.rows(
        "select state from delivery where flow = 'orders' and source_id = :id", id=new
    )
    assert row.state == "delivered"
    assert world.open_deliveries()


def canonical(world: World, order: str) -> Any:
    [row] = world.rows(
        "select canonical from record where kind = 'order' and foreign_id = :id", id=order
    )
    return row.canonical


@pytest.mark.parametrize("together", [True, False])
def test_of_two_events_of_the_same_moment_the_one_sent_last_counts(
    world: World, sandbox: SandboxProcess, together: bool
) -> None:
    [order, *_] = order_ids(sandbox)
    now = datetime.now(UTC)
    late = order_event(sandbox, order, status="completed", timestamp=now.isoformat())
    early = order_event(
        sandbox, order, status="pending", timestamp=(now - timedelta(seconds=1)).isoformat()
    )
    arrive(world, late)
    if not together:
        handling.handle(world.worker)
    arrive(world, early)
    handling.handle(world.worker)
    assert canonical(world, order)["status"] == "completed"


def test_a_list_and_an_event_of_the_same_moment_that_differ_have_the_order_read(
    world: World, sandbox: SandboxProcess
) -> None:
    [order, *_] = order_ids(sandbox)
    status = sandbox.get(f"/state/orders/{order}")["status"]
    arrive(
        world,
        order_event(sandbox, order, status="completed" * (status != "completed") or "pending"),
    )
    world.drive()
    world.pull()
    world.drive()
    assert canonical(world, order)["status"] == status
    assert calls(sandbox).count("GET /payments/orders/{id}") == len(order_ids(sandbox))
    world.pull()
    world.drive()
    assert calls(sandbox).count("GET /payments/orders/{id}") == len(order_ids(sandbox))


def test_an_event_after_the_pull_that_saw_its_order_has_its_transactions_read(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=1, transactions=0, subscriptions=0, money=True)
    world = worlds()
    world.pull()
    world.drive()
    body = order_event(sandbox, order_ids(sandbox)[0])
    arrive(world, body, body)
    world.drive()
    assert calls(sandbox).count("GET /payments/transactions") == 1


def test_events_that_share_an_account_but_no_location_are_told_apart(
    world: World, sandbox: SandboxProcess
) -> None:
    [first, second, _] = order_ids(sandbox)
    arrive(
        world,
        order_event(sandbox, first, locationId="elsewhere"),
        order_event(sandbox, second),
    )
    world.do("update event set location_id = :id", id=LOCATION)
    world.drive()
    assert [state for state, _ in event_states(world)] == ["ignored", "done"]


def test_an_order_of_before_the_connections_first_day_is_left_alone(
    world: World, sandbox: SandboxProcess
) -> None:
    [order, other, _] = order_ids(sandbox)
    arrive(
        world,
        order_event(sandbox, order, createdAt="2025-12-31T23:59:59.000Z"),
        order_event(sandbox, other, createdAt="2026-01-01T00:00:00.000Z"),
    )
    world.drive()
    assert [state for state, _ in event_states(world)] == ["ignored", "done"]
    assert "created before 2026-01-01" in str(event_states(world)[0][1])
    assert world.counts()["orders", "delivered"] == 1


def test_a_place_that_another_worker_has_is_left_to_it_and_the_next_one_served(
    world: World, sandbox: SandboxProcess
) -> None:
    mine = event("ProductCreate", {}, location="mine")
    arrive(world, mine, mine, order_event(sandbox, order_ids(sandbox)[0]))
    with world.worker.ledger.begin() as other:
        assert len(event_queue.take(other, 1)) == 1
        handling.handle(world.worker)
        assert [state for state, _ in event_states(world)] == ["new", "new", "done"]
    handling.handle(world.worker)
    assert [state for state, _ in event_states(world)] == ["ignored", "ignored", "done"]


@pytest.mark.parametrize(("first_day", "read"), [("2026-01-01", 1), ("2099-01-01", 0)])
def test_transactions_from_before_the_connections_first_day_are_left_alone(
    worlds: Worlds, sandbox: SandboxProcess, first_day: str, read: int
) -> None:
    small(sandbox, orders=1, transactions=1, subscriptions=0)
    world = worlds()
    world.do("update connection set start_from = cast(:day as date)", day=first_day)
    world.reopened()
    arrive(world, event("InvoicePaid", {"_id": order_ids(sandbox)[0]}))
    world.drive()
    assert len(world.rows("select * from record where kind = 'transaction'")) == read
