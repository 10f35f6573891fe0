"""A first row on which Halo keeps our reference otherwise: what is said of it, and the way out."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncline.calls import capabilities
from syncline.deliveries import target_rows, unleased
from syncline.deliveries.target_rows import Taking
from syncline.repair.accept import plan_parked
from syncline.runtime.registry import send
from syncline.sandbox.process import SandboxProcess
from syncline.sending import prove
from tests.first_rows import ORDERS, said, shop
from tests.references import followed, keep, posted
from tests.tenants import parked
from tests.world import World, Worlds, small

WAYS = ("upper", "cut", "renumbered", "dropped")


@pytest.fixture(autouse=True)
def _looks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is never found is not looked for again and again: only that it is not, counts here."""
    monkeypatch.setattr(prove, "TRIES", 1)
    monkeypatch.setattr(prove, "PAUSE", timedelta(milliseconds=100))


def first_order(worlds: Worlds, sandbox: SandboxProcess, how: str) -> World:
    """A shop at a plain tenant that keeps the references of orders otherwise, the first parked."""
    world = shop(worlds, sandbox, profile="plain")
    keep(sandbox, how, "po_number")
    while not parked(world):
        world.follow_all()
    followed(world)
    return world


def retry(world: World, number: int) -> None:
    with world.worker.ledger.begin() as connection:
        assert unleased.retry(connection, None, number=number, by="ada")


def number_of_parked(world: World) -> int:
    [row] = world.rows("select id from delivery where state = 'parked'")
    return int(row.id)


def as_accepted(world: World, sandbox: SandboxProcess) -> None:
    """The first row's reference was left as Halo keeps it."""
    number, [row] = number_of_parked(world), sandbox.halo_orders()
    with world.worker.ledger.begin() as connection:
        standing = target_rows.of_ids(connection, [number])[number]
        taken = {"po_number": [f"HL-{standing.source_id}", row["po_number"] or ""]}
        taking = Taking(standing, standing.sent_projection, taken)
        assert unleased.accept(connection, [taking], cause="a test")


def all_are_there(world: World, sandbox: SandboxProcess) -> None:
    assert (parked(world), said(world)) == ([], "")
    ours = {f"HL-{row.source_id}" for row in world.rows("select source_id from delivery "
                                                        "where target = 'order'")}  # fmt: skip
    rows = sandbox.halo_orders()
    assert (len(rows), {row["po_number"] for row in rows}) == (ORDERS, ours)
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize("how", WAYS)
def test_accepting_the_first_row_is_refused_and_retrying_it_has_all_others_go_on(
    worlds: Worlds, sandbox: SandboxProcess, how: str
) -> None:
    world = first_order(worlds, sandbox, how)
    [one], [row] = parked(world), sandbox.halo_orders()
    assert f"as {row['po_number'] or 'nothing'}: order {row['id']} holds all else" in one.reason
    assert "No other order is written" in one.reason
    assert "Have Halo keep po_number as it is sent" in one.reason
    number = number_of_parked(world)
    line = world.reopened()
    standing = world.worker.ledger.run(lambda c: target_rows.of_ids(c, [number]))[number]
    [plan] = plan_parked(line, [standing])
    assert "no other order would be written" in plan.why
    assert f"syncline parked retry {number}" in plan.why
    keep(sandbox, "as sent")
    retry(world, number)
    world.drive()
    all_are_there(world, sandbox)


@pytest.mark.parametrize("how", WAYS)
def test_where_it_was_accepted_one_that_waits_says_what_is_wrong_and_its_retry_mends_it(
    worlds: Worlds, sandbox: SandboxProcess, how: str
) -> None:
    world = first_order(worlds, sandbox, how)
    as_accepted(world, sandbox)
    [row] = sandbox.halo_orders()
    followed(world)
    [one] = parked(world)
    kept = f"as {row['po_number'] or 'nothing'} on order {row['id']}"
    assert one.reason.startswith("Halo keeps our reference HL-")
    assert kept in one.reason
    assert "Have Halo keep po_number as it is sent" in one.reason
    assert kept in said(world)
    waiting = world.rows("select reason from delivery where target = 'order' and state = 'due'")
    assert any(kept in other.reason for other in waiting)
    keep(sandbox, "as sent")
    retry(world, number_of_parked(world))
    world.drive()
    all_are_there(world, sandbox)


def test_a_retry_that_mends_nothing_leaves_the_first_row_itself_with_a_person(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = first_order(worlds, sandbox, "upper")
    as_accepted(world, sandbox)
    followed(world)
    retry(world, number_of_parked(world))
    followed(world)
    [one], [row] = parked(world), sandbox.halo_orders()
    assert f"as {row['po_number']}: order {row['id']} holds all else" in one.reason
    assert "No other order is written" in one.reason
    keep(sandbox, "as sent")
    retry(world, number_of_parked(world))
    world.drive()
    all_are_there(world, sandbox)


def test_where_the_reference_is_put_in_by_hand_all_go_on_by_themselves_at_once(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = first_order(worlds, sandbox, "upper")
    as_accepted(world, sandbox)
    followed(world)
    [rest] = world.rows("select max(due_at) - clock_timestamp() as until from delivery "
                        "where state = 'due' and target = 'order'")  # fmt: skip
    assert rest.until <= timedelta(seconds=30)
    keep(sandbox, "as sent")
    [row] = sandbox.halo_orders()
    [made] = world.rows("select source_id from delivery where target_id = :id", id=str(row["id"]))
    sandbox.edit_halo_order(row["id"], po_number=f"HL-{made.source_id}")
    sought = capabilities.known(world.reopened()).sought("order")
    assert sought is not None
    world.do("update delivery set due_at = clock_timestamp() + interval '1 hour' * (id <> :by)::int"
             " where state = 'due' and target = 'order'", by=sought.by)  # fmt: skip
    for _ in range(3):
        send(world.reopened(), "order")
        world.do("update delivery set due_at = clock_timestamp() where state = 'due' "
                 "and due_at < clock_timestamp() + interval '5 minutes'")  # fmt: skip
    put_off = "select 1 from delivery where state = 'due' and due_at > clock_timestamp()"
    assert not world.rows(put_off)
    world.drive()
    all_are_there(world, sandbox)


@pytest.mark.parametrize("how", WAYS)
def test_the_first_client_is_the_one_that_asks_and_its_retry_has_the_others_go_on(
    worlds: Worlds, sandbox: SandboxProcess, how: str
) -> None:
    small(sandbox, orders=4, customers=4, transactions=0, subscriptions=0, profile="plain")
    keep(sandbox, how, "ref")
    world = worlds()
    world.pull()
    followed(world, rounds=12)
    [one] = parked(world)
    assert "No other client is written" in one.reason
    keep(sandbox, "as sent")
    retry(world, number_of_parked(world))
    world.drive()
    assert (parked(world), said(world)) == ([], "")
    clients = world.rows("select 1 from delivery where target = 'client'")
    assert posted(sandbox)["/Client"] == len(clients) + 1
    assert sandbox.audit()["clean"]
