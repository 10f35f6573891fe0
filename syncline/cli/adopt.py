"""`syncline adopt`: take over the orders that Halo holds already, before anything is created."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from syncline.cli.desk import desk
from syncline.cli.options import day
from syncline.cli.output import WRONG_DATA, AsJson, plain, say, show, stack, table
from syncline.errors import Refused
from syncline.flows.adoption import Adoption, Held, Match, Sold
from syncline.steps import adopt as step
from syncline.steps.adopt import Survey
from syncline.steps.adopt_reading import Progress as Tell

SHOWN = 20
"""Rows of each table; `--json` has them all."""

_PAIR = re.compile(r"([^=\s]+)=(\d{1,18})")


@dataclass(frozen=True, slots=True)
class _Likely:
    """An order and a row of Halo that may be it, side by side."""

    order: Sold
    halo: Held
    why: str


@dataclass(frozen=True, slots=True)
class _Report:
    """What was found, and what was done about it.

    `unwritten` are matches whose reference is not confirmed yet.
    """

    connection: str
    start_from: str
    applied: bool
    started: bool
    known: int
    matched: list[Match]
    doubtful: list[_Likely]
    rest: list[str]
    unmatched: list[int]
    forgotten: int
    unwritten: int


def adopt(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The connection's name.")],
    start_from: Annotated[
        str | None,
        typer.Option(
            metavar="DATE", help="First day to keep in line; older orders are left alone."
        ),
    ] = None,
    apply: Annotated[
        bool, typer.Option("--apply", help="Write our references to the matches, and go on.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before.")] = False,
    keep_stopped: Annotated[
        bool, typer.Option("--keep-stopped", help="Do not start the connection afterwards.")
    ] = False,
    doubtful: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the doubtful ones as CSV.")
    ] = None,
    take: Annotated[
        list[str] | None,
        typer.Option(metavar="ORDER=HALO_ID", help="Adopt this one, as you have decided."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the orders that Halo holds already, and take them over instead of creating them again.

    Without --apply nothing outside is changed.

    Example: syncline adopt acme --start-from 2026-01-01 --doubtful doubtful.csv
    """
    with desk(context).open() as parts, _progress() as progress:
        line = parts.open_line(name)
        if take:
            left = step.take(parts, line, _pairs(take), progress)
            say(f"{len(take) - left} of {len(take)} adopted.")
            raise typer.Exit(WRONG_DATA if left else 0)
        since = line.link.start_from if start_from is None else day(start_from)
        seen = step.survey(parts, line, since, progress)
        if doubtful is not None:
            _write(doubtful, _likely(seen, seen.found))
        report = _report(name, seen, seen.found)
        if apply and not as_json:
            show(False, report, lambda: _render(report))
        if apply:
            _agreed(len(seen.found.matched), yes=yes)
            done = step.settle(parts, line, seen, progress)
            started = not done.unwritten and not keep_stopped
            if started:
                step.begin(parts, line)
            report = _report(
                name,
                seen,
                done.found,
                applied=True,
                started=started,
                forgotten=done.forgotten,
                unwritten=done.unwritten,
            )
    if apply and not as_json:
        say(_done(report))
    else:
        show(as_json, report, lambda: _render(report))
    if report.unwritten:
        raise typer.Exit(WRONG_DATA)


def _report(
    name: str,
    seen: Survey,
    found: Adoption,
    *,
    applied: bool = False,
    started: bool = False,
    forgotten: int = 0,
    unwritten: int = 0,
) -> _Report:
    return _Report(
        connection=name,
        start_from=seen.since.isoformat(),
        applied=applied,
        started=started,
        known=seen.known,
        matched=list(found.matched),
        doubtful=_likely(seen, found),
        rest=list(found.rest),
        unmatched=list(found.unmatched),
        forgotten=forgotten,
        unwritten=unwritten,
    )


def _likely(seen: Survey, found: Adoption) -> list[_Likely]:
    return [
        _Likely(seen.sold[doubt.order], seen.held[one.halo], one.why)
        for doubt in found.doubtful
        for one in doubt.candidates
    ]


def _pairs(texts: Sequence[str]) -> Mapping[str, int]:
    found = [_PAIR.fullmatch(text.strip()) for text in texts]
    pairs = {one[1]: int(one[2]) for one in found if one is not None}
    if len(pairs) < len(texts) or len(set(pairs.values())) < len(texts):
        raise Refused(
            "--take wants pairs of an order's id and Halo's id, each of them once.",
            remedy="Write it as --take 6578a1b2c3d4e5f60718293a=5012.",
        )
    return pairs


def _agreed(many: int, *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise Refused("Nobody is there to be asked.", remedy="Give --yes if you are sure.")
    typer.confirm(f"Write our reference to {many} orders in Halo?", abort=True, err=True)


def _write(file: Path, likely: Sequence[_Likely]) -> None:
    """As CSV, for a spreadsheet; a text that it would take for a formula is made harmless."""
    columns = ("order", "halo_id", "why", "number", "amount", "halo_amount", "currency")
    more = ("halo_currency", "customer", "halo_customers", "date", "halo_date")
    try:
        with file.open("w", encoding="utf-8", newline="") as out:
            rows = csv.writer(out)
            rows.writerow([*columns, *more])
            rows.writerows([_harmless(cell) for cell in _cells(one)] for one in likely)
    except OSError as error:
        raise Refused(
            f"{file} cannot be written ({error.strerror}).", remedy="Give another FILE."
        ) from None


def _cells(one: _Likely) -> list[object]:
    order, halo = one.order, one.halo
    return [
        *(order.id, halo.id, one.why, halo.reference),
        *(order.amount, halo.amount, order.currency, halo.currency),
        *(order.customer, " ".join(sorted(halo.customers)), order.day, halo.day),
    ]


def _harmless(cell: object) -> str:
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _done(report: _Report) -> str:
    taken = f"{len(report.matched) - report.unwritten} orders are adopted, "
    if report.unwritten:
        return taken + f"{report.unwritten} not yet. Run it again in a minute."
    go_on = f"{report.connection} {'is started' if report.started else 'stays stopped'}."
    doubts = len({one.order.id for one in report.doubtful})
    return taken + f"{doubts} doubtful ones are parked. {go_on}"


def _render(report: _Report) -> RenderableType:
    doubts = len({one.order.id for one in report.doubtful})
    figures = [
        ["in line already, or taken over before", report.known],
        ["matched: would be taken over", len(report.matched)],
        ["doubtful: would be parked for you", doubts],
        ["the rest: would be created in Halo", len(report.rest)],
        ["in Halo without an order of ours", len(report.unmatched)],
    ]
    matches = [[one.order, one.halo, one.why] for one in report.matched[:SHOWN]]
    likely = [
        [
            *(one.order.id, one.order.amount, one.order.currency, one.order.customer),
            *(one.halo.id, one.halo.reference, one.why),
        ]
        for one in report.doubtful[:SHOWN]
    ]
    columns = ["order", "amount#", "currency", "customer", "Halo's id#", "number", "why"]
    return stack(
        table(
            f"orders of {report.connection} from {report.start_from}", ["what", "many#"], figures
        ),
        table(_first("matched", len(report.matched)), ["order", "Halo's id#", "by"], matches),
        table(_first("doubtful", len(report.doubtful)), columns, likely),
        plain(
            f"Nothing was changed. To take them over: syncline adopt {report.connection} --apply"
            if not report.applied
            else ""
        ),
    )


def _first(what: str, many: int) -> str:
    return f"{what}, the first {SHOWN} of {many}" if many > SHOWN else what


@contextmanager
def _progress() -> Iterator[Tell]:
    """A bar on standard error where somebody looks at it."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        rows: dict[str, object] = {}

        def tell(what: str, done: int, of: int) -> None:
            if what not in rows:
                rows[what] = bar.add_task(what, total=None)
            bar.update(rows[what], completed=done, total=of or None)  # type: ignore[arg-type]  # an id of rich

        yield tell
