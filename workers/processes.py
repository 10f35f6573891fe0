"""How each process of ours is started: its command line and its environment."""

from __future__ import annotations

import sys
from pathlib import Path

from syncline.settings import Settings
from workers.crews import CREWS, Crew
from workers.supervisor import Process

_FLOWER_HEARTBEAT_SECONDS = 10
"""Flower calls a worker offline when two are missed. The ledger keeps heartbeats of its own."""


def python(module: str, *arguments: str) -> tuple[str, ...]:
    """The command line of a module of ours, which finds no modules in the folder it stands in."""
    return (sys.executable, "-P", "-m", module, *arguments)


def celery(*arguments: str) -> tuple[str, ...]:
    """The command line of one of Celery's commands, over our app."""
    return python("workers.celery_process", "-A", "workers.app", *arguments)


def worker(crew: Crew, settings: Settings) -> Process:
    """A Celery worker for a crew's lanes.

    Gossip and mingle are traffic between workers that serves nothing here.
    """
    return Process(
        crew.name,
        celery(
            *("worker", "-n", f"{crew.name}@%h", "-P", "threads"),
            *("-c", str(crew.threads(settings.worker_threads)), "-Q", crew.queues),
            *("--without-gossip", "--without-mingle"),
            *("--heartbeat-interval", str(_FLOWER_HEARTBEAT_SECONDS)),
        ),
        # SIGTERM then begins the soft shutdown, instead of a wait without end for running tasks.
        {**_environment(settings), "REMAP_SIGTERM": "SIGQUIT"},
    )


def beat(settings: Settings) -> Process:
    """The one process that sends ticks. A second one would do no harm: ticks are nudges."""
    schedule = settings.data / "beat.schedule"
    return Process(
        "beat",
        celery("beat", "--schedule", str(schedule), "--pidfile="),
        _environment(settings),
    )


def receivers(settings: Settings, at: int, address: str | None = None) -> list[Process]:
    """The processes that take in webhooks side by side, all on one port.

    Args:
        settings: how many.
        at: the port.
        address: where they listen; by default where the settings say.
    """
    env = {
        **_environment(settings),
        "SYNCLINE_RECEIVER_PORT": str(at),
        "SYNCLINE_RECEIVER_HOST": address or settings.receiver_host,
    }
    if settings.highlevel_public_keys is not None:
        env["SYNCLINE_HIGHLEVEL_PUBLIC_KEYS"] = settings.highlevel_public_keys
    command = python("workers.receiver")
    return [
        Process("receiver" if number == 1 else f"receiver-{number}", command, env)
        for number in range(1, settings.receiver_workers + 1)
    ]


def port_file(settings: Settings) -> Path:
    """Where the receiver writes the port that it listens on."""
    return settings.data / "receiver.port"


def tick_mark(settings: Settings) -> Path:
    """The file that beat touches after each tick that the broker took.

    The schedule's own file will not do: it is mapped into memory, and a change made there shows in
    no modification time while the file lies in memory too, as in a container.
    """
    return settings.data / "beat.tick"


def workers(settings: Settings) -> list[Process]:
    """The workers and the beat that an installation on one machine runs."""
    return [*(worker(crew, settings) for crew in CREWS), beat(settings)]


def _environment(settings: Settings) -> dict[str, str]:
    """Children mean the same data folder, wherever they stand.

    With an arena of memory for each of its threads, a worker would keep what each used at most.
    """
    return {"SYNCLINE_DATA": str(settings.data), "MALLOC_ARENA_MAX": "2"}
