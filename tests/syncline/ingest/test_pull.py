"""A pull is whole or says so: it goes on where it was killed, and reads again what moved."""

from __future__ import annotations

from datetime import timedelta

import pytest

from syncline.ingest import window_reading
from syncline.sandbox.process import SandboxProcess
from tests.promises.mortal import Killed, Mortal
from tests.world import Worlds, small

LIST = "GET /payments/orders"


def test_a_pull_killed_in_the_middle_goes_on_at_its_page_and_is_certified(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window_reading, "BATCH", 1)
    small(sandbox, orders=35, page_cap=10)
    first, calls = worlds(), 0

    def die_before_the_third_page(_: int, name: str) -> None:
        nonlocal calls
        calls += name == "before GET"
        if calls == 3:
            raise Killed

    mortal = Mortal(first, die_before_the_third_page)
    with pytest.raises(Killed):
        first.pull()
    mortal.silence()
    other = worlds(joins=True)
    while other.open_pulls():
        other.follow_all()
    pages = [call for call in sandbox.calls("highlevel") if call["operation"] == LIST]
    assert len(pages) == 4
    [done] = other.rows("select * from pull")
    assert (done.state, done.seen, done.total, done.rereads) == ("provisional", 35, 35, 0)
    other.drive()
    assert sandbox.audit()["clean"]


def test_a_list_that_changes_while_it_is_read_is_read_again(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=35, page_cap=10)
    world, calls = worlds(), 0

    def change_before_the_second_page(_: int, name: str) -> None:
        nonlocal calls
        calls += name == "before GET"
        if name == "before GET" and calls == 2:
            sandbox.add_orders(2)

    Mortal(world, change_before_the_second_page)
    finished = world.pull()
    [done] = world.rows("select * from pull")
    assert (done.state, done.rereads, done.total) == ("provisional", 1, 37)
    assert finished.new == 37
    world.drive()
    assert sandbox.audit()["clean"]


def test_a_list_that_never_stands_still_is_called_uncertain_and_read_ever_more_seldom(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=25, page_cap=10)
    world = worlds()

    def change_after_each_page(_: int, name: str) -> None:
        if name == "after GET":
            sandbox.add_orders(1)

    Mortal(world, change_after_each_page)
    assert world.pull().states == ("uncertain",)
    done, again = world.rows("select *, due_at - clock_timestamp() as after from pull order by id")
    assert "total changed" in done.note
    assert (again.state, again.first, again.last) == ("running", done.first, done.last)
    assert timedelta(minutes=59) < again.after < timedelta(hours=1)
    assert again.doubts == 1
    world.do("update pull set doubts = 9 where state = 'running'")
    assert world.pull().states == ("uncertain",)
    [again] = world.rows(
        "select doubts, due_at - clock_timestamp() as after from pull where state = 'running'"
    )
    assert again.doubts == 10
    assert timedelta(hours=23) < again.after < timedelta(days=1)
    assert world.pull(since=done.last).states == ("uncertain",)
    [again] = world.rows("select first from pull where state = 'running'")
    assert again.first == done.first  # it covers the other one


def test_pages_are_read_side_by_side_and_recorded_once_each(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=95, page_cap=10)
    world = worlds()
    finished = world.pull()
    assert (finished.new, finished.states) == (95, ("provisional",))
    pages = [call for call in sandbox.calls("highlevel") if call["operation"] == LIST]
    assert len(pages) == 10
    [done] = world.rows("select seen, total, rereads from pull")
    assert tuple(done) == (95, 95, 0)


def test_of_pages_read_side_by_side_those_before_a_failure_are_kept(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=95, page_cap=10)
    world = worlds()
    sandbox.faults(side="highlevel", operation=LIST, kind="500", skip=4, next=1)
    world.request_pull()
    world.drive()
    assert world.failures
    assert sandbox.audit()["clean"]
