"""How many elements a tenant takes in one POST: found out step by step, and tried again in time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Self

LADDER = (1, 2, 5, 10, 25, 50, 100)
"""Sizes of arrays that are tried, each only after the one before has been proved."""

BOLDER = (1, 10, 100)
"""The sizes that are tried where the tenant takes large arrays of something else."""

LARGE = 25
"""An array of so many elements is a large one."""

MISSES = 2
"""Arrays in a row that must fail before their size is given up: one may be chance."""

REST = timedelta(seconds=30)
"""How long a size that was given up is not tried; doubles with each time up to the longest."""

LONGEST_REST = timedelta(days=1)

MOSTLY = 0.8
"""An array of which so many came back was taken; what is missing says something of itself."""


@dataclass(frozen=True, slots=True)
class ArraySize:
    """How many elements a tenant takes in one POST.

    Attributes:
        proved: most elements that were sent at once and all came back matched; 0: none yet.
        ceiling: the smallest size at which that failed; sizes from there on are not tried.
        misses: arrays of the size above the ceiling's rung that failed in a row.
        falls: how often a size was given up since it last grew.
        rests_until: when the ceiling is tried again, aware UTC.
        bold: whether the tenant takes large arrays of something else, so that these grow faster.
    """

    proved: int = 0
    ceiling: int | None = None
    misses: int = 0
    falls: int = 0
    rests_until: datetime | None = None
    bold: bool = False

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """From the JSON object that is kept of it; of an empty one nothing is known."""
        until = value.get("rests_until")
        return cls(
            proved=int(value.get("proved", 0)),
            ceiling=value.get("ceiling"),
            misses=int(value.get("misses", 0)),
            falls=int(value.get("falls", 0)),
            rests_until=None if until is None else datetime.fromisoformat(until),
        )

    def kept(self) -> dict[str, Any]:
        """The JSON object that is kept of it."""
        until = self.rests_until
        kept = asdict(replace(self, rests_until=None))
        del kept["bold"]  # it follows from the others
        return {**kept, "rests_until": None if until is None else until.isoformat()}

    def next(self) -> int:
        """The size to send now: one rung above what is proved, below the ceiling."""
        ladders = (BOLDER, LADDER) if self.bold else (LADDER,)
        for ladder in ladders:
            rung = next((rung for rung in ladder if rung > self.proved), None)
            if rung is not None and self._below_ceiling(rung):
                return rung
        return max(self.proved, 1)

    def as_of(self, now: datetime) -> ArraySize:
        """The same, its ceiling lifted if it has rested: tenants change, and so does luck."""
        if self.rests_until is None or now < self.rests_until:
            return self
        return replace(self, ceiling=None, rests_until=None)

    def came(self, size: int, matched: int, now: datetime) -> ArraySize:
        """After an array of that size, of which so many elements came back matched."""
        if matched >= size:
            return self._whole(size)
        return self if size > 1 and matched >= MOSTLY * size else self.failed(size, now)

    def failed(self, size: int, now: datetime) -> ArraySize:
        """After an array of that size that was not taken as one: at last, back below it.

        A single element says nothing about arrays, nor does one smaller than what is proved.
        """
        if size <= 1 or size < self.proved or not self._below_ceiling(size):
            return self
        if self.misses + 1 < MISSES:
            return replace(self, misses=self.misses + 1)
        rung = max(rung for rung in LADDER if rung < size)
        until = now + min(REST * 2 ** min(self.falls, 16), LONGEST_REST)
        proved = min(self.proved, rung)
        return replace(
            self,
            proved=proved,
            ceiling=size,
            misses=0,
            falls=self.falls + 1,
            rests_until=until,
            bold=False,
        )

    def _whole(self, size: int) -> ArraySize:
        if size < self.proved or not self._below_ceiling(size):
            return self
        grown = size > self.proved
        return replace(self, proved=size, misses=0, falls=0 if grown else self.falls)

    def _below_ceiling(self, size: int) -> bool:
        return self.ceiling is None or size < self.ceiling
