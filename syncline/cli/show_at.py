"""`syncline show … --at`: one record as it was at a moment, and what had been done by then."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.console import RenderableType
from sqlalchemy import Connection

from syncline import jsontext
from syncline.errors import UnknownName
from syncline.ledger import history
from syncline.ledger.history import Past, SeenEffect
from syncline.terminal.context import command_context
from syncline.terminal.options import moment
from syncline.terminal.output import plain, show, stack, table

At = Annotated[
    str | None,
    typer.Option(
        metavar="WHEN",
        help="As it was then, in UTC: 2026-11-01T14:30, or a day for its end.",
    ),
]

_PROOF = {
    "proved": "its fingerprint is the one that was kept then",
    "unproved": "its fingerprint is NOT the one that was kept then: see syncline audit verify",
    "unknown": "no fingerprint of it is kept",
}


@dataclass(frozen=True, slots=True)
class _Delivered:
    """What Halo held of it by then, as it was confirmed."""

    flow: str
    role: str
    target: str
    target_id: str
    version: int
    at: datetime
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Then:
    kind: str
    id: str
    at: datetime
    record: Past
    delivered: list[_Delivered]


def show_at(context: typer.Context, kind: str, record_id: str, at: str, *, as_json: bool) -> None:
    """Print a record as it was.

    Raises:
        UnknownName: it was not known yet.
        Refused: the moment cannot be understood.
    """
    when = moment(at)
    if not when.microsecond:
        # Moments are shown in whole seconds: what was seen in that one is meant.
        when = when.replace(microsecond=999_999)

    def work(connection: Connection) -> Past:
        found = history.at(connection, kind, record_id, when)
        if found is None:
            raise UnknownName(
                f"No {kind} {record_id!r} was known on {when:%Y-%m-%d %H:%M:%S} UTC.",
                remedy=f"See when it was first seen: syncline show {kind} {record_id}",
            )
        return found

    with command_context(context).open() as worker:
        record = worker.ledger.run(work)
    then = _Then(kind, record_id, when, record, _delivered(record.audit))
    show(as_json, then, lambda: _render(then))


def _delivered(effects: tuple[SeenEffect, ...]) -> list[_Delivered]:
    """The last effect of each delivery; one that ended with a removal left nothing."""
    last: dict[tuple[str, str, str], SeenEffect] = {}
    for one in effects:
        if one.flow != "command":
            last[one.flow, one.role, one.target] = one
    return [
        _Delivered(
            one.flow, one.role, one.target, one.target_id, one.version, one.at, one.after or {}
        )
        for one in last.values()
        if one.effect != "delete"
    ]


def _render(then: _Then) -> RenderableType:
    record = then.record
    parts: list[RenderableType] = [
        plain(
            f"{then.kind.capitalize()} {then.id} on {then.at:%Y-%m-%d %H:%M:%S} UTC: version "
            f"{record.version}, seen {record.since:%Y-%m-%d %H:%M:%S} UTC by {record.cause}; "
            f"{_PROOF[record.proof]}"
        ),
        table(
            "HighLevel said",
            ["field", "value"],
            [[name, _text(value)] for name, value in record.canonical.items()],
        ),
    ]
    for one in then.delivered:
        title = f"{one.target} {one.target_id} held, since {one.at:%Y-%m-%d %H:%M:%S} UTC"
        rows = [[name, _text(value)] for name, value in one.fields.items()]
        parts.append(table(title, ["field", "value"], rows))
    if not then.delivered:
        parts.append(plain("Nothing of it had been delivered."))
    if record.audit:
        parts.append(
            table(
                "effects until then",
                ["at (UTC)", "effect", "row", "version#", "because of"],
                [
                    [
                        *(f"{one.at:%Y-%m-%d %H:%M:%S}", one.effect),
                        *(f"{one.target} {one.target_id}", one.version, one.cause),
                    ]
                    for one in record.audit
                ],
            )
        )
    return stack(*parts)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else jsontext.dumps(value).decode()
