"""`syncline enqueue`: publishes the documented tasks by hand, at any moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import typer
from kombu.exceptions import OperationalError
from sqlalchemy import Connection as Database

from syncline.actor import actor
from syncline.errors import Again, Refused
from syncline.ledger import connections, effects
from syncline.queues import Lane
from syncline.reconciliation.due import LAST, asked
from syncline.runtime.registry import HANDLERS
from syncline.terminal.caveats import remark_on_idleness
from syncline.terminal.context import command_context
from syncline.terminal.options import day
from syncline.terminal.output import group, say
from tasks.nudging import PULL_TASKS

app = group("enqueue", "Give the workers a task now; a doubled one does no harm.")

_LOOKED_UP = [name for name, one in HANDLERS.items() if one.looks_up is not None]
_SENT = [*_LOOKED_UP, *(name for name in HANDLERS if name not in _LOOKED_UP)]

Connection = Annotated[
    str, typer.Option("--connection", "-c", metavar="NAME", help="The connection to work for.")
]
Since = Annotated[
    str | None,
    typer.Option(metavar="DATE", help="First day of creation; else where the connection starts."),
]
Until = Annotated[str | None, typer.Option(metavar="DATE", help="Last day; else today.")]
OneTarget = Annotated[
    str | None, typer.Option("--target", help=f"Only one of: {', '.join(_LOOKED_UP)}.")
]
OneToSend = Annotated[
    str | None,
    typer.Option("--target", help=f"Only one of: {', '.join(_SENT)}."),
]


@dataclass(frozen=True, slots=True)
class _Task:
    name: str
    arguments: tuple[str | None, ...]
    lane: Lane


@app.command("pull-orders")
def pull_orders(
    context: typer.Context, connection: Connection, since: Since = None, until: Until = None
) -> None:
    """Read the orders that were created in these days.

    Example: syncline enqueue pull-orders --connection acme --since 2026-01-01
    """
    _enqueue(context, connection, [_pull("order", connection, since, until)])


@app.command("pull-transactions")
def pull_transactions(
    context: typer.Context, connection: Connection, since: Since = None, until: Until = None
) -> None:
    """Read the transactions that were created in these days.

    Example: syncline enqueue pull-transactions --connection acme --since 2026-01-01
    """
    _enqueue(context, connection, [_pull("transaction", connection, since, until)])


@app.command("pull-subscriptions")
def pull_subscriptions(
    context: typer.Context, connection: Connection, since: Since = None, until: Until = None
) -> None:
    """Read the subscriptions that were created in these days.

    Example: syncline enqueue pull-subscriptions --connection acme --since 2026-01-01
    """
    _enqueue(context, connection, [_pull("subscription", connection, since, until)])


@app.command("poll-halo")
def poll_halo(context: typer.Context, connection: Connection) -> None:
    """Look for what was changed in Halo, without waiting for the next look.

    Example: syncline enqueue poll-halo --connection acme
    """
    _enqueue(context, connection, [_Task("syncline.pulls.halo", (connection,), Lane.PULLS)])


@app.command("send")
def send(context: typer.Context, connection: Connection, target: OneToSend = None) -> None:
    """Deliver what is due, without waiting for the next sweep.

    Example: syncline enqueue send --connection acme --target order
    """
    targets = _targets(target, _SENT)
    _enqueue(
        context,
        connection,
        [_Task("syncline.deliveries.send", (connection, one), Lane.DELIVERIES) for one in targets],
    )


@app.command("look-up")
def look_up(context: typer.Context, connection: Connection, target: OneTarget = None) -> None:
    """Find out what became of doubtful deliveries whose settle time has passed.

    Example: syncline enqueue look-up --connection acme
    """
    _enqueue(
        context,
        connection,
        [
            _Task("syncline.deliveries.look_up", (connection, one), Lane.DELIVERIES)
            for one in _targets(target, _LOOKED_UP)
        ],
    )


@app.command("reconcile")
def reconcile(
    context: typer.Context,
    connection: Connection,
    period: Annotated[
        str, typer.Option(metavar="PERIOD", help="A year, a month or a day: 2026-11.")
    ] = LAST,
) -> None:
    """Compare both sides with what Halo really holds; without a period, of the last days.

    Example: syncline enqueue reconcile --connection acme --period 2026-11
    """
    asked(period)
    task = _Task("syncline.reconciliation.run", (connection, period), Lane.BACKFILL)
    _enqueue(context, connection, [task])


@app.command("sweep")
def sweep(
    context: typer.Context,
    connection: Annotated[
        str | None,
        typer.Option("--connection", "-c", metavar="NAME", help="Checked; a sweep is for all."),
    ] = None,
) -> None:
    """Free what the dead held and look at everything that is due.

    Example: syncline enqueue sweep
    """
    _enqueue(context, connection, [_Task("syncline.upkeep.sweep", (), Lane.UPKEEP)])


def _pull(kind: str, connection: str, since: str | None, until: str | None) -> _Task:
    first, last = (None if text is None else day(text) for text in (since, until))
    if first is not None and last is not None and first > last:
        raise Refused(f"{since} is after {until}.", remedy="Give the earlier day as --since.")
    arguments = (None if one is None else one.isoformat() for one in (first, last))
    return _Task(PULL_TASKS[kind], (connection, *arguments), Lane.PULLS)


def _targets(target: str | None, known: list[str]) -> list[str]:
    if target is None:
        return known
    if target not in known:
        raise Refused(f"{target!r:.80} is no target.", remedy=f"There are: {', '.join(known)}.")
    return [target]


def _enqueue(context: typer.Context, connection: str | None, tasks: Sequence[_Task]) -> None:
    what = f"enqueue {context.info_name}"

    def note(database: Database) -> None:
        by = actor(worker.settings)
        after = {"tasks": [[task.name, *task.arguments] for task in tasks]}
        if connection is None:
            effects.decided_for_all(database, what=what, subject="", by=by, after=after)
            return
        link = connections.by_name(database, connection)
        effects.decided(database, link.id, what=what, subject=link.name, by=by, after=after)

    with command_context(context).open() as worker:
        worker.ledger.run(note)
        _publish(tasks)
        remark_on_idleness(worker)
    for task in tasks:
        say(f"Enqueued {task.name} on {task.lane.queue}.")


def _publish(tasks: Sequence[_Task]) -> None:
    # The app asks for the broker when it is imported, so it is imported once there is one.
    from workers.app import app as celery  # noqa: PLC0415

    try:
        for task in tasks:
            celery.send_task(task.name, args=list(task.arguments), queue=task.lane.queue)
    except OperationalError as error:
        raise Again(
            f"The broker does not take the task ({error}).", remedy="Try again when it is back."
        ) from error
