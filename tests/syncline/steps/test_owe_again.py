"""A mapping that changes is applied to the records that are there, and costs what it changes."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.ledger import connections, mappings
from syncline.mapping.document import default_document
from syncline.sandbox.process import SandboxProcess
from tests.world import INCLUDING_TESTS, NAME, World, Worlds, small

KINDS = ("order", "transaction", "subscription")


@pytest.fixture
def in_line(worlds: Worlds, sandbox: SandboxProcess) -> World:
    small(sandbox, orders=8, transactions=10, subscriptions=2, customers=4, money=True)
    world = worlds()
    for kind in KINDS:
        world.pull(kind)
    world.drive()
    assert sandbox.audit()["clean"]
    return world


def follow(world: World, document: str) -> None:
    with world.parts.ledger.begin() as connection:
        mappings.replace(connection, connections.by_name(connection, NAME).id, document)
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
