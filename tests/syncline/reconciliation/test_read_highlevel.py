"""HighLevel's count is set against the ledger's, whatever zone its days are in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from syncline.errors import SynclineError
from syncline.highlevel.records import Span, list_records
from syncline.reconciliation.reading import read_highlevel
from syncline.reconciliation.reading.read_highlevel import Counting
from syncline.sandbox.process import SandboxProcess
from tests.spoiling import refused, spoil
from tests.world import NAME, World, opening, small


@pytest.fixture
def world(database: str, redis_url: str, sandbox: SandboxProcess) -> Iterator[World]:
    small(sandbox, orders=230, transactions=0, subscriptions=0, customers=2)
    with opening(database, redis_url, sandbox) as make:
        made: World = make(style="summary")
        made.pull()
        yield made


def counted(world: World, first: date, last: date) -> tuple[int, int, int]:
    """HighLevel's count, the ledger's, and the calls that it took."""
    counting = Counting(world.worker.open_line(NAME), (first, last))
    told = counting.count("order")
    assert told["equal"] == (told["highlevel"] == told["ledger"])
    return told["highlevel"], told["ledger"], counting.calls


def test_other_days_at_the_edges_are_no_difference_and_a_row_that_was_missed_is_one(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = datetime.now(UTC).date()
    first, last = today - timedelta(days=20), today - timedelta(days=3)
    theirs, ours, calls = counted(world, first, last)
    assert (theirs == ours > 100, calls) == (True, 1)

    def in_another_zone(client: Any, permit: Any, records: Any, span: Span) -> Any:
        one = timedelta(days=1)  # neither end is where we would have it
        assert span.start_at is not None
        assert span.end_at is not None
        moved = replace(span, start_at=span.start_at + one, end_at=span.end_at - one)
        return list_records(client, permit, records, moved)

    monkeypatch.setattr(read_highlevel, "list_records", in_another_zone)
    fewer, ours, calls = counted(world, first, last)
    assert (fewer == ours < theirs, calls) == (True, 3)
    new = sandbox.add_orders(2)
    fewer, ours, calls = counted(world, today - timedelta(days=4), today + timedelta(days=1))
    assert (fewer == ours, calls) == (True, 3)  # nobody can have read them yet
    world.pull()
    missed = "delete from record where foreign_id = (select min(foreign_id) from record where {})"
    world.do(missed.format("created_at between :a and :b"), a=first, b=last)
    fewer, ours, _ = counted(world, first, last)
    assert fewer == ours + 1
    assert new


def test_what_was_created_before_the_connection_begins_is_not_counted(world: World) -> None:
    today = datetime.now(UTC).date()
    begins = today - timedelta(days=10)
    world.do("update connection set start_from = :day", day=begins)
    world.do("delete from record where created_at < :at", at=begins)
    world.reopened()
    theirs, ours, calls = counted(world, today - timedelta(days=30), today)
    assert (theirs == ours > 0, calls) == (True, 1)


@pytest.mark.parametrize("status", [422, 403, 500])
def test_rows_that_highlevel_refuses_are_missed_ones_and_nothing_else_is_in_doubt(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    today = datetime.now(UTC).date()
    newest = set(sandbox.add_orders(2))
    refused(
        monkeypatch,
        "/payments/orders",
        lambda _, shown: any(row["_id"] in newest for row in shown["data"]),
        status,
    )
    theirs, ours, _ = counted(world, today - timedelta(days=30), today)
    assert theirs == ours + 2


def test_a_page_that_failed_once_says_nothing_about_its_rows(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = datetime.now(UTC).date()
    sandbox.add_orders(2)  # nobody can have read them yet, so the ends are looked at
    failures = [True]
    refused(
        monkeypatch,
        "/payments/orders",
        lambda _, shown: len(shown["data"]) > 1 and bool(failures and failures.pop()),
        500,
    )
    theirs, ours, _ = counted(world, today - timedelta(days=30), today)
    assert (theirs, failures) == (ours, [])


def test_a_list_of_which_nothing_is_shown_has_no_count(
    world: World, sandbox: SandboxProcess
) -> None:
    sandbox.faults(side="highlevel", kind="500", probability=1)
    today = datetime.now(UTC).date()
    with pytest.raises(SynclineError):
        counted(world, today - timedelta(days=30), today)


def test_a_count_that_is_not_told_equals_nothing_and_fails_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = datetime.now(UTC).date()
    spoil(monkeypatch, "/payments/orders", lambda one: {**one, "totalCount": "many"})
    counting = Counting(world.worker.open_line(NAME), (today - timedelta(days=30), today))
    told = counting.count("order")
    assert (told["highlevel"], told["ledger"] > 100, told["equal"]) == (None, True, False)
