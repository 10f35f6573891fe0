"""`syncline connection`: who is kept in line with whom."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import typer
from pydantic import SecretStr
from rich.console import Console, RenderableType
from sqlalchemy import Connection

from syncline.actor import actor
from syncline.calls.context import Parts
from syncline.connections import mappings
from syncline.connections.checks import Inspected, inspect
from syncline.connections.probe import probe
from syncline.credentials.stored import keep
from syncline.credentials.stored import secret as known_secret
from syncline.engine.rules import begin
from syncline.errors import Refused
from syncline.ledger import connections, effects, new_connections
from syncline.ledger.connections import Link
from syncline.ledger.new_connections import NewConnection
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document
from syncline.quota.keys import HIGHLEVEL_LIVE, HIGHLEVEL_TRIAL
from syncline.terminal.context import command_context
from syncline.terminal.options import (
    HaloSecret,
    HaloSecretEnv,
    Mode,
    Token,
    TokenEnv,
    day,
    limit,
    url,
)
from syncline.terminal.output import AsJson, group, plain, say, show, stack, table
from syncline.terminal.prompts import ask_secret

app = group("connection", "Connect a HighLevel location to a Halo tenant.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The connection's name.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what it would do, and change nothing.")
]

NOTICED_AFTER_S = 6.0
"""After so many seconds every worker has seen that a connection was stopped."""

HIGHLEVEL_URL = "https://services.leadconnectorhq.com"


@dataclass(frozen=True, slots=True)
class _Checked:
    connection: str
    works: bool
    findings: list[dict[str, object]]


@app.command("add")
def add(
    context: typer.Context,
    *,
    name: Name,
    location: Annotated[str, typer.Option(help="The id of the HighLevel location.")],
    halo_url: Annotated[str, typer.Option(help="Address of the Halo tenant.")],
    halo_client_id: Annotated[str, typer.Option(help="Client id of Halo's API application.")],
    highlevel_token: Token = None,
    highlevel_token_env: TokenEnv = None,
    halo_secret: HaloSecret = None,
    halo_secret_env: HaloSecretEnv = None,
    tenant: Annotated[
        str | None, typer.Option(help="Name of the tenant, on a host that several share.")
    ] = None,
    scope: Annotated[str, typer.Option(help="Permissions to ask Halo for.")] = "all",
    mapping: Annotated[
        str,
        typer.Option(help="detail: a line an item; summary: a line an order; or a TOML file."),
    ] = "detail",
    start_from: Annotated[
        str | None, typer.Option(metavar="DATE", help="First day to keep in line, YYYY-MM-DD.")
    ] = None,
    mode: Annotated[
        Mode,
        typer.Option(help="sandbox: only test rows, until syncline golive switch. live: all."),
    ] = Mode.SANDBOX,
    highlevel_url: Annotated[str, typer.Option(help="Address of HighLevel.")] = HIGHLEVEL_URL,
    oauth: Annotated[
        bool,
        typer.Option("--oauth", help="Reach HighLevel through an app: syncline connect highlevel."),
    ] = False,
    trial_account: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help=f"A sandbox or trial account, by a name of yours: {HIGHLEVEL_TRIAL.burst} and "
            f"{HIGHLEVEL_TRIAL.daily:,} a day, shared.",
        ),
    ] = None,
    highlevel_limit: Annotated[
        str | None,
        typer.Option(
            metavar="CALLS/SECONDS", help=f"{HIGHLEVEL_LIVE.burst}, if it is not a trial."
        ),
    ] = None,
    highlevel_daily: Annotated[
        int | None,
        typer.Option(min=1, help=f"Calls a day; {HIGHLEVEL_LIVE.daily:,}, if it is not a trial."),
    ] = None,
    halo_limit: Annotated[
        str, typer.Option(metavar="CALLS/SECONDS", help="Shared by all users of the tenant.")
    ] = "300/300",
    settle: Annotated[
        int | None,
        typer.Option(min=5, help="Seconds before a doubtful write is looked up at this tenant."),
    ] = None,
    adopt: Annotated[
        bool,
        typer.Option("--adopt", help="Add it stopped: Halo may hold its orders already."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything given, and add nothing.")
    ] = False,
) -> None:
    """Add a connection. Its secrets are asked for, or read from where you say; then sealed.

    Example: syncline connection add acme --location Sq8mV3kTzW0yRb5NpLc1
    --halo-url https://acme.halopsa.com --halo-client-id 5f0c2b7e
    --highlevel-token-env HIGHLEVEL_TOKEN --halo-secret-env HALO_SECRET
    """
    here = command_context(context)
    usual = HIGHLEVEL_LIVE if trial_account is None else HIGHLEVEL_TRIAL
    highlevel_calls, highlevel_seconds = limit("--highlevel-limit", highlevel_limit or usual.burst)
    halo_calls, halo_seconds = limit("--halo-limit", halo_limit)
    new = NewConnection(
        name=_named(name),
        location_id=location,
        highlevel_url=url("--highlevel-url", highlevel_url),
        highlevel_calls=highlevel_calls,
        highlevel_seconds=highlevel_seconds,
        highlevel_daily=highlevel_daily or usual.daily,
        halo_url=url("--halo-url", halo_url),
        tenant_key=tenant,
        client_id=halo_client_id,
        scope=scope,
        halo_calls=halo_calls,
        halo_seconds=halo_seconds,
        settle_seconds=settle,
        mapping=_document(mapping),
        mode=mode,
        start_from=here.settings().start_from if start_from is None else day(start_from),
        auth="oauth" if oauth else "private",
        account=trial_account if trial_account is None else _named(trial_account),
    )
    given: list[tuple[str, SecretStr]] = []
    if not oauth:
        token = ask_secret(
            "HighLevel token",
            "--highlevel-token",
            given=highlevel_token,
            variable=highlevel_token_env,
        )
        given.append(("private_token", token))
    elif highlevel_token is not None or highlevel_token_env is not None:
        raise Refused(
            "--oauth and a HighLevel token are both given.", remedy="Use the one that you mean."
        )
    secret = ask_secret(
        "Halo client secret", "--halo-secret", given=halo_secret, variable=halo_secret_env
    )
    given.append(("client_secret", secret))
    wait = f"adopt first: syncline adopt {name}" if adopt else None
    if oauth and not adopt:
        wait = f"connect first: syncline connect highlevel {name}"
    with here.open() as parts:

        def work(database: Connection) -> None:
            with database.begin_nested() as attempt:
                link = new_connections.add(database, new)
                if wait is not None:
                    connections.stop(database, link, wait)
                for purpose, value in given:
                    place = link.location_place if purpose == "private_token" else link.tenant_place
                    _no_other(known_secret(database, parts.sealer, place, purpose), value, purpose)
                    keep(database, parts.sealer, place, purpose, value)
                effects.decided(
                    database,
                    link.id,
                    what="connection add",
                    subject=name,
                    by=actor(parts.settings),
                    after={
                        "location": link.location_id,
                        "halo": link.halo_url,
                        "mode": link.mode,
                        "start_from": link.start_from,
                        "waits": wait,
                        "secrets": sorted(dict(given)),
                    },
                )
                if dry_run:
                    attempt.rollback()

        parts.ledger.run(work)
    if dry_run:
        say(f"{name} could be added; nothing was changed.")
    else:
        _say_added(new, adopt=adopt)


def _say_added(new: NewConnection, *, adopt: bool) -> None:
    following = "connect highlevel" if new.auth == "oauth" else "connection check"
    say(f"{new.name} is added. Next: syncline {following} {new.name}")
    if adopt:
        say(f"It stands still until: syncline adopt {new.name}")
    if new.mode == Mode.LIVE:
        say("It is live from the first row on, without the check of: syncline golive check")


def _no_other(known: SecretStr | None, given: SecretStr, purpose: str) -> None:
    """A secret that other connections work with is not replaced in passing."""
    if known is not None and known.get_secret_value() != given.get_secret_value():
        raise Refused(
            f"Another connection uses this side already, with another {purpose.replace('_', ' ')}.",
            remedy="Give the same one; to replace it: syncline credentials set NAME "
            f"{purpose.replace('_', '-')}",
        )


@app.command("list")
def list_connections(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the connections with both sides' addresses and limits.

    Example: syncline connection list
    """
    with command_context(context).open() as parts:
        links = parts.ledger.run(connections.everyone)
    shown = [
        {key: value for key, value in asdict(link).items() if key not in {"mapping", "id"}}
        for link in links
    ]
    show(as_json, shown, lambda: _render_links(links))


@app.command("check")
def check(
    context: typer.Context,
    *,
    name: Name,
    with_probe: Annotated[
        bool, typer.Option("--probe", help="Also write one test order to Halo and remove it.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Ask both sides whether everything that the connection needs works; ends with 2 if not.

    Example: syncline connection check acme
    """
    with command_context(context).open() as parts:
        line = parts.open_line(name)
        with Console(stderr=True).status("") as shown:
            inspected = inspect(
                line,
                probe=(lambda gate: probe(line, gate)) if with_probe else None,
                tell=lambda what: shown.update(f"asking: {what}"),
            )
    checked = _Checked(
        name, inspected.error is None, [asdict(finding) for finding in inspected.findings]
    )
    show(as_json, checked, lambda: _render_check(name, inspected))
    if inspected.error is not None:
        raise inspected.error
    if with_probe and not inspected.findings[-1].works:
        raise typer.Exit(1)


@app.command("start")
def start(context: typer.Context, *, name: Name, dry_run: DryRun = False) -> None:
    """Let a connection go on after what stopped it was put right, or after its rehearsal.

    Example: syncline connection start acme
    """

    def work(database: Connection) -> Link:
        link = connections.by_name(database, name)
        if not dry_run and link.state != "active":
            begin(database, link)
            _decided(database, parts, link, "connection start", {"state": "active"})
        return link

    with command_context(context).open() as parts:
        before = parts.ledger.run(work)
    if before.state == "active":
        say(f"{name} was not stopped.")
    else:
        say(f"{name} would go on; nothing was changed." if dry_run else f"{name} goes on.")


@app.command("rehearse")
def rehearse(context: typer.Context, *, name: Name, dry_run: DryRun = False) -> None:
    """Let a connection read both sides and write to neither.

    Pulls and events go on, and what is owed adds up: see it with syncline dry-run.

    Example: syncline connection rehearse acme
    """

    def work(database: Connection) -> Link:
        link = connections.by_name(database, name)
        if not dry_run and link.state != "rehearsing":
            connections.rehearse(database, link)
            _decided(database, parts, link, "connection rehearse", {"state": "rehearsing"})
        return link

    with command_context(context).open() as parts:
        before = parts.ledger.run(work)
        if before.state == "active" and not dry_run:
            parts.sleep(NOTICED_AFTER_S)
    if before.state == "rehearsing":
        say(f"{name} rehearses already.")
    elif dry_run:
        say(f"{name} would rehearse; nothing was changed.")
    else:
        say(f"{name} rehearses: nothing is written. What would be: syncline dry-run {name}")


@app.command("stop")
def stop(context: typer.Context, *, name: Name, dry_run: DryRun = False) -> None:
    """Let a connection stand still; what is in a worker's hands just now is brought to its end.

    Example: syncline connection stop acme
    """

    def work(database: Connection) -> Link:
        link = connections.by_name(database, name)
        if link.reads and not dry_run:
            why = f"by hand; to go on: syncline connection start {name}"
            connections.stop(database, link, why)
            _decided(database, parts, link, "connection stop", {"state": "stopped"})
        return link

    with command_context(context).open() as parts:
        before = parts.ledger.run(work)
        if before.reads and not dry_run:
            parts.sleep(NOTICED_AFTER_S)
    still = "would stand still; nothing was changed" if dry_run else "stands still"
    say(f"{name} {still if before.reads else 'was stopped already'}.")


@app.command("set-mapping")
def set_mapping(
    context: typer.Context,
    *,
    name: Name,
    file: Annotated[str, typer.Argument(metavar="FILE", help="detail, summary, or a TOML file.")],
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check the document, and change nothing.")
    ] = False,
) -> None:
    """Let a connection follow another mapping document; it is checked first.

    Old records follow it too; what comes out as before costs no call.

    Example: syncline connection set-mapping acme acme.toml
    """
    document = _document(file)

    def work(database: Connection) -> None:
        link = connections.by_name(database, name)
        if not dry_run:
            mappings.replace(database, link.id, document)
            effects.decided(
                database,
                link.id,
                what="connection set-mapping",
                subject=name,
                by=actor(parts.settings),
                before={"mapping": link.mapping},
                after={"mapping": document},
            )

    with command_context(context).open() as parts:
        parts.ledger.run(work)
    say(f"{name} {'could follow' if dry_run else 'follows'} this mapping.")


def _decided(
    database: Connection, parts: Parts, link: Link, what: str, after: dict[str, str]
) -> None:
    effects.decided(
        database,
        link.id,
        what=what,
        subject=link.name,
        by=actor(parts.settings),
        before={"state": link.state, "note": link.note},
        after=after,
    )


def _named(name: str) -> str:
    if not name or len(name) > 64 or not all(c.isalnum() or c in "-_." for c in name):  # noqa: PLR2004
        raise Refused(
            f"{name!r:.80} is no name for a connection.",
            remedy="Use letters, digits, and - _ . in between; 64 at most.",
        )
    return name


def _document(mapping: str) -> str:
    if mapping == "detail":
        return default_document("detail")
    if mapping == "summary":
        return default_document("summary")
    try:
        text = Path(mapping).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(
            f"The mapping {mapping!r} cannot be read ({type(error).__name__}).",
            remedy="Give detail, summary, or the path of a TOML file.",
        ) from None
    load(text)
    return text


def _render_links(links: list[Link]) -> RenderableType:
    if not links:
        return plain("No connection yet. Add one with: syncline connection add")
    rows = [
        [
            *(link.name, link.mode, link.state, link.location_id, link.highlevel_url),
            f"{link.highlevel_calls}/{link.highlevel_seconds} s",
            link.halo_url,
            f"{link.halo_calls}/{link.halo_seconds} s",
            link.start_from,
        ]
        for link in links
    ]
    columns = ["name", "mode", "state", "location", "HighLevel", "limit", "Halo", "limit", "from"]
    return stack(
        table("connections", columns, rows),
        *(plain(f"{link.name} is {link.state}: {link.note}") for link in links if link.note),
    )


def _render_check(name: str, inspected: Inspected) -> RenderableType:
    rows = [
        [
            finding.what,
            "works" if finding.works else "does not work" if finding.needed else "not offered",
            finding.found,
            finding.remedy,
        ]
        for finding in inspected.findings
    ]
    return table(f"connection {name}", ["what", "state", "found", "what to do"], rows)
