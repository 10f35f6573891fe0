"""What is old is dropped, and never what still has to be handled."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Connection, text

from syncline.actor import actor
from syncline.ledger.database import Ledger
from syncline.privacy import retention
from syncline.settings import Settings

AGE = timedelta(days=30)


def test_bodies_are_emptied_and_months_dropped_once_nothing_in_them_is_open(
    ledger: Ledger,
) -> None:
    def work(connection: Connection) -> None:
        for table in ("event", "call"):
            connection.execute(
                text(
                    f"create table {table}_2020_01 partition of {table} "
                    "for values from ('2020-01-01') to ('2020-02-01')"
                )
            )
        connection.execute(
            text(
                """
                insert into event (at, source, body, state)
                select timestamptz '2020-01-15', 'highlevel', bytea 'Ada', state
                from unnest(array['done', 'ignored', 'parked']) as state
                union all select clock_timestamp(), 'highlevel', 'Ada', 'done'
                """
            )
        )

    ledger.run(work)
    assert ledger.run(lambda c: retention.empty_bodies(c, AGE, 1)) == 1
    assert ledger.run(lambda c: retention.empty_bodies(c, AGE, 10)) == 1
    assert ledger.run(lambda c: retention.empty_bodies(c, AGE, 10)) == 0
    kept = "select count(*) from event where body = 'Ada'"
    assert ledger.run(lambda c: c.execute(text(kept)).scalar_one()) == 2

    [calls] = ledger.run(lambda c: retention.old_months(c, "call", AGE))
    [events] = ledger.run(lambda c: retention.old_months(c, "event", AGE))
    assert (calls.table, events.table) == ("call_2020_01", "event_2020_01")
    assert ledger.run(lambda c: retention.drop_month(c, calls))
    assert not ledger.run(lambda c: retention.drop_month(c, events))  # one is parked
    ledger.run(lambda c: c.execute(text("update event set state = 'ignored'")))
    with ledger.begin() as reader:
        reader.execute(text("select count(*) from event"))
        monkey = pytest.MonkeyPatch()
        monkey.setattr(retention, "_LOCK_TIMEOUT", "50ms")
        assert not ledger.run(lambda c: retention.drop_month(c, events))  # somebody reads it
        monkey.undo()
    assert ledger.run(lambda c: retention.drop_month(c, events))
    assert ledger.run(lambda c: retention.old_months(c, "event", AGE)) == []


def test_who_acts_is_the_person_of_the_settings_or_the_systems_user() -> None:
    assert actor(Settings(actor="Ada of support")) == "Ada of support"
    assert actor(Settings())
