"""Which days of HighLevel's lists were read to their end, and which were not yet."""

from __future__ import annotations

from datetime import date

from sqlalchemy import Connection

from syncline.highlevel.paging import MARGIN
from syncline.ledger.connections import Link
from syncline.ledger.database import text

_READ = """
    select coalesce(range_agg(daterange(p.first, p.last, '[]')), '{}') from pull p
    where p.connection_id = :connection_id and p.kind = :kind"""
"""The days of windows, as one set."""


def is_to_come(connection: Connection, link: Link, kind: str, first: date, last: date) -> bool:
    """Whether rows of these days may come yet, by readings that are under way or were never made.

    The days around them are asked for as well, as they are by every window. What HighLevel refuses
    to show does not come: days of which only that is left are none of these.
    """
    return bool(
        connection.execute(
            text(
                f"""
                select exists (
                    select 1 from pull
                    where connection_id = :connection_id and kind = :kind and state = 'running'
                      and not refused and first <= :last and last >= :first)
                  or not daterange(least(greatest(:from, :start_from), :until), :until, '[]')
                         <@ ({_READ} and (p.finished_at is not null or p.refused)
                             and p.first <= :until and p.last >= :from)
                """  # noqa: S608 - built from a constant of this module
            ),
            {
                "connection_id": link.id,
                "kind": kind,
                "from": first,
                "until": last,
                "first": first - MARGIN,
                "last": last + MARGIN,
                "start_from": link.start_from,
            },
        ).scalar_one()
    )
