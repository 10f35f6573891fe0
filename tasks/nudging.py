"""Publishing nudges: after the commit, coalesced, ids only.

At most one nudge waits for each (connection, task, target); its flag is cleared before the work
is read, so nothing that is committed after that is overlooked. A lost nudge costs one sweep.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date

from celery import current_app
from kombu.exceptions import OperationalError as BrokerAwayError
from redis.exceptions import RedisError

from syncline.quota.keys import Lane
from syncline.quota.nudges import Nudges
from syncline.steps.parts import Nudge

PULL_TASKS = {
    "order": "syncline.pulls.orders",
    "transaction": "syncline.pulls.transactions",
    "subscription": "syncline.pulls.subscriptions",
}
LATE_AFTER = 30.0
"""Seconds after which a nudge is not worth running: the sweep has sent another."""

LONGEST_COUNTDOWN = 25.0
"""Seconds; below the broker's visibility time-out. What is due later is found by the sweep."""


def publish(nudges: Nudges, wanted: Iterable[Nudge]) -> None:
    """Enqueue nudges that are not pending yet; what cannot be published, the sweep repeats."""
    for nudge in wanted:
        if nudge.after > LONGEST_COUNTDOWN:
            continue
        try:
            name, arguments, lane = _task(nudge)
            if nudge.after or nudges.claim(nudge.connection, lane, flag(nudge.task, nudge.target)):
                _publish(nudge, name, arguments, lane)
        except (BrokerAwayError, RedisError):
            return


def flag(task: str, target: str) -> str:
    """The name under which a pending nudge is remembered."""
    return f"{task}:{target}"


def _publish(nudge: Nudge, name: str, arguments: list[str], lane: Lane) -> None:
    current_app.send_task(
        name,
        args=arguments,
        queue=f"syncline.{lane}",
        countdown=nudge.after or None,
        expires=nudge.after + LATE_AFTER,
        retry=False,
    )


def _task(nudge: Nudge) -> tuple[str, list[str], Lane]:
    if nudge.task.startswith("pull:"):
        _, kind, first, last = nudge.task.split(":")
        return PULL_TASKS[kind], [nudge.connection, first, last], Lane.PULLS
    name = "syncline.deliveries.send" if nudge.task == "send" else "syncline.deliveries.look_up"
    return name, [nudge.connection, nudge.target], Lane.DELIVERIES


def day(text: str | None, default: date) -> date:
    """A task's date argument, `YYYY-MM-DD`."""
    return default if text is None else date.fromisoformat(text)
