"""Claimed: what is due, and what an event asked for before all else."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from syncline.deliveries import leased
from syncline.deliveries.leases import Lease
from syncline.errors import Again, Refused
from syncline.quota.keys import Lane
from syncline.steps.gate import NoQuota
from syncline.steps.hold import in_hand
from syncline.steps.parts import Line, Parts
from syncline.steps.stop import stop_connection

ROUNDS = 50
"""Claims a task makes before it lets others have its thread; the rest is nudged again."""

RETRY_AFTER = timedelta(seconds=2)
"""Least rest of readings after a failure that may heal by itself."""


def claim_urgent_first(
    parts: Parts, line: Line, target: str, most: int
) -> tuple[Lane, list[Lease]]:
    """What is due of one target, and the lane in whose name its calls are made."""
    take = partial(
        leased.claim,
        connection_id=line.link.id,
        target=target,
        owner=parts.session(),
        most=most,
    )
    urgent = parts.ledger.run(partial(take, urgent=True))
    return (Lane.EVENTS, urgent) if urgent else (Lane.DELIVERIES, parts.ledger.run(take))


def do_readings(
    parts: Parts,
    line: Line,
    target: str,
    most: int,
    read: Callable[[Lane, list[Lease]], None],
) -> float | None:
    """Claim the readings of one kind that are due, and do them claim by claim.

    Args:
        parts: the process's parts.
        line: the connection.
        target: what is to be read.
        most: readings of one claim.
        read: does those of one claim; what its error says decides when they go on.

    Returns:
        Seconds after which there is more to do, or None when nothing is due.
    """
    for _ in range(ROUNDS):
        with in_hand(parts):
            lane, leases = claim_urgent_first(parts, line, target, most)
            if not leases:
                return None
            try:
                read(lane, leases)
            except NoQuota as error:
                _release(parts, leases, error.after)
                return error.after.total_seconds()
            except Again as error:
                _release(parts, leases, max(error.after, RETRY_AFTER))
                return max(error.after, RETRY_AFTER).total_seconds()
            except Refused as error:
                stop_connection(parts, line, error, leases)
                return None
    return 0.05


def _release(parts: Parts, leases: Sequence[Lease], after: timedelta) -> None:
    parts.ledger.run_patiently(
        lambda connection: leased.release(connection, leases, after=after, why=None),
        sleep=parts.sleep,
    )
