"""`syncline parked accept`: what the other side holds of parked deliveries is left as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Annotated

import typer
from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.actor import actor
from syncline.calls.context import Parts
from syncline.deliveries import parked, target_rows
from syncline.deliveries.parked import ParkedDelivery
from syncline.deliveries.target_rows import TargetRow
from syncline.errors import UnknownName
from syncline.ledger import connections
from syncline.repair.accept import Acceptance, accept, plan_parked
from syncline.terminal.context import command_context
from syncline.terminal.messages import WRONG_DATA
from syncline.terminal.output import AsJson, plain, show, stack, table
from syncline.terminal.progress import progress_bars
from syncline.terminal.prompts import agreed

BATCH = 100
"""Deliveries that are looked at and written down together."""

SHOWN = 50
"""Rows of the table; `--json` has them all."""

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
class _Report:
    dry_run: bool
    accepted: int
    left: int
    deliveries: list[_Accepted]


def accept_parked(
    context: typer.Context,
    *,
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="ID|CAUSE", help="The record's id, the delivery's number, or a cause."
        ),
    ],
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
    with command_context(context).open() as parts:
        found = parts.ledger.run(lambda database: _chosen(database, wanted, connection))
        if not dry_run:
            agreed(f"Leave {_several(len(found))} as the other side holds them?", yes=yes)
        report = _all(parts, found, dry_run=dry_run)
    show(as_json, report, lambda: _render(report))
    if report.left:
        raise typer.Exit(WRONG_DATA)


def _chosen(database: Connection, wanted: str, name: str | None) -> list[ParkedDelivery]:
    only = None if name is None else connections.by_name(database, name).id
    found = parked.listed(database, connection_id=only, record=wanted)
    found = found or parked.listed(database, connection_id=only, cause=wanted)
    if not found:
        raise UnknownName(
            f"Nothing is parked under {wanted!r}.", remedy="See `syncline parked list`."
        )
    return found


def _all(parts: Parts, found: Sequence[ParkedDelivery], *, dry_run: bool) -> _Report:
    told: list[_Accepted] = []
    ordered = sorted(found, key=lambda one: (one.connection, one.id))
    with progress_bars() as tell:
        for name, group in groupby(ordered, key=lambda one: one.connection):
            ids = [one.id for one in group]
            for at in range(0, len(ids), BATCH):
                told += _batch(parts, name, ids[at : at + BATCH], dry_run=dry_run)
                tell("deliveries", len(told), len(found))
    left = sum(bool(one.why) for one in told)
    return _Report(dry_run, len(told) - left, left, told)


def _batch(parts: Parts, name: str, ids: Sequence[int], *, dry_run: bool) -> list[_Accepted]:
    line = parts.open_line(name)
    standings = parts.ledger.run(lambda database: _still_parked(database, ids))
    plans = plan_parked(line, standings)
    done = plans
    if not dry_run:
        done = accept(line, plans, "parked accept", actor(parts.settings))
    return [
        _told(name, standing, plan, plan.why or ("" if plan in done else _MOVED_ON))
        for standing, plan in zip(standings, plans, strict=True)
    ]


def _still_parked(database: Connection, ids: Sequence[int]) -> list[TargetRow]:
    known = target_rows.of_ids(database, ids)
    return [one for one in known.values() if one.state == "parked"]


def _told(name: str, one: TargetRow, plan: Acceptance, why: str) -> _Accepted:
    takes = "" if why else plan.takes
    return _Accepted(one.id, name, one.flow, one.role, one.source_id, takes, why)


def _render(report: _Report) -> RenderableType:
    rows = [
        [one.delivery, one.connection, f"{one.flow}/{one.role}", one.record, one.takes or one.why]
        for one in report.deliveries
    ]
    columns = ["number#", "connection", "delivery", "record", "takes, or why not"]
    first = f", the first {SHOWN} of {len(rows)}" if len(rows) > SHOWN else ""
    will_be = "would be" if report.dry_run else "is" if report.accepted == 1 else "are"
    left = f", {report.left} left alone" if report.left else ""
    return stack(
        table(f"Parked deliveries{first}", columns, rows[:SHOWN]),
        plain(f"{_several(report.accepted)} {will_be} left as the other side has it{left}."),
    )


def _several(many: int) -> str:
    return "1 delivery" if many == 1 else f"{many} deliveries"
