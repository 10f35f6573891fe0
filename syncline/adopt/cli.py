"""`syncline adopt`: take over what Halo holds already, before anything is created."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer
from rich.console import RenderableType

from syncline.adopt import run as step
from syncline.adopt.money import KINDS, AdoptedMoney
from syncline.adopt.money_matching import Group, MatchedRow
from syncline.adopt.order_matching import Adoption, HaloOrder, Match, UnmatchedOrder
from syncline.adopt.run import Survey
from syncline.adopt.single_rows import TARGETS, ChosenRow, take
from syncline.engine.connection_rules import as_live
from syncline.errors import Refused
from syncline.terminal.context import command_context
from syncline.terminal.messages import WRONG_DATA
from syncline.terminal.options import day
from syncline.terminal.output import AsJson, plain, say, show, stack, table
from syncline.terminal.progress import progress_bars
from syncline.terminal.prompts import agreed

SHOWN = 20
"""Rows of each table; `--json` has them all."""

_PAIR = re.compile(r"(?:(" + "|".join(TARGETS) + r"):)?([^=:\s]+(?::[^=:\s]+)*)=(\d{1,18})")


@dataclass(frozen=True, slots=True)
class _Likely:
    """What HighLevel has and a row of Halo that may be it, side by side."""

    order: UnmatchedOrder
    halo: HaloOrder
    why: str
    target: str = "order"


@dataclass(frozen=True, slots=True)
class _Kind:
    """What was found of one kind of money."""

    matched: list[MatchedRow]
    doubtful: list[_Likely]
    rest: list[str]
    unmatched: list[int]


@dataclass(frozen=True, slots=True)
class _AdoptionReport:
    """What was found, and what was done about it; the lists at the top are those of orders.

    `bills_by_itself` are recurring invoices of our subscriptions that Halo still makes invoices
    from, `unwritten` are matches whose reference is not confirmed yet.
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
    invoices: _Kind
    payments: _Kind
    credits: _Kind
    subscriptions: _Kind
    bills_by_itself: list[int]
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
    decided: Annotated[
        list[str] | None,
        typer.Option(
            "--take",
            metavar="ORDER=HALO_ID",
            help="Adopt this one, as you have decided; of money invoice:ORDER=HALO_ID, "
            "payment:TRANSACTION=HALO_ID and so on.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find what Halo holds already, and take it over instead of creating it again.

    Without --apply nothing outside is changed.

    Example: syncline adopt acme --start-from 2026-01-01 --doubtful doubtful.csv
    """
    with command_context(context).open() as worker, progress_bars() as progress:
        line = as_live(worker.open_line(name))
        if decided:
            left = take(line, _pairs(decided), progress)
            say(f"{len(decided) - left} of {len(decided)} adopted.")
            raise typer.Exit(WRONG_DATA if left else 0)
        since = line.link.start_from if start_from is None else day(start_from)
        seen = step.survey(line, since, progress)
        if doubtful is not None:
            _write(doubtful, _all_likely(seen))
        report = _report(name, seen, seen.found, seen.money)
        if apply and not as_json:
            show(False, report, lambda: _render(report))
        if apply:
            many = len(seen.found.matched) + seen.money.matched
            agreed(f"Write our reference to {many} rows in Halo?", yes=yes)
            done = step.apply_survey(line, seen, progress)
            started = not done.unwritten and not keep_stopped
            if started:
                step.begin(line)
            elif not done.unwritten:
                step.stay(line)
            report = _report(
                name,
                seen,
                done.found,
                done.money,
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
    money: AdoptedMoney,
    *,
    applied: bool = False,
    started: bool = False,
    forgotten: int = 0,
    unwritten: int = 0,
) -> _AdoptionReport:
    return _AdoptionReport(
        connection=name,
        start_from=seen.since.isoformat(),
        applied=applied,
        started=started,
        known=seen.known,
        matched=list(found.matched),
        doubtful=_likely(seen, found),
        rest=list(found.rest),
        unmatched=list(found.unmatched),
        invoices=_kind(seen, money, "invoice"),
        payments=_kind(seen, money, "payment"),
        credits=_kind(seen, money, "credit"),
        subscriptions=_kind(seen, money, "recurring"),
        bills_by_itself=list(money.billing),
        forgotten=forgotten,
        unwritten=unwritten,
    )


def _likely(seen: Survey, found: Adoption) -> list[_Likely]:
    return [
        _Likely(seen.sold[doubt.order], seen.held[one.halo], one.why)
        for doubt in found.doubtful
        for one in doubt.candidates
    ]


def _kind(seen: Survey, money: AdoptedMoney, target: str) -> _Kind:
    group = money.groups[KINDS[target]]
    return _Kind(
        list(group.matched),
        _likely_money(seen, money, target, group),
        list(group.rest),
        list(group.alone),
    )


def _likely_money(seen: Survey, money: AdoptedMoney, target: str, group: Group) -> list[_Likely]:
    return [
        _Likely(
            money.sold[doubt.source, doubt.role], seen.side.held(target, one.halo), one.why, target
        )
        for doubt in group.doubtful
        for one in doubt.candidates
    ]


def _all_likely(seen: Survey) -> list[_Likely]:
    money = seen.money
    return _likely(seen, seen.found) + [
        one
        for target, name in KINDS.items()
        for one in _likely_money(seen, money, target, money.groups[name])
    ]


def _pairs(texts: Sequence[str]) -> Mapping[ChosenRow, int]:
    found = [_PAIR.fullmatch(text.strip()) for text in texts]
    pairs = {ChosenRow(one[1] or "order", one[2]): int(one[3]) for one in found if one is not None}
    rows = {(wanted.target, row) for wanted, row in pairs.items()}
    if len(pairs) < len(texts) or len(rows) < len(texts):
        raise Refused(
            "--take wants pairs of an order's id and Halo's id, each of them once.",
            remedy="Write it as --take 6578a1b2c3d4e5f60718293a=5012; of money as "
            "--take invoice:6578a1b2c3d4e5f60718293a=7001.",
        )
    return pairs


def _write(file: Path, likely: Sequence[_Likely]) -> None:
    """As CSV, for a spreadsheet; a text that it would take for a formula is made harmless."""
    columns = ("order", "halo_id", "why", "number", "amount", "halo_amount", "currency")
    more = ("halo_currency", "customer", "halo_customers", "date", "halo_date", "what")
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
        *(order.customer, " ".join(sorted(halo.customers)), order.day, halo.day, one.target),
    ]


def _harmless(cell: object) -> str:
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _done(report: _AdoptionReport) -> str:
    many = len(report.matched) + sum(len(one.matched) for one in _kinds(report).values())
    taken = f"{many - report.unwritten} rows are adopted, "
    if report.unwritten:
        return taken + f"{report.unwritten} not yet. Run it again in a minute."
    go_on = f"{report.connection} {'is started' if report.started else 'stays stopped'}."
    doubts = _doubts(report.doubtful)
    doubts += sum(_doubts(one.doubtful) for one in _kinds(report).values())
    warned = "".join(f"{text}\n" for text in _warnings(report))
    return f"{warned}{taken}{doubts} doubtful ones are parked. {go_on}"


def _kinds(report: _AdoptionReport) -> dict[str, _Kind]:
    return {
        "invoices": report.invoices,
        "payments": report.payments,
        "credits": report.credits,
        "recurring invoices": report.subscriptions,
    }


def _doubts(likely: Sequence[_Likely]) -> int:
    return len({(one.order.id, one.order.amount) for one in likely})


def _warnings(report: _AdoptionReport) -> list[str]:
    if not report.bills_by_itself:
        return []
    listed = ", ".join(map(str, report.bills_by_itself[:SHOWN]))
    said = f"{len(report.bills_by_itself)} recurring invoices bill by themselves, as HighLevel does"
    return [f"{said}: {listed}. They are left as they are."]


def _render(report: _AdoptionReport) -> RenderableType:
    kinds = _kinds(report)
    each = list(kinds.values())
    figures = [
        ["in line already, or taken over before", report.known, *([""] * len(each))],
        [
            "matched: would be taken over",
            len(report.matched),
            *(len(one.matched) for one in each),
        ],
        [
            "doubtful: would be parked for you",
            _doubts(report.doubtful),
            *(_doubts(one.doubtful) for one in each),
        ],
        ["the rest: would be created in Halo", len(report.rest), *(len(one.rest) for one in each)],
        ["in Halo alone", len(report.unmatched), *(len(one.unmatched) for one in each)],
    ]
    matches = [["order", one.order, one.halo, one.why] for one in report.matched[:SHOWN]]
    matches += [
        [name.rstrip("s"), one.source, one.halo, one.why]
        for name, kind in kinds.items()
        for one in kind.matched[:SHOWN]
    ]
    doubtful = [*report.doubtful, *(one for kind in each for one in kind.doubtful)]
    matched = len(report.matched) + sum(len(one.matched) for one in each)
    columns = ["what", "id", "amount#", "currency", "customer", "Halo's id#", "number", "why"]
    return stack(
        table(
            f"{report.connection} from {report.start_from}",
            ["what", "orders#", *(f"{name}#" for name in kinds)],
            figures,
        ),
        table(_first("matched", matched), ["what", "id", "Halo's id#", "by"], matches[:SHOWN]),
        table(
            _first("doubtful", len(doubtful)),
            columns,
            [_row(one) for one in doubtful[:SHOWN]],
        ),
        *map(plain, _warnings(report)),
        plain(
            f"Nothing was changed. To take them over: syncline adopt {report.connection} --apply"
            if not report.applied
            else ""
        ),
    )


def _row(one: _Likely) -> list[object]:
    return [
        *(one.target, one.order.id, one.order.amount, one.order.currency, one.order.customer),
        *(one.halo.id, one.halo.reference, one.why),
    ]


def _first(what: str, many: int) -> str:
    return f"{what}, the first {SHOWN} of {many}" if many > SHOWN else what
