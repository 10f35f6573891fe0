"""`syncline discrepancies apply|accept|mark|reopen`: what a person decides about differences."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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
    chosen,
    in_short,
    only,
)
from syncline.repair.run import apply as write
from syncline.terminal.context import command_context
from syncline.terminal.deciding import Deciding, report
from syncline.terminal.messages import WRONG_DATA
from syncline.terminal.options import taking
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptOptions:
    """Which differences are decided about, and how: the options, a field each."""

    numbers: Numbers = None
    connection: OfConnection = None
    cause: OfCause = None
    flow: OfFlow = None
    since: Since = None
    everything: Everything = False
    dry_run: DryRun = False
    yes: Yes = False
    as_json: AsJson = False

    def chosen(self, database: Connection) -> list[Discrepancy]:
        """The undecided differences that are meant; it raises as `choice.chosen` does."""
        wanted = only(
            database,
            connection=self.connection,
            cause=self.cause,
            flow=self.flow,
            since=self.since,
            ids=self.numbers,
        )
        return chosen(database, wanted, everything=self.everything)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyOptions(AcceptOptions):
    """The same, for what is written."""

    delete_extra: Annotated[
        bool,
        typer.Option(
            "--delete-extra", help="Remove the extra one of two rows, if nothing hangs on it."
        ),
    ] = False


@taking(ApplyOptions)
def apply(context: typer.Context, given: ApplyOptions) -> None:
    """Bring our value back: written again, made again, owed again, or read again.

    Each row is read in Halo once more before; what has changed since is left alone. The workers
    write within seconds.

    Example: syncline discrepancies apply --connection acme --cause missing --dry-run
    """

    def step(line: Line, batch: Sequence[Discrepancy]) -> list[Decided]:
        plans = repair.plan(line, batch, delete_extra=given.delete_extra)
        left = {} if given.dry_run else write(line, plans, actor(line.worker.settings))
        return [
            Decided(one.discrepancy, list(one.writes), one.why or left.get(one.discrepancy.id, ""))
            for one in plans
        ]

    _decide(context, given, step, ask="Write our value again for {}?", state="applied")


@taking(AcceptOptions)
def accept(context: typer.Context, given: AcceptOptions) -> None:
    """Take Halo's value as it is; a later change in HighLevel is delivered as usual.

    The difference does not come again while both values stay as they are.

    Example: syncline discrepancies accept 12 13
    """

    def step(line: Line, batch: Sequence[Discrepancy]) -> list[Decided]:
        plans = plan_differences(line, batch)
        done = accept_or_plan(
            line, plans, "discrepancies accept", moved_on=repair.MOVED_ON, dry_run=given.dry_run
        )
        return [
            Decided(one, [] if why else [plan.takes], why)
            for plan, why in done
            for one in plan.discrepancies
        ]

    _decide(context, given, step, ask="Take Halo's value for {}?", state="accepted")


def _decide(
    context: typer.Context,
    given: AcceptOptions,
    step: Callable[[Line, Sequence[Discrepancy]], list[Decided]],
    *,
    ask: str,
    state: str,
) -> None:
    """Ask, decide batch by batch, and tell what became of each; ends with 1 if any was left."""
    with command_context(context).open() as worker:
        decided = _DIFFERENCES.each(
            worker,
            worker.ledger.run(given.chosen),
            step,
            ask=None if given.dry_run else ask,
            yes=given.yes,
        )
    plans = sorted(decided, key=lambda one: one.discrepancy.id)
    left = sum(bool(one.why) for one in plans)
    told = _DecisionReport(given.dry_run, len(plans) - left, left, plans)
    show(given.as_json, told, lambda: _render(told, state))
    if left:
        raise typer.Exit(WRONG_DATA)


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
