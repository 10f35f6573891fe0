"""Handled: stored events become facets, records and deliveries due, in one transaction with it.

An event of an order is the order: nothing is asked for it. What no event tells, its transactions
and fulfillments, is requested as a reading. Halo's events are hints; what they point at is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError, OperationalError

from syncline.calls.context import Nudge, WorkerContext
from syncline.deliveries import requests
from syncline.deliveries.requests import cause_of_event
from syncline.engine.connection_rules import rules_of
from syncline.engine.rounds import ROUNDS
from syncline.errors import Again, BadDocument, Unreadable
from syncline.flows import orders
from syncline.halo.webhooks.hints import hints
from syncline.halo_changes import reading
from syncline.highlevel import events
from syncline.highlevel.events import HighLevelEvent, app_of, read_event, sent_at
from syncline.ingest import missed, rereading
from syncline.ingest.record import PARTIALS, record
from syncline.ledger import connections
from syncline.ledger.connections import Link
from syncline.mapping.document import Document
from syncline.webhooks import queue as event_queue
from syncline.webhooks.queue import Handled, Place, TakenEvent

log = structlog.get_logger()

BATCH = 100
"""Most events of one transaction."""

GONE = "HighLevel says that the app was uninstalled there."
_TWO_PLACES = "it names two locations"
_HEAL = "Install it again with `syncline connect highlevel {name}`, then start the connection."


_Rank = tuple[datetime, datetime, int]
"""When the order was last changed, when the event was sent, in which order it came."""


@dataclass(frozen=True, slots=True)
class _Handling:
    """What a transaction came to: of which place events were handled, and whom to wake."""

    place: Place | None
    nudges: tuple[Nudge, ...] = ()


def handle(worker: WorkerContext) -> float | None:
    """Handle what is stored, a place at a time: the oldest first, then place after place.

    Returns:
        Seconds after which there is more to do, or None when nothing is left.
    """
    last: Place | None = None
    for _ in range(ROUNDS):
        done = worker.ledger.run(partial(_round, worker, last))
        worker.announce(done.nudges)
        last = done.place
        if last is None:
            return None
    return 0.01


def _round(worker: WorkerContext, last: Place | None, connection: Connection) -> _Handling:
    taken = event_queue.take(connection, BATCH, after=last)
    if not taken:
        return _Handling(None)
    try:
        units = [_handled(worker, connection, taken)]
    except Exception as error:
        if _passes_by_itself(error):
            raise
        log.exception("events could not be handled together, so each is alone", count=len(taken))
        units = [_alone(worker, connection, event) for event in taken]
    event_queue.close(connection, [one for unit in units for one in unit.handled])
    nudges = dict.fromkeys(nudge for unit in units for nudge in unit.nudges)
    return _Handling(taken[0].place, tuple(nudges))


def _alone(worker: WorkerContext, connection: Connection, event: TakenEvent) -> _UnitOfWork:
    """One that breaks its handling is parked, so that others go on; it stays locked throughout."""
    try:
        return _handled(worker, connection, [event])
    except Exception as error:
        if _passes_by_itself(error):
            raise
        if isinstance(error, DBAPIError):
            why = f"PostgreSQL cannot hold what it says: {str(error.orig).splitlines()[0]}"
        else:
            log.exception("an event could not be handled and is parked", number=event.id)
            why = f"handling it failed ({type(error).__name__}); see the worker's log"
    unit = _UnitOfWork(worker, connection)
    unit.handled.append(Handled(event, "parked", note=why))
    return unit


def _handled(
    worker: WorkerContext, connection: Connection, taken: Sequence[TakenEvent]
) -> _UnitOfWork:
    """All of it done, or nothing."""
    unit = _UnitOfWork(worker, connection)
    with connection.begin_nested():
        if taken[0].source == "halo":
            unit.halo(taken)
        else:
            unit.highlevel(taken)
    return unit


def _passes_by_itself(error: Exception) -> bool:
    """A deadlock or a server that stops says nothing about an event; what is too large for it does.

    Class 54, a limit of PostgreSQL that was exceeded, counts as operational too.
    """
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    if isinstance(error, OperationalError):
        return not str(getattr(error.orig, "sqlstate", "")).startswith("54")
    return isinstance(error, Again)


class _UnitOfWork:
    """One transaction over the events of one place."""

    def __init__(self, worker: WorkerContext, connection: Connection) -> None:
        self._worker = worker
        self._connection = connection
        self.handled: list[Handled] = []
        self.nudges: list[Nudge] = []

    def highlevel(self, taken: Sequence[TakenEvent]) -> None:
        """Events of one location, or of none."""
        for_app = app_of(self._worker.settings.highlevel_client_id)
        of_orders: dict[str, list[tuple[TakenEvent, HighLevelEvent]]] = {}
        others: list[tuple[TakenEvent, HighLevelEvent]] = []
        for event in taken:
            try:
                read = read_event(event.body)
            except Unreadable as error:
                self._close(event, "parked", note=error.what)
                continue
            if for_app and read.app_id and read.app_id != for_app:
                self._close(event, "ignored", note=f"sent for another app, {read.app_id:.40}")
            elif read.type in events.ORDER_EVENTS:
                of_orders.setdefault(read.location_id or "", []).append((event, read))
            else:
                others.append((event, read))
        # Orders first: like everybody else, this locks records before deliveries and connections.
        for _, came in sorted(of_orders.items()):
            self._orders(came)
        for event, read in others:
            _ACTS.get(read.type, _UnitOfWork.keep)(self, event, read)

    def halo(self, taken: Sequence[TakenEvent]) -> None:
        """Hints at what changed in the Halo of one connection."""
        link = connections.by_id(self._connection, taken[0].connection_id or 0)
        for event in taken:
            try:
                found = hints(event.body)
            except Unreadable as error:
                self._close(event, "parked", note=error.what)
                continue
            targets = reading.notice(self._connection, link, found, cause_of_event(event.id))
            self._wake(link, targets)
            told = next((hint for hint in found if hint.id is not None), None)
            if told is None:
                self._close(event, "ignored", note="it names nothing that a flow uses")
            else:
                self._close(event, "done", kind=told.entity, foreign_id=str(told.id))

    def _orders(self, came: Sequence[tuple[TakenEvent, HighLevelEvent]]) -> None:
        """Record the newest state of each order; what was overtaken on the way is done too."""
        link = self._link(came[0][1])
        if link is None:
            self._nowhere(came)
            return
        document = self._document(link)
        if document is None:
            for event, _ in came:
                self._close(event, "parked", note="the connection's mapping cannot be read")
            return
        ids = [read.entity_id for _, read in came if read.entity_id]
        in_line = requests.existing_roles(self._connection, link.tenant, orders.FLOW, ids)
        newest: dict[str, tuple[_Rank, TakenEvent, Mapping[str, Any]]] = {}
        told: list[missed.Sighting] = []
        for event, read in came:
            if read.is_of_two_places:
                self._close(event, "parked", note=_TWO_PLACES)
                continue
            try:
                partial = PARTIALS["order", "event"](read.payload)
            except Unreadable as error:
                self._close(event, "parked", note=str(error))
                continue
            order_id, moment = partial["id"], _moment(event, read, partial)
            if order_id not in in_line and not _is_kept(partial, link):
                note = f"created before {link.start_from}, from which on orders are kept in line"
                self._close(event, "ignored", foreign_id=order_id, note=note)
                continue
            told.append((order_id, moment))
            self._close(event, "done", kind="order", foreign_id=order_id)
            rank = (moment, sent_at(read.payload) or moment, event.id)
            if order_id not in newest or newest[order_id][0] < rank:
                newest[order_id] = (rank, event, read.payload)
        missed.first_event(self._connection, link.location)
        recorded = record(
            self._connection,
            link,
            document,
            "order",
            "event",
            {key: payload for key, (_, _, payload) in newest.items()},
            {key: cause_of_event(event.id) for key, (_, event, _) in newest.items()},
        )
        missed.came(self._connection, link.location, "order", told)
        self._wake(link, recorded.targets)

    def invoice_paid(self, event: TakenEvent, read: HighLevelEvent) -> None:
        """Its transactions name the invoice; they are read, since no event tells them."""
        link = self._link(read)
        if link is None:
            self._nowhere([(event, read)])
        elif not read.entity_id or read.is_of_two_places:
            note = _TWO_PLACES if read.entity_id else "the event names no invoice"
            self._close(event, "parked", note=note)
        else:
            targets = rereading.reread(
                self._connection,
                link,
                [read.entity_id],
                ["transactions"],
                cause_of_event(event.id),
            )
            missed.first_event(self._connection, link.location)
            self._wake(link, targets)
            self._close(event, "done", kind="invoice", foreign_id=read.entity_id)

    def uninstalled(self, event: TakenEvent, read: HighLevelEvent) -> None:
        """Nothing can be read there any more, so what is to be done must be said, not tried.

        A connection with a private token goes on, as does one that was authorised anew since it was
        sent.
        """
        if read.location_id:
            link = self._link(read)
            links = [] if link is None else [link]
        else:
            links = connections.of_company(self._connection, read.company_id or "")
        stopped: list[str] = []
        going: list[str] = []
        for link in links:
            why = f"{GONE} {_HEAL.format(name=link.name)}"
            known_at = min(sent_at(read.payload) or link.read_at, link.read_at)
            gone = link.auth == "oauth" and connections.stop(
                self._connection, replace(link, read_at=known_at), why
            )
            (stopped if gone else going).append(link.name)
        told = (("stopped", stopped), ("let in otherwise, or anew", going))
        note = "; ".join(f"{what}: {', '.join(names)}" for what, names in told if names)
        self._close(event, "done" if links else "ignored", note=note or "no connection of ours")

    def keep(self, event: TakenEvent, read: HighLevelEvent) -> None:
        """What no flow uses is kept and counted."""
        name = read.type[:60] or "without a type"
        self._close(event, "ignored", foreign_id=read.entity_id, note=f"no flow uses {name}")

    def _link(self, read: HighLevelEvent) -> Link | None:
        if not read.location_id:
            return None
        return connections.of_location(self._connection, read.location_id)

    def _nowhere(self, came: Sequence[tuple[TakenEvent, HighLevelEvent]]) -> None:
        for event, read in came:
            where = read.location_id or "none"
            self._close(event, "ignored", note=f"location {where:.40} is not connected")

    @staticmethod
    def _document(link: Link) -> Document | None:
        try:
            return rules_of(link)
        except BadDocument:
            return None

    def _wake(self, link: Link, targets: frozenset[str]) -> None:
        wanted = (Nudge(link.name, "send", target) for target in sorted(targets))
        self.nudges += [nudge for nudge in wanted if nudge not in self.nudges]

    def _close(self, event: TakenEvent, state: Any, **told: str | None) -> None:
        self.handled.append(Handled(event, state, **told))


def _moment(event: TakenEvent, read: HighLevelEvent, order: Mapping[str, Any]) -> datetime:
    """When the order was last changed; where it does not tell, when its event was sent, or came."""
    told = order.get("updated_at")
    return datetime.fromisoformat(told) if told else sent_at(read.payload) or event.at


def _is_kept(order: Mapping[str, Any], link: Link) -> bool:
    """Whether a pull would find it too. One that is in line came with money that was paid since."""
    created = order.get("created_at")
    return created is None or datetime.fromisoformat(created).date() >= link.start_from


_ACTS: dict[str, Callable[[_UnitOfWork, TakenEvent, HighLevelEvent], None]] = {
    **dict.fromkeys(events.PAID_EVENTS, _UnitOfWork.invoice_paid),
    events.UNINSTALLED: _UnitOfWork.uninstalled,
}
"""What is done about events other than those of orders; the rest is kept."""
