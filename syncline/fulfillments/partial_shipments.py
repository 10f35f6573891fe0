"""Parcels that no list and no event tells of: orders sent in part are read again on a cadence."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Connection

from syncline.calls.context import WorkerContext
from syncline.engine.connection_rules import rules_of
from syncline.errors import BadDocument
from syncline.flows import tracking
from syncline.ingest import pull_windows, rereading
from syncline.ledger import records
from syncline.ledger.connections import Link

READING = ("fulfillments", "warm")
"""Under which name the ledger keeps when this is due next."""

OPEN_FOR = timedelta(days=90)
"""How long after its last change an order that was sent in part is looked at."""

MOST = 1000
"""Orders of one turn: ten seconds of a location's calls at the most, every quarter of an hour."""


def request_parcels(worker: WorkerContext, connection: Connection, link: Link) -> frozenset[str]:
    """Have the fulfillments of such orders read, if it is time; returns the targets due by it."""
    try:
        document = rules_of(link)
    except BadDocument:
        return frozenset()  # whoever opens the connection is told
    if not tracking.reads_fulfillments(document):
        return frozenset()
    if not pull_windows.due_readings(connection, link.id, {READING: worker.settings.pull_warm}):
        return frozenset()
    ids = records.sent_in_part(connection, link.location_place, OPEN_FOR, MOST)
    return rereading.reread(
        connection, link, ids, ["fulfillments"], f"cadence {worker.now():%H:%M}"
    )
