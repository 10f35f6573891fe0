"""Pulls, each enqueueable by hand: `syncline.pulls.orders(connection, since=None, until=None)`."""

from __future__ import annotations

from celery import shared_task

from syncline.calls.context import Nudge
from syncline.queues import Lane
from tasks.context import worker
from tasks.nudging import day, flag


@shared_task(name="syncline.pulls.orders")
def orders(connection: str, since: str | None = None, until: str | None = None) -> None:
    """Read the orders created from `since` (default: where the connection starts) to `until`."""
    _pull(connection, "order", since, until)


@shared_task(name="syncline.pulls.transactions")
def transactions(connection: str, since: str | None = None, until: str | None = None) -> None:
    """Read the transactions created in these days."""
    _pull(connection, "transaction", since, until)


@shared_task(name="syncline.pulls.subscriptions")
def subscriptions(connection: str, since: str | None = None, until: str | None = None) -> None:
    """Read the subscriptions created in these days."""
    _pull(connection, "subscription", since, until)


@shared_task(name="syncline.pulls.halo")
def halo(connection: str) -> None:
    """Look what changed in a connection's Halo since the last look."""
    from syncline.halo_changes.polling import poll

    here = worker()
    here.nudges.clear(connection, Lane.PULLS, flag("poll_halo", ""))
    after = poll(here.open_line(connection))
    if after is not None:
        here.announce([Nudge(connection, "poll_halo", "", after)])


def _pull(connection: str, kind: str, since: str | None, until: str | None) -> None:
    from syncline.ingest.pull import pull

    here = worker()
    line = here.open_line(connection)
    if not line.link.reads:
        return  # its note says why; the windows that are requested are read once it is started
    first = day(since, line.link.start_from)
    last = day(until, here.now().date())
    here.nudges.clear(connection, Lane.PULLS, flag(f"pull:{kind}:{first}:{last}", ""))
    finished = pull(line, kind, first, last, Lane.PULLS)
    if finished.again_after is not None:
        here.announce([Nudge(connection, f"pull:{kind}:{first}:{last}", "", finished.again_after)])
