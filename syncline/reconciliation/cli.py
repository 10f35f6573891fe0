"""`syncline reconcile`: compare both sides with what Halo really holds, and certify it."""

from __future__ import annotations

import csv
import io
import secrets
from collections.abc import Mapping
from datetime import date
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import RenderableType

from syncline import jsontext
from syncline.actor import caused
from syncline.calls.context import Line, WorkerContext
from syncline.errors import Refused, UnknownName
from syncline.ledger import connections
from syncline.reconciliation import certificate_text, queries
from syncline.reconciliation import run as step
from syncline.reconciliation.due import asked, period_of
from syncline.reconciliation.queries import Run
from syncline.reconciliation.reading.paced_calls import Tell
from syncline.reconciliation.rules import period_in_words, so_far
from syncline.terminal.context import command_context
from syncline.terminal.messages import WRONG_DATA, remark
from syncline.terminal.options import day
from syncline.terminal.output import AsJson, group, plain, say, show, stack, table
from syncline.terminal.progress import progress_bars

app = group("reconcile", "Compare both sides with what Halo really holds, and certify it.")

SHOWN = 20
"""Runs of a list."""

_LONGEST_SLEEP = 30.0
_PATIENCE = 2.0
"""Seconds of waiting that need no word."""
_SEEDS = 1 << 31


class CertificateFormat(StrEnum):
    """How a certificate is written."""

    TEXT = "text"
    JSON = "json"
    CSV = "csv"


Name = Annotated[str, typer.Argument(metavar="NAME", help="The connection's name.")]
OneFormat = Annotated[
    CertificateFormat,
    typer.Option("--format", help="How the certificate is written: text, json or csv."),
]
Output = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Write the certificate here instead.")
]


@app.command("run")
def run(
    context: typer.Context,
    *,
    name: Name,
    period: Annotated[
        str | None, typer.Option(metavar="PERIOD", help="A year, a month or a day: 2026-11.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(metavar="DATE", help="First day of creation.")
    ] = None,
    until: Annotated[str | None, typer.Option(metavar="DATE", help="Last day; else today.")] = None,
    sampled: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Compare N rows drawn at random, and not all."),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="Draw the same rows as another run did.")
    ] = None,
    format_: OneFormat = CertificateFormat.TEXT,
    output: Output = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say which calls would be made; make none.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Compare what was created in these days, record by record; without days, the last ones.

    Ends with 1 where there are differences, or something could not be compared.

    Example: syncline reconcile run acme --period 2026-11
    """
    first, last = _days(period, since, until)
    with command_context(context).open() as worker, progress_bars() as tell:
        line = worker.open_line(name)
        days = period_of(worker, line.link, first, last)
        if dry_run:
            planned = step.plan(line, days, sampled)
            show(as_json, planned, lambda: _planned(days, planned))
            return
        drawn = secrets.randbelow(_SEEDS) if seed is None else seed
        cause = caused("reconcile run", worker.settings)
        begun = step.begin(worker, line.link, days, cause, sample=sampled, seed=drawn)
        if begun is None:
            remark(f"A run of {name} is owed or at work already; it goes first.")
        done = _through(line, tell)
        if begun is None:
            raise typer.Exit(WRONG_DATA)
    _write(done, CertificateFormat.JSON if as_json else format_, output)
    raise typer.Exit(0 if (done.certificate or {}).get("clean") else WRONG_DATA)


@app.command("list")
def list_runs(context: typer.Context, name: Name, *, as_json: AsJson = False) -> None:
    """Show the last runs of a connection.

    Example: syncline reconcile list acme
    """
    with command_context(context).open() as worker:

        def work(connection: Any) -> list[Run]:
            link = connections.by_name(connection, name)
            return queries.latest(connection, link.id, SHOWN)

        runs = worker.ledger.run(work)
    show(as_json, [_told(one) for one in runs], lambda: _listed(name, runs))


@app.command("show")
def show_run(
    context: typer.Context,
    *,
    number: Annotated[
        int | None, typer.Argument(metavar="[ID]", help="Of the list; else the last one.")
    ] = None,
    format_: OneFormat = CertificateFormat.TEXT,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Show the certificate of a run; ends with 1 where it is not clean.

    Example: syncline reconcile show --format csv --output november.csv
    """
    with command_context(context).open() as worker:
        found = _run(worker, number)
    _write(found, CertificateFormat.JSON if as_json else format_, output)
    raise typer.Exit(0 if (found.certificate or {}).get("clean") else WRONG_DATA)


def _days(
    period: str | None, since: str | None, until: str | None
) -> tuple[date | None, date | None]:
    if period is None:
        first, last = (None if text is None else day(text) for text in (since, until))
        return first, last
    if since is not None or until is not None:
        raise Refused("--period says both ends.", remedy="Leave --since and --until out.")
    return asked(period)


def _through(line: Line, tell: Tell) -> Run:
    """A run to its end, waiting for quota where that is used up."""
    run_id: int | None = None
    told = ""
    while True:
        came = step.advance(line, tell, by_hand=True)
        if came is not None and came.again_after is not None:
            run_id = came.run_id
            if came.again_after > _PATIENCE:
                read = so_far(_run(line.worker, run_id).progress or {})
                if (said := f"{came.why} {read}".strip()) != told:
                    told = said
                    remark(f"{told} It goes on in {came.again_after:.0f} s.")
            line.worker.sleep(min(came.again_after, _LONGEST_SLEEP))
            continue
        if came is None and run_id is None:
            raise Refused(
                f"A worker is comparing {line.link.name} just now.",
                remedy=f"Wait for it: `syncline reconcile list {line.link.name}` shows it.",
            )
        found = _run(line.worker, run_id if came is None else came.run_id)
        if found.state != "running":
            return found
        line.worker.sleep(1)  # a worker took it over between two calls


def _run(worker: WorkerContext, run_id: int | None) -> Run:
    found = worker.ledger.run(lambda c: queries.by_id(c, run_id))
    if found is None:
        raise UnknownName(
            f"There is no run {run_id}." if run_id else "Nothing was compared yet.",
            remedy="`syncline reconcile list NAME` shows the runs of a connection, and `syncline "
            "reconcile run NAME` compares it now.",
        )
    return found


def _write(done: Run, format_: CertificateFormat, output: Path | None) -> None:
    certificate = done.certificate
    if certificate is None:
        say(f"Run {done.id} is {done.state}: {done.note or 'not at its end yet'}")
        return
    if format_ is CertificateFormat.JSON:
        text = jsontext.dumps({"id": done.id, **certificate}).decode()
    elif format_ is CertificateFormat.CSV:
        text = _as_csv(certificate)
    else:
        text = "\n".join(certificate_text.lines(certificate))
    if output is None:
        typer.echo(text.rstrip("\n"))
        return
    try:
        output.write_text(text.rstrip("\n") + "\n", encoding="utf-8")
    except OSError as error:
        raise Refused(
            f"{output} cannot be written ({error.strerror}).", remedy="Give another FILE."
        ) from None
    say(f"Written to {output}.")


def _as_csv(certificate: Mapping[str, Any]) -> str:
    out = io.StringIO()
    rows = csv.writer(out, lineterminator="\n")
    rows.writerow(certificate_text.COLUMNS)
    rows.writerows(certificate_text.rows(certificate))
    return out.getvalue()


def _planned(days: tuple[date, date], planned: list[step.PlannedCalls]) -> RenderableType:
    rows = [[one.what, one.side, one.calls] for one in planned]
    total = sum(one.calls for one in planned)
    return stack(
        table(f"{period_in_words(*days)}: calls of a run", ["what", "side", "calls#"], rows),
        plain(
            f"About {total} calls at most, two to sign in, and one for each {step.IDS_PER_CALL} "
            "rows that differ. None was made."
        ),
    )


def _listed(name: str, runs: list[Run]) -> RenderableType:
    rows = [
        [
            *(one.id, period_in_words(one.first, one.last), one.mode, one.state),
            *(one.found, one.calls, f"{one.started_at:%Y-%m-%d %H:%M}", one.note),
        ]
        for one in runs
    ]
    columns = ["id#", "period", "mode", "state", "differences#", "calls#", "started", "note"]
    return table(f"{name}: the last runs", columns, rows)


def _told(one: Run) -> dict[str, Any]:
    named = ("id", "first", "last", "mode", "state", "cause", "calls", "found", "note")
    return {
        **{name: getattr(one, name) for name in named},
        "started_at": one.started_at,
        "finished_at": one.finished_at,
        "clean": None if one.certificate is None else one.certificate["clean"],
    }
