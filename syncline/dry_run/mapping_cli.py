"""`syncline connection set-mapping`: another mapping document, and what it would do beforehand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Annotated

import typer
from rich.console import RenderableType

from syncline.calls.context import Line
from syncline.connections import run
from syncline.connections.options import Name, document_of
from syncline.deliveries import outstanding
from syncline.dry_run.plan import DryRunPlan, ParkedInPlan
from syncline.dry_run.run import Tell
from syncline.dry_run.run import dry_run as dry_run_of
from syncline.engine.connection_rules import rules_of
from syncline.ledger.modes import HELD
from syncline.terminal.caveats import remark_on_idleness
from syncline.terminal.context import command_context
from syncline.terminal.messages import WRONG_DATA
from syncline.terminal.output import console, plain, say, stack, table
from syncline.terminal.progress import progress_bars

SHOWN = 20
"""Reasons that are shown."""

Reasons = Counter[tuple[str, str | None, str]]
"""(target, field, why) → how many would be parked."""


def set_mapping(
    context: typer.Context,
    *,
    name: Name,
    file: Annotated[str, typer.Argument(metavar="FILE", help="detail, summary, or a TOML file.")],
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Check the document, count what it would do, and change nothing."
        ),
    ] = False,
) -> None:
    """Let a connection follow another mapping document; it is checked first.

    Old records follow it too; what comes out as before costs no call. With --dry-run it counts what
    would be written again and what would be parked, and ends with 1 where anything would be.

    Example: syncline connection set-mapping acme acme.toml
    """
    document = document_of(file)
    with command_context(context).open() as worker:
        run.set_mapping(worker, name, document, dry_run=dry_run)
        if not dry_run:
            remark_on_idleness(worker)
            say(f"{name} follows this mapping.")
            return
        parked = Reasons()
        with progress_bars() as tell:
            plan = under(worker.open_line(name), document, tell, parked)
    console().print(_render(name, plan, parked))
    if parked:
        raise typer.Exit(WRONG_DATA)


def under(line: Line, mapping: str, tell: Tell, parked: Reasons) -> DryRunPlan:
    """What the deliveries that there are would become under another mapping.

    Args:
        line: the connection.
        mapping: the document.
        tell: is told how far it is.
        parked: is filled with what would be parked and is not; what is only held back until the
            connection is live needs nobody.
    """

    def keep(one: ParkedInPlan) -> None:
        if one.field != HELD:
            parked[one.target, one.field, one.reason] += 1

    return dry_run_of(
        replace(line, document=rules_of(replace(line.link, mapping=mapping))),
        target=None,
        tell=tell,
        call=lambda _: None,
        keep=keep,
        among=outstanding.NOT_PARKED,
    )


def _render(name: str, plan: DryRunPlan, parked: Reasons) -> RenderableType:
    could = f"{name} could follow this mapping; nothing was changed."
    by_target = Counter[str]()
    for (target, _, _), many in parked.items():
        by_target[target] += many
    rows = [
        [target, count.owed, count.as_it_is, count.writes, by_target[target]]
        for target, count in plan.counts.items()
        if count.owed
    ]
    if not rows:
        return plain(f"{could} It has no deliveries yet, so nobody knows what it would do to them.")
    columns = ["target", "there are#", "stay as they are#", "written#", "parked#"]
    parts = [plain(could), table("what it would do to what there is", columns, rows)]
    if parked:
        most = parked.most_common(SHOWN)
        reasons = [[target, many, field, why] for (target, field, why), many in most]
        many, of = parked.total(), sum(count.owed for count in plan.counts.values())
        parts += [
            plain(f"{many:,} of {of:,} would be parked, which are not parked now:"),
            table("would be parked", ["target", "records#", "field", "why"], reasons),
        ]
    return stack(*parts)
