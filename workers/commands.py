"""The console entry `syncline`: the commands of `syncline.cli`, and those that start or enqueue."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from redis.exceptions import RedisError

from syncline.cli import (
    adopt,
    alerts,
    audit,
    connect,
    connections,
    credentials,
    discrepancies,
    dry_run,
    events,
    golive,
    halo,
    mapping,
    parked,
    provider,
    reconcile,
    show,
    status,
)
from syncline.errors import Again, SynclineError
from syncline.ledger.connections import Link
from syncline.ledger.migrate import pending, upgrade
from syncline.ledger.status import is_prepared
from syncline.quota.keys import QuotaKey
from syncline.quota.nudges import Nudges
from syncline.settings import Settings
from syncline.steps.parts import Nudge, Parts
from syncline.terminal.context import CommandContext, command_context
from syncline.terminal.messages import WRONG_DATA, complain
from syncline.terminal.output import Commands, say
from syncline.transport import Transport
from workers import embedded, enqueue, sandbox_commands
from workers.demo import demo
from workers.health import health
from workers.logs import configure
from workers.parts import Lines, halo_key, highlevel_key, make_parts
from workers.run import run
from workers.up import up

app = typer.Typer(
    name="syncline",
    cls=Commands,
    help="Keeps HighLevel payments and HaloPSA in line, both ways.",
    epilog="Exit codes: 0 well, 1 something is wrong with what was asked about, "
    "2 settings, credentials or arguments are wrong.",
    # Paragraphs of a docstring are laid out anew; "rich" would keep its line ends.
    rich_markup_mode="markdown",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("up")(up)
app.command("run")(run)
app.command("health")(health)
app.command("demo")(demo)
app.command("status")(status.show_status)
app.command("adopt")(adopt.adopt)
app.command("dry-run")(dry_run.show_dry_run)
app.add_typer(golive.app)
app.add_typer(show.app)
app.add_typer(parked.app)
app.add_typer(reconcile.app)
app.add_typer(discrepancies.app)
app.add_typer(audit.app)
app.add_typer(events.app)
app.add_typer(alerts.app)
app.add_typer(connections.app)
app.add_typer(connect.app)
app.add_typer(credentials.app)
app.add_typer(mapping.app)
app.add_typer(provider.app)
app.add_typer(halo.app)
app.add_typer(enqueue.app)
app.add_typer(sandbox_commands.app)


@app.callback()
def begin(context: typer.Context) -> None:
    """Keep HighLevel payments and HaloPSA in line, both ways."""
    if context.obj is None:
        context.obj = this_installation()


@app.command("migrate")
def migrate(
    context: typer.Context,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say whether there is something to do.")
    ] = False,
) -> None:
    """Bring the ledger's tables to their newest shape; one that has it stays as it is.

    `syncline up` does this by itself. Several at once wait for each other.

    Example: syncline migrate
    """
    settings = command_context(context).settings()
    configure(settings)
    with embedded.using(settings) as servers:
        missing = pending(servers.database_url)
        if dry_run:
            say(f"To be done: {', '.join(missing)}." if missing else "There is nothing to do.")
            return
        upgrade(servers.database_url)
    say("The ledger has its newest shape.")


@app.command("down")
def down(context: typer.Context) -> None:
    """Stop the embedded PostgreSQL and Redis, unless some process still uses them.

    Example: syncline down
    """
    settings = command_context(context).settings()
    if settings.database_url is not None and settings.redis_url is not None:
        say("Both servers come from the settings; nothing here is to be stopped.")
    elif embedded.stop_if_unused(settings):
        say("The embedded servers are stopped.")
    else:
        say("They are in use: stop `syncline up` and other commands first.")
        raise typer.Exit(WRONG_DATA)


def this_installation() -> CommandContext:
    """The desk over the settings of the environment."""

    def open_it() -> AbstractContextManager[Parts]:
        settings = Settings.load()
        configure(settings)
        return opened(settings)

    return CommandContext(settings=Settings.load, open=open_it, quota_keys=quota_keys)


def quota_keys(link: Link) -> tuple[QuotaKey, QuotaKey]:
    """The keys that the calls of a connection are counted under."""
    return highlevel_key(link), halo_key(link)


@contextmanager
def opened(settings: Settings) -> Iterator[Parts]:
    """The parts of a command; embedded servers run for its length at least.

    Raises:
        Refused: a server of the settings does not answer, or the sealing key is wrong.
        Again: Redis went away during the block.
    """
    with _redis_in_reach(), embedded.using(settings) as servers:
        parts = make_parts(settings, servers.database_url, servers.redis_url, _left_to_the_sweep)
        transport = Transport()  # one that is closed with the command
        parts = replace(parts, open_line=Lines(parts.ledger, transport, parts.sealer, settings))
        try:
            if not parts.ledger.run(is_prepared):
                upgrade(servers.database_url)
            yield parts
        finally:
            parts.abandon()
            parts.workers.shutdown()
            transport.close()
            parts.ledger.engine.dispose()


@contextmanager
def _redis_in_reach() -> Iterator[None]:
    try:
        yield
    except RedisError as error:
        raise Again(
            f"Redis is not reachable ({error}).", remedy="Try again when it is back."
        ) from None


def _left_to_the_sweep(_nudges: Nudges, _wanted: Iterable[Nudge]) -> None:
    """Commands announce nothing: what they make due is found within seconds."""


def main() -> None:
    """Run a command; every error of ours is one line on standard error."""
    # With standard input closed there is none at all; an empty one says so in every prompt.
    sys.stdin = sys.stdin or Path(os.devnull).open(encoding="utf-8")  # noqa: SIM115 - until the end
    try:
        app()
    except SynclineError as error:
        sys.exit(complain(error))


if __name__ == "__main__":
    main()
