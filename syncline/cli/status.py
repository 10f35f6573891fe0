"""`syncline status`: how every connection stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Annotated

import typer
from redis.exceptions import RedisError
from rich.console import RenderableType
from rich.live import Live
from sqlalchemy import Connection

from syncline.alerts.status import OpenAlert, alerts_table, read_alerts
from syncline.audit import sealing
from syncline.calls.context import WorkerContext
from syncline.calls.faults import held_back
from syncline.calls.quota_keys import halo_key, highlevel_key
from syncline.cli.answering import Answering, answering, in_words
from syncline.credentials.status import Secrets, read_secrets, secrets_table
from syncline.dashboard.status import resting
from syncline.deliveries import status_counts
from syncline.deliveries.status_counts import KindStatus, PullStatus, WorkerStatus
from syncline.errors import Refused, sentence
from syncline.ingest.status import left_out_table, unfinished_table
from syncline.ingest.unfinished import UnfinishedWindow, unfinished
from syncline.ledger import connections, left_out
from syncline.ledger.calls import last_answer
from syncline.ledger.connections import Link
from syncline.ledger.left_out import LeftOutField
from syncline.quota.bucket import Left
from syncline.quota.keys import QuotaKey
from syncline.sending.first_rows.status import UnfoundKind, read_unfound, unfound_lines
from syncline.sending.tenant.status import HeldKind, held_lines, read_held
from syncline.terminal.caveats import NO_CONNECTION, NO_WORKER, never_read
from syncline.terminal.context import command_context
from syncline.terminal.output import AsJson, ago, console, plain, show, stack, table
from syncline.webhooks.status import EventStatus, events_table, read_events

_WATCH_SECONDS = 1.0
_UNSEALED_S = 300.0
"""Seconds that an entry may wait for its seal before people are told."""


@dataclass(frozen=True, slots=True)
class _QuotaStatus:
    """What is left of a key, None where Redis did not answer; how the other side answers."""

    key: str
    left: Left | None
    last_answer: Answering


@dataclass(frozen=True, slots=True)
class _ConnectionStatus:
    name: str
    mode: str
    state: str
    note: str | None
    unread: str | None
    dashboard: str | None
    kinds: list[KindStatus]
    held: list[HeldKind]
    unfound: list[UnfoundKind]
    events: EventStatus
    unfinished: list[UnfinishedWindow]
    left_out: list[LeftOutField]
    quota: list[_QuotaStatus]


@dataclass(frozen=True, slots=True)
class _Status:
    connections: list[_ConnectionStatus]
    secrets: Secrets
    workers: list[WorkerStatus]
    alerts: list[OpenAlert]
    unsealed_s: float | None


_Found = tuple[
    *tuple[Link, str | None, str | None, list[KindStatus], list[HeldKind], list[UnfoundKind]],
    *tuple[EventStatus, list[UnfinishedWindow], list[LeftOutField]],
]


def show_status(
    context: typer.Context,
    *,
    connection: Annotated[
        str | None, typer.Option("--connection", "-c", help="Only this connection.")
    ] = None,
    as_json: AsJson = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it anew every second until Ctrl-C.")
    ] = False,
) -> None:
    """Show per connection and kind what was seen, what is in line, and what is still owed.

    Then which events came, late or never, what is left of each quota, and which workers live.

    Example: syncline status --watch
    """
    if as_json and watch:
        raise Refused("--json prints one document, --watch never ends.", remedy="Use one of them.")
    with command_context(context).open() as worker:
        if watch:
            _watch(worker, connection)
        else:
            found = _read(worker, connection)
            show(as_json, found, lambda: _render(found))


def _watch(worker: WorkerContext, name: str | None) -> None:
    shown = console()
    try:
        while not shown.is_terminal:  # a live display would show nothing there before its end
            shown.print(_render(_read(worker, name)))
            worker.sleep(_WATCH_SECONDS)
        with Live(_render(_read(worker, name)), console=shown, auto_refresh=False) as live:
            while True:
                worker.sleep(_WATCH_SECONDS)
                live.update(_render(_read(worker, name)), refresh=True)
    except KeyboardInterrupt:
        return


def _read(worker: WorkerContext, name: str | None) -> _Status:
    def work(
        connection: Connection,
    ) -> tuple[list[_Found], Secrets, list[WorkerStatus], list[OpenAlert], timedelta | None]:
        links = (
            connections.everyone(connection)
            if name is None
            else [connections.by_name(connection, name)]
        )
        return (
            [
                (
                    link,
                    never_read(connection, link),
                    resting(connection, link),
                    status_counts.kinds(connection, link),
                    read_held(connection, link),
                    read_unfound(connection, link),
                    read_events(connection, link),
                    [one for one in unfinished(connection, [link.id]) if one.failures],
                    left_out.counted(connection, link.id),
                )
                for link in links
            ],
            read_secrets(connection, worker, None if name is None else links[0]),
            status_counts.workers(connection, worker.settings.dead_after),
            read_alerts(connection, None if name is None else links[0].id),
            sealing.behind(connection),
        )

    found, secrets, workers, alerts, unsealed = worker.ledger.run(work)
    return _Status(
        [
            _ConnectionStatus(
                link.name,
                link.mode,
                link.state,
                link.note,
                unread,
                dashboard,
                kinds,
                held,
                unfound,
                events,
                windows,
                nonsense,
                [_quota(worker, key) for key in (highlevel_key(link), halo_key(link))],
            )
            for link, unread, dashboard, kinds, held, unfound, events, windows, nonsense in found
        ],
        secrets,
        workers,
        alerts,
        None if unsealed is None else unsealed.total_seconds(),
    )


def _quota(worker: WorkerContext, key: QuotaKey) -> _QuotaStatus:
    answer = worker.ledger.run(lambda connection: last_answer(connection, key.name))
    try:
        left, again = worker.quota.left(key), held_back(worker, key).total_seconds()
    except RedisError:
        left, again = None, 0.0  # the ledger's figures are true without it
    return _QuotaStatus(key.name, left, answering(answer, again))


def _render(found: _Status) -> RenderableType:
    if not found.connections:
        return plain(NO_CONNECTION)
    return stack(
        *(part for one in found.connections for part in _connection(one)),
        *alerts_table(found.alerts),
        *secrets_table(found.secrets),
        *_sealing(found.unsealed_s),
        _workers(found.workers),
    )


def _sealing(unsealed_s: float | None) -> list[RenderableType]:
    if unsealed_s is None or unsealed_s < _UNSEALED_S:
        return []
    return [
        plain(
            f"The oldest entry of the audit log without a seal is of {ago(unsealed_s)}: no worker "
            "runs, or a long transaction on the PostgreSQL server holds sealing up."
        )
    ]


def _connection(one: _ConnectionStatus) -> list[RenderableType]:
    title = f"{one.name} ({one.mode}, {one.state})"
    counts = ["seen#", "owed#", "in line#", "due#", "waiting#", "doubtful#", "parked#"]
    held = any(kind.held for kind in one.kinds)
    counts += ["held until live#"] if held else []
    rows = [
        [
            *(kind.kind, kind.seen, kind.owed, kind.in_line),
            *(kind.due, _waiting(kind), kind.doubtful, kind.parked),
            *([kind.held] if held else []),
            _pull(kind),
        ]
        for kind in one.kinds
    ]
    parts = [
        table(title, ["kind", *counts, "last pull"], rows),
        *events_table(one.events),
        *unfinished_table(one.unfinished),
        *left_out_table(one.left_out),
        table(
            "",
            ["quota", "left", "last answer"],
            [[quota.key, _left(quota.left), in_words(quota.last_answer)] for quota in one.quota],
        ),
    ]
    if one.dashboard is not None:
        parts.append(plain(one.dashboard))
    if one.unread is not None:
        parts.insert(0, plain(one.unread))
    if one.state == "rehearsing":
        parts.insert(0, plain(f"{one.name} rehearses: {one.note}."))
    if one.state == "stopped":
        parts.insert(0, plain(f"{one.name} is stopped: {_why_stopped(one)}"))
    return [*held_lines(one.held), *unfound_lines(one.unfound), *parts]


def _why_stopped(one: _ConnectionStatus) -> str:
    """Why it stands still, and how it goes on; who stopped it on purpose has said how."""
    note = one.note or "by hand"
    if note.startswith(connections.BY_A_PERSON) and "syncline " in note:
        return note
    return f"{sentence(note)} When that is put right: syncline connection start {one.name}"


def _waiting(kind: KindStatus) -> str:
    """How many wait, and how many of them for a person."""
    return f"{kind.waiting}, {kind.held_up} behind parked" if kind.held_up else str(kind.waiting)


def _pull(kind: KindStatus) -> str:
    lines = [] if kind.pull is None else [certificate(kind.pull)]
    if kind.running is not None:
        of = "?" if kind.running.total is None else kind.running.total
        lines.append(f"reading {kind.running.seen} of {of}, begun {ago(kind.running.age_s)}")
    if kind.unread:
        lines.append(f"{kind.unread} {'window' if kind.unread == 1 else 'windows'} to read")
    return "\n".join(lines)


def certificate(pull: PullStatus) -> str:
    """What a finished pull proves: state, rows of the total, window, age."""
    text = f"{pull.state} {pull.seen} of {pull.total}, {pull.first} to {pull.last}"
    unreadable = f", {pull.unreadable} unreadable" if pull.unreadable else ""
    return f"{text}{unreadable}, {ago(pull.age_s)}"


def _left(left: Left | None) -> str:
    if left is None:
        return "unknown: Redis does not answer"
    texts = [
        f"{w['left']} of {w['calls']} in {w['seconds']:g} s"
        + (f", next in {ceil(w['next_s'])} s" if w["next_s"] else "")
        for w in left["windows"]
    ]
    if left["daily_left"] is not None:
        texts.append(f"{left['daily_left']} today")
    if left["frozen_until"] is not None:
        texts.append(f"frozen until {left['frozen_until']:%H:%M:%S} UTC after a 429")
    return "; ".join(texts)


def _workers(workers: list[WorkerStatus]) -> RenderableType:
    if not workers:
        return plain(NO_WORKER)
    return table(
        "workers",
        ["process", "state", "last heartbeat"],
        [[w.name, "alive" if w.alive else "dead", ago(w.silent_s)] for w in workers],
    )
