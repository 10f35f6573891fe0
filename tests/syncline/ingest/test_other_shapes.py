"""What comes in a shape of its own is told as it came, and never as a side that is silent."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import pytest

from syncline.alerts.signals import of_side
from syncline.cli.answering import answering, in_words
from syncline.errors import Unreadable
from syncline.ingest.by_id import readings
from syncline.ledger.calls import Fault, last_answer
from syncline.sandbox.process import SandboxProcess
from tests.spoiling import rows, spoil
from tests.world import NAME, World, Worlds, small

ORDERS, TRANSACTIONS = "/payments/orders", "/payments/transactions"
KINDS = ("order", "transaction")


@pytest.fixture
def world(worlds: Worlds, sandbox: SandboxProcess) -> World:
    small(sandbox, orders=4, transactions=4, subscriptions=0, money=True)
    return worlds()


def test_a_list_of_another_shape_is_told_as_such(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, ORDERS, lambda one: {"data": {"orders": one["data"], "total": 4}})
    for _ in range(2):
        with pytest.raises(Unreadable, match="in a shape that is not that of its API"):
            world.pull()
    line = world.worker.open_line(NAME)
    with world.worker.ledger.begin() as connection:
        answer = last_answer(connection, line.highlevel_key.name)
    assert answer.outage is not None
    assert answer.outage.fault is Fault.FAILING
    shown = in_words(answering(answer, 0))
    assert "silent" not in shown
    assert "an object with orders, total" in shown
    [told] = of_side("highlevel", answer, NAME)
    assert told.kind == "failing"
    assert "in a shape that is not that of its API" in str(told)


@pytest.mark.parametrize(
    "count", ["many", -1, 4.5, None, "RAW:1e400", [4], {"value": 4}, True, "9" * 50, ...], ids=repr
)
def test_a_count_that_is_none_costs_the_certificate_and_no_row(
    world: World, monkeypatch: pytest.MonkeyPatch, count: object
) -> None:
    spoiler = spoil(monkeypatch, ORDERS, partial(with_count, count))
    assert world.pull().states == ("uncertain",)
    many = "select count(*) from record where kind = 'order'"
    assert world.rows(many)[0][0] == 4
    [counted] = world.rows("select side, kind, path from left_out")
    assert tuple(counted) == ("highlevel", "order", "totalCount")
    [pull] = world.rows("select note, rereads from pull where state = 'uncertain'")
    assert (pull.rereads, "4 rows were seen, and HighLevel does not tell" in pull.note) == (0, True)
    [waiting] = world.rows("select count(*) from pull where state = 'running'")
    assert waiting[0] == 1
    spoiler.on = False
    assert world.pull().states == ("provisional",)


def with_count(count: object, document: Any) -> Any:
    others = {key: one for key, one in document.items() if key != "totalCount"}
    return others if count is ... else {**others, "totalCount": count}


def test_an_object_that_is_no_list_is_told_by_its_fields(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoil(monkeypatch, ORDERS, lambda one: {"orders": one["data"], "total": 4})
    world.request_pull()
    world.follow_all()
    [failure] = world.failures
    assert "JSON that is not in the shape of the API: an object with orders, total" in str(failure)


def statuses(world: World, monkeypatch: pytest.MonkeyPatch, status: object) -> set[str]:
    """What is parked after transactions were read that have this status."""
    world.pull("transaction")
    ids = [row.foreign_id for row in world.rows("select foreign_id from facet")]
    world.do("delete from delivery")
    world.do("delete from facet")
    world.do("delete from record")
    spoil(
        monkeypatch, TRANSACTIONS, rows({one: lambda row: {**row, "status": status} for one in ids})
    )
    for kind in KINDS:
        world.pull(kind)
    world.drive(at_rest=("delivered", "parked", "waiting"))
    return {row.reason for row in world.rows("select reason from delivery where state = 'parked'")}


def test_a_status_within_an_object_is_read(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert statuses(world, monkeypatch, {"value": "succeeded"}) == set()
    assert sum(row.target == "payment" for row in world.rows("select target from delivery")) == 4


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (["succeeded"], """a transaction that is ["succeeded"]."""),
        ({"state": "ok"}, """a transaction that is {"state":"ok"}."""),
        (None, "a transaction that tells no status."),
    ],
)
def test_a_status_that_cannot_be_read_is_told_as_it_came(
    world: World, monkeypatch: pytest.MonkeyPatch, status: object, told: str
) -> None:
    reasons = statuses(world, monkeypatch, status)
    assert reasons
    assert all(told in one for one in reasons)


def test_all_is_in_line_though_no_list_tells_how_many_rows_it_has(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in (ORDERS, TRANSACTIONS):
        spoil(monkeypatch, path, partial(with_count, -1))
    monkeypatch.setattr(readings, "PAGE", 1)
    for kind in KINDS:
        world.pull(kind)
    give_up = time.monotonic() + 60
    while not (audit := sandbox.audit())["clean"] and time.monotonic() < give_up:
        world.follow_all()
    assert audit["clean"]
    assert audit["transactions_in_line"] == audit["transactions_owed"] > 0
    paths = {one.path for one in world.rows("select path from left_out")}
    assert paths == {"totalCount"}
