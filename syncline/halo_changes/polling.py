"""Polled: what changed in Halo since the last look, where no event tells it or one was lost.

Halo has no "changed since" but for SQL reports. Its lists are read newest first down to what is
known; a list that does not descend is read wholly, and then waits so long that it costs a small
share of the tenant's calls.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from syncline.calls import capabilities, halo_queries
from syncline.calls.calls import ApiCalls, halo_calls
from syncline.calls.context import Line, Nudge, WorkerContext
from syncline.deliveries import requests, target_rows
from syncline.engine.connection_rules import stop_if_all_is_refused
from syncline.errors import Absent, Again, MissingScope, Refused, Rejected, Unreadable
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
from syncline.halo_changes.installed_webhook import bound
from syncline.halo_changes.reading import POLLING, read_list
from syncline.halo_changes.row_changes import is_as_known
from syncline.halo_changes.unit_of_work import FLOW, UnitOfWork
from syncline.ingest import pull_windows
from syncline.ledger import capabilities as findings
from syncline.ledger import connections, database, records
from syncline.ledger.connections import Link
from syncline.mapping.document import Document
from syncline.queues import Lane

OVERLAP = timedelta(minutes=2)
"""How far before its newest known change a poll looks again: a row may be committed late."""

LATE = 50
"""How many ids below the highest known one are looked at again: a row may show after one with a
higher id, and its order or invoice may have been known to be ours only later."""

SHARE = 10
"""A list that had to be read wholly takes one of so many of the tenant's calls."""

REACH = 500
"""How far below the newest one consignments are looked at whose notes may tell the tracking by now;
five pages at the most."""

AHEAD = timedelta(hours=15)
"""How far a change may lie ahead of our clock, since Halo may write the time of any zone; whatever
lies further ahead is a mistake, behind which nothing more would be seen."""

LEAP = 1_000_000
"""How far an id may lie above the next lower one. A database that starts anew leaves out 10 000."""

CROWD = 50
"""So many rows behind such a leap are no mistake: new rows really have these ids."""

_NOUNS: tuple[Noun, ...] = ("salesorder", "consignment", "payment")
_BEFORE_ALL = datetime(1970, 1, 2, tzinfo=UTC)
"""Where a tenant without any order stands. Not our own clock: Halo's may be in another zone, and
what it dates before ours would not be seen until it has caught up."""

_NAME = "poll"
_NOT_SHOWN = (Absent, MissingScope, Rejected, Unreadable)
"""How a tenant says that it does not show something to us."""


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the last poll of a tenant ended.

    Attributes:
        orders: the newest change of an order that was seen, by Halo's clock.
        ids: the highest id that was seen, of consignments and of payments.
        since: the highest id of the first look; what it showed is not new.
        rests_until: before then no poll is made, since the last one was dear.
        refused: what the tenant did not show at the last look, and what it said instead.
    """

    orders: datetime | None = None
    ids: Mapping[str, int] | None = None
    since: Mapping[str, int] | None = None
    rests_until: datetime | None = None
    refused: Mapping[str, str] | None = None

    def floor(self, noun: Noun) -> datetime | int | None:
        """From where on rows of a list are wanted; None: where it stands is not known yet."""
        if noun == "salesorder":
            return None if self.orders is None else self.orders - OVERLAP
        known = (self.ids or {}).get(noun)
        return None if known is None else max((self.since or {}).get(noun, 0), known - LATE) + 1

    def with_refusal(self, noun: Noun, why: str | None) -> Cursor:
        """The same, after a list was not shown for that reason, or was shown: None."""
        others = {one: said for one, said in (self.refused or {}).items() if one != noun}
        return replace(self, refused=others if why is None else {**others, noun: why})

    def is_late(self, noun: Noun, row_id: int) -> bool:
        """Whether a row shows only now, although one with a higher id was seen."""
        return noun != "salesorder" and row_id <= (self.ids or {}).get(noun, 0)

    def is_behind_leap(self, noun: Noun, row_id: int) -> bool:
        """Whether a row that was seen stands where the cursor did not follow."""
        return noun != "salesorder" and row_id > (self.ids or {}).get(noun, 0)

    def changed_up_to(self, times: Iterable[datetime], latest: datetime) -> Cursor:
        """The same, after orders of these times were seen; it never goes back.

        It does not follow those behind `latest`: no later change would be above them.
        """
        seen = [self.orders or _BEFORE_ALL, *(one for one in times if one <= latest)]
        return replace(self, orders=max(seen))

    def risen_to(self, noun: Noun, ids: Iterable[int]) -> Cursor:
        """The same, after rows of these ids were seen; it never goes back.

        It does not follow a few behind a leap: no later row would be above them.
        """
        known = (self.ids or {}).get(noun, 0)
        rising = sorted({one for one in ids if one > known})
        for place, one in enumerate(rising):
            if one - known > LEAP and len(rising) - place < CROWD:
                break
            known = one
        since = {noun: known, **(self.since or {})}
        return replace(self, ids={**(self.ids or {}), noun: known}, since=since)


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

    The first poll of a tenant only notes where it stands.

    Returns:
        Seconds after which to try again, where a call failed or quota ran out; else None.
    """
    if not line.link.reads:
        return None
    cursor = line.worker.ledger.run(partial(_cursor, link=line.link))
    if cursor.rests_until is not None and line.worker.now() < cursor.rests_until:
        return None
    try:
        api = halo_calls(line, Lane.PULLS)
        for noun in _NOUNS:
            cursor = _poll(line, api, noun, cursor)
    except Again as error:
        return error.after.total_seconds()
    except Refused as error:
        stop_if_all_is_refused(line, error)
        return None
    return None


def refusals(connection: Connection) -> Mapping[str, Mapping[str, str]]:
    """What tenants did not show at the last look: of each the kind of row, and what it said."""
    stored = findings.everywhere(connection, _NAME)
    return {owner: value.get("refused") or {} for owner, value in stored.items()}


def not_shown(
    refused: Mapping[str, Mapping[str, str]], link: Link, document: Document
) -> Mapping[str, str]:
    """What a connection's tenant does not show though its mapping needs it."""
    needed = {
        "salesorder": True,
        "consignment": document.fulfillments.into == "highlevel",
        "payment": document.payments.into == "invoice",
    }
    of_tenant = refused.get(_owner(link), {})
    return {noun: said for noun, said in of_tenant.items() if needed[noun]}


def _poll(line: Line, api: ApiCalls, noun: Noun, cursor: Cursor) -> Cursor:
    """Look at one list; what it showed and how far it was seen is committed together."""
    began = line.worker.ledger.run(database.now)
    try:
        rows, moved = _changed(line, api, noun, cursor, began + AHEAD)
    except _NOT_SHOWN as error:
        # The other lists tell what they do; an alert tells of this one.
        refused = cursor.with_refusal(noun, error.what)
        line.worker.ledger.run(partial(_keep, link=line.link, cursor=refused))
        return refused
    moved = moved.with_refusal(noun, None)
    rows = [row for row in rows if whole(row.get("id")) is not None]

    def work(connection: Connection) -> list[Nudge]:
        unit = UnitOfWork(connection, line, began)
        if noun == "consignment":
            wanted = _consignments(unit, rows, cursor, moved)
        else:
            wanted = [HaloRow.of(row).id for row in rows if not is_as_known(unit, noun, row)]
            wanted = _never_read(unit, noun, wanted, cursor, moved)
        unit.read([(noun, one) for one in wanted], f"poll {line.worker.now():%H:%M}")
        _keep(connection, line.link, moved)
        return list(unit.nudges)

    line.worker.announce(line.worker.ledger.run(work))
    return moved


def _changed(
    line: Line, api: ApiCalls, noun: Noun, cursor: Cursor, latest: datetime
) -> tuple[list[dict[str, Any]], Cursor]:
    """The rows that are above the cursor, and the cursor behind them.

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
            times = [at for row in reported if (at := moment(row.get("last_update_time")))]
            return ([] if floor is None else reported), cursor.changed_up_to(times, latest)
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
        moved = cursor.changed_up_to(walk.ranks, latest)
    else:
        moved = cursor.risen_to(noun, walk.ranks)
    if not walk.descends:
        moved = replace(moved, rests_until=line.worker.now() + _rest(line, walk))
    return ([] if floor is None else walk.above()), moved


def _reported(
    line: Line, api: ApiCalls, floor: datetime | int | None, latest: datetime
) -> list[dict[str, Any]] | None:
    """Orders changed since then by a report, or the last one; None where none was proved.

    Raises:
        Unreadable: it does not say when they changed in a way that can be read.
    """
    if capabilities.known(line).find_way("order") is not FindWay.SQL:
        return None
    since = floor if isinstance(floor, datetime) else None
    sql = sql_newest("salesorder", latest) if since is None else sql_since("salesorder", since)
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


def _consignments(
    unit: UnitOfWork, rows: Sequence[Mapping[str, Any]], cursor: Cursor, moved: Cursor
) -> list[int]:
    """New consignments of orders of ours, and known ones whose note says something else now."""
    came = ConsignmentRow.all_of(rows)
    floor = cursor.floor("consignment")
    place = unit.line.link.tenant_place
    keys = [(place, consignments.KIND, str(one.id)) for one in came]
    known = records.canonical(unit.connection, keys)
    sold = {one.salesorder_id for one in came if one.salesorder_id}
    ours = target_rows.of_targets(unit.connection, unit.tenant, ["order"], sold)
    news = []
    unknown = []
    for one, key in zip(came, keys, strict=True):
        if key in known:
            said = one.note if one.note.strip() else ""
            news += [one.id] if "note" in one.raw and said != known[key][1].get("note", "") else []
        elif isinstance(floor, int) and one.id >= floor:
            # A list that does not name the order, or as 0, says nothing against its being ours.
            unknown += [one.id] if not one.salesorder_id or one.salesorder_id in ours else []
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


def _owner(link: Link) -> str:
    return f"{link.tenant_place}/poll"


def _cursor(connection: Connection, link: Link) -> Cursor:
    rows = findings.read(connection, _owner(link))
    value: dict[str, Any] = next((row["value"] for row in rows if row["name"] == _NAME), {})
    orders = moment(value.get("orders"))
    if orders is not None and orders > database.now(connection) + AHEAD:
        orders = _BEFORE_ALL  # nobody knows since when nothing was seen: all is looked at once
    return Cursor(
        orders=orders,
        ids={str(noun): int(known) for noun, known in (value.get("ids") or {}).items()},
        since={str(noun): int(known) for noun, known in (value.get("since") or {}).items()},
        rests_until=moment(value.get("rests_until")),
        refused=value.get("refused") or {},
    )


def _keep(connection: Connection, link: Link, cursor: Cursor) -> None:
    value = {
        "orders": _text(cursor.orders),
        "ids": dict(cursor.ids or {}),
        "since": dict(cursor.since or {}),
        "rests_until": _text(cursor.rests_until),
        "refused": dict(cursor.refused or {}),
    }
    row = {"name": _NAME, "value": value, "how": "polled"}
    findings.write(connection, _owner(link), [row])


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
