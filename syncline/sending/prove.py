"""Proving how a tenant's rows are found again: one row was just created, so it must be found.

A connection creates nothing more of a kind before one way has found the first. Where that is found
under another id than was answered, nothing may be written to the answered one: it may be nobody's,
or somebody else's row.
"""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from syncline.calls import capabilities
from syncline.calls.calls import ApiCalls
from syncline.calls.context import Line
from syncline.calls.halo_queries import NO_REPORT, REFUSED_FOR
from syncline.deliveries import needs, target_rows, unleased
from syncline.deliveries.delivery import Lease
from syncline.deliveries.needs import Made
from syncline.deliveries.target_rows import KEPT
from syncline.errors import Absent, MissingScope
from syncline.halo.capabilities import Capabilities, FindProof, FindWay
from syncline.halo.sql.finding import found_by, ways_of
from syncline.queues import Lane
from syncline.sending.find import find, readable_id, reference_on
from syncline.sending.in_doubt import answered_ids
from syncline.sending.targets import Target

TRIES = 6
"""Rounds through all ways, a pause between them: some show a row only after a while."""

TRIES_BESIDES = 2
"""Rounds for what a connection can do its work without, and may well not be shown."""

PAUSE = timedelta(seconds=1)

MOST_LAG = timedelta(minutes=10)
"""No way is taken to lag by more: a row that is found late may have been looked for late."""

_NONE = timedelta(0)


def can_prove(target: Target, lease: Lease) -> bool:
    """Whether a row is found at all: not where it was there before us, and keeps what it had."""
    return found_by(target.name) not in ((lease.target_meta or {}).get(KEPT) or {})


def prove(
    line: Line,
    target: Target,
    api: ApiCalls,
    reference: str,
    target_id: str,
    made: Made | None = None,
) -> FindWay | None:
    """Try the ways, best first, until one finds the row; remember that one.

    What shows our reference is our row, also where its creation was answered with another id: that
    is put right, since no look-up would ever find what the answer named.

    Args:
        line: the connection.
        target: the kind.
        api: how Halo is asked.
        reference: by which it is looked for.
        target_id: the id that its creation was answered with.
        made: the delivery that made it; None where there is none whose id could be put right.

    Returns:
        The proved way, or None when no way finds the row: the next send tries again.
    """
    started = line.worker.monotonic()
    for attempt in range(TRIES if target.vital else TRIES_BESIDES):
        if attempt:
            line.worker.sleep(PAUSE.total_seconds())
        for way in ways_of(target.name):
            row_id = _found(line, api, target, way, reference, target_id)
            if row_id is None:
                continue
            if row_id != target_id:
                if made is None:
                    continue
                if not _put_right(line, target, api, made, row_id):
                    return None
            looked = timedelta(seconds=line.worker.monotonic() - started) if attempt else _NONE
            lag = min(looked + (_NONE if made is None else made.age), MOST_LAG)
            _remember(line, target, way, lag, "the first row was found again")
            return way
    return None


def row_for_a_report(line: Line, target: Target, known: Capabilities) -> Made | None:
    """A row to look for by a report, where another way was proved while none could be had.

    That way stays good; but a report finds thousands of rows in one call, so a kind does not do
    without for good.
    """
    if known.find_way(target.name) in {None, FindWay.SQL} or not _may_report(line, target, known):
        return None
    tenant = line.link.tenant
    return line.worker.ledger.run(lambda c: needs.made_by_us(c, tenant, target.name))


def by_report(line: Line, target: Target, api: ApiCalls, reference: str, target_id: str) -> bool:
    """Whether a report finds a row that is there; if so, reports are how the kind is found.

    One that runs and does not find it is not asked again before a day has passed.

    Raises:
        SynclineError: Halo could not be asked.
    """
    if not _may_report(line, target, capabilities.known(line)):
        return False
    try:
        found = find(line, api, target, FindWay.SQL, [reference])
    except (Absent, MissingScope):
        return False  # which is remembered for all kinds, and for how long
    except NO_REPORT:
        rows = []
    else:
        rows = found.rows[reference]
    if target_id in {str(row.id) for row in rows}:
        _remember(line, target, FindWay.SQL, timedelta(0), "a report found a row that was there")
        return True
    place = line.link.tenant_place
    line.worker.nudges.claim(place, Lane.DELIVERIES, _shows_none(target), forget=REFUSED_FOR)
    return False


def _may_report(line: Line, target: Target, known: Capabilities) -> bool:
    if known.refuses_reports or FindWay.SQL not in ways_of(target.name):
        return False
    place = line.link.tenant_place
    return not line.worker.nudges.is_pending(place, Lane.DELIVERIES, _shows_none(target))


def _shows_none(target: Target) -> str:
    return f"no report:{target.name}"


def _found(
    line: Line, api: ApiCalls, target: Target, way: FindWay, reference: str, target_id: str
) -> str | None:
    """The id of the row that a way finds; None where it finds none, or several others.

    Of several it is the one that was answered: a person may have copied it, our reference and all.
    """
    try:
        rows = find(line, api, target, way, [reference]).rows[reference]
    except NO_REPORT:
        return None  # this tenant does not offer that way; there are others
    ids = {str(row.id) for row in rows}
    if target_id in ids:
        return target_id
    return ids.pop() if len(ids) == 1 else None


def _remember(line: Line, target: Target, way: FindWay, lag: timedelta, how: str) -> None:
    now = line.worker.now()

    def change(known: Capabilities) -> Capabilities:
        proof = FindProof(proved=True, lag=lag)
        return known.with_find_proof(target.name, way, proof, found_at=now, how=how)

    capabilities.teach(line, change)


def _put_right(line: Line, target: Target, api: ApiCalls, made: Made, row_id: str) -> bool:
    """Forget the id that was answered, so that the row is looked up; parked where there are two.

    Args:
        line: the connection.
        target: the kind.
        api: how Halo is asked.
        made: the row, with the id that was answered.
        row_id: the id of the one row that shows its reference.

    Returns:
        Whether that was done. False where a worker has the delivery, or will write it: later.

    Raises:
        SynclineError: it could not be asked whether the answered id is ours as well.
    """
    are_two = _shows_ours(line, target, api, made)
    if not are_two:
        answered_ids.disbelieve(line, target)
    words = f"Halo answered the making of this {target.name} with id {made.target_id}"

    def work(connection: Connection) -> bool:
        standing = target_rows.of_ids(connection, [made.delivery]).get(made.delivery)
        if standing is None or standing.target_id != made.target_id:
            return False
        if are_two:
            reason = (
                f"{words}, and a look-up by its reference shows only {target.name} {row_id}: both "
                "carry the reference. Remove the one too many in Halo"
            )
            return unleased.park_changed(
                connection, standing, meta={}, reason=reason, field=target.resource.reference or ""
            )
        reason = f"{words}, and shows it with id {row_id}"
        return bool(unleased.make_again(connection, [standing], reason=reason, cause="found again"))

    return line.worker.ledger.run_patiently(work, sleep=line.worker.sleep)


def _shows_ours(line: Line, target: Target, api: ApiCalls, made: Made) -> bool:
    """Whether the row with the answered id carries our reference too."""
    row_id = readable_id(target, made.target_id)
    if row_id is None:
        return False
    try:
        kept = reference_on(line, api, target, row_id)
    except Absent:
        return False
    return kept.casefold() == target.reference(made.source_id, made.role).casefold()
