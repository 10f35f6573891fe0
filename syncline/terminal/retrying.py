"""What a command about the set-up of a side says where the work may be tried again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil

from syncline.errors import Again, Rehearsing


@contextmanager
def by_hand() -> Iterator[None]:
    """What work in the ledger does by itself, a person does with a command: try again."""
    try:
        yield
    except Rehearsing:
        raise
    except Again as error:
        seconds = max(1, ceil(error.after.total_seconds()))
        error.remedy = f"Run the command again in {seconds} s."
        raise
