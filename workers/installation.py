"""A whole installation on one machine for the length of a block: servers and all processes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from syncline.ledger.migrate import upgrade
from syncline.settings import Settings
from workers import flower, processes
from workers.embedded import ports
from workers.embedded import servers as embedded
from workers.supervisor import Process, Supervisor

LOGS = "logs"
"""Below the data folder: a file a process."""


@dataclass(frozen=True, slots=True)
class Installation:
    """What runs: the two servers, the processes under their supervisor, and two ports of these."""

    servers: embedded.Servers
    supervisor: Supervisor
    flower_port: int
    receiver_port: int


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
            taking_in = ports.free_or_other(settings.receiver_port)
            supervisor.start(
                [
                    *processes.workers(settings),
                    *processes.receivers(settings, taking_in),
                    flower.flower(settings, port),
                    *others,
                ]
            )
            yield Installation(servers, supervisor, port, taking_in)
