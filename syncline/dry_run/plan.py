"""What a dry run comes to: the calls, what would be parked, and how long it would take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from syncline.halo.capabilities import Capabilities
from syncline.sending import batches
from syncline.sending.decide import Write
from syncline.sending.targets import Target


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
class ParkedInPlan:
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
        calls: how many it takes.
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
class DryRunPlan:
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


def calls(target: Target, known: Capabilities, writes: Iterable[Write]) -> Iterator[Call]:
    """The calls that writes would leave in, as a tenant takes them: ever larger arrays.

    The first one of a kind that was never found again leaves alone.
    """
    size = known.array_size(target.name)
    is_proved = known.find_way(target.name) is not None

    def most() -> int:
        return size.next() if is_proved else 1

    for array in batches.cut(writes, most):
        size, is_proved = size.matched(len(array.writes)), True
        yield Call(
            target.name,
            "POST",
            f"/api{target.path}",
            tuple(write.reference for write in array.writes),
            [target.resource.outgoing(write.body) for write in array.writes],
        )
