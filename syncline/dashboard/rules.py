"""The dashboard in Halo: its reports, its widgets and where they stand, and the figures they show.

Pure: who asks what the tenant offers, and who writes, stands in the steps. A connection has a
dashboard of its own; what is counted by SQL in Halo is of all connections of a tenant, since a
reference does not say which one it is of, and is then called so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from syncline.dashboard import report_sql as sql
from syncline.dashboard.html import figures_html, header_html
from syncline.dashboard.queries import DashboardFigures
from syncline.halo.dashboards.objects import (
    CHART,
    COLUMNS,
    COUNTER,
    TABLE,
    Box,
    Chart,
    dashboard_body,
    html_widget,
    report_body,
    widget,
)

ReportKey = Literal["orders", "revenue", "days", "payments", "state", "told"]

COUNTED: tuple[ReportKey, ...] = ("orders", "revenue", "days", "payments")
"""Reports over Halo's own tables."""

OF_TABLE: tuple[ReportKey, ...] = ("state", "told")
"""Reports over our custom table."""

FIGURES = "figures"
"""The widget that shows in HTML what no report can."""

_BELOW, _COUNTER_HEIGHT, _HTML_HEIGHT = 3, 2, 4
"""Where the figures of the ledger begin, and how high they are as counters and as HTML."""

_TITLES: Mapping[str, str] = {
    "orders": "Orders and payments",
    "revenue": "Revenue by currency",
    "days": "Revenue by day",
    "payments": "Payments by currency",
    "state": "State",
    "told": "What syncline says",
}


@dataclass(frozen=True, slots=True)
class Frame:
    """What decides how the dashboard looks, whatever its figures are.

    Attributes:
        connection: its name.
        alone: whether the tenant has no other connection.
        digits: Halo's id of a currency → its digits after the point.
        currency: the ISO code of what the chart shows, the most used one; None: no order is known.
        db_name: under which name reports read our custom table; None: they do not.
    """

    connection: str
    alone: bool
    digits: Mapping[int, int]
    currency: str | None
    db_name: str | None = None


def name_of(connection: str) -> str:
    """What the dashboard is called in Halo; its reports begin so too."""
    return f"syncline {connection}"


def remark_of(connection: str, key: str = "") -> str:
    """By which one of ours is told from one of somebody else's, whatever it is called.

    Without a key it is how the remark of everything begins that is of this connection.
    """
    begins = f"Made by syncline for connection {connection} ("
    return f"{begins}{key})." if key else begins


def report_of(key: ReportKey, frame: Frame) -> dict[str, Any]:
    """The body of one report."""
    made = remark_of(frame.connection, key)
    again = f"Put right by: syncline halo dashboard install {frame.connection}"
    statement, chart = _statement(key, frame)
    name = f"{name_of(frame.connection)}: {_titled(_TITLES[key], key, frame)}"
    return report_body(name, f"{made} {again}", statement, chart)


def dashboard_of(
    frame: Frame, report_ids: Mapping[str, int | None], figures: DashboardFigures, reconciled: str
) -> dict[str, Any]:
    """The body of the dashboard, with widgets over the reports that there are.

    Args:
        frame: how it looks.
        report_ids: the reports there are; None: one that is still to be made.
        figures: what stands in HTML where no report can show it.
        reconciled: the last reconciliation in words.
    """
    made = remark_of(frame.connection, "dashboard")
    header = header_html(frame.connection, made)
    widgets = [html_widget("header", "syncline", (0, 0, COLUMNS, 1), header)]
    over = [one for one in _WIDGETS if one.report in report_ids]
    lower = 0
    if "state" not in report_ids:
        whole, top = not over, _BELOW if over else 1
        html = figures_html(frame.connection, figures, reconciled, whole=whole)
        box = (0, top, COLUMNS, _HTML_HEIGHT)
        widgets.append(html_widget(FIGURES, "Figures", box, html))
        lower = _HTML_HEIGHT - _COUNTER_HEIGHT
    widgets += [_over(one, frame, report_ids[one.report], lower) for one in over]
    return dashboard_body(name_of(frame.connection), widgets)


@dataclass(frozen=True, slots=True)
class _Widget:
    key: str
    report: ReportKey
    kind: int
    box: Box
    title: str
    column: str | None = None


def _counter(key: str, report: ReportKey, x: int, y: int, column: str) -> _Widget:
    return _Widget(key, report, COUNTER, (x, y, 3, _COUNTER_HEIGHT), column, column)


_WIDGETS = (
    _counter("orders", "orders", 0, 1, sql.ORDERS),
    _counter("today", "orders", 3, 1, sql.TODAY),
    _counter("month", "orders", 6, 1, sql.MONTH),
    _counter("payments", "orders", 9, 1, sql.PAYMENTS),
    _counter("unfulfilled", "state", 0, 3, sql.UNFULFILLED),
    _counter("failed", "state", 3, 3, sql.FAILED),
    _counter("differences", "state", 6, 3, sql.DIFFERENCES),
    _counter("alerts", "state", 9, 3, sql.ALERTS),
    _Widget("days", "days", CHART, (0, 5, 7, 4), _TITLES["days"]),
    _Widget("revenue", "revenue", TABLE, (7, 5, 5, 4), _TITLES["revenue"]),
    _Widget("told", "told", TABLE, (0, 9, 7, 4), _TITLES["told"]),
    _Widget("paid", "payments", TABLE, (7, 9, 5, 4), _TITLES["payments"]),
)


def _over(one: _Widget, frame: Frame, report_id: int | None, lower: int) -> dict[str, Any]:
    """A widget over its report; what stands below the counters of the ledger, so much lower."""
    title = _titled(one.title, one.report, frame)
    x, y, w, h = one.box
    box = (x, y + lower if y > _BELOW else y, w, h)
    return widget(one.key, title, one.kind, box, report_id=report_id, column=one.column)


def _titled(title: str, key: ReportKey, frame: Frame) -> str:
    if key == "days":
        title = f"{title}, {frame.currency}"
    return title if frame.alone or key in OF_TABLE else f"{title} (all connections)"


def _statement(key: ReportKey, frame: Frame) -> tuple[str, Chart | None]:
    if key == "days":
        currency = frame.currency or ""
        return sql.days_sql(frame.digits, currency), Chart(sql.DAY, currency)
    if key == "orders":
        return sql.orders_sql(), None
    if key == "revenue":
        return sql.revenue_sql(frame.digits), None
    if key == "payments":
        return sql.payments_sql(frame.digits), None
    db_name = frame.db_name or ""
    return (sql.state_sql(db_name) if key == "state" else sql.told_sql(db_name)), None
