"""What a worker has in hand never stays behind with it, whatever goes wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from syncline.calls.context import Parts


@contextmanager
def in_hand(parts: Parts) -> Iterator[None]:
    """Give the session up on any error: it may own rows that this worker does not know of.

    A claim whose commit was not answered is one; the sweep frees them all.
    """
    try:
        yield
    except BaseException:
        parts.abandon()
        raise
