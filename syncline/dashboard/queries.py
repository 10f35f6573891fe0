"""What the dashboard shows of a connection, and what is known of the dashboard in Halo.

Counting is done by PostgreSQL. `urgent_figures` is cheap enough for every minute; `figures` reads
each order of the location once, and is for when they are written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection

from syncline.audit import chains
from syncline.audit.chains import Head
from syncline.deliveries.states import NEEDS_A_PERSON
from syncline.deliveries.status_counts import KindStatus, kinds
from syncline.ledger import capabilities
from syncline.ledger.connections import Link
from syncline.ledger.database import text

_NAME = "dashboard"
_HOW = "halo dashboard install"


@dataclass(frozen=True, slots=True)
class UrgentFigures:
    """What is told as soon as it changes.

    Attributes:
        failed: parked deliveries that need a person.
        differences: open differences of reconciliation.
        alerts: open alerts.
        reconciliation: the id of the last finished one, None before the first.
    """

    failed: int
    differences: int
    alerts: int
    reconciliation: int | None


@dataclass(frozen=True, slots=True)
class OrderTotals:
    """The orders of one currency; amounts in major units, `month` is this month's."""

    currency: str
    orders: int
    orders_today: int
    orders_month: int
    unfulfilled: int
    total: Decimal
    month: Decimal


@dataclass(frozen=True, slots=True)
class DashboardFigures:
    """Everything that a dashboard shows of what only the ledger knows.

    Attributes:
        at: when it was counted.
        kinds: each kind of the connection, as `status` shows it.
        sold: the orders seen in HighLevel, by currency, the largest number first.
        certificate: of the last finished reconciliation.
        heads: of the audit log's chains, which stand anchored where the figures go.
    """

    at: datetime
    pressing: UrgentFigures
    kinds: tuple[KindStatus, ...]
    sold: tuple[OrderTotals, ...]
    certificate: Mapping[str, Any] | None
    heads: tuple[Head, ...]


def urgent_figures(connection: Connection, connection_id: int) -> UrgentFigures:
    """What is told as soon as it changes."""
    row = connection.execute(
        text(
            f"""
            select (select count(*) from delivery d
                    where connection_id = :id and {NEEDS_A_PERSON}) as failed,
                   (select count(*) from discrepancy
                    where connection_id = :id and state = 'open') as differences,
                   (select count(*) from alert
                    where connection_id = :id and state = 'open') as alerts,
                   (select id from reconciliation where connection_id = :id and state = 'done'
                    order by id desc limit 1) as reconciliation
            """  # noqa: S608 - built from a constant
        ),
        {"id": connection_id},
    ).one()
    return UrgentFigures(*row)


def figures(connection: Connection, link: Link) -> DashboardFigures:
    """All figures of a connection as they are now."""
    told = urgent_figures(connection, link.id)
    at = connection.execute(text("select clock_timestamp()")).scalar_one()
    return DashboardFigures(
        at=at,
        pressing=told,
        kinds=tuple(kinds(connection, link)),
        sold=tuple(_sold(connection, link)),
        certificate=_certificate(connection, told.reconciliation),
        heads=tuple(one for one in chains.heads(connection) if one.chain in chains.of_link(link)),
    )


def standing(connection: Connection, connection_id: int) -> Mapping[str, Any]:
    """What of the dashboard stands in Halo, as it was confirmed last; empty: nothing."""
    rows = capabilities.read(connection, _owner(connection_id))
    found: Mapping[str, Any] = next((r["value"] for r in rows if r["name"] == _NAME), {})
    return found


def remember(connection: Connection, connection_id: int, value: Mapping[str, Any]) -> None:
    """Keep what stands in Halo, in the caller's transaction."""
    row = {"name": _NAME, "value": value, "how": _HOW}
    capabilities.write(connection, _owner(connection_id), [row])


def _owner(connection_id: int) -> str:
    return f"connection:{connection_id}"


def _sold(connection: Connection, link: Link) -> list[OrderTotals]:
    found = connection.execute(
        text(
            """
            select currency, count(*) as orders,
                   count(*) filter (where created_at >= date_trunc('day', now.utc) at time zone
                                    'utc') as today,
                   count(*) filter (where created_at >= now.month) as month,
                   count(*) filter (where sent not in ('fulfilled')) as unfulfilled,
                   coalesce(sum(amount), 0) as total,
                   coalesce(sum(amount) filter (where created_at >= now.month), 0) as earned
            from (select utc, date_trunc('month', utc) at time zone 'utc' as month
                  from (select clock_timestamp() at time zone 'utc' as utc) clock) now,
                 (select canonical ->> 'currency' as currency, created_at,
                         coalesce(canonical ->> 'fulfillment_status', '') as sent,
                         cast(canonical ->> 'amount' as numeric) as amount
                  from record where place = :place and kind = 'order') sold
            where currency is not null
            group by currency, now.utc, now.month order by orders desc, currency
            """
        ),
        {"place": link.location_place},
    )
    return [OrderTotals(*row) for row in found]


def _certificate(connection: Connection, reconciliation: int | None) -> Mapping[str, Any] | None:
    found = connection.execute(
        text("select certificate from reconciliation where id = :id"), {"id": reconciliation}
    )
    certificate: Mapping[str, Any] | None = found.scalar()
    return certificate
