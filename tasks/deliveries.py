"""Deliveries: `syncline.deliveries.send(connection, target)` and `.look_up(connection, target)`."""

from __future__ import annotations

from celery import shared_task

from syncline.calls.context import Nudge
from syncline.queues import Lane
from tasks.context import worker
from tasks.nudging import flag


@shared_task(name="syncline.deliveries.send")
def send(connection: str, target: str) -> None:
    """Deliver what is due to one target of a connection."""
    from syncline.runtime.registry import send as send_step

    here = worker()
    here.nudges.clear(connection, Lane.DELIVERIES, flag("send", target))
    after = send_step(here.open_line(connection), target).after
    if after is not None:
        here.announce([Nudge(connection, "send", target, after.total_seconds())])


@shared_task(name="syncline.deliveries.look_up")
def look_up(connection: str, target: str) -> None:
    """Find out what became of doubtful deliveries whose settle time has passed."""
    from syncline.runtime.registry import look_up as look_up_step

    here = worker()
    here.nudges.clear(connection, Lane.DELIVERIES, flag("look_up", target))
    after = look_up_step(here.open_line(connection), target).after
    if after is not None:
        here.announce([Nudge(connection, "look_up", target, after.total_seconds())])
