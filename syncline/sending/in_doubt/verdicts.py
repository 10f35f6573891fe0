"""What a look-up means for its delivery: it goes again, is looked up again, or is for a person."""

from __future__ import annotations

from collections.abc import Sequence

from syncline.deliveries import leased
from syncline.deliveries.delivery import Lease
from syncline.deliveries.in_doubt.absent import send_again
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
    return lambda connection: send_again(connection, lease, "looked up: not there, sent again")


def in_vain(lease: Lease, different: Sequence[Difference]) -> Move:
    """A person is asked about what was tried so often, and what Halo holds in its place."""
    field = different[0].field if different else None
    holds = "".join(
        f"; {one.field}: wanted {one.wanted}, Halo holds {one.got}" for one in different[:1]
    )
    return suspects.in_vain(lease, holds=holds, field=field)


def unanswered(seek: Seek, lease: Lease, error: Again, asked: str = "") -> Move:
    """A look-up that got no answer: made again; where it is its own, a person is asked at last.

    Args:
        seek: where it was looked for.
        lease: the delivery.
        error: why there was none.
        asked: what was asked for, where that is not this delivery's own row.
    """
    round_trips.let_go(seek.line, seek.target, seek.known, lease)
    counts = is_of_the_record(error)
    why = f"{asked}: {error.what}" if asked else error.what
    if counts and lease.failures >= PARK_AFTER:
        reason = f"could not be looked up, {PARK_AFTER} times in a row: {why}"
        return lambda connection: leased.park(connection, [lease], reason=reason, field=None)
    after = max(error.after, backoff(lease.failures))
    return lambda connection: leased.doubt(
        connection, [lease], settle=after, why=why, failed=counts
    )


def unsure(
    seek: Seek,
    lease: Lease,
    why: str = "looked up: Halo's answer proves neither presence nor absence",
) -> Move:
    """Looked up again later, and in the end a person is asked."""
    round_trips.let_go(seek.line, seek.target, seek.known, lease)
    if lease.failures >= PARK_AFTER:
        reason = f"{why}, {PARK_AFTER} times in a row"
        return lambda connection: leased.park(connection, [lease], reason=reason, field=None)
    return still_in_doubt(lease, why)


def doubled(lease: Lease, reference: str, rows: list[FoundRow]) -> Move:
    """A person is asked which of several rows it is."""
    reason = several_rows(reference, [row.id for row in rows])
    return lambda connection: leased.park(connection, [lease], reason=reason, field=None)


def several_rows(reference: str, ids: Sequence[int]) -> str:
    """Why a person is asked."""
    named = ", ".join(str(one) for one in ids)
    return f"Halo holds several rows with reference {reference}: {named}"
