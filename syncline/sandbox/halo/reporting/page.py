"""A dashboard of the emulated Halo as a page to look at: its reports are run, its charts drawn.

The page is one document without scripts, pictures or anything from elsewhere; it follows the
reader's choice of light or dark, and asks for itself again every half minute.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from syncline.sandbox.halo.reporting.charts import bars, number
from syncline.sandbox.halo.reporting.dashboards import CHART, COUNTER, HTML
from syncline.sandbox.halo.reporting.reports import SERIES
from syncline.sandbox.halo.tenant.auth import PREFIX
from syncline.sandbox.halo.tenant.store import HaloStore, Row
from syncline.sandbox.wire.service import Reply, Request

DASHBOARDS = "/dashboards"
"""Where the pages stand, below the tenant's address."""

Load = Callable[[str], Row]
"""Runs a statement: its rows, or its `load_error`."""

_ALL = f"{PREFIX}{DASHBOARDS}"
_HEADERS = {
    "content-type": "text/html; charset=utf-8",
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'",
    "cache-control": "no-store",
}
_STYLE = """
:root{color-scheme:light dark;--page:#f3f4f6;--card:#fff;--ink:#17202b;--quiet:#5b6675;
--line:#dfe3e8;--s1:#2563eb;--s2:#0d9488;--s3:#b45309;--s4:#9333ea;--s5:#be185d;--bad:#b91c1c}
@media(prefers-color-scheme:dark){:root{--page:#12161c;--card:#1b212a;--ink:#e6eaf0;
--quiet:#9aa5b4;--line:#2e3743;--s1:#6ea8fe;--s2:#4fd1c5;--s3:#f0b35b;--s4:#c79bff;--s5:#f38ac0;
--bad:#ff8a80}}
*{box-sizing:border-box}
body{margin:0;padding:1.25rem;background:var(--page);color:var(--ink);
font:15px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
header{display:flex;gap:1rem;align-items:baseline;margin:0 auto 1rem;max-width:1200px}
h1{font-size:1.25rem;margin:0}a{color:var(--s1)}
main{display:grid;grid-template-columns:repeat(12,1fr);grid-auto-rows:minmax(3.1rem,auto);
gap:.75rem;max-width:1200px;margin:0 auto}
section{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.75rem 1rem;
overflow:auto;display:flex;flex-direction:column}
h2{font-size:.85rem;font-weight:500;color:var(--quiet);margin:0 0 .35rem}
.counter{justify-content:center}.counter h2{margin:0}
.figure{font-size:2rem;line-height:1.2;font-weight:650;font-variant-numeric:tabular-nums}
small{color:var(--quiet)}.error{color:var(--bad)}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
th{font-weight:500;color:var(--quiet);text-align:left}
td,th{padding:.28rem .6rem .28rem 0;border-bottom:1px solid var(--line);vertical-align:top}
tr:last-child td{border-bottom:0}.n{text-align:right}
td:first-child{width:1%;white-space:nowrap;padding-right:1.5rem}
svg{width:100%;height:auto;display:block}svg text{fill:var(--quiet);font-size:11px}
.legend{display:flex;flex-wrap:wrap;gap:.25rem 1rem;margin-top:.35rem;color:var(--quiet)}
.legend i{display:inline-block;width:.7rem;height:.7rem;border-radius:2px;margin-right:.35rem}
@media(max-width:760px){main{display:block}section{margin-bottom:.75rem}}
"""


def page(store: HaloStore, load: Load, request: Request) -> Reply:
    """The page of `/dashboards`, which lists them, or of one below it; 404 for what is not there.

    Args:
        store: what the tenant holds.
        load: runs a report's statement.
        request: the call; its path is below the tenant's address.
    """
    named = request.path.removeprefix(DASHBOARDS).strip("/")
    if request.method != "GET":
        return Reply(405, "Only GET.")
    if not named:
        return Reply(200, _document("Dashboards", _list(store)), dict(_HEADERS))
    row = store.dashboards.get(int(named)) if named.isdecimal() else None
    if row is None:
        missing = f'<p>There is no such dashboard. <a href="{_ALL}">All of them</a></p>'
        return Reply(404, _document("Not there", missing), dict(_HEADERS))
    widgets = sorted(row["widgets"], key=lambda one: (one.get("y") or 0, one.get("x") or 0))
    body = f"<main>{''.join(_widget(store, load, one) for one in widgets)}</main>"
    return Reply(200, _document(row["name"], body, back=True), dict(_HEADERS))


def _document(title: str, body: str, *, back: bool = False) -> str:
    link = f'<a href="{_ALL}">All dashboards</a>' if back else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f'<meta http-equiv="refresh" content="30"><title>{escape(title)}</title>'
        f"<style>{_STYLE}</style></head><body>"
        f"<header><h1>{escape(title)}</h1>{link}<small>Halo, as the sandbox plays it</small>"
        f"</header>{body}</body></html>"
    )


def _list(store: HaloStore) -> str:
    if not store.dashboards:
        return "<main><p>No dashboard was made yet.</p></main>"
    rows = "".join(
        f'<p><a href="{_ALL}/{row["id"]}">{escape(row["name"])}</a></p>'
        for row in store.dashboards.values()
    )
    return f'<main><section style="grid-column:1/-1">{rows}</section></main>'


def _widget(store: HaloStore, load: Load, widget: Row) -> str:
    x, y = widget.get("x") or 0, widget.get("y") or 0
    w, h = widget.get("w") or 1, widget.get("h") or 1
    place = f"grid-column:{x + 1}/span {w};grid-row:{y + 1}/span {h}"
    kind = widget.get("type")
    if kind == HTML:
        # As the tenant's people would see it; the page forbids scripts and everything from outside.
        inside = widget.get("custom_html") or ""
        return _section(widget, place, "html", inside, titled=h > 1)
    report = store.reports.get(widget.get("report_id") or 0)
    if report is None:
        return _section(widget, place, "", '<p class="error">The report is gone.</p>')
    loaded = load(report["sql"])
    if loaded["load_error"]:
        said = f'<p class="error">{escape(loaded["load_error"])}</p>'
        return _section(widget, place, "", said)
    if kind == COUNTER:
        return _section(widget, place, "counter", _counter(loaded["rows"], widget))
    if kind == CHART:
        return _section(widget, place, "chart", _chart(loaded["rows"], report))
    return _section(widget, place, "rows", _table(loaded["rows"]))


def _section(widget: Row, place: str, kind: str, inside: str, *, titled: bool = True) -> str:
    title = f"<h2>{escape(widget.get('title') or '')}</h2>" if titled else ""
    key = escape(str(widget.get("i") or widget["id"]), quote=True)
    return f'<section id="{key}" class="{kind}" style="{place}">{title}{inside}</section>'


def _counter(rows: Sequence[Mapping[str, str | None]], widget: Row) -> str:
    value = rows[0].get(widget.get("column_name") or "") if rows else None
    return f'<div class="figure">{escape(number(value) if value is not None else "-")}</div>'


def _chart(rows: Sequence[Mapping[str, str | None]], report: Row) -> str:
    if not rows:
        return "<p><small>Nothing to draw yet.</small></p>"
    named = dict.fromkeys(report[field] for field in SERIES if report.get(field))
    columns = [column for column in named if column in rows[0]]
    return bars(rows, report.get("xaxis") or next(iter(rows[0])), columns)


def _table(rows: Sequence[Mapping[str, str | None]]) -> str:
    if not rows:
        return "<p><small>No rows yet.</small></p>"
    names = list(rows[0])
    right = {name for name in names if all(_is_number(row[name]) for row in rows)}
    head = "".join(_cell("th", name, right=name in right) for name in names)
    lines = "".join(
        "<tr>" + "".join(_cell("td", number(row[n]), right=n in right) for n in names) + "</tr>"
        for row in rows
    )
    return f"<table><tr>{head}</tr>{lines}</table>"


def _cell(tag: str, text: str, *, right: bool) -> str:
    kind = ' class="n"' if right else ""
    return f"<{tag}{kind}>{escape(text)}</{tag}>"


def _is_number(value: str | None) -> bool:
    try:
        float(value or "")
    except ValueError:
        return False
    return True
