"""`syncline halo dashboard`: the live dashboard in Halo, with the reports that it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

import typer
from rich.console import RenderableType

from syncline.actor import caused
from syncline.dashboard import run as steps
from syncline.dashboard.html import on_the_way, reconciled, sealed, unfulfilled
from syncline.dashboard.objects import DashboardItem
from syncline.dashboard.queries import DashboardFigures, figures
from syncline.terminal.context import command_context
from syncline.terminal.messages import WRONG_SETTINGS
from syncline.terminal.output import AsJson, Commands, plain, show, stack, table

app = typer.Typer(
    name="dashboard",
    help="Install, show and remove the live dashboard in Halo.",
    cls=Commands,
    no_args_is_help=True,
)

Name = Annotated[str, typer.Argument(metavar="CONNECTION", help="The connection's name.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Say what would be done, and change nothing.")
]

_SHOWN = {
    "table": "What only the ledger knows goes into a custom table, which the reports read.",
    "html": "What only the ledger knows is written onto the dashboard itself.",
    None: "What only the ledger knows is shown nowhere in Halo: `syncline status` has it.",
}


@dataclass(frozen=True, slots=True)
class _Row:
    what: str
    name: str
    state: str
    id: int | None
    changes: list[str]
    why: str
    remedy: str


@dataclass(frozen=True, slots=True)
class _Installed:
    connection: str
    dashboard: str
    parts: list[_Row]
    figures_in: str | None
    dry_run: bool


@dataclass(frozen=True, slots=True)
class _DashboardStatus:
    connection: str
    dashboard: str
    parts: list[_Row]
    figures_in: str | None
    figures: dict[str, str]


@dataclass(frozen=True, slots=True)
class _RemovedDashboard:
    connection: str
    removed: list[_Row]
    dry_run: bool


@app.command("install")
def install_dashboard(
    context: typer.Context, connection: Name, *, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Make the dashboard in Halo or put it right, with the reports and the table that it shows.

    What Halo does not offer is named, with what to do. Where not even the dashboard can be made,
    it ends with 2.

    Example: syncline halo dashboard install acme --dry-run
    """
    with command_context(context).open() as worker:
        line = worker.open_line(connection)
        result = steps.install(
            line, dry_run=dry_run, cause=caused("halo dashboard install", worker.settings)
        )
    done = _Installed(
        connection, result.name, _rows(result.items), result.shows, dry_run=result.dry_run
    )
    show(as_json, done, lambda: _render(done.dashboard, done.parts, done.figures_in, dry_run))
    if any(one.what == "dashboard" and one.state == "not offered" for one in done.parts):
        raise typer.Exit(WRONG_SETTINGS)


@app.command("show")
def show_dashboard(context: typer.Context, connection: Name, *, as_json: AsJson = False) -> None:
    """Show what of the dashboard stands in Halo, and the figures that it shows of the ledger.

    Example: syncline halo dashboard show acme
    """
    with command_context(context).open() as worker:
        line = worker.open_line(connection)
        result = steps.install(line, dry_run=True, cause="halo dashboard show")
        counted = worker.ledger.run(lambda database: figures(database, line.link))
    standing = _DashboardStatus(
        connection, result.name, _rows(result.items), result.shows, _figures(counted)
    )
    show(as_json, standing, lambda: _render_standing(standing))


@app.command("remove")
def remove_dashboard(
    context: typer.Context, connection: Name, *, dry_run: DryRun = False, as_json: AsJson = False
) -> None:
    """Take the dashboard, its reports and its table away: those that are ours, and no others.

    Example: syncline halo dashboard remove acme --dry-run
    """
    with command_context(context).open() as worker:
        line = worker.open_line(connection)
        gone = steps.remove(
            line, dry_run=dry_run, cause=caused("halo dashboard remove", worker.settings)
        )
    removed = _RemovedDashboard(connection, _rows(gone), dry_run)
    show(as_json, removed, lambda: _render_removed(removed))


def _rows(items: tuple[DashboardItem, ...] | list[DashboardItem]) -> list[_Row]:
    return [
        _Row(
            one.noun,
            one.name,
            one.fate,
            one.row_id,
            [f"{c.field}: {_said(c.stands)} → {_said(c.wanted)}" for c in one.changes],
            one.why,
            one.remedy,
        )
        for one in items
    ]


def _said(value: str | None) -> str:
    return "(not there)" if value is None else repr(value)


def _figures(counted: DashboardFigures) -> dict[str, str]:
    told = counted.pressing
    sold = {
        f"{one.currency} this month": f"{one.month:,f} ({one.total:,f} in all)"
        for one in counted.sold
    }
    return {
        "orders": f"{sum(one.orders for one in counted.sold):,}",
        **sold,
        "unfulfilled orders": f"{unfulfilled(counted):,}",
        "failed deliveries": f"{told.failed:,}",
        "open differences": f"{told.differences:,}",
        "open alerts": f"{told.alerts:,}",
        "still on the way": f"{on_the_way(counted):,}",
        "last reconciliation": reconciled(counted.certificate),
        "audit log sealed up to": sealed(counted),
    }


def _render(
    name: str,
    rows: list[_Row],
    figures_in: str | None,
    dry_run: bool,  # noqa: FBT001 - as it came
) -> RenderableType:
    would = " (dry run: nothing was changed)" if dry_run else ""
    cells = [[one.what, one.name or "-", one.id or "", one.state] for one in rows]
    changed = [[one.name, "\n".join(one.changes)] for one in rows if one.changes]
    lacking = [[one.what, one.why, one.remedy] for one in rows if one.why]
    return stack(
        table(f"dashboard {name}{would}", ["what", "name", "id#", "state"], cells),
        *([table("stood otherwise", ["name", "changes"], changed)] if changed else []),
        *([table("not offered", ["what", "why", "what to do"], lacking)] if lacking else []),
        plain(_SHOWN[figures_in]),
    )


def _render_standing(standing: _DashboardStatus) -> RenderableType:
    to_do = {"made": "not there", "repaired": "differs", "unchanged": "stands"}
    rows = [
        _Row(one.what, one.name, to_do.get(one.state, one.state), one.id, one.changes, one.why,
             one.remedy)
        for one in standing.parts
    ]  # fmt: skip
    figures_now = [[what, figure] for what, figure in standing.figures.items()]
    lacks = any(one.state in {"made", "repaired"} for one in standing.parts)
    again = f"Put it right with: syncline halo dashboard install {standing.connection}"
    return stack(
        _render(standing.dashboard, rows, standing.figures_in, False),
        table("figures of the ledger", ["what", "now"], figures_now),
        *([plain(again)] if lacks else []),
    )


def _render_removed(removed: _RemovedDashboard) -> RenderableType:
    if not removed.removed:
        return plain(f"Halo has nothing of a dashboard for {removed.connection}.")
    verb = "would be removed" if removed.dry_run else "removed"
    rows = [[one.what, one.name, one.id] for one in removed.removed]
    return table(verb, ["what", "name", "id#"], rows)
