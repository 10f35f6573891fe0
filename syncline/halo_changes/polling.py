"""Polled: what changed in Halo since the last look, where no event tells it or one was lost.

Halo has no "changed since" but for SQL reports. Its lists are read newest first down to what is
known; a list that does not descend is read wholly, and then waits so long that it costs a small
share of the tenant's calls.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from syncline.calls import capabilities, halo_queries
from syncline.calls.calls import ApiCalls, NoQuota, Outage, halo_calls
from syncline.calls.context import Line, Nudge, WorkerContext
from syncline.calls.faults import held_back
from syncline.deliveries import requests, target_rows
from syncline.engine.connection_rules import stop_if_all_is_refused
from syncline.errors import (
    Absent,
    Again,
    MissingScope,
    NotSent,
    RateLimited,
    Refused,
    Rejected,
    Suspended,
    SynclineError,
    Unreadable,
)
from syncline.flows import fulfillments
from syncline.halo.capabilities import FindWay
from syncline.halo.models import ConsignmentRow, HaloRow, whole
from syncline.halo.sql.changes import (
    MOST_PAGES,
    NewestFirst,
    Noun,
    moment,
    sql_from,
    sql_newest,
    sql_since,
)
from syncline.halo_changes import consignments
from syncline.halo_changes import cursor as cursors
from syncline.halo_changes.cursor import AHEAD, CROWD, Cursor
from syncline.halo_changes.installed_webhook import bound
from syncline.halo_changes.reading import POLLING, read_list
from syncline.halo_changes.row_changes import is_as_known
from syncline.halo_changes.unit_of_work import FLOW, UnitOfWork
from syncline.ingest import pull_windows
from syncline.ledger import connections, database, records
from syncline.ledger.connections import Link
from syncline.queues import Lane

SHARE = 10
"""A list that had to be read wholly takes one of so many of the tenant's calls."""

REACH = 500
"""How far below the newest one consignments are looked at whose notes may tell the tracking by now;
five pages at the most."""

_NOUNS: tuple[Noun, ...] = ("salesorder", "consignment", "payment")
_NOT_SHOWN = (Absent, MissingScope, Rejected, Unreadable)
"""How a tenant says that it does not show something to us."""


def due(worker: WorkerContext, connection: Connection, links: Sequence[Link]) -> list[Nudge]:
    """The polls whose turn has come: one for each tenant of these connections.

    Often where Halo does not send everything of itself; else as a net for what was lost.
    """
    of_tenants: dict[int, list[Link]] = {}
    for link in links:
        of_tenants.setdefault(link.tenant, []).append(link)
    nudges = []
    for sharing in of_tenants.values():
        told = any(not bound(connection, link.id).missing for link in sharing)
        every = worker.settings.pull_warm if told else worker.settings.poll_halo
        first = min(sharing, key=lambda link: link.id)
        if pull_windows.due_readings(connection, first.id, {POLLING: every}):
            nudges.append(Nudge(first.name, "poll_halo"))
    return nudges


def poll(line: Line) -> float | None:
    """Look what changed at a line's tenant, and have it read.

    The first poll of a tenant only notes where it stands. A list that cannot be had keeps nothing
    back that another one tells.

    Returns:
        Seconds after which to try again, where a call failed or quota ran out; else None.
    """
    if not line.link.reads:
        return None
    cursor = line.worker.ledger.run(partial(cursors.load, link=line.link))
    if cursor.rests_until is not None and line.worker.now() < cursor.rests_until:
        return None
    pauses: list[float] = []
    for noun in _NOUNS:
        try:
            cursor = _poll(line, halo_calls(line, Lane.PULLS), noun, cursor)
        except Again as error:
            pauses.append(error.after.total_seconds())
            if _concerns_all(line, error):
                break
        except Refused as error:
            if stop_if_all_is_refused(line, error):
                return None
            cursor = _refused(line, cursor, noun, error)
    return max(pauses, default=None)


def _concerns_all(line: Line, error: Again) -> bool:
    """Whether the other lists would fail in the same way, without a call or with one in vain."""
    if isinstance(error, Outage):
        return bool(held_back(line.worker, line.halo_key))
    return isinstance(error, (NoQuota, NotSent, RateLimited, Suspended))


def _refused(line: Line, cursor: Cursor, noun: Noun, error: SynclineError) -> Cursor:
    """Keep that a list is not shown, and why: an alert tells of it."""
    refused = cursor.with_refusal(noun, error.what)
    line.worker.ledger.run(partial(cursors.keep, link=line.link, cursor=refused))
    return refused


def _poll(line: Line, api: ApiCalls, noun: Noun, cursor: Cursor) -> Cursor:
    """Look at one list; what it showed and how far it was seen is committed together."""
    began = line.worker.ledger.run(database.now)
    try:
        rows, moved = _changed(line, api, noun, cursor, began + AHEAD)
    except _NOT_SHOWN as error:
        return _refused(line, cursor, noun, error)
    moved = moved.with_refusal(noun, None)
    rows = [row for row in rows if whole(row.get("id")) is not None]

    def work(connection: Connection) -> list[Nudge]:
        unit = UnitOfWork(connection, line, began)
        cause = f"poll {line.worker.now():%H:%M}"
        if cursor.floor(noun) is None:
            unit.leave([(noun, one) for one in _behind_leap(unit, noun, rows, moved)], cause)
        else:
            wanted = _wanted(unit, noun, rows, cursor, moved)
            unit.read([(noun, one) for one in wanted], cause)
        cursors.keep(connection, line.link, moved)
        return list(unit.nudges)

    line.worker.announce(line.worker.ledger.run(work))
    return moved


def _changed(
    line: Line, api: ApiCalls, noun: Noun, cursor: Cursor, latest: datetime
) -> tuple[list[dict[str, Any]], Cursor]:
    """The rows above the cursor, or all where it stands nowhere yet; and the cursor behind them.

    Args:
        line: the connection.
        api: the way out.
        noun: which rows.
        cursor: as the last look left it.
        latest: the last moment at which an order may have changed.
    """
    floor = cursor.floor(noun)
    if noun == "salesorder":
        try:
            reported = _reported(line, api, floor, latest)
        except halo_queries.NO_REPORT:
            reported = None  # the list shows it too, in more calls
        if reported is not None:
            return reported, cursor.changed_up_to(reported, latest)
    if noun == "payment" and isinstance(floor, int):
        paid = _payments(line, api, floor)
        if paid is not None:
            ids = [row_id for row in paid if (row_id := whole(row.get("id"))) is not None]
            return paid, cursor.risen_to(noun, ids)
    if noun == "consignment" and isinstance(floor, int):
        floor = line.worker.ledger.run(partial(_floor_of_held, link=line.link, floor=floor))
    walk = NewestFirst(noun, floor=floor)
    read_list(line, api, noun, walk)
    if noun == "salesorder":
        moved = cursor.changed_up_to(walk.rows, latest)
    else:
        moved = cursor.risen_to(noun, walk.ranks)
    if not walk.descends:
        moved = replace(moved, rests_until=line.worker.now() + _rest(line, walk))
    return walk.above(), moved


def _reported(
    line: Line, api: ApiCalls, floor: datetime | int | None, latest: datetime
) -> list[dict[str, Any]] | None:
    """Orders changed since then by a report, or the last few; None where none was proved.

    Raises:
        Unreadable: it does not say when they changed in a way that can be read.
    """
    if capabilities.known(line).find_way("order") is not FindWay.SQL:
        return None
    since = floor if isinstance(floor, datetime) else None
    sql = (
        sql_newest("salesorder", latest, CROWD) if since is None else sql_since("salesorder", since)
    )
    rows = halo_queries.reported(line, api, sql)
    if rows and not any(moment(row.get("last_update_time")) for row in rows):
        raise Unreadable("The report does not say when orders were changed.")
    return [dict(row) for row in rows]


def _payments(line: Line, api: ApiCalls, floor: int) -> list[dict[str, Any]] | None:
    """Payments from an id on by a report; None where the list must show them."""
    if capabilities.known(line).find_way("payment") is not FindWay.SQL:
        return None
    try:
        rows = halo_queries.reported(line, api, sql_from("payment", floor))
    except halo_queries.NO_REPORT:
        return None
    return [dict(row) for row in rows]


def _rest(line: Line, walk: NewestFirst) -> timedelta:
    """So long that a walk over the whole list stays a small share of the tenant's calls."""
    a_call = timedelta(seconds=line.link.halo_seconds) / line.link.halo_calls
    return a_call * SHARE * min(walk.pages, MOST_PAGES)


def _wanted(
    unit: UnitOfWork,
    noun: Noun,
    rows: Sequence[Mapping[str, Any]],
    cursor: Cursor,
    moved: Cursor,
) -> list[int]:
    """The rows that are to be read, since they are new or not as they are known."""
    if noun == "consignment":
        return _consignments(unit, rows, cursor, moved)
    news = [row for row in rows if not cursor.has_looked_at(noun, row)]
    ids = [HaloRow.of(row).id for row in news if not is_as_known(unit, noun, row)]
    return _never_read(unit, noun, ids, cursor, moved)


def _behind_leap(
    unit: UnitOfWork, noun: Noun, rows: Sequence[Mapping[str, Any]], moved: Cursor
) -> list[int]:
    """What the first look showed above where it ended: no more new than the rest of it."""
    ids = [HaloRow.of(row).id for row in rows]
    behind = [one for one in ids if moved.is_behind_leap(noun, one)]
    return _never_read(unit, noun, behind, moved, moved)


def _consignments(
    unit: UnitOfWork, rows: Sequence[Mapping[str, Any]], cursor: Cursor, moved: Cursor
) -> list[int]:
    """New consignments of orders of ours, and known ones whose note says something else now."""
    came = ConsignmentRow.all_of(rows)
    floor = cursor.floor("consignment")
    place = unit.line.link.tenant_place
    keys = [(place, consignments.KIND, str(one.id)) for one in came]
    known = records.canonical(unit.connection, keys)
    sold = {one.id: order_id for one in came if (order_id := one.salesorder_id or 0) > 0}
    ours = target_rows.of_targets(unit.connection, unit.tenant, ["order"], set(sold.values()))
    news = []
    unknown = []
    for one, key in zip(came, keys, strict=True):
        if key in known:
            said = one.note if one.note.strip() else ""
            news += [one.id] if "note" in one.raw and said != known[key][1].get("note", "") else []
        elif isinstance(floor, int) and one.id >= floor:
            # A list that does not name the order says nothing against its being ours.
            unknown += [one.id] if one.id not in sold or sold[one.id] in ours else []
    return news + _never_read(unit, "consignment", unknown, cursor, moved)


def _never_read(
    unit: UnitOfWork, noun: Noun, ids: Sequence[int], cursor: Cursor, moved: Cursor
) -> list[int]:
    """Without those that show late, or are looked at again, and were read before.

    What the cursor does not follow is looked at again each time.
    """
    again = [
        str(one) for one in ids if cursor.is_late(noun, one) or moved.is_behind_leap(noun, one)
    ]
    read = requests.existing_roles(unit.connection, unit.tenant, FLOW, again)
    return [one for one in ids if noun not in read.get(str(one), ())]


def _floor_of_held(connection: Connection, link: Link, floor: int) -> int:
    """Down to where the list is looked at, for the sake of those whose fulfillment waits."""
    held = [
        int(one)
        for of in connections.everyone(connection)
        if of.tenant == link.tenant and of.state == "active"
        for one in target_rows.not_delivered(connection, of.id, fulfillments.TARGET, REACH)
    ]
    return min([floor, *(one for one in held if one > floor - REACH)])
