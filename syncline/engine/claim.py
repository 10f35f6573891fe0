"""Claimed: what is due, and what an event asked for before all else."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls.context import Line, in_hand
from syncline.deliveries import leased
from syncline.deliveries.delivery import Lease
from syncline.engine.failures import READING, Batch, put_back
from syncline.engine.rounds import NextRun, in_rounds
from syncline.queues import Lane


class Claim(Protocol):
    """Takes deliveries, in one transaction."""

    def __call__(self, connection: Connection, *, owner: UUID, most: int) -> list[Lease]:
        """What is the owner's from now on."""


def claim_urgent_first(line: Line, target: str, most: int) -> tuple[Lane, list[Lease]]:
    """What is due of one target, and the lane in whose name its calls are made."""
    take = partial(
        leased.claim,
        connection_id=line.link.id,
        target=target,
        owner=line.worker.session(),
        most=most,
    )
    urgent = line.worker.ledger.run(partial(take, urgent=True))
    return (Lane.EVENTS, urgent) if urgent else (Lane.DELIVERIES, line.worker.ledger.run(take))


def do_readings(
    line: Line,
    target: str,
    most: int,
    read: Callable[[Lane, list[Lease]], None],
) -> NextRun:
    """Claim the readings of one kind that are due, and do them claim by claim.

    Args:
        line: the connection.
        target: what is to be read.
        most: readings of one claim.
        read: does those of one claim; what its error says decides when they go on.
    """

    def one_round() -> NextRun | None:
        with in_hand(line.worker):
            lane, leases = claim_urgent_first(line, target, most)
            if not leases:
                return NextRun.when_due()
            batch = Batch(leases)
            with put_back(line, READING, batch):
                read(lane, leases)
            return batch.next_run

    return in_rounds(one_round)
