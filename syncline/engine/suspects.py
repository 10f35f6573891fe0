"""Rows for whose sake the other side may fail: tried in ever smaller sets, until one is alone.

Halo's own server fails at a whole array where it cannot bear one row in it, and a gateway may hold
a grudge against one. What fails for everybody looks the same, so nothing is held against a row in
company. Alone, its failure counts while others pass. Where there is no other to compare it with, an
array of nothing is posted: who answers that, but never where this row is in it, fails at the row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from syncline.calls.calls import halo_calls
from syncline.calls.context import Line
from syncline.calls.faults import fault_of
from syncline.deliveries import outstanding
from syncline.deliveries.delivery import Lease
from syncline.engine.failures import PARK_AFTER, backoff
from syncline.engine.refusals import empty_array
from syncline.errors import Absent, Doubtful, Rejected, SynclineError, Unreadable
from syncline.ledger.calls import Fault
from syncline.queues import Lane

_AT_ONCE = frozenset({Fault.FAILING, Fault.FOREIGN})
"""Somebody was asked and failed; where nobody answers, once may be by chance."""


def smaller(elements: Sequence[Lease], error: SynclineError) -> int | None:
    """How many go together next time, where it may be for the sake of one that their array failed.

    None: as many as before. While a key rests, smaller arrays would only be more calls.
    """
    fault = fault_of(error)
    if fault is None or (isinstance(error, Doubtful) and error.rest):
        return None
    repeated = any(not one.is_fresh for one in elements)
    return (len(elements) + 1) // 2 if fault in _AT_ONCE or repeated else None


def gives_way(lease: Lease, error: SynclineError) -> bool:
    """Whether one that is alone may have failed for its own sake, so that others go before it.

    Where nobody answered, or nobody could read the answer, once may be by chance.
    """
    if isinstance(error, (Rejected, Absent)):
        return True
    if isinstance(error, Unreadable):
        return not lease.is_fresh
    return smaller([lease], error) is not None


def rest(elements: Sequence[Lease], *, counts: bool) -> timedelta:
    """How long one that is alone rests: ever longer, so that passing trouble parks nothing."""
    is_alone = len(elements) == 1 and counts
    return backoff(elements[0].failures) if is_alone else timedelta(0)


def counts(line: Line, path: str, elements: Sequence[Lease], error: SynclineError | None) -> bool:
    """Whether an array's failure counts against its elements.

    Args:
        line: the connection.
        path: where it was posted.
        elements: of the array.
        error: why there was no answer; None: there was one.
    """
    if error is None:
        return False
    if len(elements) > 1 and fault_of(error) in _AT_ONCE:
        return False
    return not error.of_all or (len(elements) == 1 and _fails_alone(line, path, elements[0]))


def _fails_alone(line: Line, path: str, lease: Lease) -> bool:
    """Whether the only row that is owed is what its endpoint fails at.

    One such row is parked at most until something passes: if it was an outage all the same, one
    record waits for a person, and not all that come in it.
    """
    is_for_one = line.worker.ledger.run(
        lambda connection: (
            outstanding.is_only_one(connection, lease)
            and not outstanding.failed_last(connection, lease, PARK_AFTER)
        )
    )
    return is_for_one and _takes_nothing(line, path)


def _takes_nothing(line: Line, path: str) -> bool:
    """Whether Halo itself answers an array of nothing: takes it, or says what is wrong with it."""
    try:
        halo_calls(line, Lane.UPKEEP).read(*empty_array(line, path))
    except (Absent, Rejected):
        return True
    except SynclineError:
        return False
    return True
