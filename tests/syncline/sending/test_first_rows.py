"""The first row of a kind that is not found again, is found late, or under another id."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from syncline.calls import capabilities
from syncline.deliveries import needs, target_rows, unleased
from syncline.deliveries.target_rows import Taking
from syncline.engine import failures
from syncline.halo.capabilities import FindProof, FindWay
from syncline.runtime.registry import send
from syncline.sandbox.process import SandboxProcess
from syncline.sending import prove
from syncline.sending.first_rows import looking
from syncline.sending.outcomes import settle_times
from syncline.sending.targets import TARGETS
from tests.first_rows import ORDERS, Hidden, Misnamed, said, shop, until_parked
from tests.tenants import brought_over, operations, parked
from tests.world import World, Worlds


def test_a_first_row_that_no_way_finds_is_asked_about_and_looked_for_ever_more_seldom(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden, world = Hidden(monkeypatch), shop(worlds, sandbox)
    rests: list[float] = []
    backoff = failures.backoff

    def noted(*given: Any) -> timedelta:
        rests.append(backoff(*given).total_seconds())
        return backoff(*given)

    monkeypatch.setattr(looking, "backoff", noted)
    while not said(world):
        world.follow_all()
    [[made]] = world.rows("select target_id from delivery where target = 'order' "
                          "and target_id is not null")  # fmt: skip
    assert f"No order is written until order {made} can be found again in Halo" in said(world)
    assert "(1 look)" in said(world)
    until_parked(world)
    [one] = parked(world)
    assert f"Halo answered the making of order {made}, and no way finds it again" in one.reason
    assert "Allow our application in Halo to run reports" in one.reason
    assert f"({looking.ASKS_AFTER} looks)" in said(world)
    assert rests == [60, 120, 240, 480]
    waiting = world.rows(
        "select reason from delivery where target = 'order' and state = 'due' and reason <> ''"
    )
    assert waiting
    assert all("is found again in Halo" in row.reason for row in waiting)
    assert operations(sandbox)["POST /SalesOrder"] == 1
    hidden.on = False
    world.drive()
    assert (parked(world), said(world)) == ([], "")
    assert sandbox.audit()["clean"]


def test_those_that_wait_do_not_look_while_another_one_does(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden, world = Hidden(monkeypatch), shop(worlds, sandbox)
    known = capabilities.known
    while (sought := known(world.reopened()).sought("order")) is None or sought.by is None:
        world.follow_all()
    looks = hidden.looks
    world.do(
        "update delivery set due_at = clock_timestamp() + interval '1 hour' * (id = :by)::int "
        "where target = 'order' and state = 'due'",
        by=sought.by,
    )
    send(world.reopened(), "order")
    assert hidden.looks == looks


def test_a_person_who_retries_has_it_looked_for_anew(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden, world = Hidden(monkeypatch), shop(worlds, sandbox)
    until_parked(world)
    hidden.on = False
    world.do("update delivery set due_at = 'infinity' where state = 'due' and target = 'order'")
    with world.worker.ledger.begin() as connection:
        assert unleased.retry(connection, None)["order"] == 1
    world.drive()
    assert parked(world) == []
    assert sandbox.audit()["clean"]


def test_where_who_was_parked_is_settled_otherwise_another_one_asks(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    Hidden(monkeypatch)
    world = shop(worlds, sandbox)
    until_parked(world)
    [one] = world.rows("select id from delivery where state = 'parked'")
    with world.worker.ledger.begin() as connection:
        standing = target_rows.of_ids(connection, [one.id])[one.id]
        unleased.accept(connection, [Taking(standing, None, {}, gone=True)], cause="a test")
    assert parked(world) == []
    until_parked(world)
    [another] = world.rows("select id from delivery where state = 'parked'")
    assert another.id != one.id


@pytest.mark.parametrize("wrong", [0, 987654])
def test_what_a_look_up_finds_is_believed_where_the_answer_named_another_id(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, wrong: int
) -> None:
    hidden, world = Hidden(monkeypatch), shop(worlds, sandbox)
    while not said(world):
        world.follow_all()
    world.do(
        "update delivery set target_id = :wrong where target = 'order' and target_id is not null",
        wrong=str(wrong),
    )
    hidden.on = False
    world.drive()
    assert parked(world) == []
    assert sandbox.audit()["clean"]
    assert len(sandbox.halo_orders()) == ORDERS
    held = world.rows("select target_id from delivery where target = 'order'")
    assert str(wrong) not in {row.target_id for row in held}


def test_two_rows_with_one_reference_are_for_a_person(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden, world = Hidden(monkeypatch), shop(worlds, sandbox)
    while not said(world):
        world.follow_all()
    monkeypatch.setattr("syncline.sending.prove._shows_ours", lambda *_: True)
    [row] = world.rows("select * from delivery where target = 'order' and target_id is not null")
    world.do("update delivery set target_id = '987654' where id = :id", id=row.id)
    hidden.on = False
    world.drive()
    [one] = parked(world)
    assert "987654" in one.reason
    assert f"order {row.target_id}: both" in one.reason


def test_how_old_the_first_row_is_counts_for_how_late_rows_are_shown(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden, world = Hidden(monkeypatch), shop(worlds, sandbox)
    while not said(world):
        world.follow_all()
    world.do("update delivery set confirmed_at = clock_timestamp() - interval '3 minutes' "
             "where target = 'order' and target_id is not null")  # fmt: skip
    hidden.on = False
    world.drive()
    known = capabilities.known(world.reopened())
    way = known.find_way("order")
    assert isinstance(way, FindWay)
    proof = known.find_proof("order", way)
    assert isinstance(proof, FindProof)
    assert timedelta(minutes=3) <= proof.lag < timedelta(minutes=4)
    settle = settle_times(world.reopened(), TARGETS["order"], known)
    assert settle.answered >= timedelta(minutes=6)


def test_a_worker_that_was_off_makes_no_way_slow_for_ever(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden, world = Hidden(monkeypatch), shop(worlds, sandbox)
    while not said(world):
        world.follow_all()
    world.do("update delivery set confirmed_at = clock_timestamp() - interval '3 days' "
             "where target = 'order' and target_id is not null")  # fmt: skip
    line = world.reopened()
    made = world.worker.ledger.run(lambda c: needs.made_by_us(c, line.link.tenant, "order"))
    assert made is not None
    assert made.age > timedelta(days=2)
    hidden.on = False
    world.drive()
    known = capabilities.known(world.reopened())
    way = known.find_way("order")
    assert way is not None
    proof = known.find_proof("order", way)
    assert proof is not None
    assert proof.lag == prove.MOST_LAG


def test_another_way_that_finds_old_rows_at_once_is_not_slow(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = brought_over(worlds, sandbox, orders=2, transactions=0, subscriptions=0)
    line = world.reopened()
    now = world.worker.now()
    before = capabilities.known(line).find_way("order")
    assert before is FindWay.SQL
    world.do("update delivery set confirmed_at = clock_timestamp() - interval '2 hours'")
    capabilities.teach(
        line,
        lambda known: known.with_reports_refused(
            until=now + timedelta(days=1), found_at=now, how="a test"
        ),
    )
    sandbox.add_orders(2)
    world.pull()
    world.drive()
    known = capabilities.known(world.reopened())
    way = known.find_way("order")
    assert way not in {None, FindWay.SQL}
    assert way is not None
    proof = known.find_proof("order", way)
    assert proof is not None
    assert proof.lag < timedelta(seconds=30)
    assert sandbox.audit()["clean"]


ANOTHERS = -2
"""Stands for the id of an order that is there already."""


@pytest.mark.parametrize(
    ("wrong", "when"),
    [(0, "first"), (0, "later"), (-1, "later"), (ANOTHERS, "later"), (987654, "first")],
)
def test_an_id_that_cannot_be_the_new_rows_own_is_not_believed(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, wrong: int, when: str
) -> None:
    """Else money would be written to a row that is nobody's, or somebody else's."""
    world = shop(worlds, sandbox)
    answered = wrong
    if when == "later":
        world.drive()
        sandbox.add_orders(ORDERS)
        world.pull()
        if wrong == ANOTHERS:
            answered = int(sandbox.halo_orders()[0]["id"])
    misnamed = Misnamed(monkeypatch, answered)
    world.drive()
    assert misnamed.rows
    assert [one.reason for one in parked(world)] == []
    assert sandbox.audit()["clean"]
    held = [row.target_id for row in world.rows("select target_id from delivery "
                                                "where target = 'order'")]  # fmt: skip
    assert len(held) == len(set(held)) == len(sandbox.halo_orders())
    assert sorted(held) == sorted(str(one["id"]) for one in sandbox.halo_orders())


def test_reports_that_run_again_end_the_looking_and_free_who_was_parked_for_it(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The way was proved before, so that nobody looks for the first row any more."""
    world = brought_over(worlds, sandbox, orders=2, transactions=0, subscriptions=0)
    line, now = world.reopened(), world.worker.now()
    assert capabilities.known(line).find_way("order") is FindWay.SQL
    _reports_refused_until(world, now + timedelta(days=1))
    Hidden(monkeypatch)
    sandbox.add_orders(ORDERS)
    world.pull()
    until_parked(world)
    assert said(world)
    _reports_refused_until(world, now)
    world.drive()
    assert (parked(world), said(world)) == ([], "")
    assert sandbox.audit()["clean"]


def _reports_refused_until(world: World, until: datetime) -> None:
    now = world.worker.now()
    capabilities.teach(
        world.reopened(),
        lambda known: known.with_reports_refused(until=until, found_at=now, how="a test"),
    )


def test_who_was_parked_for_a_first_row_that_is_removed_goes_on_once_a_second_one_is_found(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden, world = Hidden(monkeypatch), shop(worlds, sandbox)
    until_parked(world)
    [first] = world.rows("select id from delivery where target = 'order' and target_id is not null")
    with world.worker.ledger.begin() as connection:
        standing = target_rows.of_ids(connection, [first.id])[first.id]
        unleased.lose(connection, standing, reason="gone", cause="gone", make_again=False)
    hidden.on = False
    world.drive()
    assert said(world) == ""
    assert [one.reason for one in parked(world)] == ["gone"]


def test_a_first_row_that_a_person_copied_is_found(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden, world = Hidden(monkeypatch), shop(worlds, sandbox, profile="plain")
    while not said(world):
        world.follow_all()
    [row] = sandbox.halo_orders()
    copied = {name: row[name] for name in ("po_number", "client_id", "lines")}
    copied["lines"] = [
        {name: one[name] for name in ("name", "quantity", "net_total")} for one in row["lines"]
    ]
    sandbox.post("/halo/save", {"path": "/SalesOrder", "elements": [copied]})
    hidden.on = False
    world.drive()
    assert (parked(world), said(world)) == ([], "")
    assert len(sandbox.halo_orders()) == ORDERS + 1


def test_ids_that_are_not_believed_say_nothing_of_how_many_rows_go_together(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = brought_over(worlds, sandbox, orders=40, transactions=0, subscriptions=0)
    before = capabilities.known(world.reopened()).array_size("order").proved
    misnamed = Misnamed(monkeypatch, 0)
    sandbox.add_orders(60)
    world.pull()
    world.drive()
    assert misnamed.rows == 60
    assert capabilities.known(world.reopened()).array_size("order").proved > before
    assert sandbox.audit()["clean"]
