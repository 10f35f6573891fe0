"""`syncline discrepancies apply|accept|mark|reopen`: what a person decides about differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated

import typer
from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.actor import actor
from syncline.calls.context import Line, Parts
from syncline.errors import Refused
from syncline.reconciliation.discrepancies import DECIDED, UNDECIDED, Discrepancy, Only
from syncline.reconciliation.rules import Cause
from syncline.repair import accept as accepting
from syncline.repair import marking
from syncline.repair import plan as repair
from syncline.repair.accept import Acceptance
from syncline.repair.choice import (
    OfCause,
    OfConnection,
    OfFlow,
    Since,
    chosen,
    in_short,
    only,
)
from syncline.repair.run import apply as write
from syncline.terminal.context import command_context
from syncline.terminal.messages import WRONG_DATA
from syncline.terminal.output import AsJson, plain, say, show, stack, table
from syncline.terminal.progress import progress_bars
from syncline.terminal.prompts import agreed

SHOWN = 50
"""Rows of a table; `--json` has them all."""

Numbers = Annotated[
    list[int] | None, typer.Argument(metavar="[NUMBER]...", help="The differences' numbers.")
]
Everything = Annotated[bool, typer.Option("--all", help="All that are open or marked.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")
]


Step = Callable[[Line, Sequence[Discrepancy]], list["Decided"]]


@dataclass(frozen=True, slots=True)
class Decided:
    """What is done, or would be, about one difference; `why` says why nothing is."""

    discrepancy: Discrepancy
    does: list[str]
    why: str


@dataclass(frozen=True, slots=True)
class _Report:
    dry_run: bool
    decided: int
    left: int
    plans: list[Decided]


def apply(
    context: typer.Context,
    *,
    numbers: Numbers = None,
    connection: OfConnection = None,
    cause: OfCause = None,
    flow: OfFlow = None,
    since: Since = None,
    everything: Everything = False,
    delete_extra: Annotated[
        bool,
        typer.Option(
            "--delete-extra", help="Remove the extra one of two rows, if nothing hangs on it."
        ),
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Bring our value back: written again, made again, owed again, or read again.

    Each row is read in Halo once more before; what has changed since is left alone. The workers
    write within seconds.

    Example: syncline discrepancies apply --connection acme --cause missing --dry-run
    """
    choose = _chooser(
        numbers=numbers,
        connection=connection,
        cause=cause,
        flow=flow,
        since=since,
        everything=everything,
    )

    def plan(line: Line, batch: Sequence[Discrepancy]) -> list[Decided]:
        plans = repair.plan(line, batch, delete_extra=delete_extra)
        return [Decided(one.discrepancy, list(one.writes), one.why) for one in plans]

    def do(line: Line, batch: Sequence[Discrepancy]) -> list[Decided]:
        plans = repair.plan(line, batch, delete_extra=delete_extra)
        left = write(line, plans, actor(line.worker.settings))
        return [
            Decided(one.discrepancy, list(one.writes), one.why or left.get(one.discrepancy.id, ""))
            for one in plans
        ]

    with command_context(context).open() as parts:
        found = parts.ledger.run(choose)
        if not dry_run:
            agreed(f"Write our value again for {_several(len(found))}?", yes=yes)
        _each(parts, found, plan if dry_run else do, "applied", dry_run=dry_run, as_json=as_json)


def accept(
    context: typer.Context,
    *,
    numbers: Numbers = None,
    connection: OfConnection = None,
    cause: OfCause = None,
    flow: OfFlow = None,
    since: Since = None,
    everything: Everything = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Take Halo's value as it is; a later change in HighLevel is delivered as usual.

    The difference does not come again while both values stay as they are.

    Example: syncline discrepancies accept 12 13
    """
    choose = _chooser(
        numbers=numbers,
        connection=connection,
        cause=cause,
        flow=flow,
        since=since,
        everything=everything,
    )

    def plan(line: Line, batch: Sequence[Discrepancy]) -> list[Decided]:
        return _accepted(accepting.plan_differences(line, batch))

    def do(line: Line, batch: Sequence[Discrepancy]) -> list[Decided]:
        plans = accepting.plan_differences(line, batch)
        what = "discrepancies accept"
        done = accepting.accept(line, plans, what, actor(line.worker.settings))
        return _accepted(plans, done)

    with command_context(context).open() as parts:
        found = parts.ledger.run(choose)
        if not dry_run:
            agreed(f"Take Halo's value for {_several(len(found))}?", yes=yes)
        _each(parts, found, plan if dry_run else do, "accepted", dry_run=dry_run, as_json=as_json)


def mark(
    context: typer.Context,
    *,
    numbers: Annotated[
        list[int], typer.Argument(metavar="NUMBER...", help="The differences' numbers.")
    ],
    note: Annotated[str, typer.Option("--note", metavar="TEXT", help="Why it may stay.")],
    dry_run: DryRun = False,
) -> None:
    """Say that a difference is known: it is counted in certificates, and raises no alert.

    Example: syncline discrepancies mark 12 --note "corrected with the next invoice"
    """
    if not note.strip():
        raise Refused(
            "The note is empty.", remedy="Say in a few words why the difference may stay."
        )
    with command_context(context).open() as parts:
        found = parts.ledger.run(lambda database: _numbered(database, numbers))
        if not dry_run:
            marking.mark(parts, found, note.strip(), actor(parts.settings))
    say(f"{_sentence(len(found), 'marked as known', dry_run=dry_run)}.")


def reopen(
    context: typer.Context,
    *,
    numbers: Annotated[
        list[int], typer.Argument(metavar="NUMBER...", help="The differences' numbers.")
    ],
    dry_run: DryRun = False,
) -> None:
    """Take back that differences were applied, accepted or marked: they are open again.

    Example: syncline discrepancies reopen 12
    """
    with command_context(context).open() as parts:
        found = parts.ledger.run(lambda database: _numbered(database, numbers, DECIDED))
        done = len(found)
        if not dry_run:
            done = len(marking.reopen(parts, found, actor(parts.settings)))
    say(f"{_sentence(done, 'open again', dry_run=dry_run)}.")
    if done < len(found):
        say("The others were found again meanwhile: see `syncline discrepancies list`.")
        raise typer.Exit(WRONG_DATA)


def _chooser(
    *,
    numbers: list[int] | None,
    connection: str | None,
    cause: Cause | None,
    flow: str | None,
    since: str | None,
    everything: bool,
) -> Callable[[Connection], list[Discrepancy]]:
    def choose(database: Connection) -> list[Discrepancy]:
        wanted = only(
            database, connection=connection, cause=cause, flow=flow, since=since, ids=numbers
        )
        return chosen(database, wanted, everything=everything)

    return choose


def _numbered(
    database: Connection, numbers: list[int], states: tuple[str, ...] = UNDECIDED
) -> list[Discrepancy]:
    return chosen(database, Only(ids=numbers, states=states), everything=False)


def _accepted(
    plans: Sequence[Acceptance], done: Sequence[Acceptance] | None = None
) -> list[Decided]:
    """What was planned for each difference; with `done`, what became of it."""
    told = []
    for plan in plans:
        why = plan.why or ("" if done is None or plan in done else repair.MOVED_ON)
        told += [Decided(one, [] if why else [plan.takes], why) for one in plan.discrepancies]
    return told


def _each(
    parts: Parts,
    found: Sequence[Discrepancy],
    step: Step,
    state: str,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Go through differences, those of one delivery together, and say what became of them."""
    plans: list[Decided] = []
    with progress_bars() as tell:
        for name, batch in _batches(found):
            plans += step(parts.open_line(name), batch)
            tell("differences", len(plans), len(found))
    plans.sort(key=lambda one: one.discrepancy.id)
    left = [one for one in plans if one.why]
    report = _Report(dry_run, len(plans) - len(left), len(left), plans)
    show(as_json, report, lambda: _render(report, state))
    if left:
        raise typer.Exit(WRONG_DATA)


def _batches(found: Sequence[Discrepancy]) -> Iterator[tuple[str, list[Discrepancy]]]:
    """Differences of one connection, as many as are looked at together."""
    ordered = sorted(found, key=lambda one: (one.connection, one.edge, one.id))
    for name, of_connection in groupby(ordered, key=lambda one: one.connection):
        batch: list[Discrepancy] = []
        for _, of_delivery in groupby(of_connection, key=lambda one: one.edge):
            batch += of_delivery
            if len(batch) >= repair.BATCH:
                yield name, batch
                batch = []
        if batch:
            yield name, batch


def _render(report: _Report, state: str) -> RenderableType:
    if not report.plans:
        return plain("There is no such difference.")
    rows = [
        [one.discrepancy.id, in_short(one.discrepancy), one.why or "\n".join(one.does)]
        for one in report.plans
    ]
    does = "would be done" if report.dry_run else "done"
    counted = _sentence(report.decided, state, dry_run=report.dry_run)
    left = f", {report.left} left alone" if report.left else ""
    first = f", the first {SHOWN} of {len(rows)}" if len(rows) > SHOWN else ""
    return stack(
        table(
            f"Differences{first}", ["number#", "difference", f"{does}, or why not"], rows[:SHOWN]
        ),
        plain(f"{counted}{left}."),
    )


def _sentence(many: int, state: str, *, dry_run: bool) -> str:
    is_ = "is" if many == 1 else "are"
    return f"{_several(many)} {'would be' if dry_run else is_} {state}"


def _several(many: int) -> str:
    return "1 difference" if many == 1 else f"{many} differences"
