"""Repaired: what was planned about differences is done, but for what has moved on since.

Nothing is sent here but the removal of an extra row: a repair makes deliveries due, and the
senders do the rest, with all that they look at.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlalchemy import Connection

from syncline.calls.context import Line
from syncline.deliveries import requests, unleased
from syncline.deliveries.requests import DeliveryRequest
from syncline.deliveries.target_rows import TargetRow
from syncline.highlevel import paging
from syncline.ingest import pull
from syncline.ingest import requests as ingest_requests
from syncline.ingest.rereading import Version
from syncline.ledger import database, effects, records
from syncline.reconciliation import discrepancies
from syncline.reconciliation.discrepancies import Discrepancy, values
from syncline.repair.extra_rows import remove_extra
from syncline.repair.plan import MOVED_ON, RepairPlan
from syncline.repair.rules import Act


def apply(line: Line, plans: Sequence[RepairPlan], by: str) -> dict[int, str]:
    """Do what was planned, but for what has moved on since.

    Returns:
        Why differences were not applied after all, by their numbers.

    Raises:
        SynclineError: Halo could not be asked about an extra row; what was done until then stays.
    """
    left: dict[int, str] = {}
    for one in plans:
        if one.extra is not None:
            why = remove_extra(line, one.discrepancy, one.extra, by)
            left |= {one.discrepancy.id: why} if why else {}
    wanted = [one for one in plans if one.act is not None and one.discrepancy.id not in left]
    if wanted:
        done = line.worker.ledger.run(lambda connection: _apply(connection, line, wanted, by))
        left |= {one.discrepancy.id: MOVED_ON for one in wanted if one.discrepancy.id not in done}
    return left


def _apply(connection: Connection, line: Line, plans: Sequence[RepairPlan], by: str) -> set[int]:
    held = discrepancies.hold(connection, [one.discrepancy for one in plans])
    mine = [one for one in plans if one.discrepancy.id in held]
    cause = f"discrepancy applied by {by}"
    moved = _rewritten(connection, mine, cause) | _made(connection, mine, cause)
    done = _requested_again(connection, line, mine, cause) | _reread(connection, line, mine)
    done |= {
        one.discrepancy.id
        for one in mine
        if one.standing is not None and (one.standing.id in moved or one.act is Act.REMOVE)
    }
    discrepancies.decide(connection, done, "applied", by, None)
    for one in mine:
        if one.discrepancy.id in done:
            effects.decided(
                connection,
                line.link.id,
                what="discrepancies apply",
                subject=one.discrepancy.source_id,
                by=by,
                before=values(one.discrepancy),
                after={"state": "applied", "writes": list(one.writes)},
            )
    return done


def _rewritten(connection: Connection, plans: Iterable[RepairPlan], cause: str) -> set[int]:
    # Beside a removed copy only a row that was parked for it has to be looked at again.
    rows = {
        one.standing.id: one.standing
        for one in plans
        if one.standing is not None
        and (one.act is Act.WRITE or (one.act is Act.REMOVE and one.standing.state == "parked"))
    }
    return unleased.write_again(connection, list(rows.values()), cause=cause)


def _made(connection: Connection, plans: Iterable[RepairPlan], cause: str) -> set[int]:
    making = [one for one in plans if one.act is Act.MAKE]
    made = {other.id: other for one in making for other in one.made}
    again = {other.id: other for one in making for other in one.again if other.id not in made}
    moved = unleased.make_again(
        connection, list(made.values()), reason="gone from Halo, to be made again", cause=cause
    )
    unleased.write_again(connection, list(again.values()), cause=cause)
    return moved


def _requested_again(
    connection: Connection, line: Line, plans: Iterable[RepairPlan], cause: str
) -> set[int]:
    """Requested once more as it is; what never was is requested as its record says."""
    wanted = [one for one in plans if one.act is Act.REQUEST]
    known = {one.standing.id: one.standing for one in wanted if one.standing is not None}
    requested = [_request_of(one) for one in known.values()]
    requests.enqueue(connection, line.link.id, line.link.tenant, requested, cause, again=True)
    new = [one.discrepancy for one in wanted if one.standing is None]
    return {one.discrepancy.id for one in wanted if one.standing is not None} | _requested_first(
        connection, line, new, cause
    )


def _request_of(standing: TargetRow) -> DeliveryRequest:
    return DeliveryRequest(
        flow=standing.flow,
        source_kind=standing.source_kind,
        source_id=standing.source_id,
        role=standing.role,
        target=standing.target,
        place=standing.place,
        version=standing.wanted_version,
    )


def _requested_first(
    connection: Connection, line: Line, found: Sequence[Discrepancy], cause: str
) -> set[int]:
    done: set[int] = set()
    for kind in ingest_requests.KINDS:
        place = line.link.location_place
        keys = {one.id: (place, kind, one.source_id) for one in found if one.source_kind == kind}
        known = records.canonical(connection, list(keys.values())) if keys else {}
        versions = [Version(key[2], *known[key]) for key in sorted(known)]
        ingest_requests.request_deliveries(
            connection, line.link, line.document, kind, versions, cause, again=True
        )
        done |= {number for number, key in keys.items() if key in known}
    return done


def _reread(connection: Connection, line: Line, plans: Iterable[RepairPlan]) -> set[int]:
    today = database.now(connection).date()
    done: set[int] = set()
    for one in plans:
        if one.act is Act.READ:
            found = one.discrepancy
            windows = paging.windows(found.first, min(found.last, today), today=today)
            pull.request_windows(connection, line.link.id, found.source_kind, windows)
            done.add(found.id)
    return done
