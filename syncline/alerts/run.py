"""Alerts: what is so is compared with what is open, and what people shall be told is requested.

One evaluation at a time, in one transaction: an alert, what is told of it in Halo and the messages
to channels stand or fall together, so that nothing is told twice, whatever crashes.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from redis.exceptions import RedisError
from sqlalchemy import Connection

from syncline.alerts import facts, messages, raising, requests, rules, signals
from syncline.alerts.facts import NewOrder
from syncline.alerts.raising import Raised
from syncline.alerts.readings import facts as reading_facts
from syncline.alerts.readings import signals as reading_signals
from syncline.alerts.rules import Signal
from syncline.calls.context import Nudge, WorkerContext
from syncline.calls.faults import failing_now
from syncline.deliveries import parked
from syncline.engine.connection_rules import rules_of
from syncline.errors import SynclineError
from syncline.flows import customers, orders
from syncline.halo_changes import cursor
from syncline.ingest.pull import KINDS
from syncline.ledger import calls, connections
from syncline.ledger.connections import Link
from syncline.mapping.document import Document
from syncline.mapping.options import duration
from syncline.quota.bucket import Left
from syncline.reconciliation.due import WEEK
from syncline.reconciliation.run import GIVES_UP
from syncline.sending.restored import mark

MISSED_WITHIN = timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(minutes=10)
"""How long a webhook may still come after a pull found what it would tell."""

YOUNG = timedelta(days=1)
"""The greatest age of an order that is news."""

OVERLAP = timedelta(minutes=2)
"""Longer than any transaction that notices orders; so far back is looked again."""

_PARKED = ("parked", "fulfillment")
"""Kinds of alerts whose causes are told apart only when something about them has changed."""


@dataclass(frozen=True, slots=True)
class _QuotaSide:
    """One side of a connection: the name of its quota, and what is left of it, where known."""

    name: str
    key: str
    left: Left | None


@dataclass(frozen=True, slots=True)
class _Watched:
    """A connection with its rules and what is known of its two sides."""

    link: Link
    document: Document
    sides: tuple[_QuotaSide, ...]


def evaluate(worker: WorkerContext) -> list[Nudge]:
    """Open, update and close alerts, and request what is to be told of them.

    Returns:
        What there is to do by it: deliveries of alerts, and messages to channels.
    """
    links = worker.ledger.run(connections.everyone)
    watched = [one for link in links if (one := _watched(worker, link)) is not None]

    def work(connection: Connection) -> tuple[list[Nudge], frozenset[str]]:
        now = raising.begin(connection)
        if now is None:
            return [], frozenset()
        most = {one.link.id: one.document.alerts.new_orders_an_hour for one in watched}
        raising.note_once(connection, _new_orders(connection, watched), most, now)
        found, as_before = _raised(worker, connection, watched, now)
        raising.raise_all(connection, found, now)
        after = {one.link.id: duration(one.document.alerts.heals_after) for one in watched}
        raising.heal(connection, found, as_before, after, now)
        told = requests.tell(
            worker, connection, {one.link.id: (one.link, one.document) for one in watched}, now
        )
        nudges = [*told, *(Nudge(name, "tell") for name in messages.waiting(connection))]
        return nudges, requests.with_tickets(connection)

    nudges, open_tickets = worker.ledger.run(work)
    looked = {one.link.name for one in watched if one.document.alerts.into == "ticket"}
    asked = {nudge.connection for nudge in nudges if nudge.task == "tell"}
    return [*nudges, *(Nudge(name, "tell") for name in sorted((looked & open_tickets) - asked))]


def _watched(worker: WorkerContext, link: Link) -> _Watched | None:
    """None where the mapping cannot be read: then nobody can say what is to be told."""
    try:
        document = rules_of(link)
        line = worker.open_line(link.name)
    except SynclineError:
        return _without_sides(link)
    sides = []
    for name, key in (("highlevel", line.highlevel_key), ("halo", line.halo_key)):
        try:
            left = worker.quota.left(key)
        except RedisError:
            left = None  # without Redis nothing is sent at all, which health tells
        sides.append(_QuotaSide(name, key.name, left))
    return _Watched(link, document, tuple(sides))


def _without_sides(link: Link) -> _Watched | None:
    """A connection that cannot be opened, for a secret that is missing: it is stopped."""
    try:
        return _Watched(link, rules_of(link), ())
    except SynclineError:
        return None


def _raised(
    worker: WorkerContext, connection: Connection, watched: Iterable[_Watched], now: datetime
) -> tuple[list[Raised], set[tuple[int, str]]]:
    """Everything that is so now and is to be told under the rules of its connection.

    Returns:
        What is so, and (connection, kind) of what is left out since it is as open alerts say.
    """
    by_id = {one.link.id: one for one in watched}
    working = [key for key, one in by_id.items() if one.link.reads]
    found: list[tuple[int, Signal | None]] = []
    anew = {
        (key, kind)
        for key, kind in facts.parked_anew(connection, by_id)
        if kind in by_id[key].document.alerts.kinds
    }
    for key in sorted({key for key, _ in anew}):
        causes = parked.by_cause(connection, connection_id=key)
        told = [one for one in causes if one.flow != rules.FLOW]
        found += [(key, one) for one in signals.parked(told, by_id[key].link.name)]
    for differing in facts.differences(connection, by_id):
        name = by_id[differing.connection_id].link.name
        found.append((differing.connection_id, signals.differences(differing, name)))
    for missing in facts.missed(
        connection, working, within=MISSED_WITHIN, given_up_after=GIVEN_UP_AFTER
    ):
        least = by_id[missing.connection_id].document.alerts.missed_at_least
        found.append((missing.connection_id, signals.missed(missing, least)))
    for reading in reading_facts.readings(connection, working, list(KINDS)):
        link, options = (
            by_id[reading.connection_id].link,
            by_id[reading.connection_id].document.alerts,
        )
        late = max(duration(options.pulls_late_after), 2 * worker.settings.pull_hot)
        found += [(link.id, one) for one in reading_signals.pulls(reading, late, now, link.name)]
    for compared in reading_facts.comparisons(connection, by_id, GIVES_UP):
        link = by_id[compared.connection_id].link
        is_due = link.reads and link.start_from <= worker.now().date()
        after = 2 * min(worker.settings.reconcile_every, WEEK) if is_due else None
        found.append((link.id, reading_signals.not_compared(compared, after, now, link.name)))
    for many in facts.gathered(connection, by_id, now):
        link, options = by_id[many.connection_id].link, by_id[many.connection_id].document.alerts
        signal = signals.many_orders(many, options.new_orders_an_hour, link.name)
        found.append((link.id, signal))
    refused = cursor.refusals(connection)
    for one in by_id.values():
        found += [(one.link.id, signal) for signal in _of_sides(connection, one)]
        seen = mark.seen(connection, one.link)
        found.append((one.link.id, signals.restored(seen, one.link.name)))
        if one.link.reads:
            hidden = cursor.not_shown(refused, one.link, one.document)
            found += [
                (one.link.id, signal) for signal in reading_signals.not_shown(hidden, one.link.name)
            ]
    as_before: set[tuple[int, str]] = {
        (key, kind)
        for key, one in by_id.items()
        for kind in _PARKED
        if (key, kind) not in anew and kind in one.document.alerts.kinds
    }
    return [
        _as_raised(key, signal)
        for key, signal in found
        if signal is not None and _is_told(by_id[key], signal)
    ], as_before


def _is_told(one: _Watched, signal: Signal) -> bool:
    asked = "new_order" if signal.kind == "many_orders" else signal.kind
    return asked in one.document.alerts.kinds


def _of_sides(connection: Connection, one: _Watched) -> list[Signal | None]:
    """Whether a connection is stopped, and how its two sides answer."""
    link = one.link
    if not link.reads:
        return [signals.stopped(link.name, link.note or "")] if link.stopped_by_itself else []
    found: list[Signal | None] = []
    for side in one.sides:
        answer = calls.last_answer(connection, side.key)
        alone = facts.tried_alone(connection, link.id) if failing_now(answer) else {}
        found += signals.of_side(side.name, answer, link.name, alone)
        if side.left is not None:
            daily, frozen = side.left["daily_left"], side.left["frozen_until"]
            found.append(signals.quota(side.name, daily, frozen, link.name))
    return found


def _new_orders(connection: Connection, watched: Iterable[_Watched]) -> list[Raised]:
    """Orders that are news under the rules of their connection."""
    found: list[Raised] = []
    for one in watched:
        options = one.document.alerts
        if not (options.new_order and "new_order" in options.kinds and one.link.reads):
            continue
        place = one.link.location_place
        noticed = [
            order
            for order in facts.new_orders(
                connection, one.link.id, place, overlap=OVERLAP, young=YOUNG
            )
            if orders.wanted(order.canonical, one.document)
        ]
        first = _first_orders(connection, one, noticed)
        for order in noticed:
            rule = rules.matching_rule(
                order.canonical, options.new_order, is_first=order.order_id in first
            )
            if rule is not None:
                signal = rules.new_order(order.order_id, order.canonical, rule)
                found.append(_as_raised(one.link.id, signal))
    return found


def _first_orders(
    connection: Connection, one: _Watched, noticed: Iterable[NewOrder]
) -> frozenset[str]:
    """Those of the orders that are the first of their customers, where a rule asks."""
    if not any(rule.first for rule in one.document.alerts.new_order):
        return frozenset()
    asked: Mapping[str, str] = {
        key: str(contact.get("id") or "")
        for order in noticed
        if (contact := order.canonical.get("contact"))
        and (key := customers.key_of(contact, one.document)) is not None
    }
    link = one.link
    return frozenset(
        facts.first_orders(
            connection, link.location_place, link.tenant_place, list(asked.items())
        ).values()
    )


def _as_raised(connection_id: int, signal: Signal) -> Raised:
    return Raised(
        connection_id,
        signal.kind,
        signal.cause,
        signal.severity,
        signal.title,
        signal.text,
        signal.count,
        signal.since,
        signal.order_id,
        signal.latest,
    )
