"""The figures of the dashboard, written again on a schedule: urgent ones soon, all else in turn.

A look at the ledger costs no call. Figures are written when an urgent one has changed, or when
they are older than the setting says: one call where they go into a custom table, two where they
stand on the dashboard itself. All of it is in the name of the lowest lane, and left out while quota
is short. A write with an unknown outcome is not repeated: the next figures are others. Where Halo
refuses them they rest, ever longer: nothing depends on them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Connection

from syncline.calls.calls import NoQuota
from syncline.calls.context import Line, WorkerContext
from syncline.dashboard import report_sql
from syncline.dashboard import rules as flow
from syncline.dashboard.html import cells, figures_html, figures_remark, reconciled
from syncline.dashboard.objects import Shelf, StoredDashboard
from syncline.dashboard.queries import DashboardFigures, figures, standing, urgent_figures
from syncline.errors import Absent, Again, Doubtful, SynclineError
from syncline.halo.dashboards.custom_tables import db_name_of, rows_body, table_body, table_name
from syncline.halo.dashboards.differences import WIDGETS
from syncline.halo.entities.resources import CUSTOM_TABLE, DASHBOARD
from syncline.ingest import pull_windows
from syncline.ledger import connections

MOST_ROWS = 10_000
"""Rows of our custom table; then it begins anew, since single rows cannot be taken out."""

LOOK_EVERY = timedelta(minutes=1)
"""How often the ledger is asked whether an urgent figure has changed."""

LEAST_REST, LONGEST_REST = timedelta(minutes=2), timedelta(days=1)
"""How long figures rest that Halo refused: at first, and at most; each time it is twice as long."""

Came = Literal["written", "unchanged", "begun anew", "no quota", "not installed", "rests"]

_CURSOR = ("dashboard", "figures")


def refresh_due(worker: WorkerContext) -> int:
    """Write the figures of every connection whose turn has come; returns how many were written.

    Raises:
        SynclineError: the first failure, once all others have had their turn.
    """
    written, failure = 0, None
    for name in worker.ledger.run(_due):
        try:
            written += refresh(worker.open_line(name), cause="schedule") == "written"
        except SynclineError as error:
            failure = failure or error
    if failure is not None:
        raise failure
    return written


def refresh(line: Line, *, cause: str) -> Came:
    """Write a connection's figures, if they are old or an urgent one has changed.

    Args:
        line: the connection.
        cause: who or what asked for it.

    Raises:
        SynclineError: Halo could not be asked, or refused; then they rest.
    """
    kept = StoredDashboard.read(line)
    if kept.table is not True and "dashboard" not in kept.ids:
        return "not installed"
    if kept.rest and line.worker.now() < datetime.fromisoformat(kept.rest["until"]):
        return "rests"
    told = line.worker.ledger.run(lambda connection: urgent_figures(connection, line.link.id))
    if not _is_due(kept.refreshed, asdict(told), line.worker):
        return "unchanged"
    try:
        shelf = Shelf(line, flow.name_of(line.link.name), cause)
        counted = line.worker.ledger.run(lambda connection: figures(connection, line.link))
        came = _into_table(shelf, counted) if kept.table else _into_html(shelf, counted)
    except NoQuota:
        return "no quota"
    except (Again, Doubtful):
        raise  # it passes by itself
    except SynclineError as error:
        _rest(line, error)
        raise
    if came != "begun anew":
        shelf.kept.note_refresh(counted)
    shelf.kept.rest = {}
    shelf.kept.write(line)
    return came


def _rest(line: Line, error: SynclineError) -> None:
    kept, now = StoredDashboard.read(line), line.worker.now()
    before = timedelta(seconds=float(kept.rest.get("pause_s", 0)))
    pause = min(max(2 * before, LEAST_REST), LONGEST_REST)
    kept.rest = {
        "since": kept.rest.get("since", now.isoformat()),
        "pause_s": pause.total_seconds(),
        "until": (now + pause).isoformat(),
        "why": error.what,
    }
    kept.write(line)


def _due(connection: Connection) -> list[str]:
    """The connections with a dashboard whose turn it is; their next turn is set with it."""
    return [
        link.name
        for link in connections.everyone(connection)
        if link.state == "active"
        and standing(connection, link.id).get("ids")
        and pull_windows.due_readings(connection, link.id, {_CURSOR: LOOK_EVERY})
    ]


def _is_due(refreshed: Mapping[str, Any], told: Mapping[str, Any], worker: WorkerContext) -> bool:
    if refreshed.get("pressing") != told or "at" not in refreshed:
        return True
    age = worker.now() - datetime.fromisoformat(refreshed["at"])
    return age >= worker.settings.dashboard_refresh


def _into_table(shelf: Shelf, counted: DashboardFigures) -> Came:
    """A row more in our custom table; a full one is taken away, and made again at the next turn."""
    kept, connection = shelf.kept, shelf.line.link.name
    table_id = kept.ids.get("table")
    if table_id is not None and kept.rows >= MOST_ROWS:
        shelf.remove(CUSTOM_TABLE, table_id)
        kept.ids.pop("table")
        kept.rows = 0
        return "begun anew"
    if table_id is None:
        remark = flow.remark_of(connection, "table")
        name = table_name("syncline", connection)
        body = table_body(name, remark, len(report_sql.CELLS))
        listed = shelf.everything(CUSTOM_TABLE)
        found = shelf.find(CUSTOM_TABLE, "table", name, remark, listed)
        table_id = (found or shelf.save(CUSTOM_TABLE, "table", body, None, remark)).id
        kept.ids["table"] = table_id
        return "begun anew"
    try:
        row = shelf.post(CUSTOM_TABLE, rows_body(table_id, [cells(counted)]), None)
    except Absent:
        kept.ids.pop("table")  # somebody took it away
        kept.rows = 0
        return "begun anew"
    kept.rows += 1
    if "db_name" in row.raw:
        kept.db_name = db_name_of(row.raw)
    return "written"


def _into_html(shelf: Shelf, counted: DashboardFigures) -> Came:
    """The figures in their widget; the other widgets are sent as they stand.

    A dashboard or widget that somebody took away is for `install` to put right.
    """
    connection = shelf.line.link.name
    dashboard_id = shelf.kept.ids["dashboard"]
    try:
        row = shelf.read(DASHBOARD, dashboard_id)
    except Absent:
        return "not installed"
    whole = "orders" not in shelf.kept.ids
    shown = row.raw.get(WIDGETS) or []
    html = figures_html(connection, counted, reconciled(counted.certificate), whole=whole)
    widgets = [
        {**one, "custom_html": html} if _holds_figures(one, connection) else one for one in shown
    ]
    if not any(_holds_figures(one, connection) for one in shown):
        return "not installed"
    if widgets == shown:
        return "unchanged"
    shelf.post(DASHBOARD, {"id": dashboard_id, WIDGETS: widgets}, None)
    return "written"


def _holds_figures(widget: Mapping[str, Any], connection: str) -> bool:
    return figures_remark(connection) in str(widget.get("custom_html") or "")
