"""What the tasks of this process work with; put in place once, by `workers/`."""

from __future__ import annotations

from collections.abc import Callable

from syncline.calls.context import WorkerContext
from syncline.errors import Broken

_worker: WorkerContext | None = None
_make: Callable[[], WorkerContext] | None = None


def install(make: Callable[[], WorkerContext]) -> None:
    """Say how the context is made, at the first task or the worker's start."""
    global _make, _worker
    _make, _worker = make, None


def worker() -> WorkerContext:
    """The context of this process."""
    global _worker  # noqa: PLW0603 - one process, one context
    if _worker is None:
        if _make is None:
            raise Broken("A task ran before its process was put together.")
        _worker = _make()
    return _worker
