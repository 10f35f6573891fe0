"""Readings of Halo: rows that an event or a poll hints at are read, and what they mean is done.

A reading is requested like a delivery, so it is claimed, retried and parked as one. Many at once
are looked at by a report or a list first: most are our own writes coming back, and need no call
each.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from syncline.calls import capabilities, halo_queries
from syncline.calls.calls import ApiCalls, NoQuota, Outage, Outcome, halo_calls
from syncline.calls.context import PARALLEL, Line
from syncline.deliveries import leased, target_rows
from syncline.deliveries.delivery import Confirmation, Lease
from syncline.engine.claim import do_readings
from syncline.engine.rounds import NextRun
from syncline.errors import (
    Absent,
    Again,
    MissingScope,
    NotSent,
    RateLimited,
    Rejected,
    Suspended,
    SynclineError,
    Unreadable,
)
from syncline.halo.capabilities import FindWay
from syncline.halo.entities.resources import ORDER, AnyResource
from syncline.halo.entities.rows import read_row
from syncline.halo.models import ConsignmentRow, HaloOrderRow, HaloRow, whole
from syncline.halo.sql.changes import NewestFirst, Noun, path_of, sql_of
from syncline.halo.webhooks.hints import ChangeHint
from syncline.halo_changes import outcomes as fates
from syncline.halo_changes.consignments import order_of
from syncline.halo_changes.outcomes import TARGETS, HaloReading
from syncline.halo_changes.row_changes import is_as_known, is_ours_to_end
from syncline.halo_changes.unit_of_work import FLOW, WRITTEN, UnitOfWork, request_readings
from syncline.ingest import pull_windows
from syncline.ledger import database
from syncline.ledger.connections import Link
from syncline.queues import Lane
from syncline.transport import Permit

__all__ = ["FLOW", "TARGETS", "notice", "read_halo"]

MOST = 300
"""Readings of one claim: with SQL, one call tells which of them need a call of their own."""

FEW = 3
"""So many readings are read one by one, without a list or report before."""

POLL_AFTER = timedelta(seconds=30)
"""How soon a poll looks what it was when Halo says only that something happened."""

OWN_WITHIN = timedelta(seconds=10)
"""How long after the answer to our own write its event may still come."""

OWN_REST = timedelta(seconds=60)
"""How long such an event waits. A person who changed the same row meanwhile waits as long."""

POLLING = ("halo", "poll")
"""Under which name the ledger keeps when a poll is due next."""

_NOUNS: dict[str, Noun] = {one.noun: one.noun for one in TARGETS.values()}


def notice(
    connection: Connection, link: Link, hints: Iterable[ChangeHint], cause: str
) -> frozenset[str]:
    """Have read what an event hints at, each row once, in the caller's transaction.

    Where it does not say which row it was, the next poll is due soon. What may be our own write,
    which fires Halo's events too, waits first: one read then answers many of them.

    Returns:
        The targets of the readings that are due by it.
    """
    found = list(hints)
    if any(hint.id is None for hint in found):
        pull_windows.hasten(connection, link.tenant, POLLING, POLL_AFTER)
    wanted = {
        (_NOUNS[hint.entity], hint.id)
        for hint in found
        if hint.entity in _NOUNS and hint.id is not None
    }
    ours = _may_be_ours(connection, link, wanted)
    if ours:
        request_readings(connection, link, ours, f"own write, or {cause}", after=OWN_REST)
    others = wanted - ours
    return request_readings(connection, link, others, cause) if others else frozenset()


def _may_be_ours(
    connection: Connection, link: Link, wanted: set[tuple[Noun, int]]
) -> set[tuple[Noun, int]]:
    """Rows that we are writing, have just written, or may be making at this moment."""
    ours: set[tuple[Noun, int]] = set()
    since = database.now(connection) - OWN_WITHIN
    for noun, targets in WRITTEN.items():
        ids = [row_id for one, row_id in wanted if one == noun]
        if not ids:
            continue
        known = target_rows.of_targets(connection, link.tenant, targets, ids)
        making = target_rows.is_creating(connection, link.tenant, targets)
        ours |= {
            (noun, row_id)
            for row_id in ids
            if (known[row_id].was_moving(since) if row_id in known else making)
        }
    return ours


def read_halo(line: Line, target: str) -> NextRun:
    """Do the readings of one kind of row that are due."""

    def some(lane: Lane, leases: list[Lease]) -> None:
        began = line.worker.ledger.run(database.now)
        _read(line, halo_calls(line, lane), TARGETS[target], leases, began)

    return do_readings(line, target, MOST, some)


def _read(
    line: Line,
    api: ApiCalls,
    reading: HaloReading,
    leases: list[Lease],
    began: datetime,
) -> None:
    open_ = _after_a_glance(line, api, reading, leases, began)
    while open_:
        batch = open_[:PARALLEL]
        began = line.worker.ledger.run(database.now)
        # As many as quota is there for; what they brought is kept before more is asked for.
        outcomes = api.read_many(
            [f"get {reading.noun}"] * len(batch),
            [_one(line, reading.resource, one) for one in batch],
        )
        done, open_ = open_[: len(outcomes)], open_[len(outcomes) :]
        sold = _orders_of(line, api, outcomes) if reading.judges is None else {}
        fates.write(line, reading, began, list(zip(done, outcomes, strict=True)), sold)


def _after_a_glance(
    line: Line,
    api: ApiCalls,
    reading: HaloReading,
    leases: list[Lease],
    began: datetime,
) -> list[Lease]:
    """Settle what a report or list shows to be as it is known; returns the rest."""
    if len(leases) <= FEW or not reading.capability:
        return leases
    ids = {int(lease.source_id): lease for lease in leases}
    try:
        rows = _glance(line, api, reading, ids)
    except (NotSent, RateLimited, Suspended):
        raise
    except (Again, Absent, MissingScope, Rejected, Unreadable) as error:
        if isinstance(error, NoQuota) and not isinstance(error, Outage):
            raise
        return leases  # what is not shown so may be shown one by one
    shown = [(lease, row) for row_id, row in rows.items() if (lease := ids.get(row_id))]

    def work(connection: Connection) -> set[int]:
        unit = UnitOfWork(connection, line, began)
        known = [lease for lease, row in shown if is_as_known(unit, reading.noun, row)]
        done = {lease.id for lease in known}
        ours: set[int] = set()
        for lease, row in (one for one in shown if one[0].id not in done):
            if (why := is_ours_to_end(unit, reading.noun, row)) is not None:
                fates.fail(connection, lease, why, failed=False)
                ours.add(lease.id)
        confirmed = [Confirmation(lease, None, None, None) for lease in known]
        return ours | leased.confirm(connection, confirmed, wrote=False)

    settled = line.worker.ledger.run_patiently(work, sleep=line.worker.sleep)
    return [lease for lease in leases if lease.id not in settled]


def _glance(
    line: Line, api: ApiCalls, reading: HaloReading, ids: Iterable[int]
) -> dict[int, dict[str, Any]]:
    wanted = sorted(ids)
    sql = sql_of(reading.noun, wanted)
    known = capabilities.known(line)
    if sql is not None and known.find_way(reading.capability) is FindWay.SQL:
        rows: Sequence[dict[str, Any]] = halo_queries.reported(line, api, sql)
    else:
        # A page is worth as many calls as rows of it are wanted; far down there are few.
        walk = NewestFirst(reading.noun, ids=wanted, most_pages=1 + len(wanted) // 10)
        read_list(line, api, reading.noun, walk)
        rows = walk.rows
    return {row_id: row for row in rows if (row_id := whole(row.get("id"))) is not None}


def read_list(line: Line, api: ApiCalls, noun: Noun, walk: NewestFirst) -> None:
    """Walk down a list of Halo, call by call.

    Raises:
        SynclineError: a call failed.
    """
    path = path_of(noun)
    while (params := walk.pending()) is not None:
        document = api.read(f"GET {path}", _page(line, path, params))
        with halo_queries.counting(line):
            walk.take(document)


def _page(line: Line, path: str, params: dict[str, str]) -> Callable[[Permit], Any]:
    return lambda permit: line.halo.get(path, params, permit).document


def _one(line: Line, resource: AnyResource, lease: Lease) -> Callable[[Permit], HaloRow]:
    return lambda permit: read_row(line.halo, permit, resource, int(lease.source_id))


def _orders_of(
    line: Line, api: ApiCalls, outcomes: Iterable[Outcome]
) -> dict[int, HaloOrderRow | SynclineError]:
    """The orders that consignments belong to, each read once: tracking may stand there.

    Those for which quota is not there are retried; the others are done with all the same.
    """
    rows = [one.result for one in outcomes if isinstance(one.result, ConsignmentRow)]
    ids = sorted({order_id for row in rows if (order_id := order_of(row)) is not None})

    def maker(order_id: int) -> Callable[[Permit], HaloRow]:
        return lambda permit: read_row(line.halo, permit, ORDER, order_id)

    sold: dict[int, HaloOrderRow | SynclineError] = {}
    while len(sold) < len(ids):
        rest = ids[len(sold) :]
        try:
            came = api.read_many(["get salesorder"] * len(rest), [maker(one) for one in rest])
        except NoQuota as error:
            return sold | dict.fromkeys(rest, error)
        for order_id, one in zip(rest, came, strict=False):
            sold[order_id] = one.error if one.error is not None else one.result  # type: ignore[assignment]  # what was read
    return sold
