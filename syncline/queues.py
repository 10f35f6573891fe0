"""Lanes: in whose name calls are made, which come first, and the Celery queue of each."""

from __future__ import annotations

from enum import StrEnum


class Lane(StrEnum):
    """A Celery queue with its own workers; calls are taken in its name."""

    EVENTS = "events"
    DELIVERIES = "deliveries"
    PULLS = "pulls"
    BACKFILL = "backfill"
    UPKEEP = "upkeep"

    @property
    def queue(self) -> str:
        """The name of its Celery queue."""
        return f"syncline.{self}"
