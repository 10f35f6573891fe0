"""`syncline health`: whether the processes of this machine do their work, for whoever watches them.

It is asked every few seconds beside each process, so it imports little. The module itself,
`python -m workers.console.health`, takes the same options.
"""

from __future__ import annotations

import http.client
import socket
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Annotated

import typer
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from syncline.deliveries.status_counts import workers
from syncline.errors import Again, Refused, SynclineError
from syncline.ledger.database import Ledger, connect, is_prepared
from syncline.settings import Settings
from syncline.terminal.messages import WRONG_DATA, complain
from syncline.terminal.output import AsJson, plain, show, stack
from workers.embedded import ports
from workers.embedded.postgres import Postgres
from workers.embedded.server import port_path
from workers.processes import port_file, tick_mark

_TICKS_MISSED = 5
_SHORTEST_SILENCE = timedelta(seconds=15)
"""Of beat: publishing alone may take some seconds while Redis restarts."""

_ANSWER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Check:
    """What was found about one part, in words for a person."""

    part: str
    healthy: bool
    says: str


def health(
    *,
    database: Annotated[
        bool, typer.Option("--database", help="PostgreSQL answers and holds the ledger.")
    ] = False,
    worker: Annotated[
        bool, typer.Option("--worker", help="A worker of this machine keeps its session alive.")
    ] = False,
    beat: Annotated[
        bool, typer.Option("--beat", help="The beat of this data folder has just sent a tick.")
    ] = False,
    receiver: Annotated[
        bool, typer.Option("--receiver", help="The receiver of this data folder is ready.")
    ] = False,
    flower: Annotated[
        bool, typer.Option("--flower", help="Flower answers on SYNCLINE_FLOWER_PORT.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Say whether parts of this machine do their work, by exit code; without options: the database.

    Ends with 0 only if all that was asked about is well. Starts nothing.

    Example: syncline health --worker
    """
    settings = Settings.load()
    asked: list[tuple[bool, Callable[[Settings], Check]]] = [
        (database or not (worker or beat or receiver or flower), check_database),
        (worker, check_worker),
        (beat, check_beat),
        (receiver, check_receiver),
        (flower, check_flower),
    ]
    checks = [check(settings) for wanted, check in asked if wanted]
    healthy = all(check.healthy for check in checks)
    document = {"healthy": healthy, "checks": [asdict(check) for check in checks]}
    show(as_json, document, lambda: stack(*(plain(line) for line in _lines(checks))))
    if not healthy:
        raise typer.Exit(WRONG_DATA)


def check_database(settings: Settings) -> Check:
    """PostgreSQL lets us in, and its tables are there."""

    def prepared(connection: Connection) -> Check:
        if is_prepared(connection):
            return Check("database", healthy=True, says="PostgreSQL answers and holds the ledger.")
        return Check("database", healthy=False, says="It holds no ledger: run syncline migrate.")

    return _asked("database", settings, prepared)


def check_worker(settings: Settings) -> Check:
    """A worker process of this host may own rows.

    The heartbeat goes from the worker to PostgreSQL, so it covers both and the way between them.
    """
    host = socket.gethostname()

    def beating(connection: Connection) -> Check:
        ours = [
            found.silent_s
            for found in workers(connection, settings.dead_after)
            if found.alive and found.name.rpartition(":")[0] == host
        ]
        if ours:
            return Check("worker", healthy=True, says=f"Last heartbeat {min(ours):.1f} s ago.")
        return Check("worker", healthy=False, says=f"No worker of {host} is alive.")

    return _asked("worker", settings, beating)


def check_beat(settings: Settings) -> Check:
    """The last tick reached the broker a short time ago."""
    try:
        age = timedelta(seconds=time.time() - tick_mark(settings).stat().st_mtime)
    except FileNotFoundError:
        return Check("beat", healthy=False, says="It has not sent a tick yet.")
    longest = max(_TICKS_MISSED * settings.sweep, _SHORTEST_SILENCE)
    return Check("beat", age <= longest, f"Last tick {age.total_seconds():.1f} s ago.")


def check_flower(settings: Settings) -> Check:
    """Flower answers; whoever asks needs no password for this one page."""
    return _answering("flower", settings.flower_port, "/healthcheck")


def check_receiver(settings: Settings) -> Check:
    """The receiver answers, and can store what it is given."""
    at = ports.remembered(port_file(settings)) or settings.receiver_port
    return _answering("receiver", at, "/readyz")


def _answering(part: str, port: int, path: str) -> Check:
    asking = http.client.HTTPConnection(ports.LOOPBACK, port, timeout=_ANSWER_SECONDS)
    try:
        asking.request("GET", path)
        answer = asking.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return Check(part, healthy=False, says=f"It does not answer ({error}).")
    finally:
        asking.close()
    return Check(part, answer == http.HTTPStatus.OK, f"It answers with {answer}.")


def _asked(part: str, settings: Settings, question: Callable[[Connection], Check]) -> Check:
    engine = connect(_database_url(settings), connections=1)
    try:
        return Ledger(engine).run(question)
    except Again as error:
        return Check(part, healthy=False, says=error.what)
    except SQLAlchemyError as error:
        return Check(part, healthy=False, says=f"The ledger cannot be read ({_kind(error)}).")
    finally:
        engine.dispose()


def _database_url(settings: Settings) -> str:
    if settings.database_url is not None:
        return settings.database_url.get_secret_value()
    postgres = Postgres(settings.data)
    port = ports.remembered(port_path(postgres))
    if port is None:
        raise Refused(
            f"No PostgreSQL was ever started in {settings.data}.",
            remedy="Start everything with: syncline up. Or set SYNCLINE_DATABASE_URL.",
        )
    return postgres.url(port)


def _kind(error: SQLAlchemyError) -> str:
    return type(getattr(error, "orig", None) or error).__name__


def _lines(checks: Iterable[Check]) -> list[str]:
    return [f"{one.part}: {'well' if one.healthy else 'NOT WELL'}. {one.says}" for one in checks]


def main() -> None:
    """Run the command alone; every error of ours is one line on standard error."""
    try:
        typer.run(health)
    except SynclineError as error:
        sys.exit(complain(error))


if __name__ == "__main__":
    main()
