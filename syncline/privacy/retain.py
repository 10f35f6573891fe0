"""Retained: what the settings do not want to be kept for longer is dropped, in bounded steps."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from syncline.calls.context import Parts
from syncline.privacy import retention
from syncline.privacy.retention import Dropped

BATCH = 5000
BATCHES = 50
"""In one go; the next tick goes on."""


def retain(parts: Parts) -> list[str]:
    """Empty and drop what is too old; returns the months that are gone."""
    settings = parts.settings
    if settings.keep_payloads is not None:
        for _ in range(BATCHES):
            work = partial(retention.empty_bodies, older_than=settings.keep_payloads, most=BATCH)
            if parts.ledger.run(work) < BATCH:
                break
    kept: dict[Dropped, timedelta | None] = {
        "event": settings.keep_events,
        "call": settings.keep_calls,
    }
    gone: list[str] = []
    for table, age in kept.items():
        if age is not None:
            find = partial(retention.old_months, table=table, older_than=age)
            gone += [
                month.table
                for month in parts.ledger.run(find)
                if parts.ledger.run(partial(retention.drop_month, month=month))
            ]
    return gone
