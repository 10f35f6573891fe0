"""Which variants of a test run each time, and which only where chance is given many more tries.

A test that drives a whole installation takes a second or more. Each profile of a tenant and
each fault has its turn every time; each fault on every profile runs in a soak: `bench soak`.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from itertools import cycle, product

import pytest
from _pytest.mark import ParameterSet

from tests.world import PROFILES


def mostly(*first: Hashable, of: Iterable[Hashable] = PROFILES) -> list[ParameterSet]:
    """These each time, the others of all in a soak."""
    return [_variant(one, each_time=one in first) for one in of]


def in_turn(
    values: Iterable[str], profiles: tuple[str, ...] = PROFILES, *, most: int | None = None
) -> list[ParameterSet]:
    """Each value with the profile whose turn it is; with the other profiles in a soak.

    Args:
        values: what is varied.
        profiles: a tenant's, or whatever else takes turns.
        most: so many values have their turn each time, the first; by default all.
    """
    every = list(values)
    turns = set(zip(every[:most], cycle(profiles), strict=False))
    return [_variant(*pair, each_time=pair in turns) for pair in product(every, profiles)]


def _variant(*values: Hashable, each_time: bool) -> ParameterSet:
    return pytest.param(*values, marks=() if each_time else pytest.mark.soak)
