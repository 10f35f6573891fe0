"""How a tenant keeps tickets, asked once a day; and whether people have closed those of alerts."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from syncline.alerts import queries
from syncline.alerts.requests import BY_HAND
from syncline.alerts.tickets import TicketSettings
from syncline.calls import capabilities
from syncline.calls.calls import ApiCalls, halo_calls
from syncline.calls.context import Line
from syncline.errors import Absent
from syncline.halo.capabilities import Capabilities
from syncline.halo.entities.resources import TICKET, TICKET_STATUS, TICKET_TYPE
from syncline.halo.entities.rows import list_legible, read_row
from syncline.halo.models import LookupRow
from syncline.ledger import effects
from syncline.queues import Lane

_ASKED_EVERY = timedelta(days=1)
_TYPES = ("alert", "incident", "fault")
"""Names of types that fit, best first; where a tenant has none of them, it takes its own."""

WATCH_EVERY = timedelta(minutes=5)
"""How often the ticket of an open alert is looked at."""

MOST = 20
"""Tickets of one look: a call each, in the lowest lane."""

_CLOSED = ("closed", "completed", "resolved", "cancelled", "canceled")
"""Names of statuses in which a ticket is done with; the first one there is closes ours."""


def ticket_settings_of(known: Capabilities) -> TicketSettings:
    """How a tenant keeps tickets, as far as it is known."""
    shows_errors = known.shows_integration_errors is not False
    kept = known.tickets
    if kept is None:
        return TicketSettings(shows_errors=shows_errors)
    return TicketSettings(
        kept["type"], kept["closed_status"], frozenset(kept["closed"]), shows_errors
    )


def learn_ticket_settings(
    line: Line, known: Capabilities, _currencies: Collection[str] = ()
) -> Capabilities:
    """What is known of a tenant, after it was asked how it keeps tickets where that is old.

    Raises:
        SynclineError: Halo could not be asked.
    """
    found_at = known.by_name["tickets"].found_at if known.tickets else None
    if found_at is None or line.worker.now() - found_at > _ASKED_EVERY:
        return _asked(line)
    return known


def learn_hidden(line: Line, how: str) -> None:
    """Integration errors of ours are refused or not shown."""
    capabilities.teach(
        line,
        lambda known: known.without_integration_errors(found_at=line.worker.now(), how=how),
    )


def _asked(line: Line) -> Capabilities:
    api = halo_calls(line, Lane.UPKEEP)
    types = api.read("GET /TicketType", lambda permit: list_legible(line.halo, permit, TICKET_TYPE))
    statuses = api.read(
        "GET /Status", lambda permit: list_legible(line.halo, permit, TICKET_STATUS)
    )
    kept: dict[str, Any] = {
        "type": _first(types, _TYPES),
        "closed_status": _first(statuses, _CLOSED),
        "closed": [one.id for one in statuses if one.name.strip().lower() in _CLOSED],
    }
    return capabilities.teach(
        line,
        lambda known: known.with_tickets(
            kept, found_at=line.worker.now(), how="GET /TicketType and /Status"
        ),
    )


def _first(rows: Iterable[LookupRow], names: Iterable[str]) -> int | None:
    by_name: dict[str, int] = {}
    for row in rows:
        by_name.setdefault(row.name.strip().lower(), row.id)
    return next((by_name[name] for name in names if name in by_name), None)


def watch(line: Line, *, every: timedelta = WATCH_EVERY) -> None:
    """Look at the tickets of open alerts whose turn has come.

    Raises:
        SynclineError: Halo could not be asked; they are looked at in their next turn.
    """
    if not line.link.reads:
        return
    taken = line.worker.ledger.run(
        lambda connection: queries.to_look_at(connection, line.link.id, every, MOST)
    )
    if not taken:
        return
    api = halo_calls(line, Lane.UPKEEP)
    ticket_settings = ticket_settings_of(learn_ticket_settings(line, capabilities.known(line)))
    for number, ticket_id in taken:
        by = _done_by(line, api, int(ticket_id), ticket_settings.closed)
        if by is not None:
            _acknowledge(line, number, by)


def _done_by(line: Line, api: ApiCalls, ticket_id: int, closed: frozenset[int]) -> str | None:
    """How a person ended a ticket; None where it is open."""
    done = closed | {line.document.alerts.closed_status}
    try:
        row = api.read(
            "GET /Tickets/id", lambda permit: read_row(line.halo, permit, TICKET, ticket_id)
        )
    except Absent:
        return BY_HAND[1]
    return BY_HAND[0] if row.status_id in done else None


def _acknowledge(line: Line, number: int, by: str) -> None:
    def work(connection: Connection) -> None:
        for source_id in queries.acknowledge(connection, [number], by).values():
            effects.decided(
                connection, line.link.id, what="alerts acknowledge", subject=source_id, by=by
            )

    line.worker.ledger.run(work)
