"""A refused report is a way that is not there: lists are read, and a run ends or says its want."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from syncline.halo.sql import reports
from syncline.reconciliation import queries, run
from syncline.reconciliation.due import period_of
from syncline.reconciliation.queries import Run
from syncline.reconciliation.run import advance, begin
from syncline.sandbox.process import SandboxProcess
from tests.spoiling import answered
from tests.tenants import operations
from tests.world import NAME, World, Worlds, small

PACED = (300, 300)
"""At this limit a run waits ten seconds between two calls that are no report."""


def begun(worlds: Worlds, sandbox: SandboxProcess, **config: Any) -> tuple[World, int]:
    """A run at a tenant that holds no row of ours."""
    small(sandbox, orders=0, transactions=0, subscriptions=0, **config)
    world = worlds(halo=PACED)
    line = world.worker.open_line(NAME)
    period = period_of(world.worker, line.link, date(2026, 1, 1), None)
    run_id = begin(world.worker, line.link, period, "test")
    assert run_id is not None
    return world, run_id


def of(world: World, run_id: int) -> Run:
    found = world.worker.ledger.run(lambda c: queries.by_id(c, run_id))
    assert found is not None
    return found


def test_a_tenant_that_refuses_reports_is_asked_for_one_and_the_run_ends(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world, run_id = begun(worlds, sandbox, reports_refused=True)
    waits = 0
    while of(world, run_id).state == "running":
        came = advance(world.worker.open_line(NAME), lambda *_: None)
        assert came is not None
        if came.again_after is not None:
            assert came.why == of(world, run_id).note == "Its share of the quota is used up."
            waits += 1
    assert of(world, run_id).certificate is not None
    made = operations(sandbox)
    assert made["POST /Report"] == 1
    assert waits <= made["GET /SalesOrder"] + made["GET /Invoice"] + made["GET /InvoicePayment"] + 3


def test_a_report_that_halo_cannot_run_is_not_run_again_by_the_same_run(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {"sql": "SELECT nothing FROM nowhere", "_loadreportonly": True}
    monkeypatch.setattr("syncline.halo.sql.queries.sql_element", lambda _: broken)
    assert reports.sql_element("x") != broken
    world, run_id = begun(worlds, sandbox)
    while of(world, run_id).state == "running":
        advance(world.worker.open_line(NAME), lambda *_: None)
    assert of(world, run_id).certificate is not None
    assert operations(sandbox)["POST /Report"] <= 4  # orders, invoices, payments, consignments


def test_a_run_ends_where_the_answer_to_a_report_holds_none(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(monkeypatch, "POST /Report", lambda _: (200, [{"id": 0}]))
    world, run_id = begun(worlds, sandbox)
    while of(world, run_id).state == "running":
        advance(world.worker.open_line(NAME), lambda *_: None)
    assert of(world, run_id).certificate is not None


def test_a_run_that_comes_no_further_ends_and_says_what_it_waited_for(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "GIVES_UP", timedelta(0))
    world, run_id = begun(worlds, sandbox, reports_refused=True)
    while of(world, run_id).state == "running":
        advance(world.worker.open_line(NAME), lambda *_: None)
    ended = of(world, run_id)
    assert (ended.state, ended.certificate) == ("failed", None)
    assert ended.note == "It came no further for an hour. Its share of the quota is used up."
