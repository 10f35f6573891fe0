"""`syncline run`: one process alone, for containers and service managers, which keep it running."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from syncline.errors import UnknownName
from syncline.settings import Settings
from syncline.terminal.context import command_context
from workers import flower, processes
from workers.crews import CREWS, EVERYTHING
from workers.embedded import data_folder, ports
from workers.supervisor import Process

_WORKERS = {crew.name: crew for crew in (*CREWS, EVERYTHING)}
NAMES = (*_WORKERS, "beat", "receiver", "flower")


def run(
    context: typer.Context,
    name: Annotated[str, typer.Argument(metavar="PROCESS", help=f"One of: {', '.join(NAMES)}.")],
    *,
    address: Annotated[
        str | None,
        typer.Option(help="Where Flower or the receiver listens; in a container, 0.0.0.0."),
    ] = None,
) -> None:
    """Become one process: a worker for some lanes or for all, beat, the receiver, or Flower.

    It is not started again when it ends: that is left to whoever runs it. `syncline up` runs them
    all. The ledger must have its tables: see syncline migrate.

    Example: syncline run deliver
    """
    settings = command_context(context).settings()
    process = process_of(name, settings, address)
    if not data_folder.is_made(settings):
        raise data_folder.absence(settings)
    # Beat opens its schedule there before it asks anybody else to make the folder.
    data_folder.make_usable(settings.data)
    # In place of this process, so that signals and exit codes pass by nobody.
    os.execve(process.command[0], process.command, {**os.environ, **process.env})  # noqa: S606


def process_of(name: str, settings: Settings, address: str | None = None) -> Process:
    """The process of that name, as `syncline up` starts it.

    Raises:
        UnknownName: there is no such process.
        Refused: Flower's password cannot be used.
    """
    if name in _WORKERS:
        return processes.worker(_WORKERS[name], settings)
    if name == "beat":
        return processes.beat(settings)
    if name == "receiver":
        return processes.receivers(settings, settings.receiver_port, address)[0]
    if name == "flower":
        # Never another port than the one that was asked for: it may be published, and watched.
        return flower.flower(
            settings, settings.flower_port or ports.free_port(), address or ports.LOOPBACK
        )
    raise UnknownName(
        f"There is no process {name!r:.80}.", remedy=f"There are: {', '.join(NAMES)}."
    )
