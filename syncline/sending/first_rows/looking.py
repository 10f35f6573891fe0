"""First rows: what a kind waits for while the first one we made is not found again.

One of those that wait looks for it, ever more seldom. After some looks that one is parked, so that
a person hears of it; another one looks on, since the row may show by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from syncline.calls import capabilities
from syncline.calls.calls import ApiCalls
from syncline.calls.context import Line
from syncline.deliveries import leased, outstanding, unleased
from syncline.deliveries.delivery import Lease
from syncline.deliveries.needs import Made
from syncline.deliveries.states import State
from syncline.engine.failures import TROUBLED, backoff
from syncline.halo.capabilities import Capabilities, FindWay, Sought
from syncline.sending import prove
from syncline.sending.targets import Target

ASKS_AFTER = 6
"""Looks in vain, a quarter of an hour in all, after which a person is asked."""

LONGEST_PAUSE = timedelta(minutes=10)
"""Between two looks; the first pause doubles up to it."""

_SOON = timedelta(seconds=1)


def looks_for_it(target: Target, known: Capabilities) -> int | None:
    """The number of the delivery that looks, before others of its kind; None: nothing is sought."""
    sought = known.sought(target.name)
    return None if sought is None else sought.by


def look(line: Line, target: Target, api: ApiCalls, made: Made, waiting: Lease) -> timedelta:
    """Look for the first row, if it is this delivery's turn; returns for how long others rest.

    Args:
        line: the connection.
        target: the kind.
        api: how Halo is asked.
        made: the first row.
        waiting: a delivery in hand that waits for it; it is given back, or parked.
    """
    sought = _sought(line, target, made)
    if sought.parked == waiting.id:  # a person has put something right, and retries it
        sought = Sought(sought.row, sought.reference, by=waiting.id)
    elif sought.by not in {None, waiting.id} and _is_looked_for(line, sought):
        _rest(line, waiting, TROUBLED, _why(target, sought))
        return TROUBLED
    if not sought.looks and _was_found(line, target):
        made = replace(made, age=timedelta(0))  # it is old, and only the way to find it is new
    if prove.prove(line, target, api, sought.reference, made.target_id, made) is None:
        in_vain(line, target, made, waiting, sought)
        return TROUBLED
    _rest(line, waiting, _SOON, None)
    return _SOON


def end_where_found(line: Line, target: Target, known: Capabilities) -> None:
    """Look no more for a first row where a way is proved by now, and free who was parked for it.

    Whatever has proved that: a look, a second row after the first one was removed, or reports that
    run again.
    """
    sought = known.sought(target.name)
    if sought is None or known.find_way(target.name) is None:
        return
    parked, now = sought.parked, line.worker.now()
    if parked is not None:
        line.worker.ledger.run_patiently(
            lambda connection: unleased.retry(connection, None, number=parked),
            sleep=line.worker.sleep,
        )
    # Only now: a worker that dies in between leaves that to the next one.
    capabilities.teach(
        line,
        lambda known: known.with_sought(target.name, None, found_at=now, how="a way is proved"),
    )


def rest(line: Line, target: Target, others: Sequence[Lease], after: timedelta | None) -> None:
    """Give back the others of a kind that came with one which was tried, or looked, first."""
    after = after or _SOON
    why = f"waits until the first {target.name} is found again in Halo" if after > _SOON else None
    line.worker.ledger.run_patiently(
        lambda connection: leased.release(connection, others, after=after, why=why),
        sleep=line.worker.sleep,
    )


def in_vain(
    line: Line, target: Target, made: Made, waiting: Lease | None, before: Sought | None = None
) -> None:
    """Remember a look that found nothing; who looked rests ever longer, or is parked once."""
    before = before or _sought(line, target, made)
    looks, by = before.looks + 1, None if waiting is None else waiting.id
    asks = target.vital and waiting is not None and looks >= ASKS_AFTER
    asks = asks and not _is_asked(line, before)
    sought = Sought(before.row, before.reference, looks, by, by if asks else before.parked)
    now = line.worker.now()
    capabilities.teach(
        line,
        lambda known: known.with_sought(
            target.name, sought, found_at=now, how="no way found the first row"
        ),
    )
    if waiting is None:
        return
    if asks:
        _park(line, target, sought, waiting)
        return
    _rest(line, waiting, backoff(looks - 1, TROUBLED, LONGEST_PAUSE), _why(target, sought))


def _sought(line: Line, target: Target, made: Made) -> Sought:
    reference = target.reference(made.source_id, made.role)
    known = capabilities.known(line).sought(target.name)
    if known is None:
        return Sought(made.target_id, reference)
    return Sought(made.target_id, reference, known.looks, known.by, known.parked)


def _was_found(line: Line, target: Target) -> bool:
    """Whether rows of the kind were found before, in a way that is not to be had now."""
    known = capabilities.known(line)
    return any(known.find_proof(target.name, way) is not None for way in FindWay)


def _is_looked_for(line: Line, sought: Sought) -> bool:
    by = sought.by
    return by is not None and line.worker.ledger.run(lambda c: outstanding.is_on_its_way(c, by))


def _is_asked(line: Line, sought: Sought) -> bool:
    """Whether somebody was parked for it, and neither settled otherwise nor erased meanwhile."""
    parked = sought.parked
    if parked is None:
        return False
    state = line.worker.ledger.run(lambda c: outstanding.state_of(c, parked))
    return state not in {None, State.DELIVERED}


def _why(target: Target, sought: Sought) -> str:
    return (
        f"waits until {target.name} {sought.row} is found again in Halo, by {sought.reference}: "
        "no second one is made before"
    )


def _park(line: Line, target: Target, sought: Sought, waiting: Lease) -> None:
    reason = (
        f"Halo answered the making of {target.name} {sought.row}, and no way finds it again by "
        f"{sought.reference}. None is written before. Allow our application in Halo to run reports "
        f"or to list and search {target.path}, then retry this"
    )
    line.worker.ledger.run_patiently(
        lambda connection: leased.park(connection, [waiting], reason=reason, field=None),
        sleep=line.worker.sleep,
    )


def _rest(line: Line, waiting: Lease, after: timedelta, why: str | None) -> None:
    """Give back who waits."""
    line.worker.ledger.run_patiently(
        lambda connection: leased.release(connection, [waiting], after=after, why=why),
        sleep=line.worker.sleep,
    )
