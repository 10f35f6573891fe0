"""Sealed: the audit log's new entries get their place in the chains, in batches.

One sealer works at a time; another finds the lock taken and leaves it. What a crash cuts off is
sealed at the next tick: entries, chains and how far the sealer is move in one transaction.
"""

from __future__ import annotations

import logging
import os
from datetime import timedelta
from functools import partial

from syncline.audit import chains, sealing
from syncline.audit.anchor import EVERY, anchor
from syncline.audit.entries import SOURCES
from syncline.audit.sealing import Horizon
from syncline.calls.context import WorkerContext

BATCH = 1000
BATCHES = 1000
"""In one go; the next tick goes on."""

PATIENCE = 2.0
"""Seconds for which transactions that are open may end; what is longer is waited for later."""

SWEEP_EVERY = timedelta(hours=1)

_PAUSE = 0.05
_log = logging.getLogger(__name__)


def keep_log(worker: WorkerContext) -> None:
    """The tick of the audit log: seal and anchor, each where there is something to do.

    One look tells, since it comes every few seconds and mostly there is nothing.
    """
    to_seal, to_anchor = worker.ledger.run(
        lambda connection: (
            sealing.is_waiting(connection, SWEEP_EVERY),
            chains.is_to_be_anchored(connection, EVERY),
        )
    )
    if to_seal:
        seal(worker)
    if to_seal or to_anchor:
        anchor(worker)


def seal(worker: WorkerContext) -> int:
    """Seal what may be sealed; returns how many entries were."""
    there = _horizon(worker)
    if there is None:
        return 0
    sealed = 0
    for source in SOURCES:
        for _ in range(BATCHES):
            many = worker.ledger.run(
                partial(sealing.seal, source=source, there=there, most=BATCH, salts=os.urandom)
            )
            sealed += many or 0
            if many is None or many < BATCH:
                break
    late = worker.ledger.run(lambda c: sealing.seal_stragglers(c, BATCH, os.urandom, SWEEP_EVERY))
    for entry in late:
        _log.warning(
            "The audit log's %s %s of %s was sealed late: a clock was set back, or it was added "
            "by hand.",
            *(entry["source"], entry["id"], entry["at"].isoformat()),
        )
    return sealed + len(late)


def _horizon(worker: WorkerContext) -> Horizon | None:
    there = worker.ledger.run(sealing.horizon)
    give_up = worker.monotonic() + PATIENCE
    while not worker.ledger.run(lambda c: sealing.is_past(c, there)):
        if worker.monotonic() > give_up:
            return None
        worker.sleep(_PAUSE)
    return there
