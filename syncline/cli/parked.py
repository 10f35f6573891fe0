"""`syncline parked`: deliveries that need a person, by cause, and what is decided about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.cli import parked_sides
from syncline.cli.parked_accept import accept_parked
from syncline.cli.parked_remedies import in_two
from syncline.cli.parked_retry import NOTHING, retry_parked
from syncline.cli.parked_sides import TwoSides, both_sides, sent_again_with
from syncline.deliveries import parked, target_rows
from syncline.deliveries.parked import ParkedCause, ParkedDelivery
from syncline.errors import UnknownName
from syncline.ledger import connections
from syncline.repair.refusing import may_be_accepted
from syncline.terminal.caveats import remark_on_emptiness
from syncline.terminal.context import command_context
from syncline.terminal.output import AsJson, console, group, plain, show, stack, table

app = group("parked", "Look at deliveries that need a person, by cause, and decide about them.")
app.command("retry")(retry_parked)
app.command("accept")(accept_parked)

Only = Annotated[str | None, typer.Option("--connection", "-c", help="Only of this connection.")]
OfCause = Annotated[
    str | None, typer.Option("--cause", metavar="CAUSE", help="Those of this cause.")
]

_WIDE = 120
"""Columns of a terminal; on a narrower one, remedies stand below the table and not in it."""


@dataclass(frozen=True, slots=True)
class _ListedCause:
    cause: ParkedCause
    said: str
    remedy: str | None
    may_be_accepted: bool


@dataclass(frozen=True, slots=True)
class _Causes:
    parked: int
    held_until_live: Mapping[str, int]
    causes: list[_ListedCause]
    more: int


@dataclass(frozen=True, slots=True)
class _Records:
    parked: int
    held_until_live: Mapping[str, int]
    deliveries: list[ParkedDelivery]


@dataclass(frozen=True, slots=True)
class _ShownCause:
    cause: ParkedCause
    example: TwoSides
    retry: str


@app.command("list")
def list_parked(
    context: typer.Context,
    *,
    connection: Only = None,
    cause: OfCause = None,
    records: Annotated[
        bool, typer.Option("--records", help="Each delivery in a line of its own.")
    ] = False,
    most: Annotated[int, typer.Option("--limit", min=1, help="Show so many lines at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List why deliveries are parked: one cause, one line, with how many records it holds up.

    Example: syncline parked list --connection acme
    """

    def work(database: Connection) -> _Causes | _Records:
        only = _id_of(database, connection)
        if records or cause is not None:
            return _records(database, only, cause, most)
        return _causes(database, only, most)

    with command_context(context).open() as worker:
        found = worker.ledger.run(work)
        if not found.parked:
            remark_on_emptiness(worker, connection)
    show(as_json, found, lambda: _render(found))


@app.command("show")
def show_parked(
    context: typer.Context,
    *,
    wanted: Annotated[
        str,
        typer.Argument(
            metavar="ID|CAUSE", help="The record's id, the delivery's number, or a cause."
        ),
    ],
    connection: Only = None,
    as_json: AsJson = False,
) -> None:
    """Show HighLevel's record beside what Halo was sent and holds, the failing field marked.

    Of a cause, one of its records is shown.

    Example: syncline parked show 6578a1b2c3d4e5f60718293a
    """

    def work(database: Connection) -> _ShownCause | list[TwoSides]:
        only = _id_of(database, connection)
        found = parked.listed(database, connection_id=only, record=wanted)
        if found:
            return [both_sides(database, one) for one in found]
        return _shown_cause(database, only, wanted)

    with command_context(context).open() as worker:
        found = worker.ledger.run(work)
    show(as_json, found, lambda: _render_shown(found))


def _id_of(database: Connection, name: str | None) -> int | None:
    return None if name is None else connections.by_name(database, name).id


def _causes(database: Connection, only: int | None, most: int) -> _Causes:
    found = parked.by_cause(database, connection_id=only)
    examples = target_rows.of_ids(database, [one.example for one in found[:most]])
    shown = [
        _ListedCause(
            one,
            in_two(one.reason)[0],
            in_two(one.example_reason)[1],
            may_be_accepted(examples[one.example]),
        )
        for one in found[:most]
    ]
    held = parked.held(database, connection_id=only)
    return _Causes(sum(one.records for one in found), held, shown, len(found) - len(shown))


def _records(database: Connection, only: int | None, cause: str | None, most: int) -> _Records:
    many = sum(parked.counts(database, connection_id=only, cause=cause).values())
    if cause is not None and not many:
        raise _unknown(cause)
    found = parked.listed(database, connection_id=only, cause=cause, most=most)
    return _Records(many, parked.held(database, connection_id=only), found)


def _shown_cause(database: Connection, only: int | None, wanted: str) -> _ShownCause:
    found = parked.by_cause(database, connection_id=only, cause=wanted)
    if not found:
        raise _unknown(wanted)
    [cause] = found
    [example] = parked.listed(database, connection_id=only, record=str(cause.example), most=1)
    retry = f"syncline parked retry --cause {cause.id}"
    retry = f"{retry} --create" if example.may_be_there else retry
    return _ShownCause(cause, both_sides(database, example), retry)


def _unknown(wanted: str) -> UnknownName:
    return UnknownName(f"Nothing is parked under {wanted!r}.", remedy="See `syncline parked list`.")


def _several(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


def _render(found: _Causes | _Records) -> RenderableType:
    held = [
        plain(f"{many} held until live, which need nobody: syncline golive switch {name}")
        for name, many in found.held_until_live.items()
    ]
    if not found.parked:
        return stack(plain(NOTHING), *held)
    shown = _render_causes(found) if isinstance(found, _Causes) else _render_records(found)
    return stack(shown, *held)


def _render_causes(found: _Causes) -> RenderableType:
    is_wide = console().width >= _WIDE
    rows = [
        [
            one.cause.id,
            one.cause.records,
            f"{one.cause.since:%Y-%m-%d %H:%M}",
            f"{one.cause.flow}/{one.cause.target}",
            one.cause.field,
            one.said,
            *([one.remedy] if is_wide else []),
            one.cause.example_record,
        ]
        for one in found.causes
    ]
    columns = ["cause", "records#", "since (UTC)", "delivery", "field", "reason"]
    columns += ["remedy"] if is_wide else []
    below = [f"{one.cause.id}: {one.remedy}" for one in found.causes if one.remedy and not is_wide]
    total = len(rows) + found.more
    title = f"{found.parked} parked, for {_several(total, 'cause')}"
    more = [plain(f"{_several(found.more, 'more cause')}: see --limit.")] if found.more else []
    return stack(
        table(title, [*columns, "example"], rows),
        *([plain("\n".join(below))] if below else []),
        *more,
        plain("See both sides with: syncline parked show CAUSE"),
        plain("Correct what it names, then: syncline parked retry --cause CAUSE"),
        *_accept_hint(found.causes),
    )


def _accept_hint(causes: Sequence[_ListedCause]) -> list[RenderableType]:
    """How the other side is left as it is, and of which causes, where that is not so of all."""
    able = [one.cause.id for one in causes if one.may_be_accepted]
    which = "" if len(able) == len(causes) else f" ({', '.join(able)} alone)"
    hint = f"Leave the other side as it is{which}: syncline parked accept CAUSE --dry-run"
    return [plain(hint)] if able else []


def _render_records(found: _Records) -> RenderableType:
    rows = [
        [
            one.id,
            one.cause,
            one.connection,
            f"{one.flow}/{one.role}",
            one.source_id,
            one.field,
            one.reason,
        ]
        for one in found.deliveries
    ]
    columns = ["number#", "cause", "connection", "delivery", "record", "field", "reason"]
    return stack(
        table(f"{found.parked} parked", columns, rows),
        plain("Correct the record or the mapping, then: syncline parked retry ID"),
    )


def _render_shown(found: _ShownCause | list[TwoSides]) -> RenderableType:
    if isinstance(found, list):
        return stack(*(parked_sides.render(one) for one in found))
    cause = found.cause
    return stack(
        plain(
            f"Cause {cause.id}: {_several(cause.records, 'record')} of "
            f"{', '.join(cause.connections)}, since {cause.since:%Y-%m-%d %H:%M:%S} UTC"
        ),
        plain(cause.reason),
        plain(f"One of them, delivery {cause.example}:"),
        parked_sides.render(found.example),
        plain(f"All of them: {sent_again_with(found.retry)}"),
    )
