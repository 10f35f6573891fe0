"""`syncline mapping`: everything that is wrong in a mapping document, and what it says in words."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console, RenderableType
from sqlalchemy import Connection

from syncline.errors import Refused
from syncline.flows import payments, subscriptions
from syncline.ledger import connections, records
from syncline.ledger.connections import Link
from syncline.mapping.describe import DescribedFlow, Examples, describe
from syncline.mapping.parsing import load, problems
from syncline.mapping.shapes import FLOWS
from syncline.mapping.shipped import default_document
from syncline.mapping.show import (
    FILLED,
    OPTIONS,
    ROWS,
    filled_cells,
    html,
    markdown,
    option_cells,
    row_cells,
)
from syncline.terminal.context import command_context
from syncline.terminal.messages import WRONG_SETTINGS
from syncline.terminal.output import AsJson, group, plain, say, show, stack, table

app = group("mapping", "Check a mapping document, and show what it says.")

_MOST_EXAMPLES = 50
_WIDTH = 160

Which = Annotated[
    str,
    typer.Argument(
        metavar="DOCUMENT",
        help="A TOML file, a connection's name, - for standard input, or detail or summary "
        "for what ships.",
    ),
]


class DocumentFormat(StrEnum):
    """What a shown document is written as."""

    TABLE = "table"
    MARKDOWN = "markdown"
    HTML = "html"


@dataclass(frozen=True, slots=True)
class _Wrong:
    line: int | None
    text: str
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class _CheckedDocument:
    document: str
    works: bool
    problems: list[_Wrong]


@dataclass(frozen=True, slots=True)
class _Found:
    """A document, and what its connection's ledger can show of it."""

    text: str
    examples: Examples


@app.command("check")
def check(context: typer.Context, *, document: Which, as_json: AsJson = False) -> None:
    """Find everything that is wrong in a document, with line and remedy; ends with 2 if anything.

    Example: syncline mapping check acme.toml
    """
    text = _find(context, document, with_examples=False).text
    lines = text.splitlines()
    wrong = [
        _Wrong(one.line, _line_of(lines, one.line), one.what, one.remedy) for one in problems(text)
    ]
    checked = _CheckedDocument(document, not wrong, wrong)
    show(as_json, checked, lambda: _render_check(checked))
    if wrong:
        raise typer.Exit(WRONG_SETTINGS)


@app.command("show")
def show_mapping(
    context: typer.Context,
    *,
    document: Which,
    flow: Annotated[
        str | None, typer.Option(metavar="FLOW", help=f"Only this one of {', '.join(FLOWS)}.")
    ] = None,
    form: Annotated[
        DocumentFormat, typer.Option("--format", help="How it is written.")
    ] = DocumentFormat.TABLE,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it to this file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show options, rows and what is filled without a row; of a connection, with stored values.

    Example: syncline mapping show acme --format html --output acme.html
    """
    flows = list(FLOWS) if flow is None else [_known_flow(flow)]
    found = _find(context, document, with_examples=True)
    described = describe(load(found.text), found.examples, flows)
    if as_json and output is None:
        show(as_json, described, stack)
        return
    title = f"How {document} is mapped"
    pages = {DocumentFormat.MARKDOWN: markdown, DocumentFormat.HTML: html}
    if output is not None:
        page = pages.get(form, _as_text)(title, described)
        _write(output, page)
        say(f"Written to {output}.")
    elif form in pages:
        typer.echo(pages[form](title, described), nl=False)
    else:
        show(as_json, described, lambda: _render(title, described))


def _find(context: typer.Context, which: str, *, with_examples: bool) -> _Found:
    """A document: a file comes first, and then needs no ledger."""
    try:
        if which == "-":
            return _Found(sys.stdin.read(), {})
        path = Path(which)
        if path.is_file():
            return _Found(path.read_text(encoding="utf-8-sig"), {})
    except (OSError, UnicodeDecodeError) as error:
        raise Refused(
            f"The mapping {which!r} cannot be read ({type(error).__name__}).",
            remedy="Give a TOML file in UTF-8.",
        ) from None
    if which == "detail":
        return _Found(default_document("detail"), {})
    if which == "summary":
        return _Found(default_document("summary"), {})
    if path.suffix == ".toml":
        raise Refused(f"There is no file {which!r}.", remedy="Check the path.")

    def work(database: Connection) -> _Found:
        link = connections.by_name(database, which)
        return _Found(link.mapping, _examples(database, link) if with_examples else {})

    with command_context(context).open() as worker:
        return worker.ledger.run(work)


def _examples(database: Connection, link: Link) -> Examples:
    """Stored records by the rows that read them, as the flows prepare them."""

    def some(place: str, kind: str) -> list[dict[str, Any]]:
        return [row for _, _, row in records.page(database, place, kind, "", _MOST_EXAMPLES)]

    orders = some(link.location_place, "order")
    transactions = some(link.location_place, payments.SOURCE_KIND)
    customers = some(link.tenant_place, "customer")
    alone = [one for one in transactions if payments.order_of(one) is None]
    return {
        "orders": orders,
        "customers.client": customers,
        "customers.user": customers,
        "payments.invoice": [*orders, *alone],
        "payments.payment": transactions,
        "payments.credit": [_refunded(one) for one in transactions if one.get("amount_refunded")],
        "subscriptions": [
            subscriptions.told(one) for one in some(link.location_place, subscriptions.SOURCE_KIND)
        ],
    }


def _refunded(transaction: Mapping[str, Any]) -> dict[str, Any]:
    """A transaction as if all that was refunded had gone back at once."""
    amount = transaction["amount_refunded"]
    refund = {"amount": amount, "cumulative": amount}
    return {**transaction, "refund": refund, "refunded_at": transaction.get("updated_at")}


def _known_flow(name: str) -> str:
    if name not in FLOWS:
        raise Refused(f"There is no flow {name!r}.", remedy=f"Give one of {', '.join(FLOWS)}.")
    return name


def _line_of(lines: list[str], line: int | None) -> str:
    return lines[line - 1].strip() if line is not None and 0 < line <= len(lines) else ""


def _write(output: Path, page: str) -> None:
    try:
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise Refused(
            f"{output} cannot be written ({error.strerror}).",
            remedy="Give a file in a folder that is there and yours.",
        ) from None


def _as_text(title: str, flows: Iterable[DescribedFlow]) -> str:
    written = io.StringIO()
    Console(file=written, width=_WIDTH, color_system=None).print(_render(title, flows))
    return written.getvalue()


def _render_check(checked: _CheckedDocument) -> RenderableType:
    if checked.works:
        return plain(f"{checked.document}: nothing is wrong.")
    many = len(checked.problems)
    rows = [[one.line, one.text, one.what, one.remedy] for one in checked.problems]
    title = f"{checked.document}: {many} {'problem' if many == 1 else 'problems'}"
    return table(title, ["line#", "text", "what is wrong", "what to do"], rows)


def _render(title: str, flows: Iterable[DescribedFlow]) -> RenderableType:
    parts: list[RenderableType] = [plain(title)]
    for flow in flows:
        parts.append(table(f"{flow.name}: {flow.about}", OPTIONS, option_cells(flow)))
        if flow.rows:
            parts.append(table(f"{flow.name}: rows", ROWS, row_cells(flow)))
        parts.append(table(f"{flow.name}: filled without a row", FILLED, filled_cells(flow)))
    return stack(*parts)
