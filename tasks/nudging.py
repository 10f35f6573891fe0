"""Publishing nudges: after the commit, coalesced, ids only.

At most one nudge waits for each (connection, task, target); its flag is cleared before the work
is read, so nothing that is committed after that is overlooked. A lost nudge costs one sweep.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from datetime import date

from celery import current_app
from kombu.exceptions import OperationalError as BrokerAwayError
from redis.exceptions import RedisError

from syncline.calls.context import Nudge
from syncline.queues import Lane
from syncline.quota.nudges import Nudges

PULL_TASKS = {
    "order": "syncline.pulls.orders",
    "transaction": "syncline.pulls.transactions",
    "subscription": "syncline.pulls.subscriptions",
}
_OF_A_CONNECTION = {
    "poll_halo": ("syncline.pulls.halo", Lane.PULLS),
    "tell": ("syncline.upkeep.tell", Lane.UPKEEP),
    "reconcile": ("syncline.reconciliation.run", Lane.BACKFILL),
    "owe_again": ("syncline.upkeep.owe_again", Lane.UPKEEP),
}
"""Nudges that name a connection alone → their task and lane."""

LATE_AFTER = 30.0
"""Seconds after which a nudge is not worth running: the sweep has sent another."""

LONGEST_COUNTDOWN = 25.0
"""Seconds; below the broker's visibility time-out. What is due later is found by the sweep."""


LATER_EVERY = 0.05
"""Seconds; nudges for later are rounded up to such steps, and one for each step is enough."""


def publish(nudges: Nudges, wanted: Iterable[Nudge]) -> None:
    """Enqueue nudges that are not pending yet; what cannot be published, the sweep repeats."""
    for nudge in wanted:
        if nudge.after > LONGEST_COUNTDOWN:
            continue
        try:
            name, arguments, lane = _task(nudge)
            mark, countdown = _mark(nudge, time.time())
            if nudges.claim(nudge.connection, lane, mark):
                _publish(name, arguments, lane, countdown)
        except (BrokerAwayError, RedisError):
            return


def flag(task: str, target: str) -> str:
    """The name under which a pending nudge is remembered."""
    return f"{task}:{target}"


def _mark(nudge: Nudge, now: float) -> tuple[str, float]:
    """The flag of a nudge and its countdown in seconds.

    A nudge for later has a flag of its own for its moment, which nobody needs to clear: with one
    flag for all, a late one would hold up an early one.
    """
    name = flag(nudge.task, nudge.target)
    if not nudge.after:
        return name, 0
    step = math.ceil((now + nudge.after) / LATER_EVERY)
    return f"{name}@{step}", max(0.0, step * LATER_EVERY - now)


def _publish(name: str, arguments: list[str], lane: Lane, countdown: float) -> None:
    current_app.send_task(
        name,
        args=arguments,
        queue=lane.queue,
        countdown=countdown or None,
        expires=countdown + LATE_AFTER,
        retry=False,
    )


def _task(nudge: Nudge) -> tuple[str, list[str], Lane]:
    if nudge.task.startswith("pull:"):
        _, kind, first, last = nudge.task.split(":")
        return PULL_TASKS[kind], [nudge.connection, first, last], Lane.PULLS
    if nudge.task == "events":
        return "syncline.events.handle", [], Lane.EVENTS
    if nudge.task in _OF_A_CONNECTION:
        name, lane = _OF_A_CONNECTION[nudge.task]
        return name, [nudge.connection], lane
    name = "syncline.deliveries.send" if nudge.task == "send" else "syncline.deliveries.look_up"
    return name, [nudge.connection, nudge.target], Lane.DELIVERIES


def day(text: str | None, default: date) -> date:
    """A task's date argument, `YYYY-MM-DD`."""
    return default if text is None else date.fromisoformat(text)
