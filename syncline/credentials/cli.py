"""`syncline credentials`: which secrets are kept, replacing one, and changing the sealing key."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer
from sqlalchemy import Connection

from syncline.actor import actor
from syncline.calls.context import WorkerContext
from syncline.credentials import queries
from syncline.credentials.queries import OAUTH
from syncline.credentials.status import read_secrets, secrets_table
from syncline.credentials.stored import ALERT_URLS, keep
from syncline.encryption import begin_rotation, end_rotation, load_key
from syncline.errors import Broken
from syncline.ledger import connections, effects
from syncline.settings import Settings
from syncline.terminal.context import command_context
from syncline.terminal.output import AsJson, group, plain, say, show, stack
from syncline.terminal.prompts import ask_secret

app = group("credentials", "Look at the stored secrets, replace one, change the sealing key.")


class ReplaceableSecret(StrEnum):
    """A secret that a person can replace."""

    PRIVATE_TOKEN = "private-token"  # noqa: S105 - a name
    CLIENT_SECRET = "client-secret"  # noqa: S105 - a name
    ALERT_URLS = "alert-urls"


_IN_WORDS = {
    ReplaceableSecret.PRIVATE_TOKEN: "HighLevel token",
    ReplaceableSecret.CLIENT_SECRET: "Halo client secret",
    ReplaceableSecret.ALERT_URLS: "addresses of channels",
}


WHAT = "private-token, client-secret or alert-urls."


@dataclass(frozen=True, slots=True)
class _Rotated:
    new_key: bool
    sealed_anew: int
    dry_run: bool


@app.command("list")
def list_credentials(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the stored secrets: whose, since when, until when, under which key. Never the secrets.

    Example: syncline credentials list
    """
    with command_context(context).open() as worker:
        listed = worker.ledger.run(lambda connection: read_secrets(connection, worker))
    show(as_json, listed, lambda: stack(*secrets_table(listed)))


@app.command("set")
def set_credential(
    context: typer.Context,
    *,
    connection: Annotated[str, typer.Argument(metavar="CONNECTION", help="The connection's name.")],
    what: Annotated[ReplaceableSecret, typer.Argument(metavar="WHAT", help=WHAT)],
    secret: Annotated[
        str | None, typer.Option(metavar="-", help="Given as -: the secret, from standard input.")
    ] = None,
    secret_env: Annotated[
        str | None, typer.Option(metavar="NAME", help="The variable that holds the secret.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read the secret, and store nothing.")
    ] = False,
) -> None:
    """Replace a secret; workers take the new one within seconds, without a restart.

    A private token also takes the place of an installed app.

    Example: syncline credentials set acme private-token --secret-env HIGHLEVEL_TOKEN
    """
    with command_context(context).open() as worker:
        link = worker.ledger.run(lambda database: connections.by_name(database, connection))
        value = ask_secret(
            _IN_WORDS[what],
            "--secret",
            given=secret,
            variable=secret_env,
            addresses=what is ReplaceableSecret.ALERT_URLS,
        )
        purpose = what.value.replace("-", "_")

        def work(database: Connection) -> None:
            effects.decided(
                database,
                link.id,
                what="credentials set",
                subject=what.value,
                by=actor(worker.settings),
            )
            if what is ReplaceableSecret.ALERT_URLS:
                keep(database, worker.sealer, link.own_place, ALERT_URLS, value)
                return
            if what is ReplaceableSecret.CLIENT_SECRET:
                keep(database, worker.sealer, link.tenant_place, purpose, value)
                return
            # After a renewal that is under way, which would put the app's token back.
            queries.lock(database, link.location_place)
            keep(database, worker.sealer, link.location_place, purpose, value)
            connections.let_in(database, link, auth="private")
            queries.remove(database, link.location_place, OAUTH)
            queries.remove(database, link.location_place, queries.REFRESH_INTENT)

        if dry_run:
            say(f"The {_IN_WORDS[what]} of {connection} could be replaced; nothing was changed.")
            return
        worker.ledger.run(work)
    say(f"Stored. Next: syncline connection check {connection}")


@app.command("rotate-key")
def rotate_key(
    context: typer.Context,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Seal all secrets with a new key. Workers go on; broken off, the next run finishes it.

    Example: syncline credentials rotate-key
    """
    here = command_context(context)
    settings = here.settings()
    with here.open() as worker:
        rotated = _rotate(worker, settings, dry_run=dry_run)
    show(as_json, rotated, lambda: plain(_told(rotated, settings)))


def _rotate(worker: WorkerContext, settings: Settings, *, dry_run: bool) -> _Rotated:
    """A new key, unless an earlier rotation has to be finished; then all rows under it.

    The old key is written beside the new one before the new one is used, and forgotten after all
    rows are sealed anew and committed: whenever this is broken off, every row can be opened.
    """

    def work(connection: Connection) -> _Rotated:
        queries.lock_out_writers(connection)
        stored = queries.everything(connection)
        sealer = load_key(settings)
        behind = [one for one in stored if not sealer.is_current(one.sealed)]
        makes_new = not behind and not sealer.has_old_keys
        if dry_run:
            return _Rotated(makes_new, len(stored if makes_new else behind), dry_run=True)
        effects.decided_for_all(
            connection,
            what="credentials rotate-key",
            subject="key",
            by=actor(settings),
            after={"sealed_anew": len(stored if makes_new else behind)},
        )
        if makes_new:
            begin_rotation(settings)
        return _Rotated(makes_new, queries.reseal(connection, load_key(settings)), dry_run=False)

    def forget(connection: Connection) -> None:
        # Nor may another rotation begin: its new key would make what stands here an old one.
        queries.lock_out_writers(connection)
        # What stands there now decides, and not what was meant to: this cannot be undone.
        sealer = load_key(settings)
        if not all(sealer.is_current(one.sealed) for one in queries.everything(connection)):
            raise Broken(
                "Secrets are still sealed with an old key, so it is kept.",
                remedy="Run the command again.",
            )
        end_rotation(settings)

    rotated = worker.ledger.run(work)
    if not dry_run:
        worker.ledger.run(forget)
    return rotated


def _told(rotated: _Rotated, settings: Settings) -> str:
    kept = "Keep a copy of the new key, apart from the database's backups."
    if rotated.dry_run:
        key = "A new key would be made" if rotated.new_key else "An earlier rotation is finished"
        return f"{key}; {rotated.sealed_anew} secrets would be sealed anew. Nothing was changed."
    said = f"{rotated.sealed_anew} secrets are sealed with the current key, and none with another."
    if rotated.new_key:
        return f"{said} {kept}"
    if settings.old_keys is not None or settings.old_keys_file is not None:
        return f"{said} The old keys may be taken out of the settings."
    return f"{said} The rotation that was begun earlier is finished. {kept}"
