"""`syncline parked retry`: parked deliveries are sent again, as a person decided."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated

import typer
from sqlalchemy import Connection

from syncline.actor import actor
from syncline.deliveries import parked, unleased
from syncline.errors import Refused, UnknownName
from syncline.ledger import connections, effects
from syncline.settings import Settings
from syncline.terminal.caveats import remark_on_idleness
from syncline.terminal.context import command_context
from syncline.terminal.messages import WRONG_DATA
from syncline.terminal.output import say

NOTHING = "Nothing is parked."

_CALLED = {"recurring": "recurring invoice"}
_LEFT_ALONE = (
    "{} left alone, since Halo may hold them already. `syncline parked show ID` names the rows: "
    "take the right one with `syncline adopt NAME --take ID=HALO_ID`. If Halo holds none of them, "
    "--create makes them."
)
_MADE_TWICE = (
    "Warning: Halo may hold some of these already. What it holds is there twice then, and is "
    "counted twice."
)


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What is to be sent again; all of None is everything. `create`: also what may be there."""

    only: int | None
    record: str | None
    cause: str | None
    create: bool


@dataclass(frozen=True, slots=True)
class _SentAgain:
    """How many are, by target, and how many of what was chosen Halo may hold already."""

    many: Mapping[str, int]
    doubted: int


def retry_parked(
    context: typer.Context,
    *,
    record: Annotated[
        str | None,
        typer.Argument(
            metavar="[ID|CAUSE]", help="The record's id, the delivery's number, or a cause."
        ),
    ] = None,
    cause: Annotated[
        str | None, typer.Option("--cause", metavar="CAUSE", help="Those of this cause.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is parked.")] = False,
    connection: Annotated[
        str | None, typer.Option("--connection", "-c", help="Only of this connection.")
    ] = None,
    create: Annotated[
        bool,
        typer.Option(
            "--create", help="Also what Halo may hold already: if it does, it is there twice then."
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent again, and change nothing.")
    ] = False,
) -> None:
    """Send parked deliveries again: of a record, of a cause, or all.

    The workers take them up within seconds. What Halo may hold already is left alone: see syncline
    adopt.

    Example: syncline parked retry --cause c1f3a5b7d
    """
    if [record is not None, cause is not None, everything].count(True) != 1:
        raise Refused("Which are to be sent again?", remedy="Give one ID, or --cause, or --all.")

    def work(database: Connection) -> _SentAgain:
        only = None if connection is None else connections.by_name(database, connection).id
        chosen = _Chosen(only, *_meant(database, only, record, cause), create)
        counts = partial(
            parked.counts,
            database,
            connection_id=only,
            record=chosen.record,
            cause=chosen.cause,
        )
        doubted = sum(counts(doubted=True).values())
        if dry_run:
            many: Mapping[str, int] = counts(doubted=None if create else False)
        else:
            many = _again(database, worker.settings, chosen)
        if not many and not doubted and (wanted := record or cause):
            raise UnknownName(
                f"Nothing is parked under {wanted!r}.", remedy="See `syncline parked list`."
            )
        return _SentAgain(many, doubted)

    with command_context(context).open() as worker:
        again = worker.ledger.run(work)
        if again.many and not dry_run:
            remark_on_idleness(worker)
    if again.many or not again.doubted:
        say(_sentence(again.many, "would be" if dry_run else "will be"))
    if again.doubted:
        say(_MADE_TWICE if create else _LEFT_ALONE.format(_deliveries(again.doubted)))
    if again.doubted and not create and not again.many:
        raise typer.Exit(WRONG_DATA)


def _meant(
    database: Connection, only: int | None, record: str | None, cause: str | None
) -> tuple[str | None, str | None]:
    """The record or delivery, or the cause, that is to be sent again.

    A cause may stand in place of a record, as `parked list` shows it.
    """
    if record is None or parked.counts(database, connection_id=only, record=record):
        return record, cause
    is_cause = bool(parked.counts(database, connection_id=only, cause=record))
    return (None, record) if is_cause else (record, None)


def _again(database: Connection, settings: Settings, chosen: _Chosen) -> Mapping[str, int]:
    """Send it again; a record's id goes before the number of a delivery."""
    by, record = actor(settings), chosen.record
    retry = partial(unleased.retry, database, chosen.only, by=by, create=chosen.create)
    if record is None:
        many = retry(cause=chosen.cause)
        _note(database, by, chosen, many)
        return many
    found = parked.listed(database, connection_id=chosen.only, record=record)
    if any(one.source_id == record for one in found):
        return retry(source_id=record)
    return retry(number=int(record)) if found else {}


def _note(database: Connection, by: str, chosen: _Chosen, many: Mapping[str, int]) -> None:
    """That a cause, or everything, was sent again, in the log of the connection or of all."""
    if not many:
        return
    what, subject, after = "parked retry", chosen.cause or "all", {"due again": dict(many)}
    if chosen.only is None:
        effects.decided_for_all(database, what=what, subject=subject, by=by, after=after)
    else:
        effects.decided(database, chosen.only, what=what, subject=subject, by=by, after=after)


def _sentence(many: Mapping[str, int], will_be: str) -> str:
    if not many:
        return NOTHING
    parts = [_several(number, _CALLED.get(target, target)) for target, number in many.items()]
    return f"{_deliveries(sum(many.values()))} {will_be} sent again: {', '.join(parts)}."


def _deliveries(many: int) -> str:
    return f"{many} delivery" if many == 1 else f"{many} deliveries"


def _several(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
