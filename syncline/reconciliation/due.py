"""Which reconciliations are due, and over which days."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta

from sqlalchemy import Connection

from syncline.calls.context import Nudge, WorkerContext
from syncline.errors import Refused
from syncline.halo.capabilities import Capabilities, FindWay
from syncline.ingest import pull_windows
from syncline.ledger import capabilities
from syncline.ledger.connections import Link
from syncline.reconciliation import queries
from syncline.reconciliation.rules import days_of

CURSOR = "reconciliation"
DAILY, WEEKLY = "daily", "weekly"
WEEK = timedelta(days=7)

SAMPLE = 400
"""Rows of a daily run at a tenant without reports: whole lists are read once a week."""


LAST = "last"
"""Stands for the last days, as many as the setting says."""


def asked(period: str) -> tuple[date | None, date | None]:
    """The days that a text such as `2026-11` names; none for `last`.

    Raises:
        Refused: it is no period.
    """
    if period == LAST:
        return None, None
    try:
        return days_of(period)
    except ValueError:
        raise Refused(
            f"{period!r:.40} is no period.", remedy="Write it as 2026, 2026-11 or 2026-11-05."
        ) from None


def period_of(
    worker: WorkerContext, link: Link, first: date | None, last: date | None
) -> tuple[date, date]:
    """The days to compare: those given, else the last ones; never from before the connection.

    Raises:
        Refused: there are none.
    """
    today = worker.now().date()
    last = today if last is None else min(last, today)
    wanted = first or last - timedelta(days=worker.settings.reconcile_days - 1)
    first = max(wanted, link.start_from)
    if first > last:
        raise Refused(
            f"There are no days to compare: {link.name} starts from {link.start_from}.",
            remedy="Give a period after that and not in the future.",
        )
    return first, last


def due_runs(worker: WorkerContext, connection: Connection, links: Sequence[Link]) -> list[Nudge]:
    """The runs whose turn has come: noted as requested, and nudged for with those that were cut."""
    for link in links:
        every = {DAILY: worker.settings.reconcile_every, WEEKLY: WEEK}
        due = pull_windows.due_readings(
            connection, link.id, {(CURSOR, band): length for band, length in every.items()}
        )
        bands = {band for _, band in due}
        if not bands or link.start_from > worker.now().date():
            continue
        # A tenant without reports has its lists read whole once a week, and a sample each day.
        sample = None if WEEKLY in bands or _reports(worker, connection, link) else SAMPLE
        period = period_of(worker, link, None, None)
        seed = worker.now().toordinal()
        queries.begin(
            connection, link.id, period, f"schedule {max(bands)}", sample=sample, seed=seed
        )
    return [Nudge(name, "reconcile") for name in queries.waiting(connection)]


def _reports(worker: WorkerContext, connection: Connection, link: Link) -> bool:
    known = Capabilities.from_rows(capabilities.read(connection, link.tenant_place))
    return known.as_of(worker.now()).find_way("order") is FindWay.SQL
