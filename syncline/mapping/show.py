"""A described mapping document as a page: Markdown, or HTML that needs nothing beside itself."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

from syncline.mapping.describe import DescribedFlow, DescribedRow, Example

NO_EXAMPLE = "-"

OPTIONS = ("option", "value", "meaning")
ROWS = ("target", "source", "transform", "type", "required", "owner", "example")
FILLED = ("field", "why")

_MARKUP = re.compile(r"([\\`*_\[\]|~#])")
_CODE = re.compile(r"[^`|\\\n]+")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = """
:root { color-scheme: light dark; --line: #8886; --soft: #8882; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 80rem; padding: 0 1rem; }
h2 { margin-top: 3rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { border: 1px solid var(--line); padding: .4rem .6rem; text-align: left;
         vertical-align: top; white-space: pre-line; overflow-wrap: anywhere; }
th { background: var(--soft); white-space: nowrap; }
code { font-family: ui-monospace, monospace; }
""".strip()


def option_cells(flow: DescribedFlow) -> list[tuple[str, ...]]:
    """The rows of a flow's table of options."""
    return [(one.name, one.value, one.meaning) for one in flow.options]


def row_cells(flow: DescribedFlow) -> list[tuple[str, ...]]:
    """The rows of a flow's table of fields."""
    return [_cells(row) for row in flow.rows]


def filled_cells(flow: DescribedFlow) -> list[tuple[str, ...]]:
    """The rows of a flow's table of what it fills by itself."""
    return [(one.target, one.why) for one in flow.filled]


def markdown(title: str, flows: Iterable[DescribedFlow]) -> str:
    """The document as Markdown with GitHub's tables."""
    parts = [f"# {_marked(title)}"]
    for flow in flows:
        parts += [f"## {_marked(flow.name)}", f"{_marked(flow.about)}."]
        parts.append(_markdown_table(OPTIONS, option_cells(flow), coded=2))
        if flow.rows:
            parts += ["### Rows", _markdown_table(ROWS, row_cells(flow), coded=2)]
        parts += ["### Filled without a row", _markdown_table(FILLED, filled_cells(flow), coded=1)]
    return "\n\n".join(parts) + "\n"


def html(title: str, flows: Iterable[DescribedFlow]) -> str:
    """The document as one page without scripts and outside resources."""
    body = [f"<h1>{escape(title)}</h1>"]
    for flow in flows:
        body += [f"<h2>{escape(flow.name)}</h2>", f"<p>{escape(flow.about)}.</p>"]
        body.append(_html_table(OPTIONS, option_cells(flow), coded=2))
        if flow.rows:
            body += ["<h3>Rows</h3>", _html_table(ROWS, row_cells(flow), coded=2)]
        body += ["<h3>Filled without a row</h3>", _html_table(FILLED, filled_cells(flow), coded=1)]
    head = [
        '<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{escape(title)}</title>",
        f"<style>\n{_STYLE}\n</style>",
    ]
    page = ["<!doctype html>", '<html lang="en">', "<head>", *head, "</head>", "<body>", *body]
    return "\n".join([*page, "</body>", "</html>"]) + "\n"


def _cells(row: DescribedRow) -> tuple[str, ...]:
    required = "yes" if row.required else "no"
    example = NO_EXAMPLE if row.example is None else _shown(row.example)
    return (row.target, row.source, row.transform, row.type, required, row.owner, example)


def _shown(example: Example) -> str:
    return f"{example.read} → {example.written}" if example.read else example.written


def _markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]], coded: int) -> str:
    lines = [columns, ["---"] * len(columns)]
    lines += [
        [_coded(cell) if at < coded else _marked(cell) for at, cell in enumerate(row)]
        for row in rows
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _coded(text: str) -> str:
    return f"`{text}`" if _CODE.fullmatch(text) else _marked(text)


def _marked(text: str) -> str:
    """Text that Markdown shows as it is, in one line of a table."""
    shown = _MARKUP.sub(r"\\\1", escape(text, quote=False))
    return "<br>".join(shown.splitlines())


def _html_table(columns: Sequence[str], rows: Iterable[Sequence[str]], coded: int) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in columns)
    lines = ["".join(_html_cell(cell, at < coded) for at, cell in enumerate(row)) for row in rows]
    body = "\n".join(f"<tr>{line}</tr>" for line in lines)
    return f'<div class="wide"><table>\n<tr>{head}</tr>\n{body}\n</table></div>'


def _html_cell(text: str, code: bool) -> str:  # noqa: FBT001 - a column's own property
    shown = escape(text)
    return f"<td><code>{shown}</code></td>" if code and shown else f"<td>{shown}</td>"
