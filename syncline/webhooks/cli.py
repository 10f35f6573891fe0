"""`syncline events`: the webhooks that came, what became of each, and deciding about the parked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Protocol

import typer
from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.actor import actor
from syncline.calls.context import WorkerContext
from syncline.errors import UnknownName
from syncline.ledger import effects
from syncline.terminal.caveats import remark_on_emptiness, remark_on_idleness
from syncline.terminal.context import command_context
from syncline.terminal.output import AsJson, group, plain, say, show, stack, table
from syncline.webhooks import queue as event_queue
from syncline.webhooks.queue import StoredEvent

app = group("events", "Look at the webhooks that came, and decide about those that are parked.")

State = Literal["new", "done", "ignored", "parked"]
EventOrAll = Annotated[
    int | None, typer.Argument(metavar="[EVENT]", help="The event's number; else all parked.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say how many it would be, and change nothing.")
]


@dataclass(frozen=True, slots=True)
class _Events:
    events: list[StoredEvent]


@dataclass(frozen=True, slots=True)
class _WithBody:
    event: StoredEvent
    body: str


@app.command("list")
def list_events(
    context: typer.Context,
    *,
    state: Annotated[
        State | None,
        typer.Option("--state", help="Only those that are new, done, ignored, parked."),
    ] = None,
    event_type: Annotated[
        str | None, typer.Option("--type", help="Only of this type, such as OrderCreate.")
    ] = None,
    most: Annotated[int, typer.Option("--limit", min=1, help="Show so many lines at most.")] = 50,
    as_json: AsJson = False,
) -> None:
    """List the newest webhooks with what became of them.

    Example: syncline events list --state parked
    """
    with command_context(context).open() as worker:
        found = _Events(
            worker.ledger.run(
                lambda c: event_queue.listed(c, state=state, event_type=event_type, most=most)
            )
        )
        if not found.events:
            remark_on_emptiness(worker, None)
    is_narrowed = state is not None or event_type is not None
    none = "No event of that state and type has come." if is_narrowed else "No event has come yet."
    show(as_json, found, lambda: _render(found.events) if found.events else plain(none))


@app.command("show")
def show_event(
    context: typer.Context,
    event_id: Annotated[int, typer.Argument(metavar="EVENT", help="The event's number.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show one webhook with its body as it came.

    Example: syncline events show 1042
    """
    with command_context(context).open() as worker:
        found = worker.ledger.run(lambda c: event_queue.stored(c, event_id))
    if found is None:
        raise _unknown(event_id)
    event = _WithBody(found[0], found[1].decode(errors="replace"))
    show(as_json, event, lambda: stack(_render([event.event]), plain(event.body)))


@app.command("retry")
def retry(
    context: typer.Context,
    event_id: EventOrAll = None,
    *,
    dry_run: DryRun = False,
) -> None:
    """Handle one webhook again, or all that are parked.

    One that was handled before changes nothing: what it says equals what is known.

    Example: syncline events retry 1042
    """
    with command_context(context).open() as worker:
        many = _decided(worker, "retry", event_id, event_queue.again, dry_run=dry_run)
        if many and not dry_run:
            remark_on_idleness(worker)
    if event_id is not None and not many:
        raise _unknown(event_id, "parked or ignored ")
    if dry_run:
        say(f"{many} {'event' if many == 1 else 'events'} would be handled again.")
        return
    say(f"{many} {'event is' if many == 1 else 'events are'} handled again within seconds.")


@app.command("ignore")
def ignore(
    context: typer.Context,
    event_id: EventOrAll = None,
    *,
    dry_run: DryRun = False,
) -> None:
    """Set one parked webhook aside, or all: it is kept, and waits for nobody any more.

    Nothing is lost by that: what changed is read from HighLevel's lists too.

    Example: syncline events ignore 1042
    """
    with command_context(context).open() as worker:
        many = _decided(worker, "ignore", event_id, event_queue.set_aside, dry_run=dry_run)
    if event_id is not None and not many:
        raise _unknown(event_id, "parked ")
    would = "would be" if dry_run else "is" if many == 1 else "are"
    say(f"{many} {'event' if many == 1 else 'events'} {would} set aside.")


class _Decide(Protocol):
    """Moves one event, or all that are parked; returns how many."""

    def __call__(self, connection: Connection, *, event_id: int | None) -> int: ...


def _decided(
    worker: WorkerContext, what: str, event_id: int | None, decide: _Decide, *, dry_run: bool
) -> int:
    """What a person decides of parked events, with its audit entry; returns of how many."""
    by = actor(worker.settings)

    def work(connection: Connection) -> int:
        with connection.begin_nested() as attempt:
            many = decide(connection, event_id=event_id)
            if many:
                effects.decided_for_all(
                    connection,
                    what=f"events {what}",
                    subject="all" if event_id is None else str(event_id),
                    by=by,
                    after={"events": many},
                )
            if dry_run:
                attempt.rollback()
        return many

    return worker.ledger.run(work)


def _render(events: list[StoredEvent]) -> RenderableType:
    rows = [
        [
            one.id,
            f"{one.at:%Y-%m-%d %H:%M:%S}",
            one.source,
            one.place,
            one.type,
            one.state,
            " ".join(part for part in (one.kind, one.foreign_id) if part),
            one.note,
        ]
        for one in events
    ]
    names = ["event#", "came (UTC)", "from", "of", "type", "state", "about", "note"]
    return table("", names, rows)


def _unknown(event_id: int, which: str = "") -> UnknownName:
    return UnknownName(
        f"There is no {which}event {event_id}.", remedy="See `syncline events list`."
    )
