"""The figures as HTML and as cells: what the dashboard shows of what only the ledger knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from syncline.dashboard.queries import DashboardFigures
from syncline.reconciliation import certificate_text

NEVER = "never"

_READ = ("orders", "transactions", "subscriptions")
_BOX = (
    "display:inline-block;min-width:9em;margin:0 1.5em .75em 0;"
    "vertical-align:top;font-family:inherit"
)
_BIG = "font-size:1.8em;font-weight:600"


def cells(figures: DashboardFigures) -> list[str]:
    """The row of our custom table, in the order of `dashboard_sql.CELLS`."""
    told = figures.pressing
    return [
        # To the millisecond: by it the reports tell the newest of two rows of one second.
        f"{figures.at:%Y-%m-%d %H:%M:%S.%f}"[:-3],
        str(unfulfilled(figures)),
        *(str(told.failed), str(told.differences), str(told.alerts)),
        str(on_the_way(figures)),
        reconciled(figures.certificate),
        *(_read_at(figures, kind) for kind in _READ),
        str(sum(one.orders for one in figures.sold)),
        sealed(figures),
    ]


def reconciled(certificate: Mapping[str, Any] | None) -> str:
    """The last reconciliation in a sentence."""
    return NEVER if certificate is None else certificate_text.sentence(certificate)


def sealed(figures: DashboardFigures) -> str:
    """Where the chains of the audit log stand, as `syncline audit verify --expect` takes it."""
    return " ".join(map(str, figures.heads)) or NEVER


def unfulfilled(figures: DashboardFigures) -> int:
    """Orders that HighLevel does not call fulfilled."""
    return sum(one.unfulfilled for one in figures.sold)


def on_the_way(figures: DashboardFigures) -> int:
    """Deliveries that are not confirmed and need nobody."""
    return sum(one.due + one.waiting + one.doubtful for one in figures.kinds)


def header_html(connection: str, remark: str) -> str:
    """The head of the dashboard."""
    return (
        f"<strong>HighLevel payments of {escape(connection)}</strong> "
        f"<small>{escape(remark)}</small>"
    )


def figures_remark(connection: str) -> str:
    """By which the HTML of figures is told, whatever they are."""
    return f"Figures of syncline for connection {connection}."


def figures_html(connection: str, figures: DashboardFigures, sentence: str, *, whole: bool) -> str:
    """The figures as HTML.

    Args:
        connection: its name.
        figures: what is shown.
        sentence: the last reconciliation.
        whole: also what reports over Halo's own tables would show.
    """
    told = figures.pressing
    boxes = _sold(figures) if whole else []
    boxes += [
        _box("Unfulfilled orders", f"{unfulfilled(figures):,}"),
        _box("Failed deliveries", f"{told.failed:,}"),
        _box("Open differences", f"{told.differences:,}"),
        _box("Open alerts", f"{told.alerts:,}"),
        _box("Still on the way", f"{on_the_way(figures):,}"),
    ]
    rows = [("Last reconciliation", sentence)]
    rows += [(f"{_titled(kind)} read at", _read_at(figures, kind)) for kind in _READ]
    rows.append(("Audit log sealed up to", sealed(figures)))
    rows.append(("Counted at", f"{figures.at:%Y-%m-%d %H:%M} UTC"))
    return "".join(
        [
            f"<div>{''.join(boxes)}</div>",
            _table(rows),
            f'<small class="figures">{escape(figures_remark(connection))}</small>',
        ]
    )


def _sold(figures: DashboardFigures) -> list[str]:
    orders = [
        _box("Orders", f"{sum(one.orders for one in figures.sold):,}"),
        _box("Orders today", f"{sum(one.orders_today for one in figures.sold):,}"),
        _box("Orders this month", f"{sum(one.orders_month for one in figures.sold):,}"),
        _box("Payments", f"{_in_line(figures, 'transactions'):,}"),
    ]
    earned = [
        _box(f"{one.currency} this month", f"{one.month:,f}", f"{one.total:,f} in all")
        for one in figures.sold
    ]
    return orders + earned


def _in_line(figures: DashboardFigures, kind: str) -> int:
    return sum(one.in_line for one in figures.kinds if one.kind == kind)


def _read_at(figures: DashboardFigures, kind: str) -> str:
    pull = next((one.pull for one in figures.kinds if one.kind == kind), None)
    if pull is None or pull.finished_at is None:
        return NEVER
    return f"{pull.finished_at:%Y-%m-%d %H:%M} UTC"


def _titled(kind: str) -> str:
    return "Payments" if kind == "transactions" else kind.capitalize()


def _box(title: str, figure: str, small: str = "") -> str:
    below = f"<div><small>{escape(small)}</small></div>" if small else ""
    return (
        f'<div style="{_BOX}"><div><small>{escape(title)}</small></div>'
        f'<div style="{_BIG}">{escape(figure)}</div>{below}</div>'
    )


def _table(rows: Sequence[tuple[str, str]]) -> str:
    lines = "".join(
        f'<tr><td style="padding-right:1.5em">{escape(what)}</td><td>{escape(says)}</td></tr>'
        for what, says in rows
    )
    return f"<table>{lines}</table>"
