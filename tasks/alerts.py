"""Alerts: `syncline.upkeep.alerts()` and `syncline.upkeep.tell(connection)`."""

from __future__ import annotations

from celery import shared_task

from syncline.calls.context import Nudge
from syncline.queues import Lane
from tasks.context import worker
from tasks.nudging import flag


@shared_task(name="syncline.upkeep.alerts")
def evaluate() -> None:
    """Open, update and close alerts, and request what people shall be told."""
    from syncline.alerts.run import evaluate as evaluate_step

    here = worker()
    here.announce(evaluate_step(here))


@shared_task(name="syncline.upkeep.tell")
def tell(connection: str) -> None:
    """Send a connection's messages to channels, and look whether its tickets were closed."""
    from syncline.alerts.channels import notify
    from syncline.alerts.ticket_settings import watch

    here = worker()
    here.nudges.clear(connection, Lane.UPKEEP, flag("tell", ""))
    line = here.open_line(connection)
    after = notify(here, line.link)
    if after is not None:
        here.announce([Nudge(connection, "tell", "", after)])
    watch(line)
