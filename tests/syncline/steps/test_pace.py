"""Arrays that are not full leave at the pace of the quota; full ones and first ones at once."""

from __future__ import annotations

from syncline.sandbox.process import SandboxProcess
from syncline.steps import pace
from tests.world import NAME, Worlds, small

SLOW = (10, 600)
"""Calls in seconds: one a minute."""


def test_a_part_filled_array_waits_after_another_one_and_a_full_one_does_not(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=5)
    world = worlds(style="summary", halo=SLOW)
    line = world.parts.open_line(NAME)
    assert pace.hold_back(world.parts, line, "order", 10) == pace.NOTHING
    world.pull()
    assert pace.hold_back(world.parts, line, "order", 10) is None
    assert pace.hold_back(world.parts, line, "order", 10) == 60
    assert pace.hold_back(world.parts, line, "order", 5) is None
    assert pace.hold_back(world.parts, line, "order", 1) is None
