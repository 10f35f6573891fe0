"""Told: what Halo and the channels of alerts are sent, requested in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection

from syncline.alerts import channels, messages, raising
from syncline.alerts import queries as ledger
from syncline.alerts.messages import NewMessage
from syncline.alerts.queries import Alert
from syncline.alerts.raising import Notification
from syncline.alerts.rules import (
    FLOW,
    SOURCE_KIND,
    Notice,
    StoredAlert,
    is_quiet,
    quiet_ends,
    telling,
)
from syncline.alerts.tickets import ACTION, INTEGRATION_ERROR, TICKET, action_role, text_of
from syncline.calls.context import Nudge, WorkerContext
from syncline.deliveries import requests, target_rows
from syncline.deliveries.requests import DeliveryRequest
from syncline.errors import Broken
from syncline.fingerprint import fingerprint
from syncline.flows import orders
from syncline.ledger import records
from syncline.ledger.connections import Link
from syncline.ledger.database import text
from syncline.ledger.records import NewVersion
from syncline.mapping.document import Document

FRESH = timedelta(minutes=5)
"""So old a ticket's count may be before it is written again, without telling anybody."""

BY_HAND = ("closed in Halo", "removed in Halo")
"""Who acknowledged an alert whose ticket a person closed or removed."""

_TELLS_ERRORS = frozenset({"parked", "fulfillment", "discrepancy", "stopped", "silent", "quota"})
"""Kinds that are failures, which Halo's administrators look for among integration errors."""


@dataclass(frozen=True, slots=True)
class _Telling:
    """Something to be told of an alert; `what` is None where only its ticket is brought up to date.

    `order_ticket` is the ticket of the order that it is about, where that has one.
    """

    alert: Alert
    what: Notice | None
    order_ticket: str | None = None


def tell(
    worker: WorkerContext,
    connection: Connection,
    rules: Mapping[int, tuple[Link, Document]],
    now: datetime,
) -> list[Nudge]:
    """Request what is to be told now; returns the deliveries that are due by it.

    Args:
        worker: the process's context, for the addresses of channels.
        connection: the transaction of the evaluation.
        rules: connections with their mapping, by id.
        now: the database's time.
    """
    by_connection: dict[int, list[Alert]] = {}
    for alert in ledger.untold(connection):
        if alert.connection_id in rules:
            by_connection.setdefault(alert.connection_id, []).append(alert)
    nudges: list[Nudge] = []
    for key, found in by_connection.items():
        link, document = rules[key]
        wanted = _wanted(connection, link, document, found, now)
        targets = _request(connection, link, document, wanted)
        nudges += [Nudge(link.name, "send", target) for target in sorted(targets)]
        messages.add(connection, _messages(worker, connection, link, document, wanted, now))
        told = [
            Notification(one.alert.id, one.alert.state, one.alert.count)
            for one in wanted
            if one.what is not None
        ]
        raising.note_told(connection, told, now)
    return nudges


def with_tickets(connection: Connection) -> frozenset[str]:
    """The names of connections that have open alerts with a ticket that nobody has closed."""
    found = connection.execute(
        text(
            """
            select distinct c.name from alert a
            join connection c on c.id = a.connection_id
            where a.state = 'open' and a.told_at is not null and a.acknowledged_at is null
            """
        )
    )
    return frozenset(found.scalars())


def _wanted(
    connection: Connection, link: Link, document: Document, found: Sequence[Alert], now: datetime
) -> list[_Telling]:
    notices = {
        str(alert.detail["order_id"]): (orders.FLOW, str(alert.detail["order_id"]), "order")
        for alert in found
        if alert.state == "notice" and alert.detail.get("order_id")
    }
    there = target_rows.of_sources(connection, link.tenant, set(notices.values()))
    wanted = []
    for alert in found:
        order = there.get(notices.get(str(alert.detail.get("order_id")), ("", "", "")))
        ready = alert.state != "notice" or (order is not None and order.state == "delivered")
        what = telling(_standing(alert, ready=ready), now, document.alerts)
        ticket = (order.target_meta or {}).get("ticket_id") if order is not None else None
        if what is not None or _is_stale(alert, now):
            wanted.append(_Telling(alert, what, str(ticket) if ticket else None))
    return wanted


def _standing(alert: Alert, *, ready: bool) -> StoredAlert:
    return StoredAlert(
        alert.kind,
        alert.severity,
        alert.state,
        alert.count,
        alert.first_at,
        alert.acknowledged_at,
        alert.told_at,
        alert.told_state,
        alert.told_count,
        ready,
    )


def _is_stale(alert: Alert, now: datetime) -> bool:
    """Whether its ticket shows an old count; one that a person closed is left alone."""
    return (
        alert.state == "open"
        and alert.told_at is not None
        and alert.acknowledged_by not in BY_HAND
        and alert.canonical is not None
        and alert.canonical["count"] != alert.count
        and alert.shown_at is not None
        and now - alert.shown_at >= FRESH
    )


def _request(
    connection: Connection, link: Link, document: Document, wanted: Sequence[_Telling]
) -> set[str]:
    """New versions of the alerts' records, and what they ask for; returns the targets."""
    if document.alerts.into == "none" or not wanted:
        return set()
    versions = [_version(one) for one in wanted]
    causes = {one.alert.source_id: f"alert {one.alert.id}" for one in wanted}
    records.save_versions(connection, link.location_place, SOURCE_KIND, versions, causes)
    requested = [
        DeliveryRequest(
            flow=FLOW,
            source_kind=SOURCE_KIND,
            source_id=one.alert.source_id,
            role=role,
            target=target,
            place=link.location_place,
            version=version.version,
            cause=causes[one.alert.source_id],
        )
        for one, version in zip(wanted, versions, strict=True)
        for target, role in _roles(one, document)
    ]
    requests.enqueue(connection, link.id, link.tenant, requested, "alerts")
    return {request.target for request in requested}


def _roles(one: _Telling, document: Document) -> list[tuple[str, str]]:
    """The rows of Halo that a telling makes or changes: (target, role)."""
    alert = one.alert
    if one.what is Notice.NOTICE and one.order_ticket is not None:
        return [(ACTION, action_role(1, one.order_ticket))]
    found = [(TICKET, TICKET)]
    if one.what in {Notice.GREW, Notice.STILL} and alert.ticket_id is not None:
        found.append((ACTION, action_role(alert.tellings + 1, alert.ticket_id)))
    if (
        one.what is Notice.OPENED
        and alert.kind in _TELLS_ERRORS
        and document.alerts.integration_errors
    ):
        found.append((INTEGRATION_ERROR, INTEGRATION_ERROR))
    return found


def _version(one: _Telling) -> NewVersion:
    alert, before = one.alert, one.alert.canonical
    canonical = _canonical(one)
    return NewVersion(
        foreign_id=alert.source_id,
        version=(alert.record_version or 0) + 1,
        canonical=canonical,
        fingerprint=fingerprint(canonical, volatile=()),
        created_at=alert.first_at,
        updated_at=alert.last_at,
        fields={} if before is None else records.difference(before, canonical),
    )


def _canonical(one: _Telling) -> dict[str, Any]:
    alert = one.alert
    return {
        "id": alert.source_id,
        "number": alert.id,
        "connection": alert.connection,
        "kind": alert.kind,
        "cause": alert.cause,
        "severity": alert.severity,
        "title": alert.title,
        "text": alert.detail["text"],
        "count": alert.count,
        "state": "closed" if alert.state == "closed" else "open",
        "first_at": alert.first_at.isoformat(),
        "last_at": alert.last_at.isoformat(),
        "closed_at": None if alert.closed_at is None else alert.closed_at.isoformat(),
        "order_id": alert.detail.get("order_id"),
        "closed_by_hand": alert.acknowledged_by in BY_HAND,
        "news": str(one.what or "brought up to date"),
    }


def _messages(
    worker: WorkerContext,
    connection: Connection,
    link: Link,
    document: Document,
    wanted: Sequence[_Telling],
    now: datetime,
) -> list[NewMessage]:
    """One message for each channel; that something healed waits for the end of quiet hours."""
    news = [one for one in wanted if one.what is not None]
    if not news:
        return []
    return [
        NewMessage(
            one.alert.id,
            link.id,
            _said(one.what),
            channel,
            one.alert.severity,
            f"[{_said(one.what)}] {link.name}: {one.alert.title} ({one.alert.count})",
            text_of(_canonical(one)),
            quiet_ends(now, document.alerts)
            if is_quiet(now, one.alert.severity, document.alerts) and one.alert.kind != "test"
            else None,
        )
        for channel in channels.names(worker, connection, link)
        for one in news
    ]


def _said(what: Notice | None) -> str:
    if what is None:
        raise Broken("A message was made of a telling that tells nothing.")
    return str(what)
