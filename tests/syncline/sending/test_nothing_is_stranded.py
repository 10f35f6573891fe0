"""Whatever fails in the middle of a step: what it had in hand goes on, and so does the rest."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from syncline.calls.calls import PATIENCE
from syncline.calls.context import Nudge
from syncline.deliveries import leased
from syncline.errors import Absent, Again, BadCredentials, Rejected
from syncline.halo.capabilities import FindWay
from syncline.halo.entities.resources import ORDER as ORDERS
from syncline.halo.entities.rows import read_row, save_rows
from syncline.halo.sql.finding import LookupResult
from syncline.ingest import pull_windows
from syncline.ingest.by_id import readings
from syncline.ingest.window_reading import WindowReading
from syncline.queues import Lane
from syncline.runtime.registry import look_up as look_up_target
from syncline.runtime.registry import send
from syncline.sandbox.process import SandboxProcess
from syncline.sending import existing_users, prove, targets
from syncline.sending.find import find
from syncline.sending.in_doubt import looking
from tests.promises.mortal import Killed, Mortal
from tests.unheard import unheard
from tests.world import NAME, World, Worlds, small

ORDER = "POST /SalesOrder"


@pytest.fixture
def world(worlds: Worlds, sandbox: SandboxProcess) -> World:
    small(sandbox, orders=8, customers=3)
    return worlds()


@pytest.fixture
def ready(world: World, sandbox: SandboxProcess) -> World:
    return _three_due(world, sandbox)


def _three_due(world: World, sandbox: SandboxProcess) -> World:
    """A tenant whose ways are known, and three orders that are due to be changed in Halo."""
    world.request_pull()
    world.drive()
    sandbox.change_orders(3, fields="amount")
    world.pull()
    while ("details", "due") in world.counts():
        send(world.worker.open_line(NAME), "highlevel.order")
        world.hurry()
    return world


@pytest.mark.parametrize(
    ("module", "name", "flow"),
    [
        (leased, "claim", "deliveries"),
        (leased, "depart", "deliveries"),
        (leased, "release", "deliveries"),
        (pull_windows, "open_window", "pulls"),
        (pull_windows, "add_pages", "pulls"),
    ],
)
def test_a_commit_whose_answer_is_lost_strands_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, flow: str
) -> None:
    world.request_pull()
    if flow == "deliveries":
        world.pull()
    lost = unheard(world, monkeypatch, module, name)
    if name == "release":
        _fail_once(monkeypatch, readings, "_read", Again("later"))
    world.drive(10)
    assert lost
    assert set(world.counts()) == {(f, "delivered") for f in ("customers", "details", "orders")}


def test_a_further_claim_whose_answer_is_lost_strands_nothing(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(sandbox, orders=3, customers=3)
    world = worlds(style="summary", send_batch=1)
    world.pull()
    world.do("update delivery set state = 'due', due_at = now() where target = 'order'")
    lost = unheard(world, monkeypatch, leased, "claim", nth=2)
    send(world.worker.open_line(NAME), "order")  # each waits for its customer, so more are claimed
    assert lost
    world.drive(10)
    assert set(world.counts()) == {(f, "delivered") for f in ("customers", "orders")}


def test_a_pull_goes_on_when_the_ledger_was_away_while_it_was_given_up(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fail_once(monkeypatch, WindowReading, "_batch", Again("PostgreSQL is away"))
    _fail_once(monkeypatch, pull_windows, "leave_failed", Again("PostgreSQL is away"))
    world.request_pull()
    world.drive(10)
    assert world.counts()["orders", "delivered"] == 8


def test_a_worker_that_dies_in_a_long_look_up_leaves_what_it_found(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    one_by_one = {"profile": "plain", "reports_refused": True}
    small(sandbox, orders=2, customers=2, details=False, **one_by_one)
    first = worlds(style="summary")
    first.pull()
    first.drive()
    sandbox.add_orders(9)
    first.pull()
    sandbox.faults(side="halo", operation=ORDER, probability=1.0, kind="cut_after")
    while first.counts().get(("orders", "doubtful"), 0) < 9:
        for nudge in (Nudge(NAME, "send", name) for name in ("client", "user", "order")):
            first.follow(nudge)
        first.do("update delivery set due_at = clock_timestamp() where state = 'due'")
    sandbox.faults()
    worker, reads = worlds(joins=True), 0

    def die_late(_: int, name: str) -> None:
        nonlocal reads
        reads += name == "before GET"
        if reads == 20:
            raise Killed

    mortal = Mortal(worker, die_late)
    # What failed for everybody is asked again after a wait, which grew with each failure.
    with pytest.raises(Killed):
        _look_up_for_ever(worker)
    mortal.silence()
    assert 2 < first.counts()["orders", "delivered"] < 11
    first.drive()
    assert sandbox.audit()["clean"]


def _look_up_for_ever(worker: World) -> None:
    while True:
        _all_ended(worker)
        worker.follow(Nudge(NAME, "look_up", "order"))


def test_a_look_up_that_cannot_write_what_it_found_is_made_again(
    ready: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.faults(side="halo", operation=ORDER, next=1, kind="cut_after")
    _send_all(ready)
    _fail_once(monkeypatch, leased, "confirm", RuntimeError("disk full"))
    with pytest.raises(RuntimeError, match="disk full"):
        ready.drive(10)
    ready.drive(10)
    assert sandbox.audit()["clean"]


def test_one_order_that_cannot_be_looked_up_does_not_keep_the_others_in_doubt(
    ready: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.faults(side="halo", operation=ORDER, next=9, kind="cut_after")
    _send_all(ready)
    sandbox.faults()
    bad = ready.rows("select target_id from delivery where state = 'doubtful' order by id")
    assert len(bad) == 3

    def no(client: Any, permit: Any, resource: Any, order_id: int) -> Any:
        if order_id == int(bad[0].target_id):
            raise Rejected("no", text="you may not see this order")
        return read_row(client, permit, resource, order_id)

    monkeypatch.setattr(targets, "read_row", no)
    _all_ended(ready)
    look_up_target(ready.worker.open_line(NAME), "order")
    assert ready.counts()["orders", "doubtful"] == 1


def test_a_look_up_that_runs_out_of_quota_keeps_what_it_found(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=8, customers=3)
    world = _three_due(worlds(halo=(1000, 60)), sandbox)
    sandbox.faults(side="halo", operation=ORDER, next=9, kind="cut_after")
    _send_all(world)
    _all_ended(world)
    quota, line = world.worker.quota, world.worker.open_line(NAME)
    last, *others = quota.take(
        line.halo_key, 1000, lane=Lane.DELIVERIES, connection=NAME, deadline=timedelta(seconds=5)
    ).tokens
    quota.give_back(line.halo_key, [last], sent=False)
    after = look_up_target(line, "order").after
    assert after is not None
    assert after > PATIENCE
    assert world.counts()["orders", "doubtful"] == 2
    later = """
        select 1 from delivery
        where state = 'doubtful' and due_at > clock_timestamp() + cast(:half as interval)
    """
    assert len(world.rows(later, half=after / 2)) == 2
    quota.give_back(line.halo_key, others, sent=False)
    world.drive()
    assert sandbox.audit()["clean"]


def test_wrong_credentials_that_a_look_up_meets_stop_the_connection(
    ready: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox.faults(side="halo", operation=ORDER, next=9, kind="cut_after")
    _send_all(ready)
    _all_ended(ready)

    def no(*_: Any) -> Any:
        raise BadCredentials("no")

    monkeypatch.setattr(targets, "read_row", no)
    look_up_target(ready.worker.open_line(NAME), "order")
    assert ready.rows("select state from connection")[0].state == "stopped"
    assert ready.counts()["orders", "doubtful"] == 3
    seen = len(sandbox.calls())
    assert look_up_target(ready.reopened(), "order").after is None
    assert sandbox.calls(after=seen) == []


def test_a_row_that_never_comes_to_hold_what_was_sent_ends_with_a_person(
    ready: World, sandbox: SandboxProcess
) -> None:
    ready.do("update delivery set failures = 12 where flow = 'orders' and state = 'due'")
    sandbox.faults(side="halo", operation=ORDER, next=9, kind="cut_before")
    _send_all(ready)
    _all_ended(ready)
    look_up_target(ready.worker.open_line(NAME), "order")
    assert ready.counts()["orders", "parked"] == 3


def test_a_user_of_halo_without_a_client_parks_its_customer_and_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.pull_whole()
    first = min(row.source_id for row in world.rows(_CLIENTS))
    users, bare = existing_users.users, first.removeprefix("email:")

    def odd(line: Any, emails: Any) -> Any:
        known, unsure = users(line, emails)
        return ({**known, bare: {"id": 7}} if bare in emails else known), unsure

    monkeypatch.setattr(existing_users, "users", odd)
    while world.counts().get(("customers", "delivered"), 0) < 2:
        world.follow_all()
        assert not world.failures
    parked = world.rows("select source_id, reason from delivery where state = 'parked'")
    assert [row.source_id for row in parked] == [first]
    assert "names no client" in parked[0].reason


def test_a_customer_whom_halo_does_not_surely_lack_is_not_created(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[FindWay] = []

    def no_end(_line: Any, _api: Any, _target: Any, way: FindWay, wanted: Any) -> LookupResult:
        asked.append(way)
        return LookupResult({email: [] for email in wanted}, frozenset(wanted))

    def listed(line: Any, api: Any, wanted: Any) -> LookupResult:
        return no_end(line, api, None, FindWay.PAGES, wanted)

    monkeypatch.setattr(existing_users, "_listed", listed)
    monkeypatch.setattr(existing_users, "find", no_end)
    world.pull_whole()
    send(world.worker.open_line(NAME), "client")
    assert asked[-1] is FindWay.SEARCH
    assert [c for c in sandbox.calls("halo") if c["operation"] == "POST /Client"] == []
    assert world.counts()["customers", "parked"] > 0


def test_an_order_whose_link_was_not_made_is_found_and_not_doubled(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    small(sandbox, orders=4, customers=2)
    world = worlds()
    world.request_pull()
    world.drive()
    world.do("delete from ability where name like 'find.order.%'")
    world.do(
        "insert into ability (owner, name, value, how) select 'tenant:' || id, 'find.order.link',"
        """ '{"proved": true, "lag_s": 0}', 'a test' from tenant"""
    )
    sandbox.add_orders(1)
    world.pull()
    sandbox.faults(side="halo", operation=ORDER, next=1, kind="cut_after")
    real = find

    def no_links(line: Any, api: Any, target: Any, way: FindWay, wanted: Any) -> LookupResult:
        if way is FindWay.LINK:
            return LookupResult({name: [] for name in wanted}, frozenset())
        return real(line, api, target, way, wanted)

    monkeypatch.setattr(looking, "find", no_links)
    world.drive()
    assert sandbox.audit()["clean"]


def test_one_order_that_is_gone_from_halo_does_not_park_the_others_of_its_array(
    ready: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(client: Any, permit: Any, resource: Any, bodies: Any, spelling: Any) -> Any:
        if resource is ORDERS and len(bodies) > 1:
            raise Absent("Halo answered 404: no such order")
        return save_rows(client, permit, resource, bodies, spelling)

    monkeypatch.setattr(targets, "save_rows", gone)
    ready.drive(10)
    assert ready.counts()["orders", "delivered"] == 8
    assert sandbox.audit()["clean"]


def test_a_tenant_that_does_not_show_our_first_row_gets_no_second_one(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def nothing(*arguments: Any) -> None:
        asked.append(arguments[4])

    monkeypatch.setattr(prove, "prove", nothing)
    world.pull_whole()
    line = world.worker.open_line(NAME)
    for _ in range(4):
        world.hurry()
        send(line, "client")
    assert len([c for c in sandbox.calls("halo") if c["operation"] == "POST /Client"]) == 1
    assert len(asked) > 1
    assert len(set(asked)) == 1


_CLIENTS = "select source_id from delivery where target = 'client' and source_id like 'email:%'"


def _send_all(world: World) -> None:
    while world.rows("select 1 from delivery where flow = 'orders' and state = 'due'"):
        send(world.worker.open_line(NAME), "order")


def _all_ended(world: World) -> None:
    world.do("update delivery set due_at = clock_timestamp() where state = 'doubtful'")


def _fail_once(
    monkeypatch: pytest.MonkeyPatch, place: Any, name: str, error: BaseException
) -> None:
    work: Callable[..., Any] = getattr(place, name)
    errors = [error]

    def failing(*arguments: Any, **options: Any) -> Any:
        if errors:
            raise errors.pop()
        return work(*arguments, **options)

    monkeypatch.setattr(place, name, failing)
