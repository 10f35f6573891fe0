"""`syncline alerts`: what people were told, what they know of, and whether telling works."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import RenderableType
from sqlalchemy import Connection

from syncline.actor import actor
from syncline.alerts import messages as alert_messages
from syncline.alerts import queries as alerts
from syncline.alerts.messages import SeenMessage
from syncline.alerts.queries import Alert
from syncline.alerts.status import state_of
from syncline.alerts.trial import Arrival, try_alerts
from syncline.engine.connection_rules import rules_of
from syncline.errors import UnknownName
from syncline.ledger import connections, effects, history
from syncline.ledger.history import SeenEffect
from syncline.mapping.describe import DescribedFlow, describe
from syncline.mapping.show import FILLED, OPTIONS, filled_cells, option_cells
from syncline.terminal.caveats import remark_on_emptiness
from syncline.terminal.context import command_context
from syncline.terminal.messages import WRONG_DATA
from syncline.terminal.output import AsJson, group, plain, say, show, stack, table
from syncline.terminal.waiting import waiting

app = group("alerts", "See what people were told, say that it is known, try whether it arrives.")

_GREATEST = 2**63 - 1
"""The greatest number that a row can have."""

Number = Annotated[
    int, typer.Argument(metavar="NUMBER", min=1, max=_GREATEST, help="The alert's number.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")
]


@dataclass(frozen=True, slots=True)
class _Alerts:
    alerts: list[Alert]


@dataclass(frozen=True, slots=True)
class _ShownAlert:
    alert: Alert
    messages: list[SeenMessage]
    effects: list[SeenEffect]


@dataclass(frozen=True, slots=True)
class _Trial:
    connection: str
    arrived: bool
    ways: list[Arrival]


@app.command("list")
def list_alerts(
    context: typer.Context,
    *,
    connection: Annotated[
        str | None, typer.Option("--connection", "-c", help="Only of this connection.")
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Those that healed and notices of new orders too.")
    ] = False,
    most: Annotated[
        int, typer.Option("--limit", min=1, max=10_000, help="Show so many lines at most.")
    ] = 50,
    as_json: AsJson = False,
) -> None:
    """List open alerts, the newest first: one for each cause.

    Example: syncline alerts list --connection acme
    """

    def work(database: Connection) -> list[Alert]:
        only = None if connection is None else connections.by_name(database, connection).id
        return alerts.listed(database, connection_id=only, everything=everything, most=most)

    with command_context(context).open() as worker:
        found = worker.ledger.run(work)
        if not found:
            remark_on_emptiness(worker, connection)
    show(as_json, _Alerts(found), lambda: _render(found))


@app.command("show")
def show_alert(context: typer.Context, number: Number, *, as_json: AsJson = False) -> None:
    """Show one alert: its text, what was told of it, and where.

    Example: syncline alerts show 17
    """

    def work(database: Connection) -> _ShownAlert:
        alert = _known(database, number)
        told = history.of(database, "alert", alert.source_id)
        messages = alert_messages.of_alert(database, number)
        return _ShownAlert(alert, messages, [] if told is None else list(told.audit))

    with command_context(context).open() as worker:
        found = worker.ledger.run(work)
    show(as_json, found, lambda: _render_shown(found))


@app.command("acknowledge")
def acknowledge(
    context: typer.Context,
    *,
    numbers: Annotated[
        list[int],
        typer.Argument(metavar="NUMBER", min=1, max=_GREATEST, help="The alerts' numbers."),
    ],
    dry_run: DryRun = False,
) -> None:
    """Say that open alerts are known: they are not told again until they heal.

    Example: syncline alerts acknowledge 17
    """

    def work(database: Connection) -> list[int]:
        found = [_known(database, number) for number in numbers]
        news = [one for one in found if one.state == "open" and one.acknowledged_at is None]
        if not dry_run:
            by = actor(worker.settings)
            alerts.acknowledge(database, [one.id for one in news], by)
            for one in news:
                effects.decided(
                    database,
                    one.connection_id,
                    what="alerts acknowledge",
                    subject=one.source_id,
                    by=by,
                )
        return [one.id for one in news]

    with command_context(context).open() as worker:
        done = worker.ledger.run(work)
    if not done:
        say("None of them is open and unknown.")
        return
    would = "would be" if dry_run else "are"
    say(f"{', '.join(map(str, done))} {would} known, and not told again before they heal.")


@app.command("rules")
def rules(
    context: typer.Context,
    connection: Annotated[str, typer.Argument(metavar="CONNECTION", help="The connection's name.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Show what a connection tells, when, and as what; the section [alerts] of its mapping.

    Example: syncline alerts rules acme
    """
    with command_context(context).open() as worker:
        link = worker.ledger.run(lambda database: connections.by_name(database, connection))
    [found] = describe(rules_of(link), {}, ["alerts"])
    show(as_json, found, lambda: _render_rules(connection, found))


@app.command("test")
def try_out(
    context: typer.Context,
    connection: Annotated[str, typer.Argument(metavar="CONNECTION", help="The connection's name.")],
    *,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Try whether alerts arrive: make a ticket in Halo, read it back and close it; tell channels.

    Ends with 1 unless every way that is set took it.

    Example: syncline alerts test acme
    """
    with command_context(context).open() as worker:
        line = worker.open_line(connection)
        if dry_run:
            ticket = "make a ticket in Halo, read it back, close it, and "
            made = ticket if line.document.alerts.into == "ticket" else "make no ticket, and "
            would = f"It would {made}tell each channel once."
            show(as_json, {"would": would}, lambda: plain(would))
            return
        with waiting() as tell:
            ways = try_alerts(line, tell)
    trial = _Trial(connection, bool(ways) and all(way.arrived for way in ways), ways)
    show(as_json, trial, lambda: _render_trial(trial))
    if not trial.arrived:
        raise typer.Exit(WRONG_DATA)


def _known(database: Connection, number: int) -> Alert:
    found = alerts.listed(database, everything=True, number=number)
    if not found:
        raise UnknownName(f"There is no alert {number}.", remedy="See `syncline alerts list`.")
    return found[0]


def _render(found: list[Alert]) -> RenderableType:
    if not found:
        return plain("No alert is open.")
    columns = ["number#", "connection", "severity", "what", "count#", "since (UTC)", "state"]
    rows = [
        [
            *(one.id, one.connection, one.severity, one.title, one.count),
            *(f"{one.first_at:%Y-%m-%d %H:%M}", state_of(one)),
        ]
        for one in found
    ]
    return stack(
        table(f"{len(found)} alerts", columns, rows),
        plain("See one with: syncline alerts show NUMBER"),
    )


def _render_shown(found: _ShownAlert) -> RenderableType:
    one = found.alert
    parts: list[RenderableType] = [
        plain(f"Alert {one.id} of {one.connection}: {one.title} ({one.severity})"),
        plain(
            f"{one.count} since {one.first_at:%Y-%m-%d %H:%M:%S} UTC, last changed "
            f"{one.last_at:%Y-%m-%d %H:%M:%S} UTC; {state_of(one)}"
        ),
        plain(one.detail["text"]),
    ]
    if found.effects:
        rows = [
            [f"{each.at:%Y-%m-%d %H:%M:%S}", each.effect, each.target, each.target_id]
            for each in found.effects
        ]
        parts.append(table("told", ["at (UTC)", "effect", "where", "id"], rows))
    if found.messages:
        messages = [
            [f"{each.made_at:%Y-%m-%d %H:%M:%S}", each.what, each.channel, _became(each)]
            for each in found.messages
        ]
        parts.append(table("channels", ["at (UTC)", "what", "channel", "outcome"], messages))
    if one.ticket_state == "parked":
        parts.append(plain(f"Its ticket is parked: syncline parked show {one.source_id}"))
    return stack(*parts)


def _became(message: SeenMessage) -> str:
    if message.state == "sent":
        return "sent"
    tried = f"tried {message.attempts} times" if message.attempts else "not tried yet"
    why = f": {message.error}" if message.error else ""
    return f"{'given up' if message.state == 'failed' else 'waiting'}, {tried}{why}"


def _render_rules(connection: str, found: DescribedFlow) -> RenderableType:
    return stack(
        table(f"What {connection} tells", OPTIONS, option_cells(found)),
        table("Fields of its tickets", FILLED, filled_cells(found)),
        plain("Change them in the section [alerts] of the mapping; docs/alerts.md says all."),
    )


def _render_trial(trial: _Trial) -> RenderableType:
    if not trial.ways:
        return plain(
            "Nobody is told: no tickets by the mapping, and no channel in SYNCLINE_ALERT_URLS."
        )
    rows = [[way.way, "yes" if way.arrived else "no", way.what] for way in trial.ways]
    return table(f"A trial alert of {trial.connection}", ["way", "arrived", "what"], rows)
