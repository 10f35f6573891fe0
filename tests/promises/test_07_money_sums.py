"""Halo's invoices, payments and credits sum to HighLevel's, per currency, to the smallest coin.

Whatever happened to the transactions, in whatever order it was seen, whoever died meanwhile.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from syncline.sandbox.process import SandboxProcess
from tests.promises.mortal import die_one_after_the_other
from tests.variants import mostly
from tests.world import World, Worlds, small

KINDS = ("order", "transaction", "subscription")
MONEY: dict[str, Any] = {
    "money": True,
    "orders": 10,
    "transactions": 16,
    "subscriptions": 3,
    "customers": 4,
    "currencies": ["USD", "JPY", "KWD"],
}


@pytest.mark.parametrize("profile", mostly("awkward"))
def test_after_any_history_with_any_deaths_both_sides_hold_the_same_sums(
    worlds: Worlds, sandbox: SandboxProcess, profile: str, seed: int
) -> None:
    small(sandbox, profile=profile, seed=seed, **MONEY)
    chance = random.Random(f"{seed} {profile}")
    first = worlds()
    deaths: list[str] = []
    for _ in range(4):
        for kind in chance.sample(KINDS, len(KINDS)):
            first.request_pull(kind)
        _bring_over(worlds, first, chance, deaths)
        _happen(sandbox, chance)
    for kind in KINDS:
        first.request_pull(kind)
    _bring_over(worlds, first, chance, deaths)
    assert len(deaths) >= 5
    assert_equal(sandbox)


@pytest.mark.parametrize("profile", mostly("generous"))
def test_a_list_that_shows_an_older_version_once_more_takes_nothing_back(
    worlds: Worlds, sandbox: SandboxProcess, profile: str
) -> None:
    small(sandbox, profile=profile, **MONEY)
    world = worlds()
    _pulled(world)
    refunded = sandbox.change_transactions(4, what="refund")
    _pulled(world)
    sandbox.replay_old(refunded, reads=1)
    _pulled(world)
    assert_equal(sandbox)


def test_a_payment_that_bounces_and_settles_again_ends_with_the_money_there(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, **MONEY)
    world = worlds()
    _pulled(world)
    failed = sandbox.change_transactions(3, what="fail")
    _pulled(world)
    assert_equal(sandbox)
    paid = "select projection ->> 'amount' from delivery where role = 'payment' and source_id = :id"
    assert {float(world.rows(paid, id=one)[0][0]) for one in failed} == {0}


def test_an_order_that_only_its_transaction_names_is_brought_too(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, **{**MONEY, "subscriptions": 0})
    world = worlds()
    world.pull("transaction")
    world.drive()
    named = world.rows("select count(*) from record where kind = 'order'")[0][0]
    invoiced = world.rows("select count(*) from delivery where role = 'invoice'")[0][0]
    assert named > 0
    assert invoiced
    world.pull("order")
    world.drive()
    assert_equal(sandbox)


def assert_equal(sandbox: SandboxProcess) -> None:
    verdict = sandbox.audit()
    wrong = {kind: many for kind, many in verdict["counts"].items() if many}
    assert verdict["clean"], (wrong, {kind: verdict[kind] for kind in wrong}, verdict["sums"])
    for currency, sides in verdict["sums"].items():
        assert sides["halo"] == sides["highlevel"], currency


def _happen(sandbox: SandboxProcess, chance: random.Random) -> None:
    """Something of everything, in any order."""
    events: list[Callable[[], object]] = [
        lambda: sandbox.change_transactions(3, what="refund"),
        lambda: sandbox.change_transactions(1, what="refund"),
        lambda: sandbox.change_transactions(1, what="settle"),
        lambda: sandbox.change_transactions(1, what="fail"),
        lambda: sandbox.add_transactions(3),
        lambda: sandbox.change_orders(1, fields="amount"),
        lambda: sandbox.change_subscriptions(1, what=chance.choice(["cancel", "amount"])),
    ]
    for event in chance.sample(events, 4):
        event()


def _bring_over(worlds: Worlds, first: World, chance: random.Random, deaths: list[str]) -> None:
    deaths += die_one_after_the_other(worlds, first, chance, most_points=160, seconds=40)


def _pulled(world: World) -> None:
    for kind in KINDS:
        world.pull(kind)
    world.drive()
