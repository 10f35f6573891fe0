"""Lines of a task's log carry its name, its id, and what it works on."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

import structlog
from celery.signals import task_postrun, task_prerun

_BOUND = ("connection", "target", "order", "record")


def bind_tasks() -> None:
    """Bind what is known of each task to the lines that are written while it runs."""
    task_prerun.connect(_bind_task, weak=False, dispatch_uid="syncline.logs.bind")
    task_postrun.connect(_unbind_task, weak=False, dispatch_uid="syncline.logs.unbind")


def _bind_task(
    task_id: str, task: Any, args: Sequence[Any], kwargs: Mapping[str, Any], **_: Any
) -> None:
    given = inspect.signature(task.run).bind_partial(*args, **kwargs).arguments
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(
        task=task.name, task_id=task_id, **{name: given[name] for name in _BOUND if given.get(name)}
    )


def _unbind_task(**_: Any) -> None:
    structlog.contextvars.clear_contextvars()
