"""A stage for the demo and the timings: an installation of its own, connected to the sandbox."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from celery import Celery
from pydantic import SecretStr

from syncline.calls.context import WorkerContext
from syncline.credentials.stored import keep
from syncline.errors import Refused
from syncline.ledger import new_connections
from syncline.ledger.connections import Link
from syncline.ledger.database import text
from syncline.ledger.new_connections import NewConnection
from syncline.mapping.shipped import default_document
from syncline.queues import Lane
from syncline.sandbox.config import TOKEN, SandboxConfig
from syncline.sandbox.process import SandboxProcess
from syncline.settings import PREFIX, Settings
from tasks.nudging import PULL_TASKS
from workers.celery_apps import make_app
from workers.embedded import servers
from workers.installation import Installation, running

NAME = "demo"
"""The connection's name."""

SETTLE_SECONDS = 5
"""The sandbox is never at work on a write for longer."""

PLAY_MONEY = {flow: {"test_mode": "include"} for flow in ("orders", "payments", "subscriptions")}
"""The options of a mapping under which rows of HighLevel's test mode are delivered."""


@dataclass(frozen=True, slots=True)
class Stage:
    """What stands on it: the installation, the sandbox, and parts to look and to write with."""

    settings: Settings
    installation: Installation
    sandbox: SandboxProcess
    worker: WorkerContext
    link: Link
    celery: Celery

    def publish_pull(self, kind: str, since: date) -> None:
        """Enqueue the documented task that reads a kind, as `syncline enqueue` does."""
        self.celery.send_task(
            PULL_TASKS[kind], args=[self.link.name, since.isoformat()], queue=Lane.PULLS.queue
        )

    def rows(self, sql: str, **parameters: Any) -> Sequence[Any]:
        """Rows of the ledger."""
        return self.worker.ledger.run(
            lambda connection: connection.execute(text(sql), parameters).all()
        )


@contextmanager
def stage(
    folder: Path,
    config: SandboxConfig,
    style: str,
    settings: Mapping[str, str],
    open_worker: Callable[[], AbstractContextManager[WorkerContext]],
) -> Iterator[Stage]:
    """Set the stage in a folder, which is emptied; strike it at the end, leaving the logs.

    Args:
        folder: the installation's data folder.
        config: what the sandbox is set to; the connection has its limits.
        style: the mapping's lines, `detail` or `summary`.
        settings: by their variables' names without the prefix.
        open_worker: opens the context of the installation that the environment names.

    Raises:
        Refused: something does not start, or another stage stands in that folder.
    """
    with _environment({"DATA": str(folder), "FLOWER_PORT": "0", "RECEIVER_PORT": "0", **settings}):
        loaded = Settings.load()
        _clear(loaded)
        with (
            SandboxProcess(**config.model_dump(mode="json")) as sandbox,
            running(_signed_by(loaded, sandbox)) as installation,
            open_worker() as worker,
        ):
            link = connect(worker, sandbox, config, _mapping(style))
            with make_app(broker=installation.servers.redis_url, set_as_current=False) as celery:
                yield Stage(loaded, installation, sandbox, worker, link, celery)


def _signed_by(settings: Settings, sandbox: SandboxProcess) -> Settings:
    """The same settings, by which the receiver takes what this sandbox signs and nothing else."""
    keys = "\n".join(sandbox.highlevel_keys().values())
    return settings.model_copy(update={"highlevel_public_keys": keys})


def _clear(settings: Settings) -> None:
    """Remove what an earlier stage left, and stop the servers of one that was killed."""
    if not settings.data.exists():
        return
    if not servers.stop_if_unused(settings):
        raise Refused(f"{settings.data} is in use.", remedy="Wait until it has ended.")
    shutil.rmtree(settings.data)


@contextmanager
def _environment(settings: Mapping[str, str]) -> Iterator[None]:
    """Only these settings, for us and our children: nobody's real servers are touched."""
    before = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    for name in before:
        del os.environ[name]
    os.environ.update({f"{PREFIX}{name}": value for name, value in settings.items()})
    try:
        yield
    finally:
        for name in settings:
            del os.environ[f"{PREFIX}{name}"]
        os.environ.update(before)


def connect(
    worker: WorkerContext,
    sandbox: SandboxProcess,
    config: SandboxConfig,
    mapping: str,
    *,
    name: str = NAME,
) -> Link:
    """Add a connection to the emulation, with its credentials and the limits of its settings."""
    new = NewConnection(
        name=name,
        location_id=config.location,
        highlevel_url=sandbox.highlevel_url,
        highlevel_calls=config.highlevel_limit.calls,
        highlevel_seconds=int(config.highlevel_limit.seconds),
        highlevel_daily=config.highlevel_daily,
        halo_url=sandbox.halo_url,
        tenant_key=None,
        client_id=config.halo_client_id,
        scope="all",
        halo_calls=config.halo_limit.calls,
        halo_seconds=int(config.halo_limit.seconds),
        settle_seconds=SETTLE_SECONDS,
        mapping=mapping,
        mode="sandbox",
        start_from=datetime.now(UTC).date() - timedelta(days=config.days),
    )
    with worker.ledger.begin() as connection:
        link = new_connections.add(connection, new)
        keep(connection, worker.sealer, link.location_place, "private_token", SecretStr(TOKEN))
        secret = SecretStr(config.halo_client_secret)
        keep(connection, worker.sealer, link.tenant_place, "client_secret", secret)
    return link


def _mapping(style: str) -> str:
    return default_document("detail" if style == "detail" else "summary", PLAY_MONEY)
