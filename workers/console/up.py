"""`syncline up`: everything that an installation on one machine needs, until Ctrl-C."""

from __future__ import annotations

import json
import shlex
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import structlog
import typer
from sqlalchemy.engine import make_url

from syncline import private
from syncline.errors import Refused, SynclineError
from syncline.highlevel.signatures import PUBLISHED
from syncline.sandbox.config import LOCATION, TOKEN, SandboxConfig
from syncline.sandbox.highlevel.events.signing import SigningKeys
from syncline.settings import Settings
from syncline.terminal.context import command_context
from syncline.terminal.messages import in_words
from syncline.terminal.output import say
from workers.console.sandbox import port_file, state_of_sandbox
from workers.embedded import data_folder, ports
from workers.embedded import servers as embedded
from workers.embedded.locks import FileLock
from workers.installation import LOGS, Installation, running
from workers.logs import configure
from workers.processes import python
from workers.supervisor import Process

log = structlog.get_logger()

_LOOK_EVERY_S = 2.0

_READ_BACK = timedelta(days=365)
"""So much is read of an emulation, which may have been kept for long."""


def up(
    context: typer.Context,
    *,
    sandbox: Annotated[
        bool, typer.Option("--sandbox", help="Also emulate both APIs, to try syncline on.")
    ] = False,
    fresh_sandbox: Annotated[
        bool,
        typer.Option(
            "--fresh-sandbox", help="Forget what the emulation held, and begin it afresh."
        ),
    ] = False,
) -> None:
    """Start everything and keep it running: servers, workers, receiver, Flower. Ctrl-C stops all.

    Example: syncline up
    """
    settings = command_context(context).settings()
    configure(settings)
    data_folder.make_usable(settings.data)
    with _only_one(settings), _asked_to_stop() as stop:
        sandbox = sandbox or fresh_sandbox
        others = [sandbox_process(settings, afresh=fresh_sandbox)] if sandbox else []
        if sandbox:
            settings = with_sandbox_key(settings)
        with running(settings, *others) as installation:
            _tell(settings, installation)
            if sandbox:
                _tell_sandbox(settings)
            keep_servers(settings, stop)
            say("Stopping: what is under way ends first.")
    say("Stopped.")


def keep_servers(settings: Settings, stop: threading.Event) -> None:
    """Until it is asked to stop, start embedded servers again that died.

    Whoever restarts one by hand stops it first, so it must be down at two looks.
    """
    was_down = False
    while not stop.wait(_LOOK_EVERY_S):
        is_down = not embedded.are_running(settings)
        if is_down and was_down:
            _start_again(settings)
        was_down = is_down


def _start_again(settings: Settings) -> None:
    try:
        embedded.ensure(settings)
    except SynclineError as error:
        log.warning("a server ended and does not start again", error=in_words(error))
    else:
        log.warning("a server ended and was started again", logs=str(settings.data / LOGS))


def sandbox_process(settings: Settings, *, afresh: bool = False) -> Process:
    """The emulation of both APIs, as it was when it ended, on the port of last time.

    Raises:
        Refused: what it kept cannot be taken up.
    """
    state = state_of_sandbox(settings, afresh=afresh)
    at = ports.choose(port_file(settings))
    secret = _signing_secret(settings)
    private.read_or_make(secret)
    command = python(
        *("syncline.sandbox", "--port", str(at)),
        *("--signing-secret", str(secret), "--config", json.dumps({"state": str(state)})),
    )
    return Process("sandbox", command, env={})


def with_sandbox_key(settings: Settings) -> Settings:
    """The same settings, by which the receiver also takes what this folder's sandbox signs.

    Its secret is this folder's own: events that look real can be made by nobody else.
    """
    secret = private.read_or_make(_signing_secret(settings)).get_secret_value()
    both = f"{settings.highlevel_public_keys or PUBLISHED}\n{SigningKeys(secret).public_ed25519}"
    return settings.model_copy(update={"highlevel_public_keys": both})


def _signing_secret(settings: Settings) -> Path:
    return settings.data / "sandbox.secret"


@contextmanager
def _only_one(settings: Settings) -> Iterator[None]:
    with FileLock(settings.data / "up.lock") as lock:
        if not lock.try_take():
            raise Refused(
                f"syncline up runs already on {settings.data}.",
                remedy="Stop that one with Ctrl-C, or set SYNCLINE_DATA to another folder.",
            )
        yield


@contextmanager
def _asked_to_stop() -> Iterator[threading.Event]:
    """An event that Ctrl-C and SIGTERM set, so that both stop everything in order."""
    stop = threading.Event()
    signs = (signal.SIGINT, signal.SIGTERM)
    before = [signal.signal(sign, lambda *_: stop.set()) for sign in signs]
    try:
        yield stop
    finally:
        for sign, handler in zip(signs, before, strict=True):
            signal.signal(sign, handler)


def _tell(settings: Settings, installation: Installation) -> None:
    servers, port = installation.servers, installation.flower_port
    password = (
        "as in SYNCLINE_FLOWER_PASSWORD"
        if settings.flower_password
        else f"in {settings.data / 'flower.password'}"
    )
    say(f"PostgreSQL: {make_url(servers.database_url).render_as_string(hide_password=True)}")
    say(f"Redis: {make_url(servers.redis_url).render_as_string(hide_password=True)}")
    say(
        f"Flower: http://{ports.LOOPBACK}:{port} (user {settings.flower_user}, password {password})"
    )
    say(
        f"Webhooks: http://{settings.receiver_host}:{installation.receiver_port}/webhooks/highlevel"
    )
    if settings.receiver_port not in {0, installation.receiver_port}:
        say(f"Port {settings.receiver_port} is taken, so webhooks sent there do not come here.")
    say(f"Logs: {settings.data / LOGS}")
    say("Look at it with: syncline status --watch. Stop it with Ctrl-C.")


def _tell_sandbox(settings: Settings) -> None:
    config = SandboxConfig()
    url = f"http://{ports.LOOPBACK}:{ports.remembered(port_file(settings))}"
    # Its orders are of the days before it was first started: years without any need not be read.
    first = datetime.now(UTC).date() - _READ_BACK
    command = shlex.join(
        [
            *("syncline", "connection", "add", "sandbox", "--start-from", first.isoformat()),
            *("--location", LOCATION, "--highlevel-url", f"{url}/highlevel"),
            *("--halo-url", f"{url}/halo", "--halo-client-id", config.halo_client_id),
            *("--highlevel-token-env", "PIT", "--halo-secret-env", "SECRET"),
        ]
    )
    say(f"Sandbox: {url} (Halo's dashboards: {url}/halo/dashboards)")
    # These open nothing but the emulation, and are the same on every machine.
    say(f"Try it with: PIT={TOKEN} SECRET={config.halo_client_secret} {command}")
