"""Nothing but the state machine writes the state of a delivery."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from syncline.deliveries.states import FIRST, MOVES, State
from syncline.ledger.connections import Link
from syncline.ledger.database import Ledger
from tests.drift.state_writes import in_python, in_sql
from tests.ledgers import ledger, link
from tests.moves import by_hand

__all__ = ["ledger", "link"]

ROOT = Path(__file__).parents[2]
PRODUCT = ("syncline", "workers", "tasks", "schedules")
STATE_MACHINE = ROOT / "syncline" / "deliveries"

WRITES = [
    """run("update delivery set state = 'due' where id = :id")""",
    """run("UPDATE public.delivery AS d SET reason = null, state='due'")""",
    '''run("""
        with lost as (select 1)
        update delivery d
        set due_at = clock_timestamp() + make_interval(secs => least(1, 2)),
            -- back to where it was
            "state" = case when true then 'due' else 'parked' end
        from lost where d.id = 1
    """)''',
    """run("update delivery set (reason, state) = (null, 'due')")""",
    """run(f"update delivery d set {sets} where d.id = 1")""",
    """run(f"update delivery d set reason = null, {sets}")""",
    """run("update delivery set {}".format(sets))""",
    """run("update delivery set " + sets)""",
    """run("update delivery " "set state = 'due'")""",
    """run("insert into delivery (id, state) values (1, 'due')")""",
    """run("insert into delivery select * from other")""",
    """run("merge into delivery using other on true when matched then update set state = 'due'")""",
    """connection.execute(update(Delivery).values(state="due"))""",
    """connection.execute(sqlalchemy.update(tables.Delivery).where(Delivery.id == 1))""",
    """connection.execute(Delivery.__table__.update().values({"state": "due"}))""",
    """connection.execute(insert(metadata.tables["delivery"]))""",
]
READS = [
    """run("select state from delivery where state = 'due'")""",
    """run("select id from delivery where id = 1 for update")""",
    """run("update delivery d set connection_id = heir.id from other where d.state = 'due'")""",
    """run("update delivery set reason = 'set state = due', field = null returning state")""",
    """run("update delivery set owner = (select state from other where true), field = null")""",
    """run("update connection set state = 'stopped'")""",
    """run("insert into delivery_note (state) values ('due')")""",
    """run(f"delete from delivery where {which}")""",
    """known.update(Delivery=1)""",
]


def test_every_statement_that_writes_the_state_of_a_delivery_stands_in_the_state_machine() -> None:
    files = [path for folder in PRODUCT for path in (ROOT / folder).rglob("*")]
    outside = [path for path in files if STATE_MACHINE not in path.parents]
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in outside
        if path.suffix == ".py"
        for line in in_python(path.read_text())
    ]
    found += [
        str(path.relative_to(ROOT))
        for path in outside
        if path.suffix == ".sql" and in_sql(path.read_text())
    ]
    assert found == []
    assert any(in_python(path.read_text()) for path in STATE_MACHINE.glob("*.py"))


@pytest.mark.parametrize("source", WRITES)
def test_a_statement_that_writes_the_state_is_found(source: str) -> None:
    assert in_python(source) == [1]


@pytest.mark.parametrize("source", READS)
def test_a_statement_that_leaves_the_state_alone_is_not_found(source: str) -> None:
    assert in_python(source) == []


def test_a_file_of_sql_that_writes_the_state_is_found() -> None:
    assert in_sql("begin; update delivery set state = 'due'; end;")
    assert not in_sql("select state from delivery;")


def test_the_database_of_a_test_refuses_every_move_that_is_not_in_the_state_table(
    ledger: Ledger, link: Link
) -> None:
    make = """
        insert into delivery (tenant_id, connection_id, flow, role, target, place, source_kind,
                              source_id, wanted_version, cause, state)
        values (:tenant, :link, 'orders', 'order', 'order', 'location:1', 'order', 'a', 1, '',
                :state)
    """
    of = {"tenant": link.tenant, "link": link.id}
    for state in State:
        born = {**of, "state": state}
        assert allows(ledger, "delete from delivery", {}, make, born) == (state in FIRST)
    ledger.run(lambda c: by_hand(c, make, {**of, "state": "due"}))
    turn = "update delivery set state = :state"
    for source, target in product(State, State):
        allowed = source == target or target in MOVES[source]
        assert allows(ledger, turn, {"state": source}, turn, {"state": target}) == allowed


def allows(
    ledger: Ledger, before: str, stand: Mapping[str, Any], sql: str, parameters: Mapping[str, Any]
) -> bool:
    """Whether the database lets a statement through after another one; nothing is kept."""
    with ledger.engine.connect() as connection:
        by_hand(connection, before, stand)
        try:
            connection.execute(text(sql), parameters)
        except DBAPIError as error:
            assert "a delivery must not" in str(error)  # noqa: PT017 - what it is refused for
            return False
        return True
