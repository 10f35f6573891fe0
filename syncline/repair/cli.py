"""`syncline discrepancies`: differences that reconciliation found, and looking at them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import typer
from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.deliveries.states import State
from syncline.errors import UnknownName
from syncline.reconciliation import discrepancies
from syncline.reconciliation.discrepancies import UNDECIDED, Discrepancy, Only
from syncline.reconciliation.rules import IN_WORDS, Cause
from syncline.repair.choice import (
    COLUMNS,
    OfCause,
    OfConnection,
    OfFlow,
    Since,
    only,
    row_of,
    values_of,
)
from syncline.repair.decisions import accept, apply, mark, reopen
from syncline.repair.rules import Act, act_of
from syncline.terminal.caveats import remark_on_emptiness
from syncline.terminal.context import command_context
from syncline.terminal.messages import remark
from syncline.terminal.output import AsJson, group, plain, show, stack, table

app = group("discrepancies", "Look at differences between both sides, and decide about them.")
app.command("apply")(apply)
app.command("accept")(accept)
app.command("mark")(mark)
app.command("reopen")(reopen)


class DiscrepancyState(StrEnum):
    """What became of a difference."""

    OPEN = "open"
    APPLIED = "applied"
    ACCEPTED = "accepted"
    MARKED = "marked"
    HEALED = "healed"


@dataclass(frozen=True, slots=True)
class _Many:
    cause: str
    state: str
    many: int


@dataclass(frozen=True, slots=True)
class _Listed:
    discrepancies: list[Discrepancy]
    more: int
    counts: list[_Many]


@dataclass(frozen=True, slots=True)
class _ShownDiscrepancy:
    discrepancy: Discrepancy
    means: str
    apply: str


@app.command("list")
def list_discrepancies(
    context: typer.Context,
    *,
    connection: OfConnection = None,
    cause: OfCause = None,
    flow: OfFlow = None,
    since: Since = None,
    state: Annotated[
        DiscrepancyState | None,
        typer.Option("--state", help="In this state; else open and marked ones."),
    ] = None,
    most: Annotated[int, typer.Option("--limit", min=1, help="Show so many at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List differences with both values and what was delivered last.

    Example: syncline discrepancies list --connection acme --cause changed_in_halo
    """

    def work(database: Connection) -> _Listed:
        wanted = only(
            database,
            connection=connection,
            cause=cause,
            flow=flow,
            since=since,
            states=UNDECIDED if state is None else (state,),
        )
        many = discrepancies.counts(database, wanted)
        found = discrepancies.listed(database, wanted, most=most)
        counts = [
            _Many(of_cause, in_state, number) for (of_cause, in_state), number in many.items()
        ]
        return _Listed(found, sum(many.values()) - len(found), counts)

    with command_context(context).open() as worker:
        found = worker.ledger.run(work)
        if not found.discrepancies:
            remark_on_emptiness(worker, connection)
            for name in worker.ledger.run(lambda c: discrepancies.uncompared(c, connection)):
                remark(
                    f"{name} was never compared with Halo to the end, so its differences are not "
                    f"known. Compare it with: syncline reconcile run {name}"
                )
    filters = (connection, cause, flow, since, state)
    none = "There is no such difference." if any(filters) else "No difference is open."
    show(as_json, found, lambda: _render(found, none))


@app.command("show")
def show_discrepancy(
    context: typer.Context,
    *,
    wanted: Annotated[
        str, typer.Argument(metavar="NUMBER|ID", help="Its number, or the record's id.")
    ],
    as_json: AsJson = False,
) -> None:
    """Show a difference, or all of a record, with what can be done about it.

    Example: syncline discrepancies show 12
    """

    def work(database: Connection) -> list[Discrepancy]:
        number = int(wanted) if wanted.isdecimal() and len(wanted) <= len("9" * 18) else None
        found = [] if number is None else discrepancies.listed(database, Only(ids=[number]))
        return found or discrepancies.listed(database, Only(record=wanted))

    with command_context(context).open() as worker:
        found = worker.ledger.run(work)
    if not found:
        raise UnknownName(
            f"There is no difference {wanted!r}.", remedy="See `syncline discrepancies list`."
        )
    shown = [_ShownDiscrepancy(one, IN_WORDS[Cause(one.cause)], _apply(one)) for one in found]
    show(as_json, shown, lambda: stack(*(_render_one(one) for one in shown)))


def _apply(one: Discrepancy) -> str:
    act, why = act_of(one.cause, one.target, one.field)
    if act is Act.REQUEST and (one.theirs or "").startswith(State.PARKED):
        return f"{act.value}; why it is parked here: syncline parked show {one.source_id}"
    return why if act is None else act.value


def _render(found: _Listed, none: str) -> RenderableType:
    if not found.discrepancies:
        return plain(none)
    total = ", ".join(
        f"{one.many} {Cause(one.cause).name_in_words} ({one.state})" for one in found.counts
    )
    more = [plain(f"{found.more} more: see --limit.")] if found.more else []
    return stack(
        table(f"Differences: {total}", COLUMNS, [row_of(one) for one in found.discrepancies]),
        *more,
        plain("Ours again: syncline discrepancies apply NUMBER --dry-run"),
        plain("Theirs as it is: accept NUMBER. Known, with a note: mark NUMBER --note TEXT"),
    )


def _render_one(shown: _ShownDiscrepancy) -> RenderableType:
    one = shown.discrepancy
    ours, theirs = values_of(one)
    facts = {
        "connection": one.connection,
        "delivery": f"{one.flow}/{one.role} of {one.source_kind} {one.source_id}",
        "Halo's row": f"{one.target} {one.target_id or 'none'}",
        "cause": f"{one.cause}: {shown.means}",
        "field": one.field,
        "ours": ours,
        "theirs": theirs,
        "delivered": one.delivered,
        "currency": one.currency,
        "found": f"{one.found_at:%Y-%m-%d %H:%M:%S} UTC, of {one.first} to {one.last}",
        "state": f"{one.state} by {one.closed_by}" if one.closed_by else one.state,
        "note": one.note,
        "apply would": shown.apply,
    }
    rows = [[name, value] for name, value in facts.items() if value is not None]
    return table(f"Difference {one.id}", ["", ""], rows)
