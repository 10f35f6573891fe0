"""Reports that stay in Halo: a statement with a name, and how its rows are drawn.

Source: /Report with schema AnalyzerProfile; an element with `_loadreportonly` is run and not kept.
The numbers of the kinds of charts are nowhere published: these are our guess. A report is never
published: that would show it to whoever has its address.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from syncline.halo.named_rows import NamedKind

REPORT = NamedKind("report", "/Report", "reports")
NO_CHART, BAR = 0, 1
"""`charttype` of a report that is a table, and of one that is drawn in bars."""


@dataclass(frozen=True, slots=True)
class Chart:
    """How a report is drawn: along which column, and which one."""

    along: str
    column: str


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
