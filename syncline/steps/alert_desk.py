"""How a tenant keeps tickets: asked once a day, since ids of types and statuses differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from syncline.deliveries import leased
from syncline.deliveries.leases import Lease
from syncline.errors import Absent, MissingScope, Refused, Rejected, SynclineError
from syncline.flows.alert_tickets import INTEGRATION_ERROR, TARGETS, TICKET, Desk
from syncline.halo.abilities import Abilities
from syncline.halo.entities.resources import TICKET_STATUS, TICKET_TYPE
from syncline.halo.entities.rows import list_rows
from syncline.halo.models import LookupRow
from syncline.quota.keys import Lane
from syncline.steps import abilities
from syncline.steps.gate import halo_gate
from syncline.steps.parts import Line, Parts

_ASKED_EVERY = timedelta(days=1)
_TYPES = ("alert", "incident", "fault")
"""Names of types that fit, best first; where a tenant has none of them, it takes its own."""

_CLOSED = ("closed", "completed", "resolved", "cancelled", "canceled")
"""Names of statuses in which a ticket is done with; the first one there is closes ours."""


def still_tells(line: Line, target: str) -> bool:
    """Whether a target is one of alerts, which go on where a connection could not work."""
    return target in TARGETS and line.link.stopped_by_itself


def desk(parts: Parts, line: Line, target: str, known: Abilities) -> Desk:
    """What rendering must know of the tenant; it is asked only for tickets.

    Raises:
        SynclineError: Halo could not be asked.
    """
    if target != TICKET:
        return Desk(shows_errors=known.shows_integration_errors is not False)
    kept = known.tickets
    found_at = known.by_name["tickets"].found_at if kept else None
    if kept is None or found_at is None or parts.now() - found_at > _ASKED_EVERY:
        kept = _asked(parts, line)
    return Desk(kept["type"], kept["closed_status"], frozenset(kept["closed"]))


def learn_refusals(
    parts: Parts, line: Line, target: str, errors: Sequence[SynclineError | None]
) -> None:
    """Where Halo refuses integration errors, none is offered to it any more."""
    if target == INTEGRATION_ERROR and any(
        isinstance(error, (Rejected, Absent, MissingScope)) for error in errors
    ):
        learn_hidden(parts, line, "they were refused")


def learn_hidden(parts: Parts, line: Line, how: str) -> None:
    """Integration errors of ours are refused or not shown."""
    abilities.teach(
        parts,
        line,
        lambda known: known.without_integration_errors(found_at=parts.now(), how=how),
    )


def park_refused(parts: Parts, leases: Sequence[Lease], error: Refused) -> None:
    """Tickets may not be written or their types not be read: a person must allow it."""
    parts.ledger.run_patiently(
        lambda connection: leased.park(connection, leases, reason=str(error), field=None),
        sleep=parts.sleep,
    )


def _asked(parts: Parts, line: Line) -> dict[str, Any]:
    gate = halo_gate(parts, line, Lane.UPKEEP)
    types = gate.read("GET /TicketType", lambda permit: list_rows(line.halo, permit, TICKET_TYPE))
    statuses = gate.read("GET /Status", lambda permit: list_rows(line.halo, permit, TICKET_STATUS))
    kept = {
        "type": _first(types, _TYPES),
        "closed_status": _first(statuses, _CLOSED),
        "closed": [one.id for one in statuses if one.name.strip().lower() in _CLOSED],
    }
    abilities.teach(
        parts,
        line,
        lambda known: known.with_tickets(
            kept, found_at=parts.now(), how="GET /TicketType and /Status"
        ),
    )
    return kept


def _first(rows: Iterable[LookupRow], names: Iterable[str]) -> int | None:
    by_name: dict[str, int] = {}
    for row in rows:
        by_name.setdefault(row.name.strip().lower(), row.id)
    return next((by_name[name] for name in names if name in by_name), None)
