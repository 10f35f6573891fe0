"""A first row of a kind of which nobody knows whether it was made: no second one is before."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.deliveries import unleased
from syncline.halo.sql.finding import LookupResult
from syncline.ledger import connections, new_connections
from syncline.sandbox.process import SandboxProcess
from syncline.sending.find import find
from syncline.sending.in_doubt import looking, maybe_ours
from tests.first_rows import ORDERS, Hidden, Misnamed, said, shop, until_parked
from tests.tenants import parked
from tests.world import Worlds, beside


class Unanswered:
    """Orders that are answered without an id when they are made, and found by nobody."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.hidden, self.misnamed = Hidden(monkeypatch), Misnamed(monkeypatch, 0)
        for module in (looking, maybe_ours):
            monkeypatch.setattr(module, "find", self._unsure)

    def _unsure(self, line: Any, api: Any, target: Any, way: Any, sought: Any) -> LookupResult:
        if not self.hidden.on or target.name != "order":
            return find(line, api, target, way, sought)
        return LookupResult({one: [] for one in sought}, frozenset(sought))


def test_no_second_row_is_made_before_it_is_known_what_became_of_a_first_one_without_an_id(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    unanswered, world = Unanswered(monkeypatch), shop(worlds, sandbox)
    until_parked(world)
    world.follow_all()
    [one] = parked(world)
    assert "proves neither presence nor absence" in one.reason
    assert unanswered.misnamed.rows == 1
    assert "No order is written until it is known whether Halo has order HL-" in said(world)
    unanswered.hidden.on = False
    with world.worker.ledger.begin() as connection:
        unleased.retry(connection, None)
    world.drive()
    assert (parked(world), said(world)) == ([], "")
    assert sandbox.audit()["clean"]


def test_nobody_waits_for_a_row_in_doubt_of_a_connection_that_is_stopped(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    unanswered, world = Unanswered(monkeypatch), shop(worlds, sandbox)
    until_parked(world)
    unanswered.hidden.on = False
    link = world.reopened().link
    with world.worker.ledger.begin() as connection:
        other = new_connections.add(connection, beside(link, link.mapping))
        connections.stop(connection, other, "a test")
    world.do(
        "update delivery set connection_id = :other, "
        "target_meta = jsonb_build_object('answered', jsonb_build_array(987654)) "
        "where target = 'order' and state = 'parked'",
        other=other.id,
    )
    world.drive()
    assert len(sandbox.halo_orders()) == ORDERS
    assert said(world) == ""
