"""A target row that somebody changed or took away: what becomes of its delivery, and of whose."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Connection, text

from syncline.deliveries import leased, requests, target_rows, unleased
from syncline.deliveries.states import MOVES, State
from syncline.deliveries.target_rows import OVERWRITES, TargetRow
from syncline.ingest import pull_windows
from syncline.ledger import database
from syncline.ledger.connections import Link
from syncline.ledger.database import Ledger
from tests.moves import by_hand
from tests.syncline.deliveries.moving import claim, confirm, depart, enqueue, request, row

STATES = ("due", "waiting", "delivered", "parked")


def standing(ledger: Ledger, link: Link, source: str = "a") -> TargetRow:
    edge = ("orders", source, "order")
    return ledger.run(lambda c: target_rows.of_sources(c, link.tenant, [edge])[edge])


def delivered(ledger: Ledger, link: Link, session: UUID, source: str = "a") -> TargetRow:
    enqueue(ledger, link, request(source))
    [lease] = claim(ledger, link, session)
    depart(ledger, lease)
    confirm(ledger, lease)
    return standing(ledger, link, source)


def turned(ledger: Ledger, link: Link, state: str) -> TargetRow:
    ledger.run(lambda c: by_hand(c, "update delivery set state = :s", {"s": state}))
    return standing(ledger, link)


def learn(connection: Connection, of: TargetRow) -> bool:
    return unleased.learn_held(connection, of, {"seen": 1})


def overwrite(connection: Connection, of: TargetRow) -> bool:
    return unleased.overwrite(connection, of, meta={"seen": 1}, cause=f"{OVERWRITES}: note")


def park(connection: Connection, of: TargetRow) -> bool:
    return unleased.park_changed(connection, of, meta={"seen": 1}, reason="why", field="note")


def lose(connection: Connection, of: TargetRow) -> bool:
    return unleased.lose(connection, of, reason="gone", cause=OVERWRITES, make_again=False)


def make_again(connection: Connection, of: TargetRow) -> bool:
    return unleased.lose(connection, of, reason="gone", cause=OVERWRITES, make_again=True)


def cancel(connection: Connection, of: TargetRow) -> bool:
    return unleased.cancel(connection, of, reason="gone")


def write_again(connection: Connection, of: TargetRow) -> bool:
    return bool(unleased.write_again(connection, [of], cause="ada"))


def made_again(connection: Connection, of: TargetRow) -> bool:
    return bool(unleased.make_again(connection, [of], reason="gone", cause="ada"))


def accept(connection: Connection, of: TargetRow) -> bool:
    taking = target_rows.Taking(of, None, {"total": ["1", "2"]})
    return bool(unleased.accept(connection, [taking], cause="ada"))


UNLEASED_MOVES = [
    *(learn, overwrite, park, lose, make_again, cancel),
    *(write_again, made_again, accept),
]


def test_an_overwritten_row_is_due_and_what_was_confirmed_is_forgotten(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    of = delivered(ledger, link, session)
    assert ledger.run(lambda c: overwrite(c, of))
    now = row(ledger, "a")
    assert (now.state, now.projection, now.target_id) == ("due", None, "77")
    assert now.target_meta == {"change_seq": 1, "seen": 1}
    assert now.cause == "changed in Halo: note"


def test_what_was_learned_of_a_row_changes_nothing_else(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    of = delivered(ledger, link, session)
    assert ledger.run(lambda c: learn(c, of))
    now = row(ledger, "a")
    assert (now.state, now.projection) == ("delivered", {"total": "1"})
    assert now.target_meta == {"change_seq": 1, "seen": 1}


def test_a_changed_row_that_a_person_is_asked_about_is_written_when_it_is_sent_again(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    of = delivered(ledger, link, session)
    assert ledger.run(lambda c: park(c, of))
    now = row(ledger, "a")
    assert (now.state, now.reason, now.field, now.projection) == ("parked", "why", "note", None)
    ledger.run(lambda c: unleased.retry(c, link.id))
    assert row(ledger, "a").state == "due"


def test_what_a_person_leaves_as_it_is_is_delivered_with_what_was_accepted(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    of = delivered(ledger, link, session)
    assert ledger.run(lambda c: park(c, of))
    parked = standing(ledger, link)
    kept = target_rows.Taking(parked, parked.sent_projection, {"total": ["1", "2"]})
    assert ledger.run(lambda c: unleased.accept(c, [kept], cause="ada")) == {of.id}
    now = row(ledger, "a")
    assert (now.state, now.reason, now.target_id) == ("delivered", None, "77")
    assert target_rows.accepted_in(now.target_meta) == {"total": ["1", "2"]}
    away = target_rows.Taking(standing(ledger, link), None, {"gone": ["77", ""]}, gone=True)
    assert ledger.run(lambda c: unleased.accept(c, [away], cause="ada")) == {of.id}
    assert row(ledger, "a").target_id is None
    # The same version asks for nothing. A new one is looked up before it is made: it may be back.
    same = [request("a")]
    ledger.run(lambda c: requests.enqueue(c, link.id, link.tenant, same, "mapping", again=True))
    assert row(ledger, "a").state == "delivered"
    enqueue(ledger, link, request("a", version=2))
    assert row(ledger, "a").state == "doubtful"


@pytest.mark.parametrize(("again", "state"), [(False, "parked"), (True, "doubtful")])
def test_a_row_that_is_gone_is_looked_up_before_it_is_made_again(
    ledger: Ledger,
    link: Link,
    session: UUID,
    again: bool,
    state: str,
) -> None:
    of = delivered(ledger, link, session)
    of_ours = ledger.run(lambda c: (make_again if again else lose)(c, of))
    assert of_ours
    now = row(ledger, "a")
    assert (now.state, now.target_id, now.target_meta) == (state, None, None)
    ledger.run(lambda c: unleased.retry(c, link.id))
    assert row(ledger, "a").state == "doubtful"


def test_a_row_that_a_worker_finds_gone_is_looked_up_before_it_is_made_again(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    delivered(ledger, link, session)
    enqueue(ledger, link, request("a", version=2))
    [lease] = claim(ledger, link, session)
    ledger.run(lambda c: leased.park(c, [lease], reason="gone", field=None, gone=True))
    now = row(ledger, "a")
    assert (now.state, now.target_id, now.projection) == ("parked", None, None)
    ledger.run(lambda c: unleased.retry(c, link.id))
    assert row(ledger, "a").state == "doubtful"


def tried(ledger: Ledger, link: Link, state: str, move: Any) -> tuple[bool, str]:
    """Whether a move is made of a row in this state, and the state after it; nothing is kept."""
    with ledger.engine.connect() as connection:
        by_hand(connection, "update delivery set state = :state", {"state": state})
        edge = ("orders", "a", "order")
        of = target_rows.of_sources(connection, link.tenant, [edge])[edge]
        moved = move(connection, of)
        after = connection.execute(text("select state from delivery")).scalar_one()
        connection.rollback()
    return moved, after


def test_what_a_worker_has_in_hand_is_not_moved(ledger: Ledger, link: Link, session: UUID) -> None:
    delivered(ledger, link, session)
    for state in sorted(target_rows.IN_HAND):
        for move in UNLEASED_MOVES:
            assert tried(ledger, link, state, move) == (False, state)
    now = ledger.run(database.now)
    assert turned(ledger, link, "leased").was_moving(now)


def test_what_was_written_since_it_was_looked_at_is_not_moved(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    before = ledger.run(database.now)
    of = delivered(ledger, link, session)
    assert of.was_moving(before)
    assert not of.was_moving(ledger.run(database.now))
    ledger.run(lambda c: c.execute(text("update delivery set confirmed_at = clock_timestamp()")))
    for move in UNLEASED_MOVES:
        assert not ledger.run(lambda c: move(c, of))  # noqa: B023 - run at once


def test_every_such_move_is_a_move_of_the_state_table(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    delivered(ledger, link, session)
    for state in STATES:
        for move in UNLEASED_MOVES:
            _, after = tried(ledger, link, state, move)
            assert after == state or State(after) in MOVES[State(state)]


def test_rows_are_found_by_what_they_were_made_from_and_by_their_id(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    of = delivered(ledger, link, session)
    found = ledger.run(lambda c: target_rows.of_targets(c, link.tenant, ["order"], [77, 78]))
    assert found == {77: of}
    assert ledger.run(lambda c: target_rows.of_targets(c, link.tenant, ["invoice"], [77])) == {}
    assert ledger.run(lambda c: target_rows.of_targets(c, link.tenant, ["order"], [])) == {}
    assert ledger.run(lambda c: target_rows.of_sources(c, link.tenant, [])) == {}


def test_overwrites_are_counted_by_the_audit_within_a_while(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    of = delivered(ledger, link, session)
    for _ in range(2):
        seen = standing(ledger, link)
        ledger.run(lambda c: overwrite(c, seen))  # noqa: B023 - run at once
        [lease] = claim(ledger, link, session)
        depart(ledger, lease)
        confirm(ledger, lease)
    hour = timedelta(hours=1)
    assert ledger.run(lambda c: target_rows.times_overwritten(c, of, hour)) == 2
    assert ledger.run(lambda c: target_rows.times_overwritten(c, of, timedelta(0))) == 0


def test_payments_of_an_order_are_those_of_its_transactions(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    enqueue(
        ledger,
        link,
        request("t1", flow="payments", role="payment"),
        request("t2", flow="payments", role="payment"),
    )
    transaction = """
        insert into record (place, kind, foreign_id, version, canonical, fingerprint)
        values ('location:1', 'transaction', 't1', 1, '{"entity_id": "o1"}', '')
    """
    ledger.run(lambda c: c.execute(text(transaction)))

    def found(source: str) -> list[str]:
        rows = ledger.run(
            lambda c: target_rows.payments_for(c, link.tenant, "location:1", "payments", source)
        )
        return [one.source_id for one in rows]

    assert found("o1") == ["t1"]
    assert found("t2") == ["t2"]


def test_what_waits_for_its_time_is_listed_and_what_is_delivered_is_not(
    ledger: Ledger, link: Link, session: UUID
) -> None:
    delivered(ledger, link, session)
    enqueue(ledger, link, request("b"), request("c"))
    waits = ledger.run(lambda c: target_rows.not_delivered(c, link.id, "order", 10))
    assert waits == ["b", "c"]
    assert ledger.run(lambda c: target_rows.not_delivered(c, link.id, "order", 1)) == ["b"]


def test_a_reading_is_hastened_and_never_put_off(ledger: Ledger, link: Link) -> None:
    key = ("halo", "poll")

    def left() -> float:
        seconds = "select extract(epoch from due_at - clock_timestamp()) from cursor"
        return float(ledger.run(lambda c: c.execute(text(seconds)).scalar_one()))

    ledger.run(lambda c: pull_windows.due_readings(c, link.id, {key: timedelta(hours=1)}))
    minute = timedelta(minutes=1)
    ledger.run(lambda c: pull_windows.hasten(c, link.tenant, key, minute))
    assert left() <= minute.total_seconds()
    ledger.run(lambda c: pull_windows.hasten(c, link.tenant, key, timedelta(minutes=30)))
    assert left() <= minute.total_seconds()
