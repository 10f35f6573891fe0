"""`syncline connection set-mapping`: another mapping, and what it would do, counted before."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import RenderableType

from syncline.connections import run
from syncline.connections.options import Name, document_of
from syncline.dry_run.mapping_preview import MappingPreview, Reason, preview
from syncline.terminal.caveats import remark_on_idleness
from syncline.terminal.context import command_context
from syncline.terminal.messages import WRONG_DATA
from syncline.terminal.output import AsJson, plain, say, show, stack, table
from syncline.terminal.progress import progress_bars

SHOWN = 10
"""Reasons of each table; `--json` has them all."""


def set_mapping(
    context: typer.Context,
    *,
    name: Name,
    file: Annotated[str, typer.Argument(metavar="FILE", help="detail, summary, or a TOML file.")],
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Count what would be parked and rewritten, and change nothing."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Let a connection follow another mapping document; it is checked first.

    Old records follow it too; what comes out as before costs no call. --dry-run goes through all of
    them and says, with examples, what would come out otherwise; it ends with 1 where anything would
    be parked.

    Example: syncline connection set-mapping acme acme.toml --dry-run
    """
    document = document_of(file)
    with command_context(context).open() as worker:
        if not dry_run:
            run.set_mapping(worker, name, document)
            remark_on_idleness(worker)
            say(f"{name} follows this mapping.")
            return
        with progress_bars() as tell:
            found = preview(worker.open_line(name), document, tell)
    show(as_json, found, lambda: _render(name, found))
    if found.parked:
        raise typer.Exit(WRONG_DATA)


def _render(name: str, found: MappingPreview) -> RenderableType:
    could = f"{name} could follow this mapping; nothing was changed."
    if not found.targets:
        return plain(f"{could} It has no records yet, so nobody knows what it would do to them.")
    if not found.changes:
        return stack(plain("All its records come out as they are."), plain(could))
    rows = [
        [
            *(target, one.deliveries, one.as_they_are, one.rewritten, one.parked, one.freed),
            *(one.waiting, one.made),
        ]
        for target, one in found.targets.items()
    ]
    columns = ["target", "deliveries#", "as they are#", "rewritten#", "parked#", "freed#", "wait#"]
    parts = [table(f"{name} under this mapping", [*columns, "new#"], rows)]
    if found.parked:
        of = sum(one.deliveries for one in found.targets.values())
        many = sum(one.records for one in found.parked)
        parts.append(plain(f"{many:,} of {of:,} would be parked, which are not parked now:"))
        parts.append(_parked(found.parked))
    if found.rewritten:
        parts.append(_rewritten(found.rewritten))
    if found.readings:
        parts.append(plain(f"{found.readings:,} details would be read from HighLevel first."))
    return stack(*parts, plain(could))


def _parked(reasons: list[Reason]) -> RenderableType:
    rows = [[one.target, one.records, one.field, one.why, one.example] for one in reasons[:SHOWN]]
    columns = ["target", "records#", "field", "why", "example"]
    return table(_first("would be parked", reasons), columns, rows)


def _rewritten(reasons: list[Reason]) -> RenderableType:
    rows = [
        [one.target, one.records, one.field, one.example, one.before, one.after]
        for one in reasons[:SHOWN]
    ]
    columns = ["target", "records#", "field", "example", "now", "then"]
    return table(_first("would be rewritten", reasons), columns, rows)


def _first(what: str, reasons: list[Reason]) -> str:
    more = len(reasons) > SHOWN
    return f"{what}, the first {SHOWN} of {len(reasons)} reasons" if more else what
