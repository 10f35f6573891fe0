"""`syncline audit`: what was seen and done, by whom, and the proof that nobody changed it since."""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import chain
from pathlib import Path
from typing import IO, Annotated

import typer
from rich.console import RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from syncline import jsontext
from syncline.audit import anchor as anchoring
from syncline.audit import chains, queries
from syncline.audit.chains import Head
from syncline.audit.entries import SOURCES, Entry, Source
from syncline.audit.queries import EntryFilter, Place, Proved
from syncline.audit.seal_tick import seal
from syncline.audit.verify import Verified
from syncline.audit.verify import verify as check
from syncline.calls.context import WorkerContext
from syncline.errors import Refused, UnknownName
from syncline.ledger import connections
from syncline.terminal.caveats import remark_on_emptiness
from syncline.terminal.context import command_context
from syncline.terminal.messages import WRONG_DATA, remark
from syncline.terminal.options import moment
from syncline.terminal.output import AsJson, error_console, group, plain, say, show, stack, table

app = group("audit", "Look at the audit log, prove it, export it, erase a person from it.")

Only = Annotated[str | None, typer.Option("--connection", "-c", help="Only of this connection.")]
Since = Annotated[
    str | None, typer.Option(metavar="WHEN", help="Only from then on: 2026-01-31T14:30, UTC.")
]
Until = Annotated[
    str | None, typer.Option(metavar="WHEN", help="Only until then; a day means its end.")
]
OfRecord = Annotated[
    str | None, typer.Option("--record", metavar="ID", help="Only of the record with this id.")
]

_SHOWN = 50
"""Findings in the table; `--json` has them all."""


class ExportFormat(StrEnum):
    """How an export is written."""

    JSONL = "jsonl"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class _ShownEntry:
    entry: Entry
    sealed: Place | None


@app.command("verify")
def verify(
    context: typer.Context,
    *,
    connection: Only = None,
    since: Since = None,
    anchors: Annotated[
        list[Path] | None,
        typer.Option("--anchor", metavar="FILE", help="Heads that were kept outside; repeatable."),
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            metavar="CHAIN:LENGTH:HEAD",
            help="A head as the dashboard in Halo shows it; repeatable.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Check every sealed entry, and name whatever was edited, added, cut or swapped; ends with 1.

    The heads in the anchor file of this installation are compared too. Against somebody who can
    write there as well, keep copies elsewhere and name them with --anchor, or paste what Halo's
    dashboard shows into --expect.

    Example: syncline audit verify --anchor /media/safe/heads.jsonl
    """
    typed = [head for text in expect or [] for head in chains.expected(text)]
    start = None if since is None else _from(since)
    with command_context(context).open() as worker, _progress("checked") as told:
        names = _chains(worker, connection)
        kept = chain(typed, _heads(worker, anchors or []))
        found = check(worker, names, start, kept, told)
    show(as_json, found, lambda: _verdict(found))
    if found.findings:
        raise typer.Exit(WRONG_DATA)


@app.command("list")
def list_entries(
    context: typer.Context,
    *,
    connection: Only = None,
    record: OfRecord = None,
    since: Since = None,
    until: Until = None,
    most: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List changes, effects and decisions, the newest first.

    Example: syncline audit list --since 2026-11-01 --connection acme
    """
    with command_context(context).open() as worker:
        wanted = _wanted(worker, connection, record, since, until)
        found = worker.ledger.run(lambda c: queries.listed(c, wanted, most))
        if not found:
            remark_on_emptiness(worker, connection)
    show(as_json, found, lambda: _listed(found))


@app.command("show")
def show_entry(
    context: typer.Context,
    *,
    source: Annotated[
        str, typer.Argument(metavar="KIND", help="effect or change, as the list says.")
    ],
    entry_id: Annotated[int, typer.Argument(metavar="NUMBER", help="Its number.")],
    as_json: AsJson = False,
) -> None:
    """Show one entry with its fields before and after, and its seal.

    Example: syncline audit show effect 17
    """
    if source not in SOURCES:
        raise Refused(
            f"{source!r} is no kind of entry.", remedy="Give effect or change, and its number."
        )
    kind: Source = "effect" if source == "effect" else "change"
    with command_context(context).open() as worker:
        found = worker.ledger.run(lambda c: queries.one(c, kind, entry_id))
    if found is None:
        raise UnknownName(
            f"There is no {source} {entry_id}.", remedy="See the numbers with syncline audit list."
        )
    shown = _ShownEntry(*found)
    show(as_json, shown, lambda: _shown(shown))


@app.command("export")
def export(
    context: typer.Context,
    *,
    file: Annotated[str, typer.Argument(metavar="FILE", help="Where to; - for standard output.")],
    form: Annotated[
        ExportFormat, typer.Option("--format", help="JSON Lines, or CSV with the same columns.")
    ] = ExportFormat.JSONL,
    connection: Only = None,
    record: OfRecord = None,
    since: Since = None,
    until: Until = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Count what would be written, and write nothing.")
    ] = False,
) -> None:
    """Write sealed entries with position, digest and head, so that others can check them.

    Example: syncline audit export acme.jsonl --connection acme --since 2026-11-01
    """
    with command_context(context).open() as worker, _progress("entries") as told:
        wanted = _wanted(worker, connection, record, since, until)
        entries = _counting(
            queries.proved(worker.ledger, wanted),
            queries.counted(worker.ledger, wanted),
            told,
        )
        if dry_run:
            many = sum(1 for _ in entries)
        elif file == "-":
            many = _write(entries, form, sys.stdout)
        else:
            many = _write_file(entries, form, Path(file))
    if dry_run:
        say(f"{many} entries would be written; nothing was.")
    elif file != "-":
        say(f"{many} entries are written to {file}. docs/audit.md says how to check them.")


@app.command("anchor")
def anchor(
    context: typer.Context,
    *,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print the heads as they are, and write nothing.")
    ] = False,
) -> None:
    """Seal what is new, write the heads to the anchor file, and print them for you to keep.

    Example: syncline audit anchor > heads-2026-11-28.jsonl
    """
    with command_context(context).open() as worker:
        if not dry_run:
            seal(worker)
            anchoring.anchor(worker, timedelta(0))
        heads = worker.ledger.run(chains.heads)
    if not heads:
        remark("Nothing is sealed yet, so there is no head.")
    for head in heads:
        typer.echo(anchoring.line_of(head))


def _chains(worker: WorkerContext, name: str | None) -> tuple[str, ...] | None:
    if name is None:
        return None
    return chains.of_link(worker.ledger.run(lambda c: connections.by_name(c, name)))


def _heads(worker: WorkerContext, files: Sequence[Path]) -> Iterator[Head]:
    """Of the files that were named, and of this installation's own if it is there."""
    own = anchoring.anchor_file(worker.settings)
    read = [*files, *([own] if own.exists() and own not in files else [])]
    return chain.from_iterable(map(anchoring.read, read))


def _wanted(
    worker: WorkerContext,
    connection: str | None,
    record: str | None,
    since: str | None,
    until: str | None,
) -> EntryFilter:
    return EntryFilter(
        chains=_chains(worker, connection),
        record=record,
        since=None if since is None else _from(since),
        until=None if until is None else moment(until),
    )


def _from(text: str) -> datetime:
    """A moment from which on; a day alone means its beginning."""
    found = moment(text)
    is_day = len(text) == len("2026-01-31")
    return found.replace(hour=0, minute=0, second=0, microsecond=0) if is_day else found


@contextmanager
def _progress(what: str) -> Iterator[queries.Told]:
    """On standard error, so that --json and - print nothing else."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=error_console(), transient=True) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, of: bar.update(task, completed=done, total=of or None)


def _counting(entries: Iterator[Proved], of: int, told: queries.Told) -> Iterator[Proved]:
    for number, entry in enumerate(entries, start=1):
        if number % queries.BATCH == 0:
            told(number, of)
        yield entry


def _write_file(entries: Iterator[Proved], form: ExportFormat, path: Path) -> int:
    try:
        with path.open("w", encoding="utf-8", newline="") as out:
            return _write(entries, form, out)
    except OSError as error:
        raise Refused(
            f"{path} cannot be written ({error.strerror}).", remedy="Name another file."
        ) from error


def _write(entries: Iterator[Proved], form: ExportFormat, out: IO[str]) -> int:
    many = 0
    if form is ExportFormat.JSONL:
        for many, entry in enumerate(entries, start=1):  # noqa: B007 - counted
            out.write(jsontext.dumps(entry).decode() + "\n")
        return many
    names = [one.name for one in fields(Proved)]
    writer = csv.writer(out)
    writer.writerow(names)
    for many, entry in enumerate(entries, start=1):  # noqa: B007 - counted
        writer.writerow([getattr(entry, name) for name in names])
    return many


def _verdict(found: Verified) -> RenderableType:
    said = (
        f"{found.entries} entries in {found.chains} chains, {found.anchors} anchors compared, "
        f"{found.waiting} newer entries not sealed yet"
    )
    if not found.findings and not found.entries:
        return plain(f"{said}: there is nothing that could have been changed.")
    if not found.findings:
        return plain(f"{said}: nothing was changed.")
    rows = [
        [
            one.chain,
            one.position or None,
            one.entry,
            None if one.at is None else f"{one.at:%Y-%m-%d %H:%M:%S}",
            one.what,
            one.detail,
        ]
        for one in found.findings[:_SHOWN]
    ]
    more = len(found.findings) - len(rows)
    return stack(
        table(said, ["chain", "position#", "entry", "at (UTC)", "what", "detail"], rows),
        *([plain(f"{more} more: see --json.")] if more else []),
        plain(f"Findings: {len(found.findings)}. docs/audit.md says what each one means."),
    )


def _listed(entries: Sequence[Entry]) -> RenderableType:
    if not entries:
        return plain("No such entry.")
    rows = [
        [
            f"{one['at']:%Y-%m-%d %H:%M:%S}",
            f"{one['source']} {one['id']}",
            one["record"],
            _what(one),
            one["cause"],
        ]
        for one in entries
    ]
    return table("", ["at (UTC)", "entry", "record", "what", "because of"], rows)


def _what(entry: Entry) -> str:
    if entry["source"] == "change":
        names = ", ".join(entry["fields"]) or "first seen"
        return f"{entry['kind']} version {entry['version']}: {names}"
    if entry["effect"] == "command":
        return str(entry["target"])
    return f"{entry['effect']} {entry['target']} {entry['target_id']}"


def _shown(shown: _ShownEntry) -> RenderableType:
    entry, sealed = shown.entry, shown.sealed
    pairs = [[name, _text(value)] for name, value in entry.items() if value is not None]
    if sealed is None:
        place = "It is not sealed yet."
    else:
        place = (
            f"Sealed in {sealed.chain} at position {sealed.position} on "
            f"{sealed.sealed_at:%Y-%m-%d %H:%M:%S} UTC, digest {sealed.digest}"
            + (". Its personal data was erased." if sealed.erased else "")
        )
    return stack(table("", ["field", "value"], pairs), plain(place))


def _text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return value if isinstance(value, str) else jsontext.dumps(value).decode()
