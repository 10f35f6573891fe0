"""Deliveries that are pinned to a row which the other side held before."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from sqlalchemy import text

from syncline.deliveries import dead_workers, leased, pinned, unleased
from syncline.deliveries.delivery import Confirmation
from syncline.deliveries.pinned import Pin
from syncline.deliveries.states import DOUBTED, State
from syncline.ledger.connections import Link
from syncline.ledger.database import Ledger
from tests.syncline.deliveries.moving import claim, depart, enqueue, request, row


def pin(ledger: Ledger, link: Link, *sources: str) -> None:
    enqueue(ledger, link, *map(request, sources))
    pins = [
        Pin(row(ledger, source).id, str(at), {"total": "1"}, at)
        for at, source in enumerate(sources, start=70)
    ]
    assert ledger.run(lambda c: pinned.pin(c, pins)) == {one.delivery for one in pins}


def test_a_pinned_delivery_is_read_before_a_worker_that_comes_upon_it_writes_it(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    pin(ledger, link, "a")
    assert claim(ledger, link, session) == []
    [lease] = claim(ledger, link, session, state=State.DOUBTFUL)
    assert (lease.target_id, row(ledger, "a").state) == ("70", "checking")


HOW = ["dies", "dies while sending", "releases it", "is not let out", "is refused", "gives up"]


@pytest.mark.parametrize("how", HOW)
def test_a_pinned_delivery_is_read_before_it_is_written_whatever_became_of_who_held_it(
    ledger: Ledger, link: Link, session: UUID, how: str
) -> None:
    pin(ledger, link, "a")
    [lease] = ledger.run(lambda c: pinned.claim_unsent(c, link, "order", session, 10))
    if how in {"dies while sending", "is not let out", "is refused"}:
        depart(ledger, lease)
    if how.startswith("dies"):
        ledger.run(
            lambda c: c.execute(
                text("update session set ended_at = now() where id = :id"), {"id": session}
            )
        )
        ledger.run(lambda c: dead_workers.recover(c, timedelta(hours=1), timedelta(0)))
    elif how == "releases it":
        ledger.run(lambda c: leased.release(c, [lease], after=timedelta(0), why=None))
    elif how == "is not let out":
        ledger.run(lambda c: leased.give_back(c, [lease], why="429"))
    else:
        ledger.run(lambda c: leased.park(c, [lease], reason="no", field=None))
        ledger.run(lambda c: unleased.retry(c, link.id))
    assert claim(ledger, link, session) == []
    [checked] = claim(ledger, link, session, state=State.DOUBTFUL)
    held = Confirmation(checked, "70", {**(checked.target_meta or {}), "lines": []}, None)
    ledger.run(lambda c: leased.learn_target(c, [held]))
    [due] = claim(ledger, link, session)
    assert (due.is_pinned, due.target_meta) == (False, {"lines": [], "change_seq": 70})


def test_what_was_not_let_out_is_written_again_without_being_looked_up(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    pin(ledger, link, "a")
    leases = ledger.run(lambda c: pinned.claim_unsent(c, link, "order", session, 10))
    depart(ledger, *leases)
    ledger.run(lambda c: leased.give_back(c, leases, why="429"))
    assert ledger.run(lambda c: pinned.claim_doubtful(c, link, "order", session, 10)) == []
    [again] = ledger.run(lambda c: pinned.claim_unsent(c, link, "order", session, 10))
    assert (again.attempt, again.sent_projection, again.is_pinned) == (2, None, True)


def test_what_was_sent_for_already_is_not_pinned(ledger: Ledger, link: Link, session: UUID) -> None:
    enqueue(ledger, link, request("a"))
    leases = claim(ledger, link, session)
    depart(ledger, *leases)
    ledger.run(lambda c: leased.give_back(c, leases))
    one = Pin(leases[0].id, "70", {}, None)
    assert ledger.run(lambda c: pinned.pin(c, [one])) == set()
    assert row(ledger, "a").state == "due"


def test_a_reference_is_written_by_one_who_holds_the_delivery_and_looked_up_after_doubt(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    pin(ledger, link, "a", "b")
    enqueue(ledger, link, request("c"))
    first, second = ledger.run(lambda c: pinned.claim_unsent(c, link, "order", session, 10))
    assert (first.attempt, first.owner, row(ledger, "a").state) == (1, session, "leased")
    depart(ledger, first)
    ledger.run(lambda c: leased.doubt(c, [first], settle=timedelta(0), why="cut"))
    ledger.run(lambda c: leased.release(c, [second], after=timedelta(0), why=None))
    [again] = ledger.run(lambda c: pinned.claim_unsent(c, link, "order", session, 10))
    [doubtful] = ledger.run(lambda c: pinned.claim_doubtful(c, link, "order", session, 10))
    assert (again.id, again.attempt, doubtful.id) == (second.id, 2, first.id)
    assert row(ledger, "a").state == "checking"
    assert ledger.run(lambda c: pinned.unwritten(c, link, "order")).left == 2


def test_what_was_parked_as_doubtful_is_taken_up_and_claimed_by_its_number(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    enqueue(ledger, link, request("a"))
    leases = claim(ledger, link, session)
    ledger.run(lambda c: leased.park(c, leases, reason="two rows", field=DOUBTED))
    numbers = [lease.id for lease in leases]
    assert ledger.run(lambda c: pinned.claim(c, session, numbers, 10)) == []
    ledger.run(lambda c: pinned.take_up(c, numbers))
    [lease] = ledger.run(lambda c: pinned.claim(c, session, numbers, 10))
    assert (lease.id, row(ledger, "a").reason) == (numbers[0], None)
