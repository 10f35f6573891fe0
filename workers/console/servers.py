"""`syncline migrate` and `syncline down`: the ledger's tables, and the embedded servers."""

from __future__ import annotations

from typing import Annotated

import typer

from syncline.ledger.migrate import pending, upgrade
from syncline.terminal.context import command_context
from syncline.terminal.messages import WRONG_DATA
from syncline.terminal.output import say
from workers.console.opening import remark_on
from workers.embedded import data_folder
from workers.embedded import servers as embedded
from workers.logs import configure


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
    remark_on(settings, make=not dry_run)
    with embedded.using(settings) as servers:
        missing = pending(servers.database_url)
        if dry_run:
            say(f"To be done: {', '.join(missing)}." if missing else "There is nothing to do.")
            return
        upgrade(servers.database_url)
    say("The ledger has its newest shape.")


def down(context: typer.Context) -> None:
    """Stop the embedded PostgreSQL and Redis, unless some process still uses them.

    Example: syncline down
    """
    settings = command_context(context).settings()
    if settings.database_url is not None and settings.redis_url is not None:
        say("Both servers come from the settings; nothing here is to be stopped.")
    elif not data_folder.is_made(settings):
        raise data_folder.absence(settings)
    elif embedded.stop_if_unused(settings):
        say("The embedded servers are stopped.")
    else:
        say("They are in use: stop `syncline up` and other commands first.")
        raise typer.Exit(WRONG_DATA)
