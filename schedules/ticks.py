"""What beat sends: small ticks that expire, so that a backlog never piles up.

What is due stands in PostgreSQL; a tick only says that it is time to look.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from syncline.queues import Lane
from syncline.settings import Settings


@dataclass(frozen=True, slots=True)
class Tick:
    """One entry of the schedule: a task, how often, and the lane it goes to."""

    task: str
    every: timedelta
    lane: Lane


def ticks(settings: Settings) -> list[Tick]:
    """All entries."""
    return [
        Tick("syncline.upkeep.sweep", settings.sweep, Lane.UPKEEP),
        Tick("syncline.upkeep.schedule", settings.tick, Lane.UPKEEP),
        Tick("syncline.upkeep.gaps", timedelta(minutes=1), Lane.UPKEEP),
        Tick("syncline.upkeep.dashboards", timedelta(minutes=1), Lane.UPKEEP),
        Tick("syncline.upkeep.alerts", timedelta(seconds=15), Lane.UPKEEP),
        # A refresh that a crash has cut must be repeated within HighLevel's 30 s.
        Tick("syncline.upkeep.credentials", timedelta(seconds=10), Lane.UPKEEP),
        Tick("syncline.upkeep.seal", settings.seal_every, Lane.UPKEEP),
        Tick("syncline.upkeep.retain", timedelta(hours=1), Lane.UPKEEP),
        Tick("syncline.upkeep.partitions", timedelta(hours=1), Lane.UPKEEP),
        Tick("syncline.upkeep.forget", timedelta(hours=1), Lane.UPKEEP),
    ]


def beat_schedule(settings: Settings) -> dict[str, dict[str, Any]]:
    """The ticks as Celery's beat takes them."""
    return {
        tick.task: {
            "task": tick.task,
            "schedule": tick.every,
            "options": {
                "queue": tick.lane.queue,
                "expires": tick.every.total_seconds(),
            },
        }
        for tick in ticks(settings)
    }
