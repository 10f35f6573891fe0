"""Polled: what changed in Halo since the last look, where no event tells it or one was lost.

Halo has no "changed since" but for SQL reports. Its lists are read newest first down to what is
known; a list that does not descend is read wholly, and then rests so long that it costs a small
share of the tenant's calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from syncline.errors import Absent, Again, MissingScope, Refused, Rejected, Unreadable
from syncline.flows import fulfillments
from syncline.halo.abilities import FindWay
from syncline.halo.changes import MOST_PAGES, NewestFirst, Noun, moment, sql_newest, sql_since
from syncline.halo.models import ConsignmentRow, HaloRow
from syncline.halo.reports import run_sql
from syncline.ledger import abilities as findings
from syncline.ledger import connections, pulls, target_rows
from syncline.ledger.connections import Link
from syncline.quota.keys import Lane
from syncline.steps import abilities
from syncline.steps.bound import bound
from syncline.steps.gate import Gate, halo_gate
from syncline.steps.halo_reading import POLLING, read_list
from syncline.steps.halo_rows import Book, is_as_known, owe_readings
from syncline.steps.parts import Line, Nudge, Parts
from syncline.steps.stop import stop_connection

OVERLAP = timedelta(minutes=2)
"""How far before its newest known change a poll looks again: a row may be committed late."""

SHARE = 10
"""A list that had to be read wholly takes one of so many of the tenant's calls."""

HELD = 100
"""Consignments that wait for their tracking and are read once more by one poll, at most."""

_NOUNS: tuple[Noun, ...] = ("salesorder", "consignment", "payment")
_NAME = "poll"


@dataclass(frozen=True, slots=True)
class _Cursor:
    """Where the last poll ended.

    Attributes:
        orders: the newest change of an order that was seen, by Halo's clock.
        ids: the highest id that was seen, of consignments and of payments.
        rests_until: before then no poll is made, since the last one was dear.
    """

    orders: datetime | None = None
    ids: Mapping[str, int] | None = None
    rests_until: datetime | None = None

    def floor(self, noun: Noun) -> datetime | int | None:
        """From where on rows of a list are wanted; None: where it stands is not known yet."""
        if noun == "salesorder":
            return None if self.orders is None else self.orders - OVERLAP
        known = (self.ids or {}).get(noun)
        return None if known is None else known + 1

    def moved(self, noun: Noun, highest: Any) -> _Cursor:
        """The same, after rows up to there were seen; it never goes back."""
        if noun == "salesorder":
            newest = max((one for one in (self.orders, highest) if one), default=None)
            return replace(self, orders=newest)
        known = (self.ids or {}).get(noun, 0)
        return replace(self, ids={**(self.ids or {}), noun: max(known, highest or 0)})


def due(parts: Parts, connection: Connection, link: Link) -> list[Nudge]:
    """The poll of a tenant whose turn has come, made by one of its connections for all.

    Often where Halo does not send everything of itself; else as a net for what was lost.
    """
    of_tenant = [
        one
        for one in connections.everyone(connection)
        if one.tenant == link.tenant and one.state == "active"
    ]
    if not of_tenant or of_tenant[0].id != link.id:
        return []
    told = any(not bound(connection, one.id).missing for one in of_tenant)
    every = parts.settings.pull_warm if told else parts.settings.poll_halo
    due_now = pulls.due_readings(connection, link.id, {POLLING: every})
    return [Nudge(link.name, "poll_halo")] if due_now else []


def poll(parts: Parts, line: Line) -> float | None:
    """Look what changed at a line's tenant, and have it read.

    The first poll of a tenant only notes where it stands.

    Returns:
        Seconds after which to try again, where a call failed or quota ran out; else None.
    """
    if line.link.state != "active":
        return None
    cursor = parts.ledger.run(lambda connection: _cursor(connection, line.link))
    if cursor.rests_until is not None and parts.now() < cursor.rests_until:
        return None
    try:
        gate = halo_gate(parts, line, Lane.PULLS)
        for noun in _NOUNS:
            cursor = _poll(parts, line, gate, noun, cursor)
    except Again as error:
        return error.after.total_seconds()
    except Refused as error:
        stop_connection(parts, line, error)
        return None
    parts.announce(parts.ledger.run(lambda connection: _held(connection, line.link)))
    return None


def _poll(parts: Parts, line: Line, gate: Gate, noun: Noun, cursor: _Cursor) -> _Cursor:
    """Look at one list; what it showed and how far it was seen is committed together."""
    try:
        rows, moved = _changed(parts, line, gate, noun, cursor)
    except (Absent, MissingScope, Rejected):
        return cursor  # this tenant does not show it to us; the others it does

    def work(connection: Connection) -> list[Nudge]:
        book = Book(connection, line)
        wanted = [HaloRow.of(row).id for row in rows if _is_news(book, noun, row)]
        book.read([(noun, one) for one in wanted], f"poll {parts.now():%H:%M}")
        _keep(connection, line.link, moved)
        return list(book.nudges)

    parts.announce(parts.ledger.run(work))
    return moved


def _changed(
    parts: Parts, line: Line, gate: Gate, noun: Noun, cursor: _Cursor
) -> tuple[list[dict[str, Any]], _Cursor]:
    """The rows that are above the cursor, and the cursor behind them."""
    floor = cursor.floor(noun)
    known = abilities.known(parts, line)
    if noun == "salesorder" and known.find_way("order") is FindWay.SQL:
        sql = sql_since(noun, floor) if isinstance(floor, datetime) else sql_newest(noun)
        reported = gate.read("POST /Report", lambda permit: run_sql(line.halo, permit, sql))
        found: list[dict[str, Any]] = [dict(row) for row in reported]
        times = [at for row in found if (at := moment(row.get("last_update_time")))]
        newest = max(times, default=parts.now() if floor is None else None)
        return ([] if floor is None else found), cursor.moved(noun, newest)
    walk = NewestFirst(noun, floor=floor)
    read_list(line, gate, noun, walk)
    highest = walk.highest
    if highest is None and floor is None and noun == "salesorder":
        highest = parts.now()
    moved = cursor.moved(noun, highest)
    if not walk.descends:
        moved = replace(moved, rests_until=parts.now() + _rest(line, walk))
    return ([] if floor is None else walk.above()), moved


def _rest(line: Line, walk: NewestFirst) -> timedelta:
    """So long that a walk over the whole list stays a small share of the tenant's calls."""
    a_call = timedelta(seconds=line.link.halo_seconds) / line.link.halo_calls
    return a_call * SHARE * min(walk.pages, MOST_PAGES)


def _is_news(book: Book, noun: Noun, row: Mapping[str, Any]) -> bool:
    """Whether a row that a list shows is to be read."""
    try:
        if noun == "consignment":
            return book.made(("order",), ConsignmentRow.of(row).salesorder_id) is not None
        return not is_as_known(book, noun, row)
    except Unreadable:
        return False


def _held(connection: Connection, link: Link) -> list[Nudge]:
    """Consignments whose fulfillment waits: their tracking may have come, which no list shows."""
    nudges: list[Nudge] = []
    for one in connections.everyone(connection):
        if one.tenant == link.tenant and one.state == "active":
            ids = target_rows.not_delivered(connection, one.id, fulfillments.TARGET, HELD)
            wanted: list[tuple[Noun, int]] = [("consignment", int(each)) for each in ids]
            targets = owe_readings(connection, link, wanted, "waits for its tracking")
            nudges += [Nudge(link.name, "send", target) for target in sorted(targets)]
    return nudges


def _owner(link: Link) -> str:
    return f"{link.tenant_place}/poll"


def _cursor(connection: Connection, link: Link) -> _Cursor:
    rows = findings.read(connection, _owner(link))
    value: dict[str, Any] = next((row["value"] for row in rows if row["name"] == _NAME), {})
    return _Cursor(
        orders=moment(value.get("orders")),
        ids={str(noun): int(known) for noun, known in (value.get("ids") or {}).items()},
        rests_until=moment(value.get("rests_until")),
    )


def _keep(connection: Connection, link: Link, cursor: _Cursor) -> None:
    value = {
        "orders": _text(cursor.orders),
        "ids": dict(cursor.ids or {}),
        "rests_until": _text(cursor.rests_until),
    }
    row = {"name": _NAME, "value": value, "how": "polled"}
    findings.write(connection, _owner(link), [row])


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
