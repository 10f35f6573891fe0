"""The Celery app, which `workers.celery_process` runs workers, beat and Flower of.

Beat and Flower load it as well as the workers, so it imports nothing of the domain but settings.
"""

from __future__ import annotations

import pkgutil
from typing import Any

from celery.signals import (
    after_task_publish,
    beat_init,
    setup_logging,
    worker_init,
    worker_shutdown,
)

import tasks
from schedules.ticks import beat_schedule, ticks
from syncline.calls.context import WorkerContext
from syncline.settings import Settings
from tasks import context
from tasks.nudging import publish
from workers.celery_apps import make_app
from workers.embedded.broker import ensure_redis
from workers.embedded.server import hold
from workers.logs import configure
from workers.processes import tick_mark
from workers.task_logs import bind_tasks

settings = Settings.load()

app = make_app(
    include=[module.name for module in pkgutil.iter_modules(tasks.__path__, "tasks.")],
)
app.conf.beat_schedule = beat_schedule(settings)
# Flower keeps 10,000 tasks. Ticks would push all others out of it within three hours.
app.conf.task_annotations = {tick.task: {"send_events": False} for tick in ticks(settings)}
app.set_default()


def put_together() -> WorkerContext:
    """The context of this process, over the servers of this installation."""
    # Beat and Flower load this app too, and never ask for any.
    from workers.context import make_context  # noqa: PLC0415
    from workers.embedded.servers import ensure  # noqa: PLC0415

    servers = ensure(settings)
    return make_context(settings, servers.database_url, servers.redis_url, publish)


def use_broker() -> None:
    """Point Celery at this installation's Redis."""
    app.conf.update(broker_url=ensure_redis(settings))


@setup_logging.connect(weak=False)
def _logs(**_: Any) -> None:
    configure(settings)
    bind_tasks()


@worker_init.connect(weak=False)
@beat_init.connect(weak=False)
def _hold(**_: Any) -> None:
    """Embedded servers run on while this process does, whoever else leaves."""
    hold(settings)


@beat_init.connect(weak=False)
def _begin_to_tick(**_: Any) -> None:
    after_task_publish.connect(_mark, weak=False)
    # It sends nothing but ticks.
    app.conf.task_send_sent_event = False


def _mark(**_: Any) -> None:
    tick_mark(settings).touch()


@worker_init.connect(weak=False)
def _begin(**_: Any) -> None:
    context.install(put_together)
    context.worker().session()


@worker_shutdown.connect(weak=False)
def _end(**_: Any) -> None:
    context.worker().close()


use_broker()
