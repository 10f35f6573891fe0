"""Rows for whose sake the other side may fail: tried in ever smaller sets, until one is alone.

Halo's own server fails at a whole array where it cannot bear one row in it, and a gateway may hold
a grudge against one. What fails for everybody looks the same, so nothing is held against a row in
company. Alone, its failure counts while others pass. Where there is no other to compare it with,
something harmless is asked: of Halo an array of nothing is posted, HighLevel is asked for a list.
Who answers that, but never where this row is in the call, fails at the row.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta

from sqlalchemy import Connection

from syncline.calls.calls import halo_calls, highlevel_calls
from syncline.calls.context import Line
from syncline.calls.faults import fault_of
from syncline.deliveries import leased, outstanding
from syncline.deliveries.delivery import Lease
from syncline.engine.failures import PARK_AFTER, Move, backoff
from syncline.engine.refusals import a_list, empty_array
from syncline.errors import Absent, Doubtful, Rejected, SynclineError, Unreadable
from syncline.ledger import calls
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


def counts(
    line: Line,
    elements: Sequence[Lease],
    error: SynclineError | None,
    asks: Callable[[Line], object],
) -> bool:
    """Whether the failure of a call counts against its elements.

    Args:
        line: the connection.
        elements: of the call.
        error: why there was no answer; None: there was one.
        asks: asks the side that failed for something harmless.
    """
    if error is None:
        return False
    if len(elements) > 1 and fault_of(error) in _AT_ONCE:
        return False
    return not error.of_all or (len(elements) == 1 and _fails_alone(line, elements[0], asks))


def for_nothing(path: str) -> Callable[[Line], object]:
    """Posts an array of nothing there to Halo."""
    return lambda line: halo_calls(line, Lane.UPKEEP).read(*empty_array(line, path))


def for_a_list(line: Line) -> object:
    """Asks HighLevel for a list of one order."""
    return highlevel_calls(line, Lane.UPKEEP).read(*a_list(line))


def _fails_alone(line: Line, lease: Lease, asks: Callable[[Line], object]) -> bool:
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
    return is_for_one and _is_answered(line, asks)


def _is_answered(line: Line, asks: Callable[[Line], object]) -> bool:
    """Whether the other side itself answers: gives what is asked for, or says what is wrong."""
    try:
        asks(line)
    except (Absent, Rejected):
        return True
    except SynclineError:
        return False
    return True


def in_vain(lease: Lease, *, holds: str = "", field: str | None = None) -> Move:
    """A person is asked about what was tried so often without effect, in the other side's words.

    Args:
        lease: the delivery.
        holds: what the other side holds in place of what was sent, where it holds anything.
        field: that is otherwise.
    """

    def move(connection: Connection) -> None:
        error = None if lease.call_id is None else calls.failed_with(connection, lease.call_id)
        last = "" if error is None else f"; the last time: {error}"
        reason = f"tried {PARK_AFTER} times in a row without effect{holds}{last}"
        leased.park(connection, [lease], reason=reason, field=field)

    return move
