"""`syncline discrepancies apply|accept|mark|reopen`: what a person decides about differences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.actor import actor
from syncline.calls.context import Line
from syncline.errors import Refused
from syncline.reconciliation.discrepancies import DECIDED, UNDECIDED, Discrepancy, Only
from syncline.repair import marking
from syncline.repair import plan as repair
from syncline.repair.accept import accept_or_plan, plan_differences
from syncline.repair.choice import (
    OfCause,
    OfConnection,
    OfFlow,
    Since,
    choice,
    chosen,
    in_short,
)
from syncline.repair.run import apply as write
from syncline.terminal.context import command_context
from syncline.terminal.deciding import Deciding, report
from syncline.terminal.messages import WRONG_DATA
from syncline.terminal.output import AsJson, plain, say, show

_DIFFERENCES: Deciding[Discrepancy] = Deciding("difference", "differences", lambda one: one.edge)

Numbers = Annotated[
    list[int] | None, typer.Argument(metavar="[NUMBER]...", help="The differences' numbers.")
]
Everything = Annotated[bool, typer.Option("--all", help="All that are open or marked.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask before.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")
]


@dataclass(frozen=True, slots=True)
class Decided:
    """What is done, or would be, about one difference; `why` says why nothing is."""

    discrepancy: Discrepancy
    does: list[str]
    why: str


@dataclass(frozen=True, slots=True)
class _DecisionReport:
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
    choose = choice(
        numbers=numbers,
        connection=connection,
        cause=cause,
        flow=flow,
        since=since,
        everything=everything,
    )

    def step(line: Line, batch: Sequence[Discrepancy]) -> list[Decided]:
        plans = repair.plan(line, batch, delete_extra=delete_extra)
        left = {} if dry_run else write(line, plans, actor(line.worker.settings))
        return [
            Decided(one.discrepancy, list(one.writes), one.why or left.get(one.discrepancy.id, ""))
            for one in plans
        ]

    with command_context(context).open() as worker:
        ask = None if dry_run else "Write our value again for {}?"
        decided = _DIFFERENCES.each(worker, worker.ledger.run(choose), step, ask=ask, yes=yes)
    _show(decided, "applied", dry_run=dry_run, as_json=as_json)


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
    choose = choice(
        numbers=numbers,
        connection=connection,
        cause=cause,
        flow=flow,
        since=since,
        everything=everything,
    )

    def step(line: Line, batch: Sequence[Discrepancy]) -> list[Decided]:
        plans = plan_differences(line, batch)
        done = accept_or_plan(
            line, plans, "discrepancies accept", moved_on=repair.MOVED_ON, dry_run=dry_run
        )
        return [
            Decided(one, [] if why else [plan.takes], why)
            for plan, why in done
            for one in plan.discrepancies
        ]

    with command_context(context).open() as worker:
        ask = None if dry_run else "Take Halo's value for {}?"
        decided = _DIFFERENCES.each(worker, worker.ledger.run(choose), step, ask=ask, yes=yes)
    _show(decided, "accepted", dry_run=dry_run, as_json=as_json)


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
    with command_context(context).open() as worker:
        found = worker.ledger.run(lambda database: _numbered(database, numbers))
        if not dry_run:
            marking.mark(worker, found, note.strip(), actor(worker.settings))
    say(f"{_DIFFERENCES.sentence(len(found), 'marked as known', dry_run=dry_run)}.")


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
    with command_context(context).open() as worker:
        found = worker.ledger.run(lambda database: _numbered(database, numbers, DECIDED))
        done = len(found)
        if not dry_run:
            done = len(marking.reopen(worker, found, actor(worker.settings)))
    say(f"{_DIFFERENCES.sentence(done, 'open again', dry_run=dry_run)}.")
    if done < len(found):
        say("The others were found again meanwhile: see `syncline discrepancies list`.")
        raise typer.Exit(WRONG_DATA)


def _numbered(
    database: Connection, numbers: list[int], states: tuple[str, ...] = UNDECIDED
) -> list[Discrepancy]:
    return chosen(database, Only(ids=numbers, states=states), everything=False)


def _show(decided: Sequence[Decided], state: str, *, dry_run: bool, as_json: bool) -> None:
    plans = sorted(decided, key=lambda one: one.discrepancy.id)
    left = sum(bool(one.why) for one in plans)
    told = _DecisionReport(dry_run, len(plans) - left, left, plans)
    show(as_json, told, lambda: _render(told, state))
    if left:
        raise typer.Exit(WRONG_DATA)


def _render(told: _DecisionReport, state: str) -> RenderableType:
    if not told.plans:
        return plain("There is no such difference.")
    rows = [
        [one.discrepancy.id, in_short(one.discrepancy), one.why or "\n".join(one.does)]
        for one in told.plans
    ]
    does = "would be done" if told.dry_run else "done"
    columns = ["number#", "difference", f"{does}, or why not"]
    counted = _DIFFERENCES.sentence(told.decided, state, dry_run=told.dry_run)
    return report("Differences", columns, rows, counted, told.left)
