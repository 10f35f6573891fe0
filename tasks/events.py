"""Events: `syncline.events.handle()`."""

from __future__ import annotations

from celery import shared_task

from syncline.calls.context import Nudge
from syncline.queues import Lane
from tasks.context import worker
from tasks.nudging import flag


@shared_task(name="syncline.events.handle")
def handle() -> None:
    """Handle the webhooks that are stored and not handled yet."""
    from syncline.webhooks.handling import handle as handle_step

    here = worker()
    here.nudges.clear("", Lane.EVENTS, flag("events", ""))
    after = handle_step(here)
    if after is not None:
        here.announce([Nudge("", "events", "", after)])
