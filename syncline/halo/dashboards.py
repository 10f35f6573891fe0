"""Dashboards in Halo, and the widgets on them.

Source: /DashboardLinks with schemas DashboardLinks and Widget. The numbers of the kinds of widgets
are nowhere published: these are our guess. A dashboard is never published: that would show it to
whoever has its address.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from syncline.halo.named_rows import NamedKind

DASHBOARD = NamedKind("dashboard", "/DashboardLinks", "dashboards")
COUNTER, CHART, TABLE, HTML = 0, 1, 2, 3
"""`type` of a widget: one value of a report, its chart, its rows, HTML."""

COLUMNS = 12
"""How many units wide a dashboard is."""

Box = tuple[int, int, int, int]
"""Where a widget stands: x, y, w, h."""


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


def _boxed(key: str, title: str, kind: int, box: Box) -> dict[str, Any]:
    x, y, w, h = box
    return {"i": key, "title": title, "type": kind, "x": x, "y": y, "w": w, "h": h}
