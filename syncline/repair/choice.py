"""Which differences a command is about."""

from __future__ import annotations

from typing import Annotated

import typer
from sqlalchemy import Connection

from syncline.errors import Refused, UnknownName
from syncline.ledger import connections
from syncline.reconciliation import discrepancies
from syncline.reconciliation.discrepancies import UNDECIDED, Discrepancy, Only
from syncline.reconciliation.rules import ROW, Cause
from syncline.terminal.options import day

OfConnection = Annotated[
    str | None, typer.Option("--connection", "-c", metavar="NAME", help="Only of this connection.")
]
OfCause = Annotated[Cause | None, typer.Option("--cause", help="Only with this cause.")]
OfFlow = Annotated[
    str | None, typer.Option("--flow", metavar="FLOW", help="Only of this flow, such as payments.")
]
Since = Annotated[
    str | None, typer.Option("--since", metavar="DATE", help="Only found on this day or later.")
]


def only(
    database: Connection,
    *,
    connection: str | None,
    cause: Cause | None,
    flow: str | None,
    since: str | None,
    ids: list[int] | None = None,
    states: tuple[str, ...] | None = UNDECIDED,
) -> Only:
    """The differences that options mean.

    Raises:
        Refused: there is no such connection, or the day is none.
    """
    return Only(
        connection_id=None if connection is None else connections.by_name(database, connection).id,
        ids=ids,
        cause=cause,
        flow=flow,
        since=None if since is None else day(since),
        states=states,
    )


def chosen(database: Connection, wanted: Only, *, everything: bool) -> list[Discrepancy]:
    """The differences that a person has chosen, by numbers, by what they have in common, or all.

    Raises:
        Refused: nothing was chosen, or all and some at once.
        UnknownName: one of the numbers is none, or is decided already.
    """
    narrowed = any((wanted.ids, wanted.cause, wanted.flow, wanted.since, wanted.connection_id))
    if (everything and wanted.ids) or not (everything or narrowed):
        raise Refused(
            "Which differences are meant?",
            remedy="Give NUMBERs, a filter such as --cause, or --all.",
        )
    found = discrepancies.listed(database, wanted)
    missing = sorted(set(wanted.ids or ()) - {one.id for one in found})
    if missing:
        raise UnknownName(
            f"There is no such difference to decide about: {', '.join(map(str, missing))}.",
            remedy="See `syncline discrepancies list`; what is decided already: --state accepted.",
        )
    return found


COLUMNS = ("number#", "difference", "ours", "theirs", "delivered")


def row_of(one: Discrepancy) -> list[object]:
    """A difference as a row of a table with the columns `COLUMNS`."""
    ours, theirs = values_of(one)
    state = "" if one.state == "open" else f"\n{one.state}"
    return [one.id, f"{_named(one)}{state}", ours, theirs, one.delivered]


def in_short(one: Discrepancy) -> str:
    """A difference in one cell of a few lines."""
    ours, theirs = values_of(one)
    return f"{_named(one)}\nours: {ours or 'none'}, theirs: {theirs or 'none'}"


def values_of(one: Discrepancy) -> tuple[str | None, str | None]:
    """Our value and Halo's; where they are rows and not values, they are called so."""
    if one.cause == Cause.MISSING:
        return f"row {one.ours}", f"row {one.theirs}" if one.theirs else "gone"
    if one.cause == Cause.DOUBLED:
        return f"row {one.ours}", f"rows {one.theirs}"
    if one.cause == Cause.NOT_DELIVERED:
        # What is kept of the other side says where it stands here: nothing of it is there.
        return one.ours, f"nothing; here it is {one.theirs}"
    return one.ours, one.theirs


def _named(one: Discrepancy) -> str:
    what = f"{Cause(one.cause).name_in_words}: {one.target}\n{one.source_id}"
    return what if one.field == ROW else f"{what}\n{one.field}"
