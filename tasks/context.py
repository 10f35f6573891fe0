"""What the tasks of this process work with; put in place once, by `workers/`."""

from __future__ import annotations

from collections.abc import Callable

from syncline.calls.context import Parts
from syncline.errors import Broken

_parts: Parts | None = None
_make: Callable[[], Parts] | None = None


def install(make: Callable[[], Parts]) -> None:
    """Say how the parts are made, at the first task or the worker's start."""
    global _make, _parts
    _make, _parts = make, None


def parts() -> Parts:
    """The parts of this process."""
    global _parts  # noqa: PLW0603 - one process, one set of parts
    if _parts is None:
        if _make is None:
            raise Broken("A task ran before its process was put together.")
        _parts = _make()
    return _parts
