"""Arrays that are not full leave at the pace of the quota; full ones and first ones at once."""

from __future__ import annotations

from datetime import timedelta

from syncline.engine.rounds import NextRun
from syncline.halo.array_size import ArraySize
from syncline.sandbox.process import SandboxProcess
from syncline.sending import pace
from tests.world import NAME, Worlds, small

SLOW = (10, 600)
"""Calls in seconds: one a minute."""

MINUTE = timedelta(minutes=1)

TEN, FIVE, ONE = ArraySize(proved=10, ceiling=11), ArraySize(5, 6), ArraySize(1, 2)


def test_a_part_filled_array_waits_after_another_one_and_a_full_one_does_not(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=8)
    world = worlds(style="summary", halo=SLOW)
    line = world.worker.open_line(NAME)
    assert pace.hold_back(line, "order", TEN) == NextRun.when_due()
    world.pull()
    assert pace.hold_back(line, "order", TEN) is None
    assert pace.hold_back(line, "order", TEN) == NextRun.later(MINUTE)
    assert pace.hold_back(line, "order", FIVE) is None
    assert pace.hold_back(line, "order", ONE) is None


def test_a_size_that_is_not_proved_is_tried_by_one_sender(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=5)
    world = worlds(style="summary", halo=SLOW)
    line = world.worker.open_line(NAME)
    world.pull()
    assert pace.hold_back(line, "order", ArraySize(proved=2)) is None
    assert pace.hold_back(line, "order", ArraySize(proved=2)) == NextRun.later(MINUTE)
