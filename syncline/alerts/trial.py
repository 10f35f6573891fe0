"""A trial: an alert that a person asked for goes every way, and is proved to have arrived.

In Halo a ticket is made, read back and closed; each channel is told once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import Connection

from syncline.actor import actor
from syncline.alerts import messages, queries, raising, requests
from syncline.alerts.channels import notify
from syncline.alerts.queries import Alert
from syncline.alerts.raising import Raised
from syncline.alerts.targets import TARGETS
from syncline.alerts.tickets import TICKET
from syncline.calls.calls import halo_calls
from syncline.calls.context import Line, WorkerContext
from syncline.errors import Again, Refused, SynclineError
from syncline.halo.entities.resources import TICKET as TICKETS
from syncline.halo.entities.rows import read_row
from syncline.ledger import connections, effects
from syncline.queues import Lane
from syncline.sending.send import send
from syncline.sending.unknown_outcomes import look_up

PATIENCE = timedelta(seconds=90)
"""How long each step of a trial may take; more than the settle time of a doubtful write."""

_PAUSE_S = 0.1
_DONE = frozenset({"delivered", "parked"})

Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Arrival:
    """Whether the trial arrived by one way."""

    way: str
    arrived: bool
    what: str


def try_alerts(line: Line, tell: Tell) -> list[Arrival]:
    """Tell a trial alert by every way of a connection, and close it.

    Args:
        line: the connection.
        tell: is told what is being done.

    Raises:
        Refused: the connection does not write.
        Again: another evaluation did not end in time.
    """
    if not line.link.writes:
        raise Refused(
            f"Connection {line.link.name!r} is {line.link.state}, so nothing is written to Halo.",
            remedy=f"Start it with `syncline connection start {line.link.name}`.",
        )
    number = line.worker.ledger.run(lambda connection: _begin(connection, line))
    found: list[Arrival] = []
    if line.document.alerts.into == "ticket":
        try:
            found.append(_ticket(line, number, tell))
        finally:
            _close(line, number)
    else:
        _tell(line)
        _close(line, number)
    tell("telling the channels")
    notify(line.worker, line.link)
    found += _messages(line.worker, number)
    if found and all(way.arrived for way in found):
        line.worker.ledger.run(lambda connection: queries.prove(connection, number))
    return found


def _begin(connection: Connection, line: Line) -> int:
    effects.decided(
        connection,
        line.link.id,
        what="alerts test",
        subject=line.link.name,
        by=actor(line.worker.settings),
    )
    return queries.open_test(connection, line.link.id, trial(line))


def trial(line: Line) -> Raised:
    """What raises the alert of a trial."""
    return Raised(
        connection_id=line.link.id,
        kind="test",
        cause="test",
        severity="info",
        title="A trial of alerts",
        text="Somebody tried whether alerts arrive. There is nothing to do.",
        count=1,
        since=None,
        order_id=None,
    )


def _ticket(line: Line, number: int, tell: Tell) -> Arrival:
    """Make the ticket, read it back, close it, read that back."""
    tell("making a ticket in Halo")
    _tell(line)
    made = _ticket_done(line, number)
    if made.ticket_state != "delivered" or made.ticket_id is None:
        return Arrival("Halo ticket", arrived=False, what=_why(line, made))
    ticket_id = int(made.ticket_id)
    tell(f"reading ticket {ticket_id} back")
    try:
        _read_back(line, ticket_id, made.source_id)
        tell(f"closing ticket {ticket_id}")
        _close(line, number)
        closed = _ticket_done(line, number)
        if closed.ticket_state != "delivered":
            return Arrival("Halo ticket", arrived=False, what=_why(line, closed))
        _read_back(line, ticket_id, made.source_id)
    except SynclineError as error:
        return Arrival("Halo ticket", arrived=False, what=str(error))
    return Arrival(
        "Halo ticket", arrived=True, what=f"ticket {ticket_id} was made, read back and closed"
    )


def _read_back(line: Line, ticket_id: int, reference: str) -> None:
    api = halo_calls(line, Lane.DELIVERIES)
    row = api.read(
        "GET /Tickets/id", lambda permit: read_row(line.halo, permit, TICKETS, ticket_id)
    )
    field = TICKETS.reference
    if row.raw.get(field) != reference:
        raise Refused(
            f"Ticket {ticket_id} came back without our reference {reference}.",
            remedy=f"Let Halo keep the field {field} of tickets, which a rule may empty.",
        )


def _tell(line: Line) -> None:
    """An evaluation of what is to be told of this connection alone."""
    rules = {line.link.id: (line.link, line.document)}
    give_up = line.worker.monotonic() + PATIENCE.total_seconds()

    def work(connection: Connection) -> bool:
        now = raising.begin(connection)
        if now is not None:
            requests.tell(line.worker, connection, rules, now)
        return now is not None

    while not line.worker.ledger.run(work):
        if line.worker.monotonic() > give_up:
            raise Again("Another evaluation of alerts did not end.")
        line.worker.sleep(_PAUSE_S)


def _close(line: Line, number: int) -> None:
    line.worker.ledger.run(lambda connection: queries.close(connection, number))
    _tell(line)


def _ticket_done(line: Line, number: int) -> Alert:
    """The alert once its ticket is delivered or parked, sent by us or by a worker."""
    give_up = line.worker.monotonic() + PATIENCE.total_seconds()
    while True:
        send(line, TARGETS[TICKET])
        look_up(line, TARGETS[TICKET])
        [alert] = line.worker.ledger.run(
            lambda c: queries.listed(c, everything=True, number=number)
        )
        if alert.ticket_state in _DONE or line.worker.monotonic() > give_up:
            return alert
        line.worker.sleep(_PAUSE_S)


def _why(line: Line, alert: Alert) -> str:
    """Why its ticket is not there; the connection may have been stopped meanwhile."""
    link = line.worker.ledger.run(
        lambda connection: connections.by_name(connection, line.link.name)
    )
    if link.stopped_by_itself and link.note:
        return link.note
    if alert.ticket_state == "parked":
        return f"it is parked: syncline parked show {alert.source_id}"
    return f"it is {alert.ticket_state or 'not owed'} after {PATIENCE.total_seconds():.0f} s"


def _messages(worker: WorkerContext, number: int) -> list[Arrival]:
    """What became of the message that the trial was opened; that it healed may come later."""
    found = worker.ledger.run(lambda connection: messages.of_alert(connection, number))
    return [
        Arrival(
            one.channel,
            arrived=one.state == "sent",
            what="it took the message" if one.state == "sent" else one.error or "not sent yet",
        )
        for one in found
        if one.what == "opened"
    ]
