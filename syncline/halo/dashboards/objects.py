"""Bodies of the reports and dashboards that stay in Halo, and of the widgets on them.

The numbers of the kinds of widgets and of charts are nowhere published: these are our guess.
Neither a report nor a dashboard is ever published: that would show it to whoever has its address.
A report with `_loadreportonly` is run and not kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

COUNTER, CHART, TABLE, HTML = 0, 1, 2, 3
"""`type` of a widget: one value of a report, its chart, its rows, HTML."""

COLUMNS = 12
"""How many units wide a dashboard is."""

NO_CHART, BAR = 0, 1
"""`charttype` of a report that is a table, and of one that is drawn in bars."""

Box = tuple[int, int, int, int]
"""Where a widget stands: x, y, w, h."""


@dataclass(frozen=True, slots=True)
class Chart:
    """How a report is drawn: along which column, and which one."""

    along: str
    column: str


def widget(
    key: str, title: str, kind: int, box: Box, *, report_id: int | None, column: str | None = None
) -> dict[str, Any]:
    """A widget over a report; `column` is the one that a counter shows."""
    over: dict[str, Any] = {"report_id": report_id}
    if column is not None:
        over |= {"column_name": column, "counter_type": 0}
    return _boxed(key, title, kind, box) | over


def html_widget(key: str, title: str, box: Box, html: str) -> dict[str, Any]:
    """A widget that shows HTML."""
    return _boxed(key, title, HTML, box) | {"custom_html": html}


def dashboard_body(name: str, widgets: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What makes a dashboard, or with an `id` beside it puts it right."""
    return {"name": name, "is_published": False, "widgets": list(widgets)}


def report_body(name: str, description: str, sql: str, chart: Chart | None) -> dict[str, Any]:
    """What makes a report, or with an `id` beside it puts it right."""
    body: dict[str, Any] = {
        "name": name,
        "description": description,
        "sql": sql,
        "charttype": NO_CHART if chart is None else BAR,
        "is_published": False,
    }
    if chart is None:
        return body
    return body | {"charttitle": name, "xaxis": chart.along, "yaxis": chart.column}


def _boxed(key: str, title: str, kind: int, box: Box) -> dict[str, Any]:
    x, y, w, h = box
    return {"i": key, "title": title, "type": kind, "x": x, "y": y, "w": w, "h": h}
