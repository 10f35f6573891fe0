"""What is found by its key is found so by PostgreSQL, also in a ledger that is new.

Until its first statistics are there PostgreSQL guesses, and the most is written just then.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any
from uuid import UUID, uuid4

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, event, text

from syncline.calls.context import WorkerContext
from syncline.deliveries import leased
from syncline.deliveries.delivery import Departure
from syncline.ledger import records, statistics
from syncline.ledger.connections import Link
from syncline.ledger.database import Ledger
from syncline.runtime.sweep import sweep
from syncline.settings import Settings
from workers.context import make_context

MANY = 40_000
ASKED = 100

_RECORDS = """
    insert into record (place, kind, foreign_id, version, canonical, fingerprint, created_at)
    select :place, 'transaction', 't' || at, 1, jsonb_build_object('entity_id', 'o' || at), '',
           clock_timestamp() - make_interval(mins => at)
    from generate_series(1, :many) at
"""
_FACETS = """
    insert into facet (place, kind, foreign_id, facet, payload, fingerprint)
    select :place, 'transaction', 't' || at, 'list', '{}', '' from generate_series(1, :many) at
"""
_DELIVERIES = """
    insert into delivery (tenant_id, connection_id, flow, role, target, place, source_kind,
                          source_id, wanted_version, cause)
    select :tenant, :connection, 'payments', 'payment', 'payment', :place, 'transaction',
           't' || at, 1, 'test' from generate_series(1, :many) at
"""


@pytest.fixture
def full(ledger: Ledger, link: Link) -> Iterator[Connection]:
    """A transaction on a ledger that holds much, and of which nothing was analysed."""
    values = {"place": link.location_place, "tenant": link.tenant, "connection": link.id}
    with ledger.engine.begin() as connection:
        for statement in (_RECORDS, _FACETS, _DELIVERIES):
            connection.execute(text(statement), {**values, "many": MANY})
        connection.execute(text("select pg_stat_force_next_flush()"))  # else up to a second later
    with ledger.engine.begin() as connection:
        yield connection


@pytest.fixture
def worker(database: str, redis_url: str) -> Iterator[WorkerContext]:
    settings = Settings(key=SecretStr("k" * 40))
    with closing(make_context(settings, database, redis_url, lambda _, __: None)) as made:
        yield made


def read_by(connection: Connection, asked: Callable[[], object]) -> set[str]:
    """The indexes by which is read what is asked; a table that is read whole stands itself."""
    statements: list[tuple[str, Any]] = []

    def note(_: object, __: object, statement: str, parameters: Any, *___: object) -> None:
        statements.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    asked()
    event.remove(connection, "before_cursor_execute", note)
    found: set[str] = set()
    for statement, parameters in statements:
        told = connection.exec_driver_sql(f"explain (format json) {statement}", parameters)
        found |= _reads(told.scalar_one()[0]["Plan"])
    return found


def _reads(plan: dict[str, Any]) -> set[str]:
    found = {one for part in plan.get("Plans", ()) for one in _reads(part)}
    if plan["Node Type"] == "Seq Scan":
        found.add(plan["Relation Name"])
    # Each part of a table has its own index: record_3_pkey.
    return found | ({re.sub(r"_\d+_", "_", plan["Index Name"])} if "Index Name" in plan else set())


def test_what_is_rendered_is_read_by_its_key_before_anything_is_known(
    full: Connection, link: Link
) -> None:
    wanted = [(link.location_place, "transaction", f"t{at}") for at in range(ASKED)]
    assert read_by(full, lambda: records.canonical(full, wanted)) == {"record_pkey"}


def test_what_worker_holds_is_moved_by_its_id_before_anything_is_known(
    full: Connection, link: Link, session: UUID
) -> None:
    leases = leased.claim(full, link.id, "payment", session, 5 * ASKED)
    departures = [Departure(lease, uuid4(), {}) for lease in leases[:ASKED]]
    assert len(departures) == ASKED
    assert read_by(full, lambda: leased.depart(full, departures)) == {"pk_delivery"}


def test_a_table_that_cannot_be_analysed_holds_back_nothing_that_is_due(
    full: Connection,
    worker: WorkerContext,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(connection: Connection, table: str) -> None:
        connection.execute(text("select 1 / 0"))

    assert statistics.missing(full)
    monkeypatch.setattr(statistics, "gather", fail)
    assert [(one.task, one.target) for one in sweep(worker)] == [("send", "payment")]
    assert "delivery could not be analysed" in caplog.text


def test_the_first_sweep_tells_the_planner_what_there_is(
    full: Connection, link: Link, worker: WorkerContext
) -> None:
    place, ids = link.location_place, [f"t{at}" for at in range(ASKED)]
    asked: tuple[tuple[Callable[[], object], set[str]], ...] = (
        (lambda: records.versions(full, place, "transaction", ids), {"record_pkey"}),
        (lambda: records.load(full, place, "transaction", ids), {"record_pkey", "pk_facet"}),
        (lambda: records.fingerprints(full, place, "transaction", "list", ids), {"pk_facet"}),
    )
    assert {"delivery", "facet", "record_0", "record_7"} <= set(statistics.missing(full))
    sweep(worker)
    assert statistics.missing(full) == []
    for one, by in asked:
        assert read_by(full, one) == by
