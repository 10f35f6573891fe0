"""The part of `syncline status` about alerts: what is open now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.alerts import queries
from syncline.alerts.queries import Alert
from syncline.terminal.output import plain, table

_MOST = 20


@dataclass(frozen=True, slots=True)
class OpenAlert:
    """An open alert, as a line shows it."""

    number: int
    connection: str
    severity: str
    title: str
    count: int
    since: datetime
    state: str


def read_alerts(connection: Connection, connection_id: int | None) -> list[OpenAlert]:
    """The newest open alerts."""
    found = queries.listed(connection, connection_id=connection_id, most=_MOST)
    return [
        OpenAlert(
            *(one.id, one.connection, one.severity, one.title, one.count, one.first_at),
            state_of(one),
        )
        for one in found
    ]


def alerts_table(found: list[OpenAlert]) -> list[RenderableType]:
    """A row for each; nothing where none is open."""
    if not found:
        return []
    columns = ["number#", "connection", "severity", "what", "count#", "since (UTC)", "state"]
    rows = [
        [
            *(one.number, one.connection, one.severity, one.title, one.count),
            *(f"{one.since:%Y-%m-%d %H:%M}", one.state),
        ]
        for one in found
    ]
    return [
        table("open alerts", columns, rows),
        plain("See one with: syncline alerts show NUMBER"),
    ]


def state_of(alert: Alert) -> str:
    """Where an alert stands, and its ticket."""
    if alert.acknowledged_by is not None and alert.state == "open":
        state = f"known: {alert.acknowledged_by}"
    elif alert.detail.get("gathered"):
        state = f"{alert.state}, told with others"
    else:
        told = "" if alert.told_at is not None else ", not told yet"
        state = f"{alert.state}{told if alert.state != 'closed' else ''}"
    return state if alert.ticket_id is None else f"{state}, ticket {alert.ticket_id}"
