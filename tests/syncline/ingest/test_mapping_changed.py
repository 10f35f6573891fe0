"""A mapping that changes is applied to the records that are there, and costs what it changes."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from syncline.calls.context import Nudge
from syncline.connections.run import replace_mapping
from syncline.golive import run as golive
from syncline.golive.rules import CheckLine
from syncline.ingest.mapping_changed import request_again
from syncline.ingest.pull import pull
from syncline.ledger import connections
from syncline.mapping.shipped import default_document
from syncline.queues import Lane
from syncline.runtime.registry import send
from syncline.sandbox.process import SandboxProcess
from tests.promises.mortal import Mortal
from tests.world import INCLUDING_TESTS, NAME, World, Worlds, small

KINDS = ("order", "transaction", "subscription")


@pytest.fixture
def in_line(worlds: Worlds, sandbox: SandboxProcess) -> World:
    def drive() -> World:
        small(sandbox, orders=8, transactions=10, subscriptions=2, customers=4, money=True)
        world = worlds()
        for kind in KINDS:
            world.pull(kind)
        world.drive()
        assert sandbox.audit()["clean"]
        return world

    return worlds.as_after(drive, "owe again")


def follow(world: World, document: str) -> None:
    with world.worker.ledger.begin() as connection:
        replace_mapping(connection, connections.by_name(connection, NAME).id, document)
    world.reopened()
    world.follow_all()
    world.drive()


def writes(sandbox: SandboxProcess, after: int) -> list[str]:
    return [
        call["operation"]
        for call in sandbox.calls("halo", after)
        if call["operation"] != "POST /Report" and call["method"] == "POST"
    ]


def test_records_follow_a_mapping_that_changes(in_line: World, sandbox: SandboxProcess) -> None:
    seen = len(sandbox.calls())
    text = default_document("detail", INCLUDING_TESTS)
    follow(in_line, text.replace('"HighLevel order"', '"Order at HighLevel"'))
    assert set(writes(sandbox, seen)) == {"POST /SalesOrder"}
    assert sandbox.audit()["clean"]


def test_a_mapping_that_changes_nothing_writes_nothing(
    in_line: World, sandbox: SandboxProcess
) -> None:
    seen = len(sandbox.calls())
    follow(in_line, default_document("detail", INCLUDING_TESTS) + "\n# a remark\n")
    assert sandbox.calls(after=seen) == []
    assert in_line.open_deliveries() == 0


def test_going_live_and_back_asks_for_nothing_that_was_read(
    in_line: World, sandbox: SandboxProcess
) -> None:
    seen = len(sandbox.calls())
    golive.switch(in_line.reopened(), (CheckLine("state", "green", "at work"),), "ada")
    in_line.reopened()
    in_line.follow_all()
    in_line.drive()
    golive.back(replace(in_line.worker, sleep=lambda _: None), in_line.reopened().link, "ada", "")
    in_line.reopened()
    in_line.follow_all()
    in_line.drive()
    assert sandbox.calls(after=seen) == []
    assert in_line.open_deliveries() == 0


def test_records_of_an_earlier_version_come_to_know_a_new_flow(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=8, transactions=10, subscriptions=2, customers=4, money=True)
    world = worlds()
    options: dict[str, Any] = {
        **INCLUDING_TESTS,
        "payments": {"into": "none"},
        "subscriptions": {"into": "none"},
    }
    follow(world, default_document("detail", options))
    for kind in KINDS:
        world.pull(kind)
    world.drive()
    assert not world.rows("select 1 from delivery where flow in ('payments', 'subscriptions')")
    follow(world, default_document("detail", INCLUDING_TESTS))
    assert sandbox.audit()["clean"]


def test_what_a_mapping_parked_goes_on_when_it_is_put_right(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=8, transactions=10, subscriptions=0, customers=4, money=True)
    world = worlds()
    strict = {**INCLUDING_TESTS, "orders": {"test_mode": "include", "adjustment": "park"}}
    text = default_document("detail", strict)
    follow(world, text.replace('source = "created_at"', 'source = "coupon"', 1))
    for kind in ("order", "transaction"):
        world.pull(kind)
    while world.counts().get(("orders", "parked"), 0) < 8:
        world.follow_all()
    follow(world, default_document("detail", INCLUDING_TESTS))
    assert sandbox.audit()["clean"]


def test_a_pull_that_began_under_the_old_mapping_loses_nothing(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=8, transactions=10, subscriptions=2, customers=4, money=True)
    world = worlds()
    options: dict[str, Any] = {**INCLUDING_TESTS, "payments": {"into": "none"}}
    follow(world, default_document("detail", options))
    old = world.reopened()
    follow(world, default_document("detail", INCLUDING_TESTS))
    today = world.worker.now().date()
    for kind in KINDS:
        pull(old, kind, today - timedelta(days=30), today, Lane.PULLS)
    world.reopened()
    world.follow_all()
    world.drive()
    assert sandbox.audit()["clean"]


def test_what_waits_under_the_old_mapping_goes_on_under_the_new_one(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=8, transactions=0, subscriptions=0, customers=4, details=False)
    world = worlds()
    world.pull()
    world.do(
        """
        update delivery set state = 'parked', reason = 'HighLevel no longer has this order'
        where flow = 'details'
        """
    )
    while world.counts().get(("orders", "waiting"), 0) < 8:
        world.follow_all()
    follow(world, default_document("summary", INCLUDING_TESTS))
    assert world.counts()["orders", "delivered"] == 8


def test_a_row_in_a_workers_hands_is_sent_once_more_under_the_new_mapping(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=8, transactions=0, subscriptions=0, customers=4, details=False)
    world = worlds()
    world.pull()
    changed: list[str] = []

    def change_the_mapping(_: int, name: str) -> None:
        sending = world.rows("select 1 from delivery where state = 'sending' and flow = 'orders'")
        if name == "after POST" and sending and not changed:
            changed.append(name)
            with other.worker.ledger.begin() as connection:
                link = connections.by_name(connection, NAME)
                document = default_document("summary", INCLUDING_TESTS)
                replace_mapping(connection, link.id, document)
            request_again(other.reopened())

    other = worlds(joins=True)
    Mortal(world, change_the_mapping)
    world.drive()
    world.reopened()
    world.drive()
    assert changed
    assert sandbox.audit()["clean"]


@pytest.mark.parametrize("changed", [0, 3], ids=["as they were", "changed since"])
def test_a_worker_that_knows_only_the_old_mapping_settles_nothing_that_the_new_one_asks_for(
    in_line: World, sandbox: SandboxProcess, changed: int
) -> None:
    sandbox.change_orders(changed, fields="amount")
    in_line.pull()
    in_line.follow(Nudge(NAME, "send", "highlevel.order"))
    old = in_line.reopened()
    text = default_document("detail", INCLUDING_TESTS)
    with in_line.worker.ledger.begin() as connection:
        document = text.replace('"HighLevel order"', '"Order at HighLevel"')
        replace_mapping(connection, old.link.id, document)
    request_again(in_line.reopened())
    seen = len(sandbox.calls())
    send(old, "order")
    assert writes(sandbox, seen) == []
    assert in_line.counts()["orders", "due"] == 8
    in_line.drive()
    assert "POST /SalesOrder" in writes(sandbox, seen)
    assert sandbox.audit()["clean"]
