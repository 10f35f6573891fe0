"""What is dropped when it is old enough: bodies of webhooks, and whole months of events and calls.

What still has to be handled stays, whatever its age, and so do the audit log and its changes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Literal

from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from syncline.calls.context import WorkerContext
from syncline.ledger.database import text
from syncline.ledger.partitions import month_after

BATCH = 5000
BATCHES = 50
"""In one go; the next tick goes on."""

Dropped = Literal["event", "call"]

_MONTH = re.compile(r"_(\d{4})_(\d{2})$")
_LOCK_TIMEOUT = "2s"
"""A drop locks the whole table for an instant; it must not queue before everybody else."""

_LOCK_NOT_AVAILABLE = "55P03"


@dataclass(frozen=True, slots=True)
class Month:
    """The partition of one month; `after` is the first day that is not in it any more."""

    table: str
    after: date


def empty_bodies(connection: Connection, older_than: timedelta, most: int) -> int:
    """Empty the bodies of webhooks that were handled long ago; returns how many.

    Args:
        connection: the transaction.
        older_than: their age at least.
        most: in one go, so that no transaction becomes long.
    """
    return connection.execute(
        text(
            """
            update event e set body = ''
            from (
                select at, id from event
                where at < clock_timestamp() - cast(:age as interval)
                  and state in ('done', 'ignored') and body <> ''
                order by at limit :most for update skip locked
            ) old
            where e.at = old.at and e.id = old.id
            """
        ),
        {"age": older_than, "most": most},
    ).rowcount


def old_months(connection: Connection, table: Dropped, older_than: timedelta) -> list[Month]:
    """The months of a table of which every row is older than this, the oldest first."""
    limit: datetime = connection.execute(
        text("select clock_timestamp() - cast(:age as interval)"), {"age": older_than}
    ).scalar_one()
    found = connection.execute(
        text(
            """
            select c.relname from pg_inherits i join pg_class c on c.oid = i.inhrelid
            where i.inhparent = cast(:parent as regclass) order by c.relname
            """
        ),
        {"parent": table},
    )
    months = []
    for name in found.scalars():
        named = _MONTH.search(name)
        if named is not None:
            after = month_after(date(int(named[1]), int(named[2]), 1))
            if after <= limit.date():
                months.append(Month(name, after))
    return months


def drop_month(connection: Connection, month: Month) -> bool:
    """Drop a month, unless something in it still has to be handled or somebody is reading it."""
    connection.execute(text(f"set local lock_timeout = '{_LOCK_TIMEOUT}'"))
    is_open = "select exists (select from {} where state in ('new', 'parked'))"
    if month.table.startswith("event_") and (
        connection.execute(text(is_open.format(month.table))).scalar_one()
    ):
        return False
    try:
        with connection.begin_nested():
            connection.execute(text(f"drop table {month.table}"))
    except OperationalError as error:
        if getattr(error.orig, "sqlstate", None) == _LOCK_NOT_AVAILABLE:
            return False
        raise
    return True


def retain(worker: WorkerContext) -> list[str]:
    """Empty and drop what is too old; returns the months that are gone."""
    settings = worker.settings
    if settings.keep_payloads is not None:
        for _ in range(BATCHES):
            work = partial(empty_bodies, older_than=settings.keep_payloads, most=BATCH)
            if worker.ledger.run(work) < BATCH:
                break
    kept: dict[Dropped, timedelta | None] = {
        "event": settings.keep_events,
        "call": settings.keep_calls,
    }
    gone: list[str] = []
    for table, age in kept.items():
        if age is not None:
            find = partial(old_months, table=table, older_than=age)
            gone += [
                month.table
                for month in worker.ledger.run(find)
                if worker.ledger.run(partial(drop_month, month=month))
            ]
    return gone
