"""Reconciliation: `syncline.reconciliation.run(connection, period=None)`."""

from __future__ import annotations

from celery import shared_task

from syncline.calls.context import Nudge
from syncline.queues import Lane
from tasks.context import worker
from tasks.nudging import flag


@shared_task(name="syncline.reconciliation.run")
def run(connection: str, period: str | None = None) -> None:
    """Go on with a connection's run, or begin one of a period: `2026`, `2026-11`, `last`.

    Without a period only a run that is requested goes on.
    """
    from syncline.reconciliation.due import asked, period_of
    from syncline.reconciliation.run import advance, begin

    here = worker()
    here.nudges.clear(connection, Lane.BACKFILL, flag("reconcile", ""))
    line = here.open_line(connection)
    if period is not None:
        days = period_of(here, line.link, *asked(period))
        begin(here, line.link, days, "task")
    came = advance(line, _silent)
    if came is not None and came.again_after is not None:
        here.announce([Nudge(connection, "reconcile", "", came.again_after)])


def _silent(_what: str, _done: int, _of: int) -> None:
    """A worker tells nobody; the ledger says how far it came."""
