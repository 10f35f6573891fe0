"""Where the last poll of a tenant ended: from where on the next one looks.

A few rows that are dated or numbered wrongly must not hide the others: no later row would stand
above them. So a cursor stays below what may be such a few, and what stands above it is looked at
each time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from syncline.halo.entities.resources import ORDER
from syncline.halo.models import whole
from syncline.halo.sql.changes import Noun, moment
from syncline.ledger import capabilities as findings
from syncline.ledger import database
from syncline.ledger.connections import Link
from syncline.mapping.document import Document

OVERLAP = timedelta(minutes=2)
"""How far before its newest known change a poll looks again: a row may be committed late."""

LATE = 50
"""How many ids below the highest known one are looked at again: a row may show after one with a
higher id, and its order or invoice may have been known to be ours only later."""

CROWD = 50
"""Fewer rows than these may be dated or numbered wrongly; so many are no mistake."""

AHEAD = timedelta(hours=15)
"""How far a change may lie ahead of our clock, since Halo may write the time of any zone; whatever
lies further ahead is a mistake, however many there are."""

LEAP = 1_000_000
"""How far an id may lie above the next lower one. A database that starts anew leaves out 10 000."""

MOST_LOOKED = 1_000
"""So many orders above the cursor are remembered; any others are looked at once more."""

_BEFORE_ALL = datetime(1970, 1, 2, tzinfo=UTC)
"""Where a tenant of few orders stands. Not our own clock: Halo's may be in another zone, and what
it dates before ours would not be seen until it has caught up."""

_NAME = "poll"
_CHANGED = ORDER.changed

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where the last poll of a tenant ended.

    Attributes:
        orders: from when on, by Halo's clock, changed orders are looked at.
        looked: those that were looked at by their ids, and when they had been changed.
        ids: the highest id that was seen, of consignments and of payments.
        since: the highest id of the first look; what it showed is not new.
        rests_until: before then no poll is made, since the last one was dear.
        refused: what the tenant did not show at the last look, and what it said instead.
    """

    orders: datetime | None = None
    looked: Mapping[str, str] | None = None
    ids: Mapping[str, int] | None = None
    since: Mapping[str, int] | None = None
    rests_until: datetime | None = None
    refused: Mapping[str, str] | None = None

    def floor(self, noun: Noun) -> datetime | int | None:
        """From where on rows of a list are wanted; None: where it stands is not known yet."""
        if noun == "salesorder":
            return self.orders
        known = (self.ids or {}).get(noun)
        return None if known is None else max((self.since or {}).get(noun, 0), known - LATE) + 1

    def with_refusal(self, noun: Noun, why: str | None) -> Cursor:
        """The same, after a list was not shown for that reason, or was shown: None."""
        others = {one: said for one, said in (self.refused or {}).items() if one != noun}
        return replace(self, refused=others if why is None else {**others, noun: why})

    def has_looked_at(self, noun: Noun, row: Row) -> bool:
        """Whether an order was looked at already as it is, with all that came of it."""
        at = moment(row.get(_CHANGED))
        known = (self.looked or {}).get(str(whole(row.get("id"))))
        return noun == "salesorder" and at is not None and known == at.isoformat()

    def is_late(self, noun: Noun, row_id: int) -> bool:
        """Whether a row shows only now, although one with a higher id was seen."""
        return noun != "salesorder" and row_id <= (self.ids or {}).get(noun, 0)

    def is_behind_leap(self, noun: Noun, row_id: int) -> bool:
        """Whether a row that was seen stands where the cursor did not follow."""
        return noun != "salesorder" and row_id > (self.ids or {}).get(noun, 0)

    def changed_up_to(self, rows: Iterable[Row], latest: datetime) -> Cursor:
        """The same, after these orders were seen; it never goes back.

        It stays below the few that were changed last, whatever the time: Halo's clock may be in
        another zone than ours, so nobody can tell which of them are dated wrongly. Only those
        behind `latest` surely are.
        """
        seen = sorted(
            ((at, whole(row.get("id"))) for row in rows if (at := moment(row.get(_CHANGED)))),
            key=lambda one: one[0],
            reverse=True,
        )
        times = [at for at, _ in seen if at <= latest]
        lately = times[0] - OVERLAP if times else latest
        above = min(times[CROWD - 1], lately) if len(times) >= CROWD else _BEFORE_ALL
        floor = max(self.orders or _BEFORE_ALL, above)
        if self.orders is None:
            # The first look only notes them, and what has just come is yet to be looked at.
            seen = [(at, row_id) for at, row_id in seen if at < lately]
        looked = [(str(row_id), at.isoformat()) for at, row_id in seen if at >= floor]
        return replace(self, orders=floor, looked=dict(looked[:MOST_LOOKED]))

    def risen_to(self, noun: Noun, ids: Iterable[int]) -> Cursor:
        """The same, after rows of these ids were seen; it never goes back.

        It does not follow a few behind a leap. The first look begins at the lowest id, wherever
        that is.
        """
        seen = sorted(set(ids))
        known = (self.ids or {}).get(noun, seen[0] if seen else 0)
        rising = [one for one in seen if one > known]
        for place, one in enumerate(rising):
            if one - known > LEAP and len(rising) - place < CROWD:
                break
            known = one
        since = {noun: known, **(self.since or {})}
        return replace(self, ids={**(self.ids or {}), noun: known}, since=since)


def load(connection: Connection, link: Link) -> Cursor:
    """The cursor of a connection's tenant; a new one where it was never polled."""
    rows = findings.read(connection, _owner(link))
    value: dict[str, Any] = next((row["value"] for row in rows if row["name"] == _NAME), {})
    orders = moment(value.get("orders"))
    if orders is not None and orders > database.now(connection) + AHEAD:
        orders = _BEFORE_ALL  # nobody knows since when nothing was seen: all is looked at once
    return Cursor(
        orders=orders,
        looked={str(row_id): str(at) for row_id, at in (value.get("looked") or {}).items()},
        ids={str(noun): int(known) for noun, known in (value.get("ids") or {}).items()},
        since={str(noun): int(known) for noun, known in (value.get("since") or {}).items()},
        rests_until=moment(value.get("rests_until")),
        refused=value.get("refused") or {},
    )


def keep(connection: Connection, link: Link, cursor: Cursor) -> None:
    """Store the cursor of a connection's tenant, in the caller's transaction."""
    value = {
        "orders": _text(cursor.orders),
        "looked": dict(cursor.looked or {}),
        "ids": dict(cursor.ids or {}),
        "since": dict(cursor.since or {}),
        "rests_until": _text(cursor.rests_until),
        "refused": dict(cursor.refused or {}),
    }
    row = {"name": _NAME, "value": value, "how": "polled"}
    findings.write(connection, _owner(link), [row])


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


def _owner(link: Link) -> str:
    return f"{link.tenant_place}/poll"


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat()
