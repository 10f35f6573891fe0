"""What a command about Halo's set-up says where the work may be tried again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import ceil

from syncline.errors import Again


@contextmanager
def by_hand() -> Iterator[None]:
    """What work in the ledger does by itself, a person does with a command: try again."""
    try:
        yield
    except Again as error:
        seconds = max(1, ceil(error.after.total_seconds()))
        error.remedy = f"Run the command again in {seconds} s."
        raise
