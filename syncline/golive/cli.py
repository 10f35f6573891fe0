"""`syncline golive`: what must be green before real customers' rows are written, and the switch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.actor import actor
from syncline.calls.context import Line as Connected
from syncline.calls.context import WorkerContext
from syncline.connections.checks import inspect
from syncline.errors import Again, Refused
from syncline.golive import queries as golive_queries
from syncline.golive import rules as checks
from syncline.golive import run as steps
from syncline.golive.facts import Side
from syncline.golive.queries import Step, Went
from syncline.golive.rules import CheckLine
from syncline.ledger import connections, effects
from syncline.ledger.connections import Link
from syncline.terminal.caveats import remark_on_idleness
from syncline.terminal.context import command_context
from syncline.terminal.messages import WRONG_DATA
from syncline.terminal.output import AsJson, error_console, group, plain, say, show, stack, table
from syncline.terminal.waiting import waiting

app = group("golive", "Go live, when all that matters is green; and back.")

Name = Annotated[str, typer.Argument(metavar="NAME", help="The connection's name.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what it would do, and do nothing.")]
Within = Annotated[
    int,
    typer.Option(min=1, max=90, metavar="DAYS", help="How old events, dumps and the like may be."),
]

_LOOKED_EVERY_S = 0.5


@dataclass(frozen=True, slots=True)
class _CheckedGoLive:
    connection: str
    mode: str
    green: bool
    lines: list[CheckLine]


@app.command("check")
def check(
    context: typer.Context,
    *,
    name: Name,
    within: Within = 7,
    accept_polling: Annotated[
        bool,
        typer.Option("--accept-polling", help="Do without events; your name is written down."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List what must be green before a connection goes live, and what mends each; 1 if any is red.

    Both sides are asked, and nothing is changed there.

    Example: syncline golive check acme
    """
    with command_context(context).open() as worker:
        if accept_polling:
            _accept(worker, name, ["webhooks"], "polling is enough")
        link, found = _checked(worker, name, within)
        remark_on_idleness(worker)
    checked = _CheckedGoLive(name, link.mode, not checks.red(found), found)
    show(as_json, checked, lambda: _render(checked))
    if not checked.green:
        raise typer.Exit(WRONG_DATA)


@app.command("switch")
def switch(
    context: typer.Context,
    *,
    name: Name,
    within: Within = 7,
    accept: Annotated[
        list[str] | None,
        typer.Option(metavar="LINE", help="Take a red line as it is; may be given several times."),
    ] = None,
    because: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Why; it is written down with your name.")
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Let live rows through; refused while a line of the check is red. Leaves a certificate.

    Example: syncline golive switch acme
    """
    if accept and not (because or "").strip():
        raise Refused("--accept needs a reason.", remedy="Give it with --because TEXT.")
    with command_context(context).open() as worker:
        link = worker.open_line(name).link
        if link.mode == "live":
            raise steps.live_already(link)
        if accept and because and not dry_run:
            _accept(worker, name, accept, because)
        _, found = _checked(worker, name, within)
        if dry_run:
            taken = [line for line in checks.red(found) if line.name not in (accept or ())]
            names = [line.name for line in taken]
            says = f"red: {', '.join(names)}" if taken else "it would go live"
            told = plain(f"{name}: {says}; nothing was changed.")
            show(as_json, {"would_go_live": not taken, "red": names}, lambda: told)
            if taken:
                raise typer.Exit(WRONG_DATA)
            return
        certificate = steps.switch(worker.open_line(name), found, actor(worker.settings))
    show(
        as_json, certificate, lambda: plain(f"{name} is live. See it: syncline golive show {name}")
    )


@app.command("back")
def back(
    context: typer.Context,
    *,
    name: Name,
    because: Annotated[str, typer.Option(metavar="TEXT", help="Why; it is written down.")] = "",
    dry_run: DryRun = False,
) -> None:
    """Go back to sandbox mode: nothing live is written any more, and what was delivered stays.

    What is held back goes by itself once the connection is live again.

    Example: syncline golive back acme --because "wrong tax in the mapping"
    """
    with command_context(context).open() as worker:
        link = worker.ledger.run(lambda connection: connections.by_name(connection, name))
        if dry_run:
            ready = link.mode == "live"
            said = "would go back" if ready else "is in sandbox mode already"
            say(f"{name} {said}; nothing was changed.")
            return
        held = steps.back(worker, link, actor(worker.settings), because)
    say(f"{name} is in sandbox mode again; {held} deliveries are held back.")


@app.command("show")
def show_steps(context: typer.Context, *, name: Name, as_json: AsJson = False) -> None:
    """Show each switch with its certificate, what was accepted, and the dumps.

    Example: syncline golive show acme
    """

    def work(connection: Connection) -> tuple[Link, list[Step]]:
        link = connections.by_name(connection, name)
        return link, golive_queries.steps(connection, link, ["switch", "back", "accept", "dump"])

    with command_context(context).open() as worker:
        link, taken = worker.ledger.run(work)
    document = {
        "connection": name,
        "mode": link.mode,
        "steps": [{k: v for k, v in asdict(one).items() if k != "age"} for one in taken],
    }
    show(as_json, document, lambda: _render_steps(link, taken))


@app.command("dump")
def dump(
    context: typer.Context,
    *,
    name: Name,
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where to; by default in the data folder.")
    ] = None,
    taken: Annotated[
        str | None,
        typer.Option(metavar="PLACE", help="None is taken: say where one of your own is kept."),
    ] = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Dump the whole ledger into a file, read it back, and write path, size and digest down.

    Example: syncline golive dump acme
    """
    from syncline.golive import dump as dumping  # noqa: PLC0415 - only this command needs it

    with command_context(context).open() as worker:
        link = worker.ledger.run(lambda connection: connections.by_name(connection, name))
        now = worker.now()
        path = to or worker.settings.data / "dumps" / f"ledger-{now:%Y%m%dT%H%M%SZ}.dump"
        if dry_run:
            place = f"The ledger would be dumped to {path}."
            say(place if taken is None else f"It would be noted that there is one: {taken}.")
            return
        if taken is None:
            with waiting() as tell:
                tell(f"the ledger is written to {path} and read back")
                made = dumping.dump(worker.ledger.engine.url, path.absolute())
            certificate: dict[str, Any] = {
                "place": str(made.path),
                "bytes": made.size,
                "sha256": made.digest,
                "tables": made.tables,
            }
        else:
            certificate = {"place": taken, "declared": True}
        by = actor(worker.settings)

        def work(connection: Connection) -> None:
            golive_queries.note(connection, link, "dump", by, certificate)
            effects.decided(
                connection, link.id, what="golive dump", subject=name, by=by, after=certificate
            )

        worker.ledger.run(work)
    show(
        as_json,
        certificate,
        lambda: plain(
            f"{certificate['place']} is noted."
            if taken is not None
            else f"{certificate['place']}: {certificate['bytes']:,} bytes, "
            f"{certificate['tables']} tables, SHA-256 {certificate['sha256']}. "
            "The sealing key is not in it: keep it elsewhere."
        ),
    )


@app.command("test")
def follow(
    context: typer.Context,
    *,
    name: Name,
    minutes: Annotated[int, typer.Option(min=0, max=240, help="How long to wait for it.")] = 10,
    dry_run: DryRun = False,
) -> None:
    """Follow a test order through all flows; the emulation makes it by itself.

    At HighLevel itself a person makes it, step by step. Workers must run: syncline up.

    Example: syncline golive test acme
    """
    from syncline.golive import end_to_end  # noqa: PLC0415 - only this command needs it

    with command_context(context).open() as worker:
        line = worker.open_line(name)
        if not line.link.is_emulated:
            for number, step in enumerate(end_to_end.BY_HAND, 1):
                say(f"{number}. {step}")
        elif dry_run:
            say("The emulation would sell an order, give a part of the money back, and ship it.")
        if dry_run:
            return
        if not line.link.writes:
            raise Refused(
                f"{name} is {line.link.state}, so nothing is delivered.",
                remedy=f"syncline connection start {name}",
            )
        wanted = [*_money(line), *(["shipment", "tracking"] if _ships(line) else [])]
        if line.link.is_emulated:
            order_id: str | None = end_to_end.buy(line)
            say(f"The emulation sold order {order_id}, and gave a part of the money back.")
            _wait(worker, line.link, minutes, _money(line), order_id)
            if _ships(line):
                number = end_to_end.consign(line, str(order_id))
                say(f"Somebody sent its goods in Halo: consignment {number}.")
        else:
            order_id = None
        went = _wait(worker, line.link, minutes, wanted, order_id)
    say(f"{name}: a test order went all the way: {went.tracking or went.order}.")


def _money(line: Connected) -> list[str]:
    pays = line.document.payments.into == "invoice"
    return ["order", "payment", "refund"] if pays else ["order"]


def _ships(line: Connected) -> bool:
    return line.document.fulfillments.into != "none"


def _wait(
    worker: WorkerContext, link: Link, minutes: int, wanted: Sequence[str], order_id: str | None
) -> Went:
    """Look at the ledger until all of it is confirmed, and show how far it is.

    Raises:
        Again: it is not, by then.
    """
    from syncline.golive import end_to_end  # noqa: PLC0415 - only this command needs it

    give_up = worker.monotonic() + 60 * minutes
    with waiting() as tell:
        while True:
            went = end_to_end.went(worker, link, order_id)
            missing = [what for what in wanted if getattr(went, what) is None]
            if not missing:
                return went
            tell(f"not there yet: {', '.join(missing)}")
            if worker.monotonic() > give_up:
                raise Again(
                    f"Not confirmed within {minutes} minutes: {', '.join(missing)}.",
                    remedy="See syncline status and syncline parked list; then run it again.",
                )
            worker.sleep(_LOOKED_EVERY_S)


def _accept(worker: WorkerContext, name: str, lines: Sequence[str], because: str) -> None:
    by = actor(worker.settings)

    def work(connection: Connection) -> None:
        link = connections.by_name(connection, name)
        for line in lines:
            steps.accept(connection, link, line, because, by)

    worker.ledger.run(work)


def _checked(worker: WorkerContext, name: str, within: int) -> tuple[Link, list[CheckLine]]:
    line = worker.open_line(name)
    with error_console().status("") as shown:
        inspected = inspect(line, probe=None, tell=lambda what: shown.update(f"asking: {what}"))
        sides = [
            Side(one.what, one.works, one.needed, one.found, one.remedy)
            for one in inspected.findings
        ]
        shown.update("counting")
        facts = steps.gather(line, sides, timedelta(days=within))
    return line.link, checks.lines(facts)


def _render(checked: _CheckedGoLive) -> RenderableType:
    rows = [[line.name, line.state, line.found, line.remedy] for line in checked.lines]
    red = [line for line in checked.lines if line.state == "red"]
    following = (
        f"{len(red)} red. {checked.connection} stays in {checked.mode} mode."
        if red
        else f"All green. Next: syncline golive switch {checked.connection}"
    )
    if not red and checked.mode == "live":
        following = f"All green, and {checked.connection} is live."
    title = f"going live: {checked.connection} ({checked.mode})"
    columns = ["line", "state", "found", "what to do"]
    return stack(table(title, columns, rows), plain(following))


def _render_steps(link: Link, taken: Sequence[Step]) -> RenderableType:
    if not taken:
        return plain(f"{link.name} is in {link.mode} mode, and nobody has switched it.")
    rows = [[f"{one.at:%Y-%m-%d %H:%M}", one.what, one.by, _said(one)] for one in taken]
    parts = [table(f"{link.name} ({link.mode})", ["when, UTC", "step", "by", "what"], rows)]
    switched = next((one for one in taken if one.what == "switch"), None)
    if switched is not None:
        lines = [[one["name"], one["state"], one["found"]] for one in switched.certificate["lines"]]
        title = f"the certificate of {switched.at:%Y-%m-%d %H:%M} UTC"
        parts.append(table(title, ["line", "state", "found"], lines))
    return stack(*parts)


def _said(step: Step) -> str:
    certificate = step.certificate
    if step.what == "accept":
        return f"{certificate['line']}: {certificate['because']}"
    if step.what == "dump":
        return str(certificate["place"])
    if step.what == "back":
        return str(certificate["because"])
    return f"{len(certificate['lines'])} lines"
