"""What comes in a shape of its own is told as it came, and never as a side that is silent."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from syncline.alerts.signals import of_side
from syncline.cli.answering import answering, in_words
from syncline.errors import Unreadable
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


@pytest.mark.parametrize(
    ("change", "came"),
    [
        (lambda one: {"data": one["data"]}, "totalCount is not there"),
        (lambda one: {"data": {"orders": one["data"], "total": 4}}, "an object with orders, total"),
    ],
    ids=["no count", "data is an object"],
)
def test_a_list_of_another_shape_is_told_as_such(
    world: World, monkeypatch: pytest.MonkeyPatch, change: Callable[[Any], Any], came: str
) -> None:
    spoil(monkeypatch, ORDERS, change)
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
    assert came in shown
    [told] = of_side("highlevel", answer, NAME)
    assert told.kind == "failing"
    assert "in a shape that is not that of its API" in str(told)


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
