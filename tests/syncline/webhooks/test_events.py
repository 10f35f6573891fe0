"""Arrived webhooks: each stored once, whoever else stores it at the same moment."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from sqlalchemy import text

from syncline.ledger.database import Ledger, connect
from syncline.webhooks import events
from syncline.webhooks.events import Arrived
from tests.receiving import stored


@pytest.fixture
def ledger(database: str) -> Iterator[Ledger]:
    engine = connect(database, connections=8)
    yield Ledger(engine.execution_options(isolation_level="AUTOCOMMIT"))
    engine.dispose()


def store(ledger: Ledger, *arrived: Arrived) -> list[bool]:
    return ledger.run(lambda connection: events.store(connection, arrived))


def test_each_is_told_whether_it_was_new(ledger: Ledger, database: str) -> None:
    one, two = (Arrived("highlevel", name.encode(), webhook_id=name) for name in ("one", "two"))
    assert store(ledger, one) == [True]
    again = Arrived("highlevel", b"again", webhook_id="two")
    assert store(ledger, one, two, again) == [False, True, False]
    assert stored(database, "select body from event order by id") == [b"one", b"two"]


def test_what_has_no_id_is_stored_as_often_as_it_comes(ledger: Ledger, database: str) -> None:
    hint = Arrived("halo", b"{}", connection_id=7)
    named = Arrived("highlevel", b"{}", webhook_id="w")
    assert store(ledger, hint, named, hint) == [True, True, True]
    assert store(ledger, hint) == [True]
    assert stored(database, "select source from event order by 1") == [*["halo"] * 3, "highlevel"]


def test_the_same_id_of_another_source_is_another_event(ledger: Ledger) -> None:
    assert store(ledger, Arrived("highlevel", b"", webhook_id="w")) == [True]
    assert store(ledger, Arrived("halo", b"", webhook_id="w")) == [True]


def test_of_many_who_store_the_same_in_any_order_one_is_told_that_it_was_new(
    ledger: Ledger, database: str
) -> None:
    ids = [f"w{number}" for number in range(60)]

    def work(seed: int) -> list[str]:
        chance = random.Random(seed)
        new: list[str] = []
        for _ in range(20):
            batch = chance.sample(ids, 12)
            verdicts = store(
                ledger, *(Arrived("highlevel", b"{}", webhook_id=name) for name in batch)
            )
            new += [name for name, is_new in zip(batch, verdicts, strict=True) if is_new]
        return new

    with ThreadPoolExecutor(6) as threads:
        told = [name for found in threads.map(work, range(6)) for name in found]
    assert len(told) == len(set(told))
    assert sorted(told) == sorted(stored(database))


def test_an_id_is_forgotten_only_when_its_event_would_be_refused_for_its_age(
    ledger: Ledger, database: str
) -> None:
    age = timedelta(days=3)
    for name, days in (("fresh", 0), ("young", 3.9), ("old", 4.1), ("older", 40)):
        store(ledger, Arrived("highlevel", b"{}", webhook_id=name))
        with ledger.begin() as connection:
            connection.execute(
                text(
                    "update event_seen set seen_at = seen_at - make_interval(hours => :hours)"
                    " where webhook_id = :name"
                ),
                {"hours": round(days * 24), "name": name},
            )
    assert ledger.run(lambda c: events.forget_seen(c, age, most=1)) == 1
    assert ledger.run(lambda c: events.forget_seen(c, age)) == 1
    assert ledger.run(lambda c: events.forget_seen(c, age)) == 0
    kept = stored(database, "select webhook_id from event_seen order by 1")
    assert kept == ["fresh", "young"]
