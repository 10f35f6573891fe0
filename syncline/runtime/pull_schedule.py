"""Which pulls are due: hot, warm and cold re-reads of trailing windows, and the first reading.

Lists know no "updated since", so what is likely to change is read often and the rest seldom.
"""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import Connection

from syncline.calls.context import Nudge, WorkerContext
from syncline.fulfillments.partial_shipments import request_parcels
from syncline.halo_changes import polling
from syncline.highlevel import paging
from syncline.ingest import pull_windows
from syncline.ingest.pull import COLD, HOT, KINDS, WARM, request_windows
from syncline.ledger import connections
from syncline.ledger.connections import Link
from syncline.reconciliation import due as reconcile_due


def due_pulls(worker: WorkerContext) -> list[Nudge]:
    """The pulls whose turn has come, for every connection at work."""

    def work(connection: Connection) -> list[Nudge]:
        active = [link for link in connections.everyone(connection) if link.reads]
        return [
            *(nudge for link in active for nudge in _due(worker, connection, link)),
            *polling.due(worker, connection, active),
            *reconcile_due.due_runs(worker, connection, active),
        ]

    return worker.ledger.run(work)


def _due(worker: WorkerContext, connection: Connection, link: Link) -> list[Nudge]:
    settings = worker.settings
    today = worker.now().date()
    every = {
        "first": timedelta(days=3650),
        "cold": settings.pull_cold,
        "warm": settings.pull_warm,
        "hot": settings.pull_hot,
    }
    due = pull_windows.due_readings(
        connection, link.id, {(kind, band): every[band] for kind in KINDS for band in every}
    )
    widest: dict[str, date] = {}
    for kind, band in due:
        since = _since(band, today, link.start_from)
        widest[kind] = min(since, widest.get(kind, since))
    nudges = []
    for kind, since in widest.items():
        windows = paging.windows(since, today, today=today)
        request_windows(connection, link.id, kind, windows)
        nudges += [
            Nudge(link.name, f"pull:{kind}:{window.since}:{window.until}") for window in windows
        ]
    targets = request_parcels(worker, connection, link)
    return [*nudges, *(Nudge(link.name, "send", target) for target in sorted(targets))]


def _since(band: str, today: date, start: date) -> date:
    trailing = {"hot": HOT, "warm": WARM, "cold": COLD}
    return start if band == "first" else max(start, today - trailing[band])
