"""A refused report is a way that is not there: lists are read, and a run ends or says its want."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from redis.exceptions import RedisError

from syncline.halo.sql import readback, reports
from syncline.reconciliation import queries, run
from syncline.reconciliation.due import period_of
from syncline.reconciliation.queries import Run
from syncline.reconciliation.run import advance, begin
from syncline.sandbox.process import SandboxProcess
from tests.reconciling import in_line, pairs, tampered
from tests.spoiling import answered
from tests.tenants import operations
from tests.world import NAME, World, Worlds, small

PACED = (300, 300)
"""At this limit a run waits ten seconds between two calls that are no report."""


def begun(
    worlds: Worlds, sandbox: SandboxProcess, halo: tuple[int, int] = PACED, **config: Any
) -> tuple[World, int]:
    """A run at a tenant that holds no row of ours."""
    small(sandbox, orders=0, transactions=0, subscriptions=0, **config)
    world = worlds(halo=halo)
    line = world.worker.open_line(NAME)
    period = period_of(world.worker, line.link, date(2026, 1, 1), None)
    run_id = begin(world.worker, line.link, period, "test")
    assert run_id is not None
    return world, run_id


def of(world: World, run_id: int) -> Run:
    found = world.worker.ledger.run(lambda c: queries.by_id(c, run_id))
    assert found is not None
    return found


def driven(world: World, run_id: int) -> None:
    while of(world, run_id).state == "running":
        advance(world.worker.open_line(NAME), lambda *_: None)


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


def by_hand(world: World, run_id: int, *, at_once: int | None = None) -> int:
    """How often a run that a person waits for has to wait, until its end or the first wait."""
    waits = 0
    while of(world, run_id).state == "running":
        came = advance(world.worker.open_line(NAME), lambda *_: None, by_hand=True)
        waits += came is not None and bool(came.again_after)
        if waits == at_once:
            break
    return waits


def test_a_run_that_a_person_waits_for_uses_what_an_idle_tenant_has_left(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world, run_id = begun(worlds, sandbox, reports_refused=True)
    assert by_hand(world, run_id) == 0
    assert of(world, run_id).certificate is not None


def test_a_run_that_a_person_waits_for_keeps_to_its_share_where_half_is_used(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world, run_id = begun(worlds, sandbox, halo=(6, 300), reports_refused=True)
    assert by_hand(world, run_id, at_once=1) == 1
    assert of(world, run_id).note == "Its share of the quota is used up."
    assert len(sandbox.calls("halo")) == 3


def test_a_report_that_halo_cannot_run_is_not_run_again_by_the_same_run(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = {"sql": "SELECT nothing FROM nowhere", "_loadreportonly": True}
    monkeypatch.setattr("syncline.halo.sql.queries.sql_element", lambda _: broken)
    assert reports.sql_element("x") != broken
    world, run_id = begun(worlds, sandbox)
    driven(world, run_id)
    assert of(world, run_id).certificate is not None
    assert operations(sandbox)["POST /Report"] <= 4  # orders, invoices, payments, consignments


def test_a_run_ends_where_the_answer_to_a_report_holds_none(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    answered(monkeypatch, "POST /Report", lambda _: (200, [{"id": 0}]))
    world, run_id = begun(worlds, sandbox)
    driven(world, run_id)
    assert of(world, run_id).certificate is not None


def test_a_run_that_comes_no_further_ends_and_says_what_it_waited_for(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "GIVES_UP", timedelta(0))
    world, run_id = begun(worlds, sandbox, reports_refused=True)
    driven(world, run_id)
    ended = of(world, run_id)
    assert (ended.state, ended.certificate) == ("failed", None)
    assert ended.note == "It came no further for an hour. Its share of the quota is used up."


def test_reports_that_are_gone_in_the_middle_of_a_run_are_replaced_by_lists(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = in_line(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    monkeypatch.setattr(readback, "ROWS_PER_REPORT", 2)
    refused = answered(monkeypatch, "POST /Report", lambda _: (403, {"Message": "No access."}))
    refused.on = False
    dearer = tampered(sandbox, "order_price")["order_price"]["source"]

    def after_the_first(_what: str, calls: int, _of: int) -> None:
        refused.on = calls > 1

    line = world.worker.open_line(NAME)
    run_id = begin(world.worker, line.link, period_of(world.worker, line.link, None, None), "test")
    assert run_id is not None
    advance(line, after_the_first)
    ended = of(world, run_id)
    assert ended.certificate is not None, ended.note
    assert ended.certificate["ways"]["order"] == "list"
    assert ended.certificate["kinds"][0]["halo"]["count"] == 3
    assert pairs(world) == {(dearer, "changed_in_halo")}


def test_a_run_that_breaks_off_by_a_fault_of_our_own_ends_and_says_so(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, run_id = begun(worlds, sandbox)
    errors = [KeyError("x"), RedisError("away")]

    def fails(*_: Any) -> None:
        raise errors.pop()

    monkeypatch.setattr(run, "read_again_and_judge", fails)
    for error, state in ((RedisError, "running"), (KeyError, "failed")):
        with pytest.raises(error):
            driven(world, run_id)
        assert of(world, run_id).state == state
    assert of(world, run_id).note == "It broke off with KeyError: see the log of the workers."
