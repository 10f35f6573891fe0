"""Whether people are done with an open alert's ticket: one that they closed is acknowledged."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from syncline.errors import Absent
from syncline.halo.entities.resources import TICKET
from syncline.halo.entities.rows import read_row
from syncline.ledger import alerts, effects
from syncline.quota.keys import Lane
from syncline.steps import abilities, alert_desk
from syncline.steps.alert_tellings import BY_HAND
from syncline.steps.gate import Gate, halo_gate
from syncline.steps.parts import Line, Parts

EVERY = timedelta(minutes=5)
"""How often the ticket of an open alert is looked at."""

MOST = 20
"""Tickets of one look: a call each, in the lowest lane."""


def watch(parts: Parts, line: Line, *, every: timedelta = EVERY) -> None:
    """Look at the tickets of open alerts whose turn has come.

    Raises:
        SynclineError: Halo could not be asked; they are looked at in their next turn.
    """
    if not line.link.reads:
        return
    taken = parts.ledger.run(
        lambda connection: alerts.to_look_at(connection, line.link.id, every, MOST)
    )
    if not taken:
        return
    gate = halo_gate(parts, line, Lane.UPKEEP)
    desk = alert_desk.desk(parts, line, "ticket", abilities.known(parts, line))
    for number, ticket_id in taken:
        by = _done_by(line, gate, int(ticket_id), desk.closed)
        if by is not None:
            _acknowledge(parts, line, number, by)


def _done_by(line: Line, gate: Gate, ticket_id: int, closed: frozenset[int]) -> str | None:
    """How a person ended a ticket; None where it is open."""
    done = closed | {line.document.alerts.closed_status}
    try:
        row = gate.read(
            "GET /Tickets/id", lambda permit: read_row(line.halo, permit, TICKET, ticket_id)
        )
    except Absent:
        return BY_HAND[1]
    return BY_HAND[0] if row.status_id in done else None


def _acknowledge(parts: Parts, line: Line, number: int, by: str) -> None:
    def work(connection: Connection) -> None:
        for source_id in alerts.acknowledge(connection, [number], by).values():
            effects.decided(
                connection, line.link.id, what="alerts acknowledge", subject=source_id, by=by
            )

    parts.ledger.run(work)
