"""A record that HighLevel lists and does not show by its id: it may be so new, or it is gone."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.deliveries import parked
from syncline.ingest.by_id.closing import GONE_READINGS
from syncline.sandbox.process import SandboxProcess
from tests.events import order_ids
from tests.spoiling import Spoiler, refused
from tests.world import ENDED, World, Worlds, small

ORDERS = "/payments/orders"
SAID = {"statusCode": 404, "message": "Order not found", "error": "Not Found"}


@pytest.fixture
def world(worlds: Worlds, sandbox: SandboxProcess) -> World:
    small(sandbox, orders=3, transactions=3, subscriptions=0, money=True)
    return worlds()


class NotShown:
    """An order that is answered with 404 by its id, so often or for ever."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, order_id: str, times: int | None = None
    ) -> None:
        self.asked, self._times = 0, times
        self.spoiler: Spoiler = refused(
            monkeypatch, f"{ORDERS}/{order_id}", self._is_meant, 404, SAID
        )

    def _is_meant(self, *_: Any) -> bool:
        self.asked += 1
        return self._times is None or self.asked <= self._times


def pulled(world: World) -> None:
    for kind in ("order", "transaction"):
        world.pull(kind)
    world.drive(at_rest=(*ENDED, "waiting"))


def reasons(world: World) -> dict[str, str]:
    with world.worker.ledger.begin() as connection:
        return {one.source_id: str(one.reason) for one in parked.listed(connection)}


def test_an_order_that_is_not_shown_by_its_id_at_first_bothers_nobody(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = NotShown(monkeypatch, order_ids(sandbox)[0], GONE_READINGS - 1)
    pulled(world)
    world.drive()
    assert (reasons(world), hidden.asked) == ({}, GONE_READINGS)
    assert sandbox.audit()["clean"]


def test_an_order_that_is_told_to_be_gone_goes_on_when_it_is_shown_and_a_list_has_it(
    world: World, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = order_ids(sandbox)[0]
    hidden = NotShown(monkeypatch, order_id)
    pulled(world)
    assert reasons(world) == {order_id: "HighLevel no longer has this order"}
    assert hidden.asked == GONE_READINGS
    pulled(world)
    pulled(world)
    assert reasons(world) == {order_id: "HighLevel no longer has this order"}
    assert hidden.asked == GONE_READINGS + 2  # one for each time that a list has it
    hidden.spoiler.on = False
    pulled(world)
    world.drive()
    assert reasons(world) == {}
    assert sandbox.audit()["clean"]
