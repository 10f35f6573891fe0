"""What rows of a kind showed when they were read back whole, and which of them is tried now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self

ROW = "row"
"""The trait that every row has: what is compared of each came back as it was sent."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """A row that did not come back as it was sent, whatever was tried.

    Attributes:
        delivery: the number of the delivery that wrote it.
        target_id: Halo's id of it.
        field: that is otherwise.
        wanted: what was sent.
        got: what Halo holds.
        traits: what it was to show.
    """

    delivery: int
    target_id: str
    field: str
    wanted: str
    got: str
    traits: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RoundTrip:
    """What rows of a kind showed when they were read back whole.

    Attributes:
        traits: what came back as it was sent, such as `tax`, so that it need not be looked at
            again; of currencies the first two.
        failed: the row that did not, while a person has not decided about it.
        trying: the number of the delivery that is being tried, before others of its kind go.
        gave_way: how many have given way to another one in a row, since none of them passed.
        rests_until: when the next one is tried at the earliest, after one that gave way; aware UTC.
    """

    traits: frozenset[str] = frozenset()
    failed: Mismatch | None = None
    trying: int | None = None
    gave_way: int = 0
    rests_until: datetime | None = None

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """From the JSON object that is kept of it; of an empty one nothing is known."""
        failed, until = value.get("failed"), value.get("rests_until")
        if failed is not None:
            failed = Mismatch(**{**failed, "traits": tuple(failed.get("traits", ()))})
        return cls(
            traits=frozenset(value.get("traits", ())),
            failed=failed,
            trying=value.get("trying"),
            gave_way=int(value.get("gave_way", 0)),
            rests_until=None if until is None else datetime.fromisoformat(until),
        )

    def kept(self) -> dict[str, Any]:
        """The JSON object that is kept of it."""
        failed, until = self.failed, self.rests_until
        return {
            "traits": sorted(self.traits),
            "failed": None if failed is None else {**asdict(failed), "traits": [*failed.traits]},
            "trying": self.trying,
            "gave_way": self.gave_way,
            "rests_until": None if until is None else until.isoformat(),
        }
