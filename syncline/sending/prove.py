"""Proving how a tenant's rows are found again: one row was just created, so it must be found.

A connection creates nothing more of a kind before one way has found the first.
"""

from __future__ import annotations

from datetime import timedelta

from syncline.calls import capabilities
from syncline.calls.calls import ApiCalls
from syncline.calls.context import Line
from syncline.calls.halo_queries import NO_REPORT
from syncline.deliveries.delivery import Lease
from syncline.deliveries.target_rows import KEPT
from syncline.halo.capabilities import Capabilities, FindProof, FindWay
from syncline.halo.sql.finding import found_by, ways_of
from syncline.sending.find import find
from syncline.sending.targets import Target

TRIES = 6
"""Rounds through all ways, a pause between them: some show a row only after a while."""

TRIES_BESIDES = 2
"""Rounds for what a connection can do its work without, and may well not be shown."""

PAUSE = timedelta(seconds=1)


def can_prove(target: Target, lease: Lease) -> bool:
    """Whether a row is found at all: not where it was there before us, and keeps what it had."""
    return found_by(target.name) not in ((lease.target_meta or {}).get(KEPT) or {})


def prove(
    line: Line, target: Target, api: ApiCalls, reference: str, target_id: str
) -> FindWay | None:
    """Try the ways, best first, until one finds the row; remember that one.

    Returns:
        The proved way, or None when no way finds the row: the next send tries again.
    """
    started = line.worker.monotonic()
    for attempt in range(TRIES if target.vital else TRIES_BESIDES):
        if attempt:
            line.worker.sleep(PAUSE.total_seconds())
        for way in ways_of(target.name):
            if not _finds(line, api, target, way, reference, target_id):
                continue
            lag = timedelta(seconds=line.worker.monotonic() - started) if attempt else timedelta(0)
            _remember(line, target, way, lag)
            return way
    return None


def _finds(
    line: Line, api: ApiCalls, target: Target, way: FindWay, reference: str, target_id: str
) -> bool:
    try:
        found = find(line, api, target, way, [reference])
    except NO_REPORT:
        return False  # this tenant does not offer that way; there are others
    return [str(row.id) for row in found.rows[reference]] == [target_id]


def _remember(line: Line, target: Target, way: FindWay, lag: timedelta) -> None:
    def change(known: Capabilities) -> Capabilities:
        return known.with_find_proof(
            target.name,
            way,
            FindProof(proved=True, lag=lag),
            found_at=line.worker.now(),
            how="the first row was found again",
        )

    capabilities.teach(line, change)
