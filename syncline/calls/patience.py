"""Calls of a command for which a person waits: they wait for their turn and are tried again."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from syncline.calls.calls import NoQuota
from syncline.calls.context import Parts
from syncline.errors import Again

MOST_TRIES = 10
"""Failures in a row of one reading that may heal by itself; waiting for quota is none."""

T = TypeVar("T")


def patiently(parts: Parts, make: Callable[[], T]) -> T:
    """A reading that waits for its turn, and is tried again where that may help."""
    failures = 0
    while True:
        try:
            return make()
        except Again as error:
            failures += not isinstance(error, NoQuota)
            if failures >= MOST_TRIES:
                raise
            parts.sleep(max(error.after.total_seconds(), 0.05))
