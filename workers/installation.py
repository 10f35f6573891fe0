"""A whole installation on one machine for the length of a block: servers, workers, beat, Flower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from syncline.ledger.migrate import upgrade
from syncline.settings import Settings
from workers import embedded, flower, processes
from workers.supervisor import Process, Supervisor

LOGS = "logs"
"""Below the data folder: a file a process."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What runs: the two servers, the processes under their supervisor, and Flower's port."""

    servers: embedded.Servers
    supervisor: Supervisor
    flower_port: int


@contextmanager
def running(settings: Settings, *others: Process) -> Iterator[Installation]:
    """Start everything, and `others` beside it; stop it all at the end, in order.

    Raises:
        Refused: a server or a process does not start.
    """
    with embedded.using(settings) as servers:
        upgrade(servers.database_url)
        with Supervisor(settings.data / LOGS) as supervisor:
            port = flower.port(settings)
            supervisor.start([*processes.workers(settings), flower.flower(settings, port), *others])
            yield Installation(servers, supervisor, port)
