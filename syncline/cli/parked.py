"""`syncline parked`: deliveries that need a person, and sending them again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.cli.desk import desk
from syncline.cli.output import AsJson, group, plain, say, show, stack, table
from syncline.errors import Refused, UnknownName
from syncline.ledger import connections, deliveries, parked
from syncline.ledger.parked import ParkedDelivery

app = group("parked", "Look at deliveries that need a person, and send them again.")

Only = Annotated[str | None, typer.Option("--connection", "-c", help="Only of this connection.")]
Record = Annotated[
    str, typer.Argument(metavar="ID", help="The record's id, or the delivery's number.")
]


@dataclass(frozen=True, slots=True)
class _Listed:
    parked: int
    deliveries: list[ParkedDelivery]


@app.command("list")
def list_parked(
    context: typer.Context,
    *,
    connection: Only = None,
    most: Annotated[int, typer.Option("--limit", min=1, help="Show so many at most.")] = 100,
    as_json: AsJson = False,
) -> None:
    """List what is parked, with the reason and the offending field.

    Example: syncline parked list --connection acme
    """

    def work(database: Connection) -> _Listed:
        only = _id_of(database, connection)
        return _Listed(
            parked.count(database, only), parked.listed(database, connection_id=only, most=most)
        )

    with desk(context).open() as parts:
        found = parts.ledger.run(work)
    show(as_json, found, lambda: _render_list(found))


@app.command("show")
def show_parked(
    context: typer.Context,
    *,
    record: Record,
    connection: Only = None,
    as_json: AsJson = False,
) -> None:
    """Show what was wanted beside what Halo confirmed, and why it is parked.

    Example: syncline parked show 6578a1b2c3d4e5f60718293a
    """
    with desk(context).open() as parts:
        found = parts.ledger.run(lambda database: _known(database, record, connection))
    show(as_json, found, lambda: stack(*(_render(one) for one in found)))


@app.command("retry")
def retry_parked(
    context: typer.Context,
    *,
    record: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="The record's id, or a delivery's number.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All that is parked.")] = False,
    connection: Only = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent again, and change nothing.")
    ] = False,
) -> None:
    """Send parked deliveries again: one record's, or all; the workers take them up within seconds.

    Example: syncline parked retry 6578a1b2c3d4e5f60718293a
    """
    if (record is None) is not everything:
        raise Refused("Which are to be sent again?", remedy="Give one ID, or --all.")

    def work(database: Connection) -> int:
        only = _id_of(database, connection)
        if record is None:
            return (
                parked.count(database, only) if dry_run else len(deliveries.retry(database, only))
            )
        found = _known(database, record, connection)
        return sum(
            _again(database, of, at, dry_run=dry_run)
            for of, at in sorted({(one.connection_id, one.source_id) for one in found})
        )

    with desk(context).open() as parts:
        many = parts.ledger.run(work)
    what = "delivery" if many == 1 else "deliveries"
    say(f"{many} {what} {'would be' if dry_run else 'will be'} sent again.")


def _id_of(database: Connection, name: str | None) -> int | None:
    return None if name is None else connections.by_name(database, name).id


def _again(database: Connection, connection_id: int, source_id: str, *, dry_run: bool) -> int:
    if dry_run:
        return len(parked.listed(database, connection_id=connection_id, record=source_id))
    return len(deliveries.retry(database, connection_id, source_id=source_id))


def _known(database: Connection, record: str, name: str | None) -> list[ParkedDelivery]:
    found = parked.listed(database, connection_id=_id_of(database, name), record=record)
    if not found:
        raise UnknownName(
            f"Nothing is parked under {record!r}.", remedy="See `syncline parked list`."
        )
    return found


def _render_list(found: _Listed) -> RenderableType:
    if not found.parked:
        return plain("Nothing is parked.")
    rows = [
        [one.id, one.connection, f"{one.flow}/{one.role}", one.source_id, one.field, one.reason]
        for one in found.deliveries
    ]
    columns = ["number#", "connection", "delivery", "record", "field", "reason"]
    return stack(
        table(f"{found.parked} parked", columns, rows),
        plain("Correct the record or the mapping, then: syncline parked retry ID"),
    )


def _render(one: ParkedDelivery) -> RenderableType:
    wanted, delivered = one.wanted or {}, one.delivered or {}
    rows = [
        [name, wanted.get(name), delivered.get(name)]
        for name in [*wanted, *(name for name in delivered if name not in wanted)]
    ]
    field = f" ({one.field})" if one.field else ""
    return stack(
        plain(f"{one.flow}/{one.role} of {one.source_id}, connection {one.connection}"),
        plain(f"Reason{field}: {one.reason}"),
        table("", ["field", "last sent", "last confirmed"], rows),
        plain(f"Send it again with: syncline parked retry {one.id}"),
    )
