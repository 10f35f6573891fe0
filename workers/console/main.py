"""The console entry `syncline`: where each command is, and how errors end.

It imports no command: each is imported when it is called, so that help comes at once.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

import typer
from typer.completion import get_completion_inspect_parameters

from syncline.cli.lazy import LazyCommand, LazyGroup
from syncline.errors import SynclineError
from syncline.terminal.context import CommandContext
from syncline.terminal.messages import complain

if TYPE_CHECKING:  # a command imports these when it needs them
    from syncline.calls.context import WorkerContext
    from syncline.settings import Settings

COMMANDS: Mapping[str, LazyCommand] = {
    "up": LazyCommand(
        "workers.console.up:up",
        "Start everything and keep it running: servers, workers, receiver, Flower. "
        "Ctrl-C stops all.",
    ),
    "run": LazyCommand(
        "workers.console.run:run",
        "Become one process: a worker for some lanes or for all, beat, the receiver, or Flower.",
    ),
    "health": LazyCommand(
        "workers.console.health:health",
        "Say whether parts of this machine do their work, by exit code; "
        "without options: the database.",
    ),
    "demo": LazyCommand(
        "workers.demo.run:demo",
        "Bring a shop's orders and money to an emulated Halo, kill a worker, "
        "let the sandbox judge.",
    ),
    "status": LazyCommand(
        "syncline.cli.status:show_status",
        "Show per connection and kind what was seen, what is in line, and what is still owed.",
    ),
    "adopt": LazyCommand(
        "syncline.adopt.cli:adopt",
        "Find what Halo holds already, and take it over instead of creating it again.",
    ),
    "dry-run": LazyCommand(
        "syncline.dry_run.cli:show_dry_run",
        "Show the calls that would be made now for what is owed, in their order; none is made.",
    ),
    "migrate": LazyCommand(
        "workers.console.servers:migrate",
        "Bring the ledger's tables to their newest shape; one that has it stays as it is.",
    ),
    "down": LazyCommand(
        "workers.console.servers:down",
        "Stop the embedded PostgreSQL and Redis, unless some process still uses them.",
    ),
    "golive": LazyCommand(
        "syncline.golive.cli:app",
        "Go live, when all that matters is green; and back.",
    ),
    "show": LazyCommand(
        "syncline.cli.show:app",
        "Show one record on both sides.",
    ),
    "parked": LazyCommand(
        "syncline.cli.parked:app",
        "Look at deliveries that need a person, by cause, and decide about them.",
    ),
    "reconcile": LazyCommand(
        "syncline.reconciliation.cli:app",
        "Compare both sides with what Halo really holds, and certify it.",
    ),
    "discrepancies": LazyCommand(
        "syncline.repair.cli:app",
        "Look at differences between both sides, and decide about them.",
    ),
    "audit": LazyCommand(
        "syncline.audit.cli:app",
        "Look at the audit log, prove it, export it, erase a person from it.",
        brought={"erase": "syncline.privacy.cli:erase"},
    ),
    "events": LazyCommand(
        "syncline.webhooks.cli:app",
        "Look at the webhooks that came, and decide about those that are parked.",
    ),
    "alerts": LazyCommand(
        "syncline.alerts.cli:app",
        "See what people were told, say that it is known, try whether it arrives.",
    ),
    "connection": LazyCommand(
        "syncline.connections.cli:app",
        "Connect a HighLevel location to a Halo tenant.",
        brought={"set-mapping": "syncline.dry_run.mapping_cli:set_mapping"},
    ),
    "connect": LazyCommand(
        "syncline.credentials.connect_cli:app",
        "Let an app of HighLevel's marketplace into a location.",
    ),
    "credentials": LazyCommand(
        "syncline.credentials.cli:app",
        "Look at the stored secrets, replace one, change the sealing key.",
    ),
    "mapping": LazyCommand(
        "syncline.cli.mapping:app",
        "Check a mapping document, and show what it says.",
    ),
    "provider": LazyCommand(
        "syncline.connections.provider_cli:app",
        "Look at white-label payment providers in HighLevel, and register one.",
    ),
    "halo": LazyCommand(
        "syncline.webhooks.halo_cli:app",
        "Set up what Halo sends to syncline, and what it shows of it.",
        brought={"dashboard": "syncline.dashboard.cli:app"},
    ),
    "enqueue": LazyCommand(
        "workers.console.enqueue:app",
        "Give the workers a task now; a doubled one does no harm.",
    ),
    "sandbox": LazyCommand(
        "workers.console.sandbox:app",
        "Let the emulated HighLevel of `syncline up --sandbox` send events.",
    ),
}


class Root(LazyGroup):
    """All commands."""

    table: ClassVar[Mapping[str, LazyCommand]] = COMMANDS


app = typer.Typer(
    name="syncline",
    cls=Root,
    help="Keeps HighLevel payments and HaloPSA in line, both ways.",
    epilog="Exit codes: 0 well, 1 something is wrong with what was asked about, "
    "2 settings, credentials or arguments are wrong.",
    # Paragraphs of a docstring are laid out anew; "rich" would keep its line ends.
    rich_markup_mode="markdown",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def begin(context: typer.Context) -> None:
    """Keep HighLevel payments and HaloPSA in line, both ways."""
    if context.obj is None:
        context.obj = this_installation()


def this_installation() -> CommandContext:
    """The installation that the environment describes; nothing is imported before it is used."""
    return CommandContext(settings=_settings, open=_open, make=_make)


def _settings() -> Settings:
    from syncline.settings import Settings  # noqa: PLC0415 - help needs none

    return Settings.load()


def _open() -> AbstractContextManager[WorkerContext]:
    from workers.console.opening import opened_here  # noqa: PLC0415 - as above

    return opened_here()


def _make() -> AbstractContextManager[WorkerContext]:
    from workers.console.opening import opened_here  # noqa: PLC0415 - as above

    return opened_here(make=True)


def _end_in_order_when_told() -> None:
    """Let SIGTERM and a closed terminal end a command as Ctrl-C does.

    By themselves they end a process where it stands, and servers that it started run on.
    """
    for sign in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(sign) is signal.SIG_DFL:  # `nohup` has it ignored
            signal.signal(sign, lambda number, _: sys.exit(128 + number))


def main() -> None:
    """Run a command; every error of ours is one line on standard error."""
    # With standard input closed there is none at all; an empty one says so in every prompt.
    sys.stdin = sys.stdin or Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - until the end
    # Imports leave much that lasts: to search it for garbage at every turn is a tenth of a start.
    gc.set_threshold(200_000, 20, 20)
    _end_in_order_when_told()
    if "_SYNCLINE_COMPLETE" in os.environ:
        # Typer learns the shells here, which otherwise takes options of its own.
        get_completion_inspect_parameters()
    try:
        app()
    except SynclineError as error:
        sys.exit(complain(error))
    finally:
        # The interpreter searches everything once more as it ends, which is another tenth.
        gc.freeze()


if __name__ == "__main__":
    main()
