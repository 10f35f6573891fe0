"""What a dry run comes to: the calls, what would be parked, and how long it would take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from syncline.halo.capabilities import Capabilities, FindProof, FindWay
from syncline.sending import batches
from syncline.sending.decide import Write, is_read_first
from syncline.sending.prove import can_prove
from syncline.sending.round_trips import after, most_telling, traits_of, unproved
from syncline.sending.send import one_wave, to_prove
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
        reads: how many readings go with it: what must be known before, and whether the first rows
            of a kind are kept as they were sent and are found again.
    """

    target: str
    method: str
    path: str
    references: tuple[str, ...]
    body: Any
    reads: int = 0


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
        parked: are parked already, so nothing would be done about them.
        calls: how many it takes.
    """

    owed: int
    doubtful: int
    parked: int = 0
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


def calls(
    target: Target,
    known: Capabilities,
    writes: Iterable[Write],
    now: datetime,
    send_batch: int,
) -> Iterator[Call]:
    """The calls that writes would leave in, as a tenant takes them: ever larger arrays.

    What is to be proved leaves alone: the first of a kind, and what shows something new.

    Args:
        target: what is written.
        known: of the tenant.
        writes: the rows, in the order in which they are claimed.
        now: the time, aware UTC.
        send_batch: rows of one claim at most.
    """
    left = iter(writes)
    while True:
        size = known.array_size(target.name)
        claimed = list(islice(left, min(one_wave(size), send_batch)))
        if not claimed:
            return
        while news := to_prove(target, known, claimed):
            first, _ = most_telling(target, known, news)
            claimed.remove(first)
            yield _call(target, known, [first], trials=_trials(target, known, first))
            known = _proved(target, known, first, now)
            size = size.came(1, 1, now)
        for array in batches.arrays(claimed, size):
            yield _call(target, known, array.writes)
            size = size.came(len(array.writes), len(array.writes), now)
        known = known.with_array_size(target.name, size, found_at=now, how="planned")


def _proved(target: Target, known: Capabilities, first: Write, now: datetime) -> Capabilities:
    if known.find_way(target.name) is None:
        proof = FindProof(proved=True, lag=timedelta(0))
        known = known.with_find_proof(
            target.name, FindWay.PAGES, proof, found_at=now, how="planned"
        )
    return after(known, target, traits_of(first), now)


def _trials(target: Target, known: Capabilities, first: Write) -> int:
    """How often a row that leaves alone is read: by its id, and by our reference."""
    is_sought = first.lease.target_id is None and known.find_way(target.name) is None
    return bool(unproved(target, known, first)) + (is_sought and can_prove(target, first.lease))


def _call(target: Target, known: Capabilities, writes: Sequence[Write], *, trials: int = 0) -> Call:
    return Call(
        target.name,
        "POST",
        f"/api{target.path}",
        tuple(write.reference for write in writes),
        [target.resource.outgoing(write.body, known.line_spelling) for write in writes],
        reads=trials + sum(map(is_read_first, writes)),
    )
