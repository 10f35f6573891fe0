"""`syncline parked accept`: what the other side holds of parked deliveries is left as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer
from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.calls.context import Line
from syncline.deliveries import parked, target_rows
from syncline.deliveries.parked import ParkedDelivery
from syncline.deliveries.target_rows import TargetRow
from syncline.errors import Refused, UnknownName
from syncline.ledger import connections
from syncline.repair.accept import AcceptancePlan, accept_or_plan, plan_parked
from syncline.terminal.context import command_context
from syncline.terminal.deciding import Deciding, report
from syncline.terminal.messages import WRONG_DATA
from syncline.terminal.output import AsJson, show

_DELIVERIES: Deciding[ParkedDelivery] = Deciding("delivery", "deliveries", lambda one: one.id)
_MOVED_ON = "It has moved on meanwhile: see `syncline parked list`."


@dataclass(frozen=True, slots=True)
class _Accepted:
    """What is taken of one delivery, or would be; `why` says why nothing is."""

    delivery: int
    connection: str
    flow: str
    role: str
    record: str
    takes: str
    why: str


@dataclass(frozen=True, slots=True)
class _AcceptReport:
    dry_run: bool
    accepted: int
    left: int
    deliveries: list[_Accepted]


def accept_parked(
    context: typer.Context,
    *,
    wanted: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID|CAUSE]", help="The record's id, the delivery's number, or a cause."
        ),
    ] = None,
    cause: Annotated[
        str | None, typer.Option("--cause", metavar="CAUSE", help="Those of this cause.")
    ] = None,
    connection: Annotated[
        str | None, typer.Option("--connection", "-c", help="Only of this connection.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be taken, and change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before.")] = False,
    as_json: AsJson = False,
) -> None:
    """Leave the other side as it is: what it holds is taken as delivered.

    It is read there once more. It is not parked again while both sides stay as they are; a later
    change in HighLevel is delivered as usual.

    Example: syncline parked accept c1f3a5b7d --dry-run
    """
    if (wanted is None) is (cause is None):
        raise Refused("Which are to be left as they are?", remedy="Give one ID, or --cause.")

    def step(line: Line, batch: Sequence[ParkedDelivery]) -> list[_Accepted]:
        known = line.worker.ledger.run(partial(target_rows.of_ids, ids=[one.id for one in batch]))
        standings = [one for one in known.values() if one.state == "parked"]
        plans = plan_parked(line, standings)
        done = accept_or_plan(line, plans, "parked accept", moved_on=_MOVED_ON, dry_run=dry_run)
        return [
            _told(line, standing, plan, why)
            for standing, (plan, why) in zip(standings, done, strict=True)
        ]

    with command_context(context).open() as worker:
        found = worker.ledger.run(lambda database: _chosen(database, wanted, cause, connection))
        ask = None if dry_run else "Leave {} as the other side holds them?"
        told = _DELIVERIES.each(worker, found, step, ask=ask, yes=yes)
    left = sum(bool(one.why) for one in told)
    accepted = _AcceptReport(dry_run, len(told) - left, left, told)
    show(as_json, accepted, lambda: _render(accepted))
    if left:
        raise typer.Exit(WRONG_DATA)


def _chosen(
    database: Connection, wanted: str | None, cause: str | None, name: str | None
) -> list[ParkedDelivery]:
    only = None if name is None else connections.by_name(database, name).id
    found = [] if wanted is None else parked.listed(database, connection_id=only, record=wanted)
    sought = cause or wanted
    found = found or parked.listed(database, connection_id=only, cause=sought)
    if not found:
        raise UnknownName(
            f"Nothing is parked under {sought!r}.", remedy="See `syncline parked list`."
        )
    return found


def _told(line: Line, one: TargetRow, plan: AcceptancePlan, why: str) -> _Accepted:
    takes = "" if why else plan.takes
    return _Accepted(one.id, line.link.name, one.flow, one.role, one.source_id, takes, why)


def _render(told: _AcceptReport) -> RenderableType:
    rows = [
        [one.delivery, one.connection, f"{one.flow}/{one.role}", one.record, one.takes or one.why]
        for one in told.deliveries
    ]
    columns = ["number#", "connection", "delivery", "record", "takes, or why not"]
    counted = _DELIVERIES.sentence(
        told.accepted, "left as the other side has it", dry_run=told.dry_run
    )
    return report("Parked deliveries", columns, rows, counted, told.left)
