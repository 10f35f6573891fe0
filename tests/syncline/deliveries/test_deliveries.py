"""What a delivery goes through, against a real PostgreSQL."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text

from syncline.deliveries import dead_workers, leased, unleased, waits
from syncline.deliveries.states import MOVES, State
from syncline.ledger import sessions
from syncline.ledger.connections import Link
from syncline.ledger.database import Ledger
from tests.syncline.deliveries.moving import (
    claim,
    confirm,
    confirmation,
    depart,
    enqueue,
    enqueue_again,
    request,
    row,
)


def test_a_version_that_is_requested_twice_makes_one_delivery(ledger: Ledger, link: Link) -> None:
    enqueue(ledger, link, request("a"))
    enqueue(ledger, link, request("a"))
    enqueue(ledger, link, request("a", 2))
    assert row(ledger, "a").wanted_version == 2


def test_two_workers_never_claim_the_same_delivery(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    enqueue(ledger, link, *(request(f"o{at}") for at in range(200)))
    with ThreadPoolExecutor(4) as pool:
        claimed = list(pool.map(lambda _: claim(ledger, link, session), range(4)))
    ids = [lease.id for leases in claimed for lease in leases]
    assert len(ids) == len(set(ids)) == 200


def test_a_confirmed_delivery_is_in_line_and_has_an_audit_entry(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    enqueue(ledger, link, request("a"))
    [lease] = claim(ledger, link, session)
    assert depart(ledger, lease) == {lease.id}
    assert confirm(ledger, lease) == {lease.id}
    after = row(ledger, "a")
    assert (after.state, after.target_id, after.delivered_version) == ("delivered", "77", 1)
    entry = ledger.run(lambda c: c.execute(text("select * from audit_entry")).one())
    assert (entry.effect, entry.target_id, entry.cause) == ("create", "77", "pull 1")


def test_a_version_that_came_while_sending_makes_the_row_due_again(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    enqueue(ledger, link, request("a"))
    [lease] = claim(ledger, link, session)
    depart(ledger, lease)
    enqueue(ledger, link, request("a", 2))
    confirm(ledger, lease, sent=1)
    after = row(ledger, "a")
    assert (after.state, after.delivered_version, after.wanted_version) == ("due", 1, 2)


def test_late_news_of_a_worker_that_was_declared_dead_changes_nothing(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    enqueue(ledger, link, request("a"))
    [lease] = claim(ledger, link, session)
    depart(ledger, lease)
    ledger.run(lambda c: sessions.end(c, session))
    recovered = ledger.run(
        lambda c: dead_workers.recover(c, timedelta(seconds=6), timedelta(hours=1))
    )
    assert recovered.doubtful == 1
    assert confirm(ledger, lease) == set()
    assert row(ledger, "a").state == "doubtful"


def test_leased_rows_of_a_dead_session_are_due_at_once_and_sending_ones_only_after_the_settle_time(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    enqueue(ledger, link, request("a"), request("b"))
    unsent, sending = claim(ledger, link, session)
    depart(ledger, sending)
    ledger.run(lambda c: sessions.end(c, session))
    ledger.run(lambda c: dead_workers.recover(c, timedelta(seconds=6), timedelta(hours=1)))
    other = uuid4()
    ledger.run(lambda c: sessions.begin(c, other, "other"))
    assert [lease.id for lease in claim(ledger, link, other)] == [unsent.id]
    assert claim(ledger, link, other, state=State.DOUBTFUL) == []
    assert row(ledger, "b").reason == "its worker died while it was being sent"


def test_a_waiting_delivery_wakes_in_the_transaction_that_brings_what_it_needs(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    enqueue(ledger, link, request("a"), request("email:x", flow="customers", role="user"))
    [order] = claim(ledger, link, session)
    edge = ("customers", "email:x", "user")
    waiting = ledger.run(lambda c: waits.wait(c, link.tenant, session, {order.id: [edge]}))
    assert waiting == {order.id}
    assert row(ledger, "a").state == "waiting"
    [user] = claim(ledger, link, session, target="user")
    depart(ledger, user)
    confirm(ledger, user)
    assert row(ledger, "a").state == "due"


def test_a_need_that_was_met_meanwhile_does_not_make_a_delivery_wait(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    enqueue(ledger, link, request("a"), request("email:x", flow="customers", role="user"))
    [order] = claim(ledger, link, session)
    [user] = claim(ledger, link, session, target="user")
    depart(ledger, user)
    confirm(ledger, user)
    edge = ("customers", "email:x", "user")
    waiting = ledger.run(lambda c: waits.wait(c, link.tenant, session, {order.id: [edge]}))
    assert waiting == set()
    assert row(ledger, "a").state == "due"


@pytest.mark.parametrize(("version", "state"), [(1, "due"), (2, "waiting")])
def test_what_a_record_needed_before_it_moved_on_is_not_waited_for(
    ledger: Ledger, link: Link, session: UUID, version: int, state: str
) -> None:
    enqueue(ledger, link, request("a"))
    [order] = claim(ledger, link, session)
    enqueue(ledger, link, request("a", 2))
    edges = {order.id: [("customers", "contact:c", "client")]}
    asked = [replace(order, wanted_version=version)]
    ledger.run(lambda c: waits.wait(c, link.tenant, session, edges, asked))
    assert row(ledger, "a").state == state


def test_what_another_mapping_asks_for_meanwhile_neither_waits_nor_is_parked_by_the_old_one(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    enqueue(ledger, link, request("a"), request("b"))
    waiting, unmappable = claim(ledger, link, session)
    enqueue_again(ledger, link, request("a"), request("b"))
    edges = {waiting.id: [("customers", "contact:c", "client")]}
    ledger.run(lambda c: waits.wait(c, link.tenant, session, edges, [waiting]))
    ledger.run(lambda c: leased.park(c, [unmappable], reason="no such field", field="x"))
    assert [row(ledger, one).state for one in ("a", "b")] == ["due", "due"]
    assert row(ledger, "b").reason is None


def test_a_parked_delivery_is_due_again_by_retry_and_by_a_new_version(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    for source, heal in (("a", "retry"), ("b", "version")):
        enqueue(ledger, link, request(source))
        [lease] = claim(ledger, link, session)
        with ledger.begin() as connection:
            leased.park(connection, [lease], reason="no", field="total")
        assert row(ledger, source).state == "parked"
        if heal == "retry":
            ledger.run(lambda c: unleased.retry(c, link.id, source_id="a"))
        else:
            enqueue(ledger, link, request("b", 2))
        assert row(ledger, source).state == "due"
        claim(ledger, link, session)


@pytest.mark.parametrize("target", sorted(leased._ALLOWED))
def test_every_move_of_a_worker_is_a_move_of_the_state_table(target: State) -> None:
    for source in leased._ALLOWED[target]:
        assert target in MOVES[source]
        assert source in {State.LEASED, State.SENDING, State.CHECKING}


def test_every_state_can_be_left_and_reached() -> None:
    assert set(MOVES) == set(State)
    assert {target for targets in MOVES.values() for target in targets} == set(State)


def test_a_row_that_differs_is_parked_with_its_target_so_that_a_retry_updates_it(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    enqueue(ledger, link, request("a"))
    [lease] = claim(ledger, link, session)
    depart(ledger, lease)
    held = confirmation(replace(lease, sent_version=1))
    with ledger.begin() as connection:
        leased.park(connection, [lease], reason="total differs", field="total", known=held)
    ledger.run(lambda c: unleased.retry(c, link.id, source_id="a"))
    after = row(ledger, "a")
    assert (after.state, after.target_id) == ("due", "77")
    [entry] = ledger.run(
        lambda c: c.execute(text("select effect from audit_entry")).scalars().all()
    )
    assert entry == "create"


@pytest.mark.parametrize("heal", ["retry", "version"])
def test_a_parked_row_that_was_written_without_a_known_target_is_looked_up_before_it_is_sent_again(
    ledger: Ledger, link: Link, session: UUID, heal: str
) -> None:
    enqueue(ledger, link, request("a"))
    [lease] = claim(ledger, link, session)
    depart(ledger, lease)
    with ledger.begin() as connection:
        leased.park(connection, [lease], reason="no", field=None)
    if heal == "retry":
        ledger.run(lambda c: unleased.retry(c, link.id, source_id="a"))
    else:
        enqueue(ledger, link, request("a", 2))
    assert row(ledger, "a").state == "doubtful"
