"""What a target of deliveries declares: how they are done, and while its connection does what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from syncline.calls.context import Line
from syncline.engine.rounds import NextRun
from syncline.ledger.connections import Link
from syncline.quota.keys import QuotaKey

Do = Callable[[Line, str], NextRun]
"""(line, target) → when to go on."""


class Works(Enum):
    """While its connection does what, deliveries of a target are done."""

    WRITES = "writes"
    """While the connection writes."""

    READS = "reads"
    """Also while it rehearses."""

    TELLS = "tells"
    """Also after it was stopped by itself, since that is what people are told."""

    def allowed(self, link: Link) -> bool:
        """Whether such deliveries are done now."""
        if self is Works.READS:
            return link.reads
        return link.writes or (self is Works.TELLS and link.stopped_by_itself)


def _halo(line: Line) -> QuotaKey:
    return line.halo_key


def of_highlevel(line: Line) -> QuotaKey:
    """HighLevel is asked."""
    return line.highlevel_key


@dataclass(frozen=True, slots=True)
class Handler:
    """How the deliveries of a target are done.

    Attributes:
        sends: does what is due.
        looks_up: finds out what became of those of unknown outcome; None where no outcome can be
            unknown.
        may_work: while its connection does what.
        asks: the quota key of the side that is asked.
    """

    sends: Do
    looks_up: Do | None = None
    may_work: Works = Works.WRITES
    asks: Callable[[Line], QuotaKey] = _halo
