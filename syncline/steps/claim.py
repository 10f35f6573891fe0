"""Claimed: what is due, and what an event asked for before all else."""

from __future__ import annotations

from functools import partial

from syncline.ledger import deliveries
from syncline.ledger.leases import Lease
from syncline.quota.keys import Lane
from syncline.steps.parts import Line, Parts


def claim_urgent_first(
    parts: Parts, line: Line, target: str, most: int
) -> tuple[Lane, list[Lease]]:
    """What is due of one target, and the lane in whose name its calls are made."""
    take = partial(
        deliveries.claim,
        connection_id=line.link.id,
        target=target,
        owner=parts.session(),
        most=most,
    )
    urgent = parts.ledger.run(partial(take, urgent=True))
    return (Lane.EVENTS, urgent) if urgent else (Lane.DELIVERIES, parts.ledger.run(take))
