"""What HighLevel refuses to show of a list is narrowed and told; all else is read as ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import Any
from unittest.mock import Mock

import pytest

from syncline.adopt.reading import read_highlevel
from syncline.calls.calls import NoQuota
from syncline.deliveries import outstanding
from syncline.engine.refusals import Concerns, concerns
from syncline.errors import BadCredentials, NotOurs, Rejected, WrongPlace
from syncline.ingest import pull_windows, window_reading
from syncline.ingest.refused import LASTING
from syncline.ledger import connections
from syncline.runtime.sweep import sweep
from syncline.sandbox.process import SandboxProcess
from tests.promises.mortal import Killed, Mortal
from tests.spoiling import Spoiler, refused, spoil
from tests.world import NAME, World, Worlds, small

LIST = "/payments/orders"
ORDERS = 25

Meant = Callable[[Mapping[str, str], Any], bool]


@pytest.fixture
def world(worlds: Worlds, sandbox: SandboxProcess) -> World:
    small(sandbox, orders=ORDERS, page_cap=10, transactions=0, subscriptions=0, days=20)
    return worlds(style="summary")


def newest_first(sandbox: SandboxProcess) -> list[tuple[str, date]]:
    """All orders with the days of their creation, as the list shows them."""
    ids = sandbox.get("/state/orders")["ids"]
    found = sorted((sandbox.get(f"/state/orders/{one}")["createdAt"], one) for one in ids)
    return [(one, date.fromisoformat(at[:10])) for at, one in reversed(found)]


def shows(*bad: str) -> Meant:
    """Pages with one of these rows."""
    return lambda _, document: any(row["_id"] in bad for row in document["data"])


def asks_for(*days: date) -> Meant:
    """Lists of which one of these days is asked for."""

    def is_meant(given: Mapping[str, str], _: Any) -> bool:
        return "startAt" in given and any(
            given["startAt"] <= f"{day}" <= given["endAt"] for day in days
        )

    return is_meant


def open_windows(world: World) -> list[Any]:
    return world.rows("select * from pull where state = 'running' order by first")


def known(world: World) -> set[str]:
    return {row[0] for row in world.rows("select foreign_id from record where kind = 'order'")}


def pages(sandbox: SandboxProcess) -> int:
    return sum(one["operation"] == f"GET {LIST}" for one in sandbox.calls("highlevel"))


def read(world: World) -> None:
    """One sweep, and the windows that it asks for."""
    world.hurry()
    for nudge in sweep(world.worker):
        if nudge.task.startswith("pull:"):
            world.follow(nudge)


def read_until(world: World, is_so: Callable[[], bool]) -> None:
    for _ in range(40):
        if is_so():
            return
        read(world)
    raise AssertionError(f"{open_windows(world)}, {world.failures}")


def is_narrowed(world: World) -> bool:
    return all(one.refused for one in open_windows(world))


@pytest.mark.parametrize("at", [0, 17, ORDERS - 1])
def test_a_row_that_is_refused_holds_up_no_other_and_is_read_when_it_is_shown(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    bad, day = newest_first(sandbox)[at]
    spoiler = refused(monkeypatch, LIST, shows(bad))
    assert world.pull().new == ORDERS - 1
    assert pages(sandbox) < 30
    [window] = world.rows("select state, seen, total, note from pull where state <> 'running'")
    assert (window.state, window.seen, window.total) == ("incomplete", ORDERS - 1, ORDERS)
    assert window.note.startswith(f"Row {at + 1} of the orders created from ")
    assert "422: This cannot be shown" in window.note

    read_until(world, lambda: is_narrowed(world))
    days = {one.first for one in open_windows(world)}
    assert {day} <= days <= {day + timedelta(days=by) for by in (-1, 0, 1)}
    assert {one.first == one.last for one in open_windows(world)} == {True}
    sandbox.add_orders(2)
    before = pages(sandbox)
    assert world.pull().new == 2
    assert pages(sandbox) - before <= 9  # six of rows, three of what is not shown
    assert known(world) == {one for one, _ in newest_first(sandbox)} - {bad}
    spoiler.on = False
    read_until(world, lambda: not open_windows(world))
    assert (bad in known(world), world.failures) == (True, [])


def test_a_reading_that_dies_behind_a_refused_row_is_done_by_another_worker(
    world: World, worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, _ = newest_first(sandbox)[12]
    refused(monkeypatch, LIST, shows(bad))
    monkeypatch.setattr(window_reading, "BATCH", 1)

    def die_behind_it(_: int, name: str) -> None:
        if name == "before GET" and len(known(world)) > 12:
            raise Killed

    mortal = Mortal(world, die_behind_it)
    with pytest.raises(Killed):
        world.pull()
    mortal.silence()
    other = worlds(joins=True)
    read_until(other, lambda: is_narrowed(other))
    [window] = other.rows("select state, seen, total, rereads from pull where last - first > 20")
    assert tuple(window) == ("incomplete", ORDERS - 1, ORDERS, 0)
    assert len(known(other)) == ORDERS - 1


def test_a_reading_that_runs_out_of_quota_again_and_again_comes_behind_a_refused_row(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, _ = newest_first(sandbox)[0]
    refused(monkeypatch, LIST, shows(bad))
    batch, left = window_reading.WindowReading._batch, 0

    def scarce(*given: Any) -> Any:
        nonlocal left
        if left == 0:
            raise NoQuota("The budget is used up.", after=timedelta(seconds=9))
        left -= 1
        return batch(*given)

    monkeypatch.setattr(window_reading.WindowReading, "_batch", scarce)
    finished: list[tuple[str, ...]] = []
    while not any(finished) and len(finished) < 3:
        left = 8  # as many as it takes to find the row, and one
        finished.append(world.pull().states)
    assert finished == [(), ("incomplete",)]
    assert len(known(world)) == ORDERS - 1


def test_a_day_that_is_read_without_those_around_it_is_not_certified_by_that_after_a_death(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, day = newest_first(sandbox)[17]
    refused(monkeypatch, LIST, asks_for(day + timedelta(days=1)))
    with monkeypatch.context() as dying:
        dying.setattr(pull_windows, "leave_failed", Mock(side_effect=Killed))
        with pytest.raises(Killed):
            world.pull(since=day, until=day)
    assert known(world) == {one for one, at in newest_first(sandbox) if at == day}
    assert world.pull(since=day, until=day).states == ("refused",)


def test_what_is_refused_is_tried_again_ever_more_seldom(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, day = newest_first(sandbox)[17]
    refused(monkeypatch, LIST, shows(bad))
    pauses = []
    for tries in (1, 2, 3):
        assert world.pull(since=day, until=day).states == ("refused",)
        [one] = world.rows("select failures, due_at - clock_timestamp() as pause from pull")
        assert one.failures == tries
        pauses.append(one.pause)
    assert timedelta(seconds=25) < pauses[0] < pauses[1] / 1.5 < pauses[2] / 2.5
    world.do("update pull set failures = 50")
    assert world.pull(since=day, until=day).states == ("refused",)
    [(pause,)] = world.rows("select due_at - clock_timestamp() as pause from pull")
    assert timedelta(hours=23) < pause <= timedelta(days=1)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (400, {"statusCode": 400, "message": "Contact not found for id: x"}),
        (403, {"statusCode": 403, "message": "The token does not have access to this location."}),
        (404, {"statusCode": 404, "message": "Cannot GET /payments/orders"}),
        (200, {"data": None}),
    ],
)
def test_it_is_so_however_highlevel_refuses(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, status: int, said: Any
) -> None:
    [(bad, _), *others] = newest_first(sandbox)
    refused(monkeypatch, LIST, shows(bad), status, said)
    assert world.pull().states == ("incomplete",)
    assert known(world) == {one for one, _ in others}
    assert world.rows("select state from connection")[0].state == "active"


@pytest.mark.parametrize("status", [403, 422])
def test_the_newest_rows_may_all_be_refused_and_the_older_ones_are_read(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    orders = [one for one, _ in newest_first(sandbox)]
    refused(monkeypatch, LIST, shows(*orders[:4]), status)
    assert world.pull().states == ("incomplete",)
    assert known(world) == set(orders[4:])
    assert world.rows("select state from connection")[0].state == "active"


def test_where_nobody_is_let_in_any_more_the_rest_of_a_day_does_not_pass_for_refused(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, day = newest_first(sandbox)[17]
    is_shown = False

    def is_meant(given: Mapping[str, str], document: Any) -> bool:
        nonlocal is_shown
        is_closed, is_shown = (
            is_shown,
            is_shown or (given["limit"] == "1" and "startAt" not in given),
        )
        return is_closed or shows(bad)(given, document)

    refused(monkeypatch, LIST, is_meant, 401)
    with pytest.raises(BadCredentials):
        world.pull(since=day, until=day)
    assert [one.refused for one in open_windows(world)] == [False]
    assert world.rows("select state from connection")[0].state == "stopped"


def test_an_error_of_its_server_that_lasts_for_one_row_is_one_too(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, day = newest_first(sandbox)[12]
    refused(monkeypatch, LIST, shows(bad), 500)
    world.request_pull()
    read_until(world, lambda: len(known(world)) == ORDERS - 1)
    read_until(world, lambda: is_narrowed(world))
    assert day in {one.first for one in open_windows(world)}
    assert len(world.failures) == LASTING
    assert "with 500" in str(world.failures[-1])


def test_where_only_long_pages_are_refused_shorter_ones_are_read_and_certified(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused(monkeypatch, LIST, lambda given, _: int(given["limit"]) > 8)
    assert (world.pull().states, len(known(world))) == (("provisional",), ORDERS)
    assert open_windows(world) == []


def test_a_window_that_is_refused_for_its_length_is_halved_until_it_is_read(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def is_long(given: Mapping[str, str], _: Any) -> bool:
        if "startAt" not in given:
            return False
        since, until = (date.fromisoformat(given[one]) for one in ("startAt", "endAt"))
        return until - since > timedelta(days=12)

    refused(monkeypatch, LIST, is_long)
    assert world.pull().states == ("incomplete",)
    read_until(world, lambda: not open_windows(world))
    assert (len(known(world)), world.failures) == (ORDERS, [])
    ended = {row.state for row in world.rows("select state from pull where last - first < 10")}
    assert ended == {"certified", "provisional"}


def test_a_day_that_is_refused_holds_up_no_other_day(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    orders = newest_first(sandbox)
    _, day = orders[10]
    refused(monkeypatch, LIST, asks_for(day))
    world.request_pull()
    days = [day + timedelta(days=by) for by in (-1, 0, 1)]
    read_until(world, lambda: is_narrowed(world))
    assert [one.first for one in open_windows(world)] == days
    assert known(world) == {one for one, at in orders if at != day}
    assert "The list of the orders created from" in open_windows(world)[1].note


def test_a_list_that_is_refused_as_a_whole_is_not_narrowed(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoiler: Spoiler = refused(monkeypatch, LIST, lambda *_: True)
    with pytest.raises(Rejected):
        world.pull()
    assert pages(sandbox) == 5
    [one] = open_windows(world)
    assert (one.failures, one.refused, one.note.endswith("shown")) == (1, False, True)
    spoiler.on = False
    read_until(world, lambda: not open_windows(world))
    assert len(known(world)) == ORDERS


def test_the_rows_of_another_location_are_not_narrowed_until_each_passes_for_a_bad_row(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def of_another(document: Any) -> Any:
        return {**document, "data": [{**row, "altId": "other"} for row in document["data"]]}

    spoil(monkeypatch, LIST, of_another)
    for _ in range(LASTING + 1):
        with pytest.raises(NotOurs):
            world.pull()
    assert pages(sandbox) == LASTING + 1
    assert [(one.refused, one.unreadable) for one in open_windows(world)] == [(False, 0)]


def test_an_adoption_does_not_go_on_without_what_is_refused(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, _ = newest_first(sandbox)[5]
    spoiler = refused(monkeypatch, LIST, shows(bad))
    line = world.worker.open_line(NAME)
    since = line.worker.now().date() - timedelta(days=30)
    with pytest.raises(Rejected, match=r"does not show all .* Row \d+ of the orders"):
        read_highlevel(line, since, lambda *_: None)
    spoiler.on = False
    read_highlevel(line, since, lambda *_: None)
    assert len(known(world)) == ORDERS


def test_a_refusal_stops_no_connection_where_only_the_first_row_of_the_list_is_refused_too(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, _ = newest_first(sandbox)[0]
    refused(monkeypatch, LIST, shows(bad), 403)
    error = WrongPlace("HighLevel answered GET /payments/orders/o1 with 403: no")
    error.side, error.call = "highlevel", ("GET", f"{LIST}/o1")
    assert concerns(world.worker.open_line(NAME), error) is Concerns.ONE


def test_a_window_that_rests_keeps_no_array_waiting_for_company(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, day = newest_first(sandbox)[0]
    refused(monkeypatch, LIST, shows(bad))
    with world.worker.ledger.begin() as connection:
        link = connections.by_name(connection, NAME)
        pull_windows.request_windows(connection, link.id, "order", [(day, day)])
        assert outstanding.more_to_come(connection, link.id, "order")
    assert world.pull(since=day, until=day).states == ("refused",)
    world.do("delete from delivery")
    with world.worker.ledger.begin() as connection:
        assert not outstanding.more_to_come(connection, link.id, "order")
