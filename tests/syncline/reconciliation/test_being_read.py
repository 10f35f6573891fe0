"""What is still to be read of HighLevel is no difference, and nothing is clean before."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.reconciliation import certificate_text
from syncline.reconciliation.reading.read_highlevel import Counting
from syncline.sandbox.process import SandboxProcess
from tests.reconciling import (
    FEW,
    certified,
    in_line,
    pairs,
    reconciled,
)
from tests.world import Worlds

_COUNTS = 3
"""Calls to HighLevel, of which a run asks the number of each kind first."""
_AT_THE_END = 2
"""The call to Halo with which orders are read once more, after the report of them."""


def test_what_was_never_read_is_no_difference_and_makes_no_certificate_clean(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    world = in_line(worlds, sandbox, **FEW)
    [known] = world.rows("select source_id from delivery where target = 'order' limit 1")
    forget = "delete from {} where source_id = :i and flow = 'orders'"
    world.do(forget.format("delivery"), i=known.source_id)
    world.do("delete from record where kind = 'order' and foreign_id = :i", i=known.source_id)
    world.do("delete from pull where kind = 'order' and last >= current_date - 30")
    certificate = certified(reconciled(world))
    assert (certificate["clean"], certificate["compared"], pairs(world)) == (False, False, set())
    assert certificate["unconfirmed"] == 1
    lines = certificate_text.lines(certificate)
    assert "orders of HighLevel: it has 6, 5 were read, the rest is being read" in lines


def test_a_reading_that_ends_while_a_run_counts_makes_no_difference(
    worlds: Worlds, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = in_line(worlds, sandbox, **FEW)
    sandbox.add_orders(1)
    world.request_pull("order")
    counted = Counting._ledger

    def then_read(self: Counting, kind: str, *ends: Any) -> int:
        ours = counted(self, kind, *ends)
        if kind == "order" and ends != (None, None):
            world.pull()
        return ours

    monkeypatch.setattr(Counting, "_ledger", then_read)
    assert not certified(reconciled(world))["compared"]
    assert pairs(world) == set()
