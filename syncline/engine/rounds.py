"""Rounds: a task claims, does what it claimed, and claims again, until it lets others go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

ROUNDS = 50
"""Rounds of one task. The rest is nudged again, so that others get its thread."""

_AT_ONCE = timedelta(milliseconds=50)


@dataclass(frozen=True, slots=True)
class NextRun:
    """When the task of a target is to run again.

    Attributes:
        after: the pause before it; None where nothing is left that is due now. What becomes due
            later is found by the sweep.
    """

    after: timedelta | None

    @classmethod
    def when_due(cls) -> Self:
        """Nothing is left to do now."""
        return cls(None)

    @classmethod
    def at_once(cls) -> Self:
        """There is more to do, and nothing to wait for."""
        return cls(_AT_ONCE)

    @classmethod
    def later(cls, after: timedelta) -> Self:
        """There is more to do after a pause."""
        return cls(after)


def in_rounds(one_round: Callable[[], NextRun | None]) -> NextRun:
    """Do rounds until one of them says when to go on; None stands for "at once, by this task"."""
    for _ in range(ROUNDS):
        next_run = one_round()
        if next_run is not None:
            return next_run
    return NextRun.at_once()
