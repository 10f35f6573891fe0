"""A shipment is posted once, whatever crashes where, and whatever HighLevel leaves unanswered."""

from __future__ import annotations

import random

import pytest

from syncline.deliveries import leased
from syncline.ledger import calls
from syncline.sandbox.process import SandboxProcess
from tests.promises.mortal import Mortal, die_one_after_the_other
from tests.shipping import (
    an_order,
    fulfillments,
    goods,
    halo_orders,
    hint,
    noticed,
    shipping,
    the_row,
)
from tests.unheard import unheard
from tests.variants import mostly
from tests.world import World, Worlds

POST = "POST /payments/orders/{id}/fulfillments"


def ship_everything(world: World, sandbox: SandboxProcess) -> int:
    """Consign each order's goods, the first line of each in two parts; returns how many."""
    many = 0
    for order in halo_orders(sandbox).values():
        for at, line in enumerate(goods(order)):
            parts = (1, line["quantity"] - 1) if at == 0 else (line["quantity"],)
            for part in (one for one in parts if one > 0):
                many += 1
                # Of several with the same items and tracking, each must still be posted.
                number = sandbox.consign(order["id"], [(line["id"], part)], "Tracking: 1Z7")
                hint(world, "consignment", number)
    noticed(world)
    return many


def judged(sandbox: SandboxProcess, shipped: int) -> None:
    verdict = sandbox.audit()["fulfillments"]
    assert verdict["clean"], {key: value for key, value in verdict.items() if value}
    assert verdict["shipped"] == shipped


SHARES = {"cut_after": 0.35, "cut_before": 0.35, "500_after": 0.35, "late": 0.35, "429": 0.1}


@pytest.mark.parametrize("kind", mostly("cut_after", "late", of=SHARES))
def test_answers_that_are_lost_double_and_lose_nothing(
    worlds: Worlds, sandbox: SandboxProcess, kind: str
) -> None:
    world = shipping(worlds, sandbox, orders=4)
    many = ship_everything(world, sandbox)
    # What comes late takes effect before the settle time is over.
    sandbox.faults(side="highlevel", kind=kind, probability=SHARES[kind], late_seconds=0.1)
    world.drive(60)
    assert sandbox.faults()["fired"][kind] > 0
    judged(sandbox, many)


def test_a_departure_whose_commit_was_not_answered_doubles_and_strands_nothing(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = shipping(worlds, sandbox, orders=2)
    many = ship_everything(world, sandbox)
    lost = unheard(world, monkeypatch, leased, "depart")
    world.drive(20)
    assert lost
    judged(sandbox, many)


def test_workers_that_die_one_after_the_other_double_and_lose_nothing(
    worlds: Worlds, sandbox: SandboxProcess, seed: int
) -> None:
    first = shipping(worlds, sandbox, orders=4)
    many = ship_everything(first, sandbox)
    lives = random.Random(seed)
    deaths = die_one_after_the_other(worlds, first, lives, most_points=60, seconds=60)
    assert deaths
    judged(sandbox, many)


@pytest.mark.parametrize("moment", ["before POST", "after POST", "after commit"])
def test_a_worker_that_stood_still_and_wakes_after_another_took_over_doubles_nothing(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    # A held-up call leaves within this time or never; the settle time is longer, as in production.
    monkeypatch.setattr(calls, "SEND_WITHIN", calls.SEND_WITHIN / 15)
    first = shipping(worlds, sandbox, orders=4)
    many = ship_everything(first, sandbox)
    other = worlds(joins=True)
    stopped: list[int] = []

    def stand_still(point: int, name: str) -> None:
        sending = other.rows(
            "select count(*) from delivery where state = 'sending' and flow = 'fulfillments'"
        )[0][0]
        if name == moment and sending and not stopped:
            stopped.append(point)
            watched.silence()
            other.drive(60)

    watched = Mortal(first, stand_still)
    first.drive(60)
    assert stopped
    judged(sandbox, many)


def test_a_shipment_of_unknown_outcome_is_not_taken_for_one_that_was_made_by_hand_before(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = shipping(worlds, sandbox)
    order_id, order, line = an_order(sandbox)
    price = line["item_external_reference"].removeprefix("HL-")
    by_hand = sandbox.fulfill_by_hand(order_id, [(price, 1)], [{"trackingNumber": "1Z7"}])
    sandbox.faults(side="highlevel", operation=POST, kind="cut_before", probability=1.0)
    number = sandbox.consign(order["id"], [(line["id"], 1)], "Tracking: 1Z7")
    hint(world, "consignment", number)
    noticed(world)
    world.follow_all()
    assert the_row(world).state == "doubtful"
    sandbox.faults()
    world.drive()
    assert len(fulfillments(sandbox, order_id)) == 2
    assert the_row(world).target_id not in (None, by_hand)


def test_nothing_else_of_an_order_leaves_while_one_of_it_is_in_doubt(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = shipping(worlds, sandbox)
    order_id, order, line = an_order(sandbox)
    sandbox.faults(side="highlevel", operation=POST, kind="cut_after", next=1)
    for _ in range(2):
        number = sandbox.consign(order["id"], [(line["id"], 1)], "Tracking: 1Z7")
        hint(world, "consignment", number)
    noticed(world)
    for _ in range(2):
        world.follow_all()
    states = [
        row.state
        for row in world.rows("select state from delivery where flow='fulfillments' order by id")
    ]
    assert states.count("delivered") == 0
    assert len(fulfillments(sandbox, order_id)) == 1
    world.drive()
    assert len(fulfillments(sandbox, order_id)) == 2
