"""Where HighLevel says two things of a record and neither is newer, none of them is taken."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from syncline.deliveries import parked
from syncline.highlevel.merging import contradictions
from syncline.ingest.by_id.closing import CONTESTED_READINGS
from syncline.reconciliation import certificate_text
from syncline.sandbox.process import SandboxProcess
from tests.events import order_ids
from tests.reconciling import certified, reconciled
from tests.spoiling import Spoiler, rows, spoil
from tests.world import ENDED, World, Worlds, small

LIST = "/payments/orders"
HELD_UP = (*ENDED, "waiting")
NOTHING = {"amount": 0, "items": [], "amountSummary": {"subtotal": 0, "discount": 0}}

Change = Callable[[dict[str, Any]], Any]
Told = tuple[datetime | None, str] | None


@pytest.fixture
def world(worlds: Worlds, sandbox: SandboxProcess) -> World:
    small(sandbox, orders=6, transactions=6, subscriptions=1, money=True)
    return worlds()


def lying(monkeypatch: pytest.MonkeyPatch, order_id: str, change: Change) -> Spoiler:
    """The detail of an order is answered otherwise."""
    return spoil(monkeypatch, f"{LIST}/{order_id}", change)


def nothing(detail: dict[str, Any]) -> dict[str, Any]:
    return {**detail, **NOTHING}


def pulled(world: World) -> None:
    for kind in ("order", "transaction", "subscription"):
        world.pull(kind)
    world.drive(at_rest=HELD_UP)


def reasons(world: World) -> dict[str, tuple[str, str | None]]:
    with world.worker.ledger.begin() as connection:
        found = parked.listed(connection)
    return {one.source_id: (str(one.reason), one.field) for one in found}


def held_up(world: World, order_id: str) -> set[str]:
    """The targets of an order that are not confirmed."""
    found = world.rows(
        "select target from delivery where source_id = :id and state <> 'delivered'", id=order_id
    )
    return {row.target for row in found}


def written(world: World, order_id: str) -> int:
    """How many rows of Halo there are of an order."""
    [[many]] = world.rows(
        """
        select count(*) from delivery
        where source_id = :id and (target_id is not null or sent_at is not null)
        """,
        id=order_id,
    )
    return int(many)


def contested(world: World) -> Mapping[str, Any]:
    found = world.rows(
        "select foreign_id, canonical -> 'contested' as said from record where canonical ? :key",
        key="contested",
    )
    return {row.foreign_id: row.said for row in found}


def test_an_order_whose_detail_lies_is_not_written_and_goes_on_when_both_agree(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = order_ids(sandbox)[0]
    spoiler = lying(monkeypatch, order_id, nothing)
    pulled(world)
    assert written(world, order_id) == 0
    [(reason, field)] = [reasons(world)[order_id]]
    amount = contested(world)[order_id]["amount"]
    assert field == "amount"
    assert f"amount {amount['list']} in its list and 0.00 read by its id" in reason
    assert len(reasons(world)) == 1

    run = reconciled(world)
    told = certified(run)
    assert not told["clean"]
    said = "\n".join(certificate_text.lines(told))
    assert "1 order of which HighLevel says two things, neither newer: not compared" in said
    assert f"{order_id} (amount {amount['list']} in its list" in said

    pulled(world)  # it is looked at, and a person is told no second time
    assert reasons(world) == {order_id: (reason, field)}
    spoiler.on = False
    pulled(world)
    world.drive()
    assert (reasons(world), contested(world)) == ({}, {})
    assert sandbox.audit()["clean"]
    assert certified(reconciled(world))["clean"]


def test_a_detail_that_heals_soon_bothers_nobody(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = order_ids(sandbox)[0]
    answers = [nothing] * (CONTESTED_READINGS - 1)
    seen: list[int] = []

    def at_first(detail: dict[str, Any]) -> dict[str, Any]:
        seen.append(0)
        return answers.pop()(detail) if answers else detail

    lying(monkeypatch, order_id, at_first)
    pulled(world)
    world.drive()
    assert len(seen) == CONTESTED_READINGS
    assert reasons(world) == {}
    assert sandbox.audit()["clean"]


def test_readings_of_what_is_contested_are_bounded_and_ever_later(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = order_ids(sandbox)[0]
    seen: list[int] = []

    def counted(detail: dict[str, Any]) -> dict[str, Any]:
        seen.append(0)
        return nothing(detail)

    lying(monkeypatch, order_id, counted)
    pulled(world)
    assert len(seen) == CONTESTED_READINGS
    pulled(world)
    pulled(world)
    assert len(seen) == CONTESTED_READINGS + 2  # one for each time that a list shows it


def test_an_order_in_line_that_its_list_contradicts_is_not_called_clean(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    pulled(world)
    world.drive()
    order_id = order_ids(sandbox)[0]
    before = world.rows("select id, projection from delivery where source_id = :id", id=order_id)
    other = {order_id: lambda row: {**row, "amount": row["amount"] + 3}}
    spoiler = spoil(monkeypatch, LIST, rows(other))
    pulled(world)
    assert "order" in held_up(world, order_id)
    assert reasons(world)[order_id][1] == "amount"
    after = world.rows("select id, projection from delivery where source_id = :id", id=order_id)
    assert [one for one in before if one not in after] == []
    assert not certified(reconciled(world))["clean"]
    spoiler.on = False
    pulled(world)
    world.drive()
    assert reasons(world) == {}
    assert certified(reconciled(world))["clean"]
    assert sandbox.audit()["clean"]


def test_another_currency_is_not_decided_either(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = order_ids(sandbox)[0]
    lying(monkeypatch, order_id, lambda one: {**one, "currency": "CHF"})
    pulled(world)
    assert reasons(world)[order_id][1] == "currency"
    assert written(world, order_id) == 0


@pytest.mark.parametrize(
    "undated", [lambda row: {**row, "updatedAt": None}, lambda row: {**row, "updatedAt": "soon"}]
)
def test_a_row_that_does_not_tell_when_it_was_changed_is_not_older(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, undated: Change
) -> None:
    order_id = order_ids(sandbox)[0]
    lying(monkeypatch, order_id, nothing)
    spoil(monkeypatch, LIST, rows({order_id: undated}))
    pulled(world)
    assert reasons(world)[order_id][1] == "amount"


def test_a_subscription_is_held_up_in_the_same_way(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = "/payments/subscriptions"
    [subscription] = [row["_id"] for row in _documents(world, path)]
    spoiler = spoil(monkeypatch, f"{path}/{subscription}", lambda one: {**one, "amount": 1})
    pulled(world)
    assert reasons(world)[subscription][1] == "amount"
    assert written(world, subscription) == 0
    spoiler.on = False
    pulled(world)
    world.drive()
    assert reasons(world) == {}
    assert sandbox.audit()["clean"]


def _documents(world: World, path: str) -> list[dict[str, Any]]:
    world.pull("subscription")
    return [dict(row.payload) for row in world.rows("select payload from facet")]


@pytest.mark.parametrize(
    "same",
    [
        lambda row: {**row, "amount": f"{row['amount']:.2f}"},
        lambda row: {**row, "amount": row["amount"] + 1e-9},
        lambda row: {**row, "amount": row["amount"] + 0.004},
        lambda row: {**row, "currency": row["currency"].lower()},
        lambda row: {**row, "amount": None},
    ],
    ids=["text", "noise", "more digits", "small letters", "untold"],
)
def test_what_is_only_written_otherwise_is_no_contradiction(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, same: Change
) -> None:
    spoil(monkeypatch, LIST, rows(dict.fromkeys(order_ids(sandbox), same)))
    pulled(world)
    world.drive()
    assert (reasons(world), contested(world)) == ({}, {})
    assert sandbox.audit()["clean"]


def test_an_amount_that_changed_is_no_contradiction(world: World, sandbox: SandboxProcess) -> None:
    pulled(world)
    for _ in range(2):
        sandbox.change_orders(3, fields="amount")
        pulled(world)
        world.drive()
    assert (reasons(world), contested(world)) == ({}, {})
    assert sandbox.audit()["clean"]


OLD, NEW = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("listed", "event", "detail", "is_contested"),
    [
        ((NEW, "10.00"), None, (NEW, "0.00"), True),
        ((NEW, "10.00"), (NEW, "10.00"), (NEW, "0.00"), True),
        (None, (NEW, "10.00"), (NEW, "0.00"), True),
        ((NEW, "10.00"), (NEW, "12.00"), (NEW, "10.00"), False),
        ((NEW, "10.00"), (NEW, "12.00"), (NEW, "12.00"), True),
        ((None, "10.00"), None, (NEW, "0.00"), True),
        ((NEW, "10.00"), None, (None, "0.00"), True),
        ((OLD, "10.00"), None, (NEW, "0.00"), False),
        ((NEW, "10.00"), None, (OLD, "0.00"), False),
        ((NEW, "10"), None, (NEW, "10.00"), False),
        ((NEW, "33.33"), None, (NEW, "33.333333"), False),
        ((NEW, "9" * 40), None, (NEW, "0.00"), True),
        ((NEW, "10.00"), (NEW, "10.00"), None, False),
    ],
)
def test_only_what_nobody_can_decide_is_contested(
    listed: Told, event: Told, detail: Told, is_contested: bool
) -> None:
    facets = {
        name: (told[0], {"amount": told[1], "currency": "USD"})
        for name, told in (("list", listed), ("event", event), ("detail", detail))
        if told is not None
    }
    assert bool(contradictions(facets)) is is_contested
