"""Deliveries whose record, need or connection moves on while they are in somebody's hands."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from syncline.deliveries import leased, requests, unleased, waits
from syncline.deliveries.delivery import Confirmation, Lease
from syncline.deliveries.states import State
from syncline.ledger import connections, new_connections
from syncline.ledger.connections import Link
from syncline.ledger.database import Ledger
from syncline.ledger.modes import HELD
from tests.syncline.deliveries.moving import claim, confirm, depart, enqueue, request, row
from tests.world import beside

CUSTOMER = ("customers", "email:a@example.com", "client")


def test_a_row_that_is_parked_for_an_outdated_version_is_tried_with_the_new_one(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    enqueue(ledger, link, request("a"))
    leases = claim(ledger, link, session)
    enqueue(ledger, link, request("a", 2))
    ledger.run(lambda c: leased.park(c, leases, reason="no lines", field="lines"))
    after = row(ledger, "a")
    assert (after.state, after.owner, after.reason) == ("due", None, None)


def under_another_mapping(ledger: Ledger, link: Link) -> None:
    again = [request("a")]
    ledger.run(lambda c: requests.enqueue(c, link.id, link.tenant, again, "mapping 2", again=True))


def test_a_row_that_is_parked_by_the_mapping_of_before_is_tried_under_the_new_one(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    enqueue(ledger, link, request("a"))
    leases = claim(ledger, link, session)
    under_another_mapping(ledger, link)
    ledger.run(lambda c: leased.park(c, leases, reason="no such status", field="status"))
    after = row(ledger, "a")
    assert (after.state, after.owner, after.reason) == ("due", None, None)


def test_what_a_row_needed_under_the_mapping_of_before_is_not_waited_for(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    enqueue(ledger, link, request("a"))
    [lease] = claim(ledger, link, session)
    under_another_mapping(ledger, link)
    edges = {lease.id: [CUSTOMER]}
    ledger.run(lambda c: waits.wait(c, link.tenant, session, edges, [lease]))
    assert row(ledger, "a").state == "due"


def test_a_sent_row_that_is_parked_for_an_outdated_version_is_looked_up_first(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    enqueue(ledger, link, request("a"))
    leases = claim(ledger, link, session)
    depart(ledger, *leases)
    enqueue(ledger, link, request("a", 2))
    ledger.run(lambda c: leased.park(c, leases, reason="no", field=None))
    assert row(ledger, "a").state == "doubtful"


@pytest.mark.parametrize("how", ["held otherwise", "found otherwise", "gone"])
def test_what_the_other_side_holds_is_unknown_after_a_write_that_was_not_confirmed(
    ledger: Ledger, link: Link, session: UUID, how: str
) -> None:
    enqueue(ledger, link, request("a"))
    confirm_all(ledger, claim(ledger, link, session))
    enqueue(ledger, link, request("a", 2))
    [lease] = claim(ledger, link, session)
    depart(ledger, lease)
    if how == "held otherwise":
        held = Confirmation(lease, "77", {"change_seq": 2}, {"total": "2"})
        ledger.run(lambda c: leased.park(c, [lease], reason="no", field=None, known=held))
    else:
        checked = check(ledger, link, session, lease)
        news = Confirmation(checked, "77", {"change_seq": 2}, None)
        if how == "gone":
            ledger.run(lambda c: leased.park(c, [checked], reason="gone", field=None))
        else:
            ledger.run(lambda c: leased.learn_target(c, [news]))
    assert row(ledger, "a").projection is None


def test_a_waiting_row_whose_record_moves_on_asks_anew_what_it_needs(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    enqueue(ledger, link, request("a"))
    wait_for(ledger, link, session, CUSTOMER)
    enqueue(ledger, link, request("a", 2))
    assert row(ledger, "a").state == "due"
    wait_for(ledger, link, session, ("customers", "email:b@example.com", "client"))
    other = request("email:b@example.com", flow="customers", role="client")
    enqueue(ledger, link, other)
    confirm_all(ledger, claim(ledger, link, session, "client"))
    assert row(ledger, "a").state == "due"


def test_what_a_tenant_shares_goes_on_under_another_connection_when_its_own_is_stopped(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    enqueue(ledger, link, request("x", flow="customers", role="client"), request("a"))
    other = ledger.run(lambda c: new_connections.add(c, beside(link, "")))
    ledger.run(lambda c: connections.hand_over(c, ["customers"]))
    assert row(ledger, "x").connection_id == link.id
    ledger.run(lambda c: connections.stop(c, link, "wrong token"))
    ledger.run(lambda c: connections.hand_over(c, ["customers"]))
    assert row(ledger, "x").connection_id == other.id
    assert row(ledger, "a").connection_id == link.id
    assert [lease.source_id for lease in claim(ledger, other, session, "client")] == ["x"]


def test_a_rehearsal_gives_away_what_others_of_the_tenant_wait_for_and_nothing_else(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    mine = (
        request("x", flow="customers", role="client"),
        request("y", flow="customers", role="client"),
    )
    enqueue(ledger, link, *mine)
    other = ledger.run(lambda c: new_connections.add(c, beside(link, "")))
    enqueue(ledger, other, request("a"))
    wait_for(ledger, other, session, ("customers", "x", "client"))
    ledger.run(lambda c: connections.rehearse(c, link))
    ledger.run(lambda c: connections.hand_over(c, ["customers"]))
    assert row(ledger, "x").connection_id == other.id
    assert row(ledger, "y").connection_id == link.id


def test_what_is_held_until_live_goes_where_another_connection_waits_for_it(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    mine = (
        request("x", flow="customers", role="client"),
        request("y", flow="customers", role="client"),
    )
    enqueue(ledger, link, *mine)
    other = ledger.run(lambda c: new_connections.add(c, beside(link, "")))
    enqueue(ledger, other, request("a"))
    wait_for(ledger, other, session, ("customers", "x", "client"))
    ledger.run(lambda c: c.execute(text("update connection set mode = 'sandbox'")))
    leases = claim(ledger, link, session, "client")
    assert ledger.run(lambda c: unleased.hold_back(c, link.id, reason="sandbox mode")) == 0
    ledger.run(lambda c: leased.release(c, leases, after=timedelta(0), why="another mode"))
    assert (row(ledger, "y").state, row(ledger, "y").field) == ("parked", HELD)
    ledger.run(lambda c: unleased.release_held_for_others(c, ["customers"]))
    assert (row(ledger, "x").state, row(ledger, "x").connection_id) == ("due", other.id)
    assert ledger.run(lambda c: unleased.retry(c, link.id)) == {}
    assert (row(ledger, "y").state, row(ledger, "y").connection_id) == ("parked", link.id)


def wait_for(ledger: Ledger, link: Link, session: UUID, need: waits.Edge) -> None:
    [lease] = claim(ledger, link, session)
    waiting = ledger.run(lambda c: waits.wait(c, link.tenant, session, {lease.id: [need]}))
    assert waiting == {lease.id}


def confirm_all(ledger: Ledger, leases: list[Lease]) -> None:
    depart(ledger, *leases)
    for lease in leases:
        confirm(ledger, lease)


def check(ledger: Ledger, link: Link, session: UUID, lease: Lease) -> Lease:
    ledger.run(lambda c: leased.doubt(c, [lease], settle=timedelta(0), why="cut"))
    [checked] = claim(ledger, link, session, state=State.DOUBTFUL)
    return checked
