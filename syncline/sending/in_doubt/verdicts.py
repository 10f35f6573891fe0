"""What a look-up means for its delivery: it goes again, is looked up again, or is for a person."""

from __future__ import annotations

from collections.abc import Sequence

from syncline.deliveries import leased
from syncline.deliveries.delivery import Lease
from syncline.engine import suspects
from syncline.engine.failures import (
    PARK_AFTER,
    Move,
    backoff,
    is_of_the_record,
    still_in_doubt,
)
from syncline.errors import Again
from syncline.flows.flow import Difference
from syncline.halo.sql.finding import FoundRow
from syncline.sending import round_trips
from syncline.sending.in_doubt.seek import Seek


def absent(seek: Seek, lease: Lease) -> Move:
    """It is not there: sent again, but not for ever, and others of its kind may go before it."""
    round_trips.let_go(seek.line, seek.target, seek.known, lease)
    if lease.failures >= PARK_AFTER:
        return in_vain(lease, [])
    return lambda connection: leased.give_back(
        connection, [lease], why="looked up: not there, sent again"
    )


def in_vain(lease: Lease, different: Sequence[Difference]) -> Move:
    """A person is asked about what was tried so often, and what Halo holds in its place."""
    field = different[0].field if different else None
    holds = "".join(
        f"; {one.field}: wanted {one.wanted}, Halo holds {one.got}" for one in different[:1]
    )
    return suspects.in_vain(lease, holds=holds, field=field)


def unanswered(seek: Seek, lease: Lease, error: Again) -> Move:
    """A look-up that got no answer: made again; where it is its own, a person is asked at last."""
    round_trips.let_go(seek.line, seek.target, seek.known, lease)
    counts = is_of_the_record(error)
    if counts and lease.failures >= PARK_AFTER:
        reason = f"could not be looked up, {PARK_AFTER} times in a row: {error.what}"
        return lambda connection: leased.park(connection, [lease], reason=reason, field=None)
    after = max(error.after, backoff(lease.failures))
    return lambda connection: leased.doubt(
        connection, [lease], settle=after, why=error.what, failed=counts
    )


def unsure(seek: Seek, lease: Lease) -> Move:
    """Looked up again later, and in the end a person is asked."""
    round_trips.let_go(seek.line, seek.target, seek.known, lease)
    why = "looked up: Halo's answer proves neither presence nor absence"
    if lease.failures >= PARK_AFTER:
        reason = f"{why}, {PARK_AFTER} times in a row"
        return lambda connection: leased.park(connection, [lease], reason=reason, field=None)
    return still_in_doubt(lease, why)


def doubled(lease: Lease, reference: str, rows: list[FoundRow]) -> Move:
    """A person is asked which of several rows it is."""
    ids = ", ".join(str(row.id) for row in rows)
    return lambda connection: leased.park(
        connection,
        [lease],
        reason=f"Halo holds several rows with reference {reference}: {ids}",
        field=None,
    )
