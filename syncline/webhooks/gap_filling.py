"""Gaps filled: what Halo tried to send, and what never arrived, is taken from Halo's own log.

Halo is not known to try twice. Its log says how each try ended, and holds the body, unless Halo
keeps lightweight logs: then what changed is found by polling.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

from sqlalchemy import Connection

from syncline import jsontext
from syncline.calls.calls import ApiCalls, halo_calls
from syncline.calls.context import Line, Nudge, WorkerContext
from syncline.errors import Absent, MissingScope, Rejected, SynclineError, Unreadable
from syncline.halo.entities.resources import WEBHOOK, WEBHOOK_EVENT
from syncline.halo.entities.rows import next_page, read_row
from syncline.halo.models import WebhookEventRow
from syncline.halo.webhooks import registration as webhooks
from syncline.halo_changes.installed_webhook import bound, remember_bound
from syncline.ingest import pull_windows
from syncline.ledger import capabilities, connections
from syncline.queues import Lane
from syncline.webhooks import events
from syncline.webhooks.events import Arrived

EVERY = timedelta(minutes=5)
"""How often a log is read at a tenant; where it has several webhooks, they take turns."""

OVERLAP = timedelta(minutes=10)
"""Read again each time: two clocks differ, and an entry may show late."""

GRACE = timedelta(minutes=1)
"""Younger entries may still be on their way."""

FIRST = timedelta(days=1)
"""How far back the first reading goes."""

MOST_PAGES = 50
"""Pages of one reading; where the gap is longer, polling finds the rest."""

_NEAR = timedelta(minutes=15)
"""A body that arrived within this time of its entry is that entry's."""

_NAME, _HOW = "webhook_log", "reading Halo's log"
_CURSOR = ("webhook_log", "halo")
_OK, _REDIRECT = 200, 300


@dataclass(frozen=True, slots=True)
class _Entry:
    """One try as the log shows it."""

    row: WebhookEventRow
    at: datetime

    @property
    def failed(self) -> bool:
        status = self.row.responsestatus
        return status is None or not _OK <= status < _REDIRECT or self.row.error is True


def fill_due_gaps(worker: WorkerContext) -> int:
    """Read the log of every connection whose turn has come; returns how many events were stored.

    Raises:
        SynclineError: the first failure, once all others have had their turn.
    """
    stored, failure = 0, None
    for name in worker.ledger.run(_due):
        try:
            stored += fill_gaps(worker.open_line(name))
        except SynclineError as error:
            failure = failure or error
    if failure is not None:
        raise failure
    return stored


def fill_gaps(line: Line) -> int:
    """Store what Halo's log shows and never arrived; returns how many events that were.

    Raises:
        SynclineError: the log could not be read; the next turn reads from the same place.
    """
    link = line.link
    known = line.worker.ledger.run(lambda connection: bound(connection, link.id))
    if known.webhook_id is None:
        return 0
    api = halo_calls(line, Lane.UPKEEP)
    is_on = _is_on(line, api, known.webhook_id)
    if not is_on:
        # From now on what changes is polled for, and `status` says so.
        line.worker.ledger.run(lambda connection: remember_bound(connection, link.id, None, ()))
    now = line.worker.now()
    cursor = line.worker.ledger.run(lambda connection: _cursor(connection, link.id)) or now - FIRST
    entries, whole = _read(line, api, known.webhook_id, cursor - OVERLAP)
    # An entry before the cursor was judged before, unless it showed late, which takes no day.
    ripe = [e for e in entries if e.at <= now - GRACE and (e.at > cursor or e.at > now - FIRST)]

    def work(connection: Connection) -> tuple[int, bool]:
        lost = _lost(connection, link.id, ripe)
        stored = sum(events.store(connection, _arrived(link.id, lost)))
        _remember(connection, link.id, max([cursor, *(entry.at for entry in ripe)]))
        bodiless = any(not entry.row.requestbody and entry.at > cursor for entry in lost)
        return stored, bodiless

    stored, bodiless = line.worker.ledger.run(work)
    wanted = [Nudge("", "events")] if stored else []
    if bodiless or not whole or not is_on:
        wanted.append(Nudge(link.name, "poll_halo"))
    line.worker.announce(wanted)
    return stored


def _due(connection: Connection) -> list[str]:
    """Webhooks of one tenant tell of the same changes, so many cost it no more calls than one."""
    told = [
        link
        for link in connections.everyone(connection)
        if link.reads and bound(connection, link.id).webhook_id is not None
    ]
    many = Counter(link.tenant for link in told)
    return [
        link.name
        for link in told
        if pull_windows.due_readings(connection, link.id, {_CURSOR: EVERY * many[link.tenant]})
    ]


def _is_on(line: Line, api: ApiCalls, webhook_id: str) -> bool:
    """Whether Halo sends by it: it switches one off that fails too often, and so may a person."""
    try:
        row = api.read(
            f"GET {WEBHOOK.path}/{{id}}",
            lambda permit: read_row(line.halo, permit, WEBHOOK, webhook_id),
        )
    except Absent:
        return False
    except (MissingScope, Rejected, Unreadable):
        return True  # it is not shown to us
    return row.active is not False


def _read(line: Line, api: ApiCalls, webhook_id: str, since: datetime) -> tuple[list[_Entry], bool]:
    """Entries after `since`, and whether all of them were read.

    A tenant may ignore the order, so an older page ends the reading only while they descend.
    """
    walk = webhooks.log_walk(webhook_id)
    entries: list[_Entry] = []
    times: list[datetime] = []
    for _ in range(MOST_PAGES):
        rows = api.read(
            f"GET {WEBHOOK_EVENT.path}",
            lambda permit: next_page(line.halo, permit, WEBHOOK_EVENT, walk),
        )
        page = list(_entries(rows))
        mine = [entry for entry in page if entry.row.webhook_id.lower() == webhook_id.lower()]
        entries += [entry for entry in mine if entry.at > since]
        times += [entry.at for entry in page]
        # Entries of one moment, such as those of a bulk change, say nothing about the order.
        descends = all(later >= earlier for later, earlier in pairwise(times))
        descends = descends and bool(times) and times[0] > times[-1]
        if walk.finished or (descends and times[-1] <= since):
            return entries, True
    return entries, False


def _entries(rows: Iterable[WebhookEventRow]) -> Iterable[_Entry]:
    """Those with a time; Halo writes UTC and leaves the zone out."""
    for row in rows:
        try:
            at = datetime.fromisoformat(row.timestamp)
        except ValueError:
            continue
        yield _Entry(row, at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC))


def _lost(connection: Connection, connection_id: int, entries: Sequence[_Entry]) -> list[_Entry]:
    """Entries that failed, and those that did not and of which nothing arrived all the same."""
    failed = [entry for entry in entries if entry.failed]
    taken = [entry for entry in entries if not entry.failed and entry.row.requestbody]
    if not taken:
        return failed
    first, last = min(entry.at for entry in taken), max(entry.at for entry in taken)
    came: dict[bytes, list[datetime]] = {}
    for at, body in events.came(connection, connection_id, first - _NEAR, last + _NEAR):
        came.setdefault(_mark(body), []).append(at)
    return failed + [
        entry
        for entry in taken
        if not any(
            abs(at - entry.at) <= _NEAR
            for at in came.get(_mark(entry.row.requestbody.encode()), ())
        )
    ]


def _mark(body: bytes) -> bytes:
    """What tells bodies apart: the log may lay out the same JSON in another way."""
    try:
        document: Any = jsontext.loads(body)
    except Unreadable:
        return body
    return jsontext.canonical(document)


def _arrived(connection_id: int, lost: Sequence[_Entry]) -> list[Arrived]:
    """As if they had come; the log's id makes sure that each is taken once."""
    return [
        Arrived(
            source="halo",
            body=entry.row.requestbody.encode(),
            webhook_id=f"halo:{entry.row.id}",
            connection_id=connection_id,
            content_type="application/json",
        )
        for entry in lost
        if entry.row.requestbody
    ]


def _cursor(connection: Connection, connection_id: int) -> datetime | None:
    rows = capabilities.read(connection, _owner(connection_id))
    value = next((row["value"] for row in rows if row["name"] == _NAME), None)
    return None if value is None else datetime.fromisoformat(value["until"])


def _remember(connection: Connection, connection_id: int, until: datetime) -> None:
    row = {"name": _NAME, "value": {"until": until.isoformat()}, "how": _HOW}
    capabilities.write(connection, _owner(connection_id), [row])


def _owner(connection_id: int) -> str:
    return f"connection:{connection_id}"
