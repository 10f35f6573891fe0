"""`syncline connection`: who is kept in line with whom."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.console import RenderableType

from syncline.connections import run
from syncline.connections.checks import Inspected, inspect
from syncline.connections.options import AddOptions, Name
from syncline.connections.probe import probe
from syncline.connections.scope_checks import CheckResult
from syncline.ledger import connections
from syncline.ledger.connections import Link
from syncline.ledger.new_connections import NewConnection
from syncline.terminal.caveats import remark_on_idleness
from syncline.terminal.context import command_context
from syncline.terminal.options import Mode, taking
from syncline.terminal.output import AsJson, error_console, group, plain, say, show, stack, table

app = group("connection", "Connect a HighLevel location to a Halo tenant.")

DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what it would do, and change nothing.")
]


@dataclass(frozen=True, slots=True)
class _CheckedConnection:
    connection: str
    works: bool
    complete: bool
    findings: list[dict[str, object]]


@app.command("add")
@taking(AddOptions)
def add(context: typer.Context, given: AddOptions) -> None:
    """Add a connection. Its secrets are asked for, or read from where you say; then sealed.

    Example: syncline connection add acme --location Sq8mV3kTzW0yRb5NpLc1
    --halo-url https://acme.halopsa.com --halo-client-id 5f0c2b7e
    --highlevel-token-env HIGHLEVEL_TOKEN --halo-secret-env HALO_SECRET
    """
    here = command_context(context)
    new = given.connection(here.settings())
    secrets = given.secrets()
    with here.open() if given.dry_run else here.open_or_make() as worker:
        run.add(worker, new, secrets, waits_for=given.waits_for(), dry_run=given.dry_run)
    if given.dry_run:
        say(f"{new.name} could be added; nothing was changed.")
    else:
        _say_added(new, adopt=given.adopt)


def _say_added(new: NewConnection, *, adopt: bool) -> None:
    following = "connect highlevel" if new.auth == "oauth" else "connection check"
    say(f"{new.name} is added. Next: syncline {following} {new.name}")
    if adopt:
        say(f"It stands still until: syncline adopt {new.name}")
    if new.mode == Mode.LIVE:
        say(
            "It is live from the first row on, without the check of: syncline golive check "
            f"{new.name}"
        )
    elif not adopt:
        say(
            "It writes test orders from now on, while syncline runs. To write nothing yet: "
            f"syncline connection rehearse {new.name}"
        )


@app.command("list")
def list_connections(context: typer.Context, *, as_json: AsJson = False) -> None:
    """List the connections with both sides' addresses and limits.

    Example: syncline connection list
    """
    with command_context(context).open() as worker:
        links = worker.ledger.run(connections.everyone)
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
    with command_context(context).open() as worker:
        line = worker.open_line(name)
        with error_console().status("") as shown:
            inspected = inspect(
                line,
                probe=(lambda api: probe(line, api)) if with_probe else None,
                tell=lambda what: shown.update(f"asking: {what}"),
            )
    checked = _CheckedConnection(
        name,
        inspected.error is None,
        inspected.waits is None,
        [asdict(finding) for finding in inspected.findings],
    )
    show(as_json, checked, lambda: _render_check(name, inspected))
    if (error := inspected.error or inspected.waits) is not None:
        raise error
    if with_probe and not inspected.findings[-1].works:
        raise typer.Exit(1)


@app.command("start")
def start(
    context: typer.Context,
    *,
    name: Name,
    without_adoption: Annotated[
        bool,
        typer.Option(
            "--without-adoption",
            help="Start one that waits for its adoption: all its orders are created in Halo.",
        ),
    ] = False,
    dry_run: DryRun = False,
) -> None:
    """Let a connection go on after what stopped it was put right, or after its rehearsal.

    Example: syncline connection start acme
    """
    with command_context(context).open() as worker:
        before = run.start(worker, name, dry_run=dry_run, without_adoption=without_adoption)
        if not dry_run:
            remark_on_idleness(worker)
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
    with command_context(context).open() as worker:
        before = run.rehearse(worker, name, dry_run=dry_run)
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
    with command_context(context).open() as worker:
        before = run.stop(worker, name, dry_run=dry_run)
    still = "would stand still; nothing was changed" if dry_run else "stands still"
    say(f"{name} {still if before.reads else 'was stopped already'}.")


def _render_links(links: list[Link]) -> RenderableType:
    if not links:
        return plain("No connection yet. Add one with: syncline connection add NAME")
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


def _state(finding: CheckResult) -> str:
    if finding.works:
        return "works"
    if not finding.checked:
        return "not checked"
    return "does not work" if finding.needed else "not offered"


def _render_check(name: str, inspected: Inspected) -> RenderableType:
    rows = [
        [
            finding.what,
            _state(finding),
            finding.found,
            finding.remedy,
        ]
        for finding in inspected.findings
    ]
    return table(f"connection {name}", ["what", "state", "found", "what to do"], rows)
