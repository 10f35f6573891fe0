"""First rows: what a kind waits for while the first one we made is not found again.

One of those that wait looks for it, ever more seldom. After some looks that one is parked, so that
a person hears of it; another one looks on, since the row may show by itself. Where Halo keeps our
reference otherwise on it, that is what a person hears, and at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import Connection

from syncline.calls import capabilities
from syncline.calls.calls import ApiCalls
from syncline.calls.context import Line
from syncline.deliveries import leased, outstanding, unleased, waits
from syncline.deliveries.delivery import Lease
from syncline.deliveries.needs import Made
from syncline.deliveries.outstanding import WAITS_UNTIL
from syncline.deliveries.states import State
from syncline.engine.failures import TROUBLED, backoff
from syncline.halo.capabilities import Capabilities, FindWay, Sought
from syncline.sending import prove
from syncline.sending.first_rows.kept import kept_on, write_anew
from syncline.sending.targets import Target
from syncline.sending.tenant.references import remedy_of

ASKS_AFTER = 6
"""Looks in vain, a quarter of an hour in all, after which a person is asked."""

LONGEST_PAUSE = timedelta(minutes=10)
"""Between two looks; the first pause doubles up to it."""

NOT_SHOWN = "the first one was not shown"
"""Why a kind is given up that Halo need not show."""

_SOON = timedelta(seconds=1)


def go_first(target: Target, known: Capabilities) -> list[int]:
    """The numbers of the deliveries that go before others of their kind, where one is sought.

    First the one that made it, so that it is written anew where it is due, and the one that was
    parked for it, so that it is looked for where a person has retried that.
    """
    sought = known.sought(target.name)
    parties = [] if sought is None else [sought.made, sought.parked, sought.by]
    return [one for one in parties if one is not None]


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
    retried = sought.parked == waiting.id or _is_retried(line, waiting)
    if retried:  # a person has put something right
        sought = replace(sought, looks=0, by=waiting.id, parked=None)
    elif sought.by not in {None, waiting.id} and _is_looked_for(line, sought):
        _rest(line, [waiting], TROUBLED, _why(target, sought))
        return TROUBLED
    if sought.kept is not None or (not sought.looks and _was_found(line, target)):
        # It is old, and only the way to find it, or its reference, is new.
        made = replace(made, age=timedelta(0))
    kept = None if sought.kept is None else kept_on(line, target, api, made)
    if _tries_ways(sought, kept) and _found(line, target, api, made, sought):
        _rest(line, [waiting], _SOON, None)
        return _SOON
    if target.gives_up is not None:  # it goes without such rows: nobody waits for them
        target.gives_up(line, NOT_SHOWN)
        _rest(line, [waiting], _SOON, None)
        return _SOON
    kept = kept_on(line, target, api, made) if kept is None else kept
    if retried and kept is not None:
        write_anew(line, target, made)
    in_vain(line, target, made, Look(waiting, kept), sought)
    return TROUBLED


def end_where_found(line: Line, target: Target, known: Capabilities) -> None:
    """Look no more for a first row where a way is proved by now, and free all who wait for it.

    Whatever has proved that: a look, a second row after the first one was removed, or reports that
    run again.
    """
    sought = known.sought(target.name)
    if sought is None or known.find_way(target.name) is None:
        return
    parked, now = sought.parked, line.worker.now()

    def free(connection: Connection) -> None:
        if parked is not None:
            unleased.retry(connection, None, number=parked)
        waits.hurry(connection, line.link.tenant, target.name, WAITS_UNTIL)

    line.worker.ledger.run_patiently(free, sleep=line.worker.sleep)
    # Only now: a worker that dies in between leaves that to the next one.
    capabilities.teach(
        line,
        lambda known: known.with_sought(target.name, None, found_at=now, how="a way is proved"),
    )


def rest(line: Line, target: Target, others: Sequence[Lease], after: timedelta | None) -> None:
    """Give back the others of a kind that came with one which was tried, or looked, first."""
    after = after or _SOON
    first = f"{WAITS_UNTIL}the first {target.name} is read back and is found again in Halo"
    why = first if after > _SOON else None
    _rest(line, others, after, why)


@dataclass(frozen=True, slots=True)
class Look:
    """A look that found nothing.

    Attributes:
        waiting: the delivery that looked; None where it was whoever made the row.
        kept: what Halo keeps on the first row in place of our reference, if that is known.
    """

    waiting: Lease | None
    kept: str | None


def in_vain(
    line: Line, target: Target, made: Made, look: Look, before: Sought | None = None
) -> None:
    """Remember a look that found nothing; who looked rests ever longer, or is parked once.

    One that reads by its id what Halo keeps costs little, so the next one is not put off for long.
    """
    waiting = look.waiting
    before = before or _sought(line, target, made)
    looks, by = before.looks + 1, None if waiting is None else waiting.id
    sought = replace(before, looks=looks, by=by, kept=look.kept)
    asks = target.vital and waiting is not None and _is_to_ask(line, made, sought)
    sought = replace(sought, parked=by if asks else before.parked)
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
    longest = LONGEST_PAUSE if look.kept is None else TROUBLED
    _rest(line, [waiting], backoff(looks - 1, TROUBLED, longest), _why(target, sought))


def _sought(line: Line, target: Target, made: Made) -> Sought:
    reference = target.reference(made.source_id, made.role)
    known = capabilities.known(line).sought(target.name)
    if known is None:
        return Sought(made.target_id, reference, made=made.delivery)
    kept = known.kept if known.row == made.target_id else None
    return replace(known, row=made.target_id, reference=reference, kept=kept, made=made.delivery)


def _tries_ways(sought: Sought, kept: str | None) -> bool:
    """Whether all ways are tried: ever more seldom where they look for what Halo does not keep."""
    return kept is None or sought.looks & (sought.looks - 1) == 0


def _found(line: Line, target: Target, api: ApiCalls, made: Made, sought: Sought) -> bool:
    way = prove.prove(line, target, api, sought.reference, made.target_id, made)
    return way is not None


def _is_retried(line: Line, waiting: Lease) -> bool:
    return line.worker.ledger.run(lambda c: outstanding.is_retried(c, waiting.id))


def _was_found(line: Line, target: Target) -> bool:
    """Whether rows of the kind were found before, in a way that is not to be had now."""
    known = capabilities.known(line)
    return any(known.find_proof(target.name, way) is not None for way in FindWay)


def _is_looked_for(line: Line, sought: Sought) -> bool:
    by = sought.by
    return by is not None and line.worker.ledger.run(lambda c: outstanding.is_on_its_way(c, by))


def _is_to_ask(line: Line, made: Made, sought: Sought) -> bool:
    """Whether a person is to hear of it now, and has not yet.

    Where Halo keeps our reference otherwise, whoever is parked for that on the row itself asks.
    """
    if _is_asked(line, sought):
        return False
    if sought.kept is None:
        return sought.looks >= ASKS_AFTER
    state = line.worker.ledger.run(lambda c: outstanding.state_of(c, made.delivery))
    return state == State.DELIVERED


def _is_asked(line: Line, sought: Sought) -> bool:
    """Whether somebody was parked for it, and neither settled otherwise nor erased meanwhile."""
    parked = sought.parked
    if parked is None:
        return False
    state = line.worker.ledger.run(lambda c: outstanding.state_of(c, parked))
    return state not in {None, State.DELIVERED}


def _why(target: Target, sought: Sought) -> str:
    if sought.kept is not None:
        return f"{WAITS_UNTIL}that is mended: {_kept(target, sought)}"
    return (
        f"{WAITS_UNTIL}{target.name} {sought.row} is found again in Halo, by {sought.reference}: "
        "no second one is made before"
    )


def _kept(target: Target, sought: Sought) -> str:
    return (
        f"Halo keeps our reference {sought.reference} as {sought.kept or 'nothing'} on "
        f"{target.name} {sought.row}, so no {target.name} could be found again after an unknown "
        "outcome"
    )


def _reason(target: Target, sought: Sought) -> str:
    """Why one is parked, and what a person can do."""
    if sought.kept is not None:
        told = _kept(target, sought)
        return f"{told}. None is written before. {remedy_of(target.key, 'this')}"
    return (
        f"Halo answered the making of {target.name} {sought.row}, and no way finds it again by "
        f"{sought.reference}. None is written before. Allow our application in Halo to run reports "
        f"or to list and search {target.path}, then retry this"
    )


def _park(line: Line, target: Target, sought: Sought, waiting: Lease) -> None:
    reason = _reason(target, sought)
    line.worker.ledger.run_patiently(
        lambda connection: leased.park(connection, [waiting], reason=reason, field=None),
        sleep=line.worker.sleep,
    )


def _rest(line: Line, waiting: Sequence[Lease], after: timedelta, why: str | None) -> None:
    """Give back who waits."""
    line.worker.ledger.run_patiently(
        lambda connection: leased.release(connection, waiting, after=after, why=why),
        sleep=line.worker.sleep,
    )
