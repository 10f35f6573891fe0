"""What a dry run comes to: the calls, what would be parked, and how long it would take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from syncline.halo.abilities import Abilities, ArraySize
from syncline.halo.answers import Effect
from syncline.halo.client import HaloClient, Received
from syncline.sending.targets import Target
from syncline.transport import Permit


@dataclass(frozen=True, slots=True)
class Call:
    """A call that would be made.

    Attributes:
        target: what is written.
        method: of HTTP.
        path: under the side's address.
        references: ours, or the id, of each element.
        body: what is sent, without what is not known yet.
    """

    target: str
    method: str
    path: str
    references: tuple[str, ...]
    body: Any


@dataclass(frozen=True, slots=True)
class Kept:
    """A delivery that would be parked, and why."""

    target: str
    source_id: str
    role: str
    field: str | None
    reason: str


@dataclass(slots=True)
class Count:
    """What would become of the deliveries of one target.

    Attributes:
        owed: due or waiting, all that there are.
        looked_at: of these, how many were rendered.
        writes: would be written.
        as_it_is: need no call.
        waits: need what is not there and is not on its way in this run.
        parks: would be parked.
        doubtful: would be looked up first.
        calls: how many it takes for all that is owed; an estimate where not all was looked at.
    """

    owed: int
    doubtful: int
    looked_at: int = 0
    writes: int = 0
    as_it_is: int = 0
    waits: int = 0
    parks: int = 0
    calls: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be done.

    Attributes:
        counts: by target.
        readings: what would be read first: target → how often.
        halo_calls: calls to Halo, those that only ask included.
        highlevel_calls: likewise.
        minutes: how long that takes at the least, at the limits of both sides.
    """

    counts: Mapping[str, Count]
    readings: Mapping[str, int]
    halo_calls: int
    highlevel_calls: int
    minutes: float


class _Overheard(HaloClient):
    """Takes down what is to be posted, by the very functions that post it.

    It has no transport, so nothing can leave.
    """

    def __init__(self) -> None:
        self.path = ""
        self.elements: list[Mapping[str, Any]] = []

    def post(
        self,
        path: str,
        elements: Sequence[Mapping[str, Any]],
        permit: Permit,  # noqa: ARG002 - nothing leaves
        *,
        effect: Effect = Effect.WRITE,  # noqa: ARG002 - as above
    ) -> Received:
        """Take it down; the answer shows nothing."""
        self.path, self.elements = path, list(elements)
        return Received([], 200, {})


_NONE = Permit("", "", send_before=0, deadline=timedelta(0))
"""Leave to make no call."""


class Cutter:
    """Cuts elements into arrays as a tenant takes them: the first alone, then ever larger ones."""

    def __init__(self, target: Target, known: Abilities) -> None:
        self._target = target
        self._size: ArraySize = known.array_size(target.name)
        self._is_proved = known.find_way(target.name) is not None
        self._pending: list[tuple[str, Any]] = []
        self.calls = 0

    def cut(self, elements: Sequence[tuple[str, Any]]) -> Iterator[Call]:
        """The arrays that are full."""
        self._pending += elements
        while len(self._pending) >= self._next():
            yield self._call(self._next())

    def rest(self) -> list[Call]:
        """The last array."""
        return [self._call(len(self._pending))] if self._pending else []

    def _next(self) -> int:
        return self._size.next() if self._is_proved else 1

    def _call(self, many: int) -> Call:
        taken, self._pending = self._pending[:many], self._pending[many:]
        self._size, self._is_proved = self._size.matched(many), True
        self.calls += 1
        references = tuple(reference for reference, _ in taken)
        overheard = _Overheard()
        self._target.saves(overheard, _NONE, [body for _, body in taken])
        path = f"/api{overheard.path}"
        return Call(self._target.name, "POST", path, references, overheard.elements)
