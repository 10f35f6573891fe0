"""What others build on stays: tasks, queues, the schedule, settings, commands and exit codes.

What runs now is written down as text and compared with the files in `contract/`.
"""

from __future__ import annotations

import difflib
import enum
import inspect
import os
import pkgutil
from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
import typer.main
from celery import Celery, Task
from celery.signals import before_task_publish
from redis import Redis

import celeryconfig
import tasks
from schedules.ticks import beat_schedule
from syncline import errors
from syncline.calls.context import Nudge
from syncline.quota.nudges import Nudges
from syncline.settings import PREFIX, Settings
from syncline.terminal.messages import complain
from tasks.nudging import publish
from workers.console.main import app as commands

CONTRACT = Path(__file__).with_name("contract")
WRITE = "WRITE_CONTRACT"

NUDGES = (
    *(Nudge("NAME", task, "TARGET") for task in ("send", "look_up")),
    *(Nudge("NAME", task) for task in ("poll_halo", "tell", "reconcile", "owe_again")),
    *(
        Nudge("NAME", f"pull:{kind}:SINCE:UNTIL")
        for kind in ("order", "transaction", "subscription")
    ),
    Nudge("", "events"),
)
"""One of each kind that a step may ask for."""

_BOUNDS = ("gt", "ge", "lt", "le", "pattern")


@pytest.fixture
def celery(redis_url: str) -> Iterator[Celery]:
    """An app of our settings with all tasks, over the real broker."""
    with Celery(broker=redis_url) as app:
        app.config_from_object(celeryconfig)
        for module in pkgutil.iter_modules(tasks.__path__, "tasks."):
            import_module(module.name)
        app.finalize()
        yield app


def test_tasks_keep_their_names_arguments_and_limits(celery: Celery) -> None:
    held("tasks", (_task(celery.tasks[name]) for name in _names(celery)))


def test_tasks_go_to_the_queues_that_they_went_to(celery: Celery, redis_url: str) -> None:
    """As beat and nudges send them; together they send every task that there is."""
    settings = Settings.model_construct()  # the defaults, whatever is set here
    sent = {
        entry["task"]: f"{entry['task']}() every {entry['schedule'].total_seconds():g} s, "
        f"for {entry['options']['expires']:g} s, to {entry['options']['queue']}"
        for entry in beat_schedule(settings).values()
    }
    assert [*beat_schedule(settings)] == [*sent], "an entry is named after its task"

    def note(sender: str, body: Any, routing_key: str, headers: Any, **_: Any) -> None:
        arguments = ", ".join(body[0])
        expires = "" if headers["expires"] is None else ", expires"
        sent[f"{sender} "] = f"{sender}({arguments}) when it is nudged{expires}, to {routing_key}"

    before_task_publish.connect(note, weak=False)
    celery.set_current()
    try:
        with Redis.from_url(redis_url) as redis:
            publish(Nudges(redis), NUDGES)
    finally:
        before_task_publish.disconnect(note)
    assert {name.strip() for name in sent} == set(_names(celery))
    queues = [f"queue {queue.name}" for queue in celery.conf.task_queues]
    default = f"queue {celery.conf.task_default_queue} where none is named"
    held("queues", [*queues, default, *(sent[name] for name in sorted(sent))])


def test_settings_keep_their_names_types_and_defaults() -> None:
    held("settings", (_setting(name) for name in sorted(Settings.model_fields)))


def test_commands_keep_their_names_arguments_options_and_defaults() -> None:
    root = typer.main.get_command(commands)
    held("commands", _command(root, typer.Context(root, info_name="syncline")))


def test_errors_keep_their_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    tree = [
        one
        for one in vars(errors).values()
        if isinstance(one, type) and issubclass(one, errors.SynclineError)
    ]
    codes = sorted((one.__name__, complain(one("what", **_needed(one)))) for one in tree)
    held("exit-codes", (f"{name} {code}" for name, code in codes))


def held(name: str, lines: Any) -> None:
    """Compare with the file of that name, or write it anew when that is asked for."""
    file = CONTRACT / f"{name}.txt"
    now = [*lines]
    if os.environ.get(WRITE):
        file.write_text("\n".join(now) + "\n", encoding="utf-8")
    before = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    difference = [*difflib.unified_diff(before, now, file.name, "now", lineterm="", n=1)]
    assert not difference, (
        "\n".join(["The contract has changed:", *difference])
        + "\nSomebody's scripts may rest on it. If this is meant, say it in CHANGELOG.md and run: "
        f"{WRITE}=1 python -m pytest {Path(__file__).relative_to(CONTRACT.parents[2])}"
    )


def _needed(error: type) -> dict[str, Any]:
    """What an error cannot be made without, apart from its first words."""
    asked = [*inspect.signature(error).parameters.values()][1:]
    return {one.name: "text" for one in asked if one.default is one.empty}


def _names(celery: Celery) -> list[str]:
    return sorted(name for name in celery.tasks if not name.startswith("celery."))


def _task(task: Task[Any, Any]) -> str:
    limits = {
        "time limit": task.time_limit,
        "soft time limit": task.soft_time_limit,
        "rate limit": task.rate_limit,
        "acknowledged": "late" if task.acks_late else "early",
    }
    said = ", ".join(f"{name} {value or 'none'}" for name, value in limits.items())
    return f"{task.name}{_signature(task.run)}: {said}"


def _signature(function: Any) -> str:
    """Names, kinds and defaults; types are for readers of the code."""
    signature = inspect.signature(function)
    bare = [one.replace(annotation=one.empty) for one in signature.parameters.values()]
    return str(inspect.Signature(bare))


def _setting(name: str) -> str:
    field = Settings.model_fields[name]
    default = "required" if field.is_required() else f"default {field.default}"
    kind = _kind(field.annotation)
    return ", ".join([f"{PREFIX}{name.upper()}: {kind}", default, *_bounds(field.metadata)])


def _bounds(metadata: Iterable[Any]) -> Iterator[str]:
    """What a value must keep to, as annotations say it; validators are code and not listed."""
    for one in metadata:
        yield from (f"{name} {getattr(one, name)}" for name in _BOUNDS if hasattr(one, name))
        yield from _bounds(getattr(one, "metadata", ()))


def _kind(annotation: Any) -> str:
    """A type by its bare name, wherever its module stands; an enumeration by its values."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return " ".join([_kind(parts[0]), *_bounds(parts[1:])])
    if origin in (Union, UnionType):
        return " | ".join(_kind(one) for one in parts)
    is_list = isinstance(annotation, enum.EnumMeta)
    if choices := parts if origin is Literal else [*annotation] if is_list else ():
        return f"one of {', '.join(str(getattr(one, 'value', one)) for one in choices)}"
    if parts:
        return f"{origin.__name__} of {', '.join(_kind(one) for one in parts)}"
    return "None" if annotation is NoneType else str(annotation.__name__)


def _command(command: Any, context: Any) -> Iterator[str]:
    """A command and those below it, as somebody types them, in the order of their names."""
    yield context.command_path
    yield from (f"    {_parameter(one)}" for one in sorted(command.params, key=_place))
    if hasattr(command, "list_commands"):
        for name in sorted(command.list_commands(context)):
            below = command.get_command(context, name)
            yield from _command(below, typer.Context(below, info_name=name, parent=context))


def _place(parameter: Any) -> str:
    """Arguments in their own order, then options by their flags."""
    return "" if parameter.param_type_name == "argument" else str(parameter.opts[0])


def _parameter(one: Any) -> str:
    if one.param_type_name == "argument":
        name = f"argument {one.metavar or one.name.upper()}"
    else:
        name = " / ".join(", ".join(some) for some in (one.opts, one.secondary_opts) if some)
        name = f"option {name}"
    kind = "flag" if getattr(one, "is_flag", False) else _kind(one.type_descriptor.annotation)
    default = one.default.value if isinstance(one.default, enum.Enum) else one.default
    said = {
        "required": one.required,
        "many": one.multiple or one.nargs != 1,
        f"from {one.envvar}": one.envvar is not None,
        f"at least {one.min}": one.min is not None,
        f"at most {one.max}": one.max is not None,
        f"default {default!r}": not one.required,
    }
    return ", ".join([f"{name}: {kind}", *(text for text, holds in said.items() if holds)])
