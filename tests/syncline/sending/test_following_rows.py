"""What stands under the ids that follow our newest row, and no list shows."""

from __future__ import annotations

import pytest

from syncline.calls.calls import halo_calls
from syncline.queues import Lane
from syncline.sandbox.process import SandboxProcess
from tests.lagging import Lagging, lost, until
from tests.tenants import brought_over, parked
from tests.world import NAME, Worlds

_GIVEN = {"id", "change_seq", "last_update_time"}


def test_two_rows_of_one_record_are_told_and_neither_is_taken(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As where something between us and Halo has repeated a call that it got no answer to."""
    world = brought_over(worlds, sandbox, orders=3, transactions=0, subscriptions=0)
    lagging = Lagging(monkeypatch, sandbox)
    lost(world, sandbox, "cut_after", 1)
    [made] = [row for row in sandbox.halo_orders() if int(row["id"]) not in lagging.shown]
    line = world.worker.open_line(NAME)
    again = {key: value for key, value in made.items() if key not in _GIVEN}
    halo_calls(line, Lane.UPKEEP).read(
        "POST /SalesOrder", lambda permit: line.halo.post("/SalesOrder", [again], permit)
    )
    until(world, lambda: bool(parked(world)))
    [told] = parked(world)
    both = [row["id"] for row in sandbox.halo_orders() if row["po_number"] == made["po_number"]]
    assert told.reason.endswith(f"{made['po_number']}: {both[0]}, {both[1]}")
    assert len(both) == 2
