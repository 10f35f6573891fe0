"""`syncline dry-run`: the calls that would be made now, and none is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from tempfile import TemporaryFile
from typing import IO, Annotated, Any

import typer
from rich.console import RenderableType

from syncline import jsontext
from syncline.alerts.targets import TARGETS
from syncline.dry_run.plan import Call, DryRunPlan, ParkedInPlan
from syncline.dry_run.run import Tell, dry_run
from syncline.errors import UnknownName
from syncline.flows import fulfillments
from syncline.ledger.modes import HELD, HELD_UNTIL_LIVE
from syncline.terminal.caveats import remark_on_emptiness
from syncline.terminal.context import command_context
from syncline.terminal.output import AsJson, console, error_console, plain, stack, table

SHOWN = 20
"""Calls and reasons that a person is shown; --json has more."""

_REFERENCES = 3


def show_dry_run(
    context: typer.Context,
    *,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The connection's name.")],
    target: Annotated[
        str | None, typer.Option(help="Only what is written there, such as order or invoice.")
    ] = None,
    most: Annotated[
        int,
        typer.Option(
            "--limit",
            min=0,
            help="Show so many calls of each target at most, or all with 0; without --json never "
            f"more than {SHOWN} in all. Counts are of all anyway.",
        ),
    ] = 1000,
    bodies: Annotated[bool, typer.Option("--bodies", help="Show what would be sent.")] = False,
    as_json: AsJson = False,
) -> None:
    """Show the calls that would be made now for what is owed, in their order; none is made.

    Ids that only an answer can bring stand in <>. Works on any connection, also on one that is
    stopped or rehearses.

    Example: syncline dry-run acme --bodies
    """
    known = [*TARGETS, fulfillments.TARGET]
    if target is not None and target not in known:
        raise UnknownName(
            f"Nothing is written to {target!r:.40}.", remedy=f"Known: {', '.join(known)}."
        )
    with (
        command_context(context).open() as worker,
        TemporaryFile() as calls,
        TemporaryFile() as kept,
    ):
        sheet = _Sheet(min(most or SHOWN, SHOWN))
        pages = _Pages(calls, kept, bodies=bodies, most=most or None)
        taker = pages if as_json else sheet
        with _progress() as tell:
            plan = dry_run(
                worker.open_line(name),
                target=target,
                tell=tell,
                call=taker.call,
                keep=taker.keep,
            )
        if not any(count.owed for count in plan.counts.values()):
            remark_on_emptiness(worker, name)
        if as_json:
            pages.print(_document(name, plan) | {"left_out": pages.left_out()})
        else:
            rest = _command(name, target, bodies=bodies)
            console().print(_render(name, plan, sheet, rest, bodies=bodies))


class _Sheet:
    """What a person is shown of calls and reasons, however many there are; `most` of each."""

    def __init__(self, most: int) -> None:
        self.calls: list[Call] = []
        self.many = 0
        self.most = most
        self.reasons = Counter[tuple[str, str | None, str]]()

    def call(self, one: Call) -> None:
        self.many += 1
        if len(self.calls) < self.most:
            self.calls.append(one)

    def left_out(self) -> str:
        """What is not shown, in words; empty where all is."""
        calls, reasons = self.many - len(self.calls), max(0, len(self.reasons) - self.most)
        named = ((calls, "calls", self.many), (reasons, "reasons", len(self.reasons)))
        return " and ".join(f"{many:,} of {of:,} {what}" for many, what, of in named if many)

    def keep(self, one: ParkedInPlan) -> None:
        field = HELD_UNTIL_LIVE if one.field == HELD else one.field
        self.reasons[one.target, field, one.reason] += 1


class _Pages:
    """Calls and reasons for a program, `most` of each target, on disk until all is known."""

    def __init__(
        self, calls: IO[bytes], kept: IO[bytes], *, bodies: bool, most: int | None
    ) -> None:
        self._calls, self._kept, self._bodies, self._most = calls, kept, bodies, most
        self._written = Counter[tuple[IO[bytes], str]]()

    def call(self, one: Call) -> None:
        if self._has_room(self._calls, one.target):
            self._add(self._calls, _call(one, bodies=self._bodies))

    def keep(self, one: ParkedInPlan) -> None:
        if self._has_room(self._kept, one.target):
            self._add(self._kept, asdict(one))

    def left_out(self) -> dict[str, dict[str, int]]:
        """How many calls and reasons are not in the document: kind → target → how many."""
        found: dict[str, dict[str, int]] = {"calls": {}, "would_park": {}}
        for (file, target), many in self._written.items():
            if self._most is not None and many > self._most:
                kind = "calls" if file is self._calls else "would_park"
                found[kind][target] = many - self._most
        return found

    def _has_room(self, file: IO[bytes], target: str) -> bool:
        self._written[file, target] += 1
        return self._most is None or self._written[file, target] <= self._most

    def print(self, rest: dict[str, Any]) -> None:
        """One document."""
        typer.echo(jsontext.dumps(rest).decode()[:-1], nl=False)
        for name, file in (("calls", self._calls), ("would_park", self._kept)):
            typer.echo(f',"{name}":[', nl=False)
            file.seek(0)
            for line in file:
                typer.echo(line.decode().rstrip("\n"), nl=False)
            typer.echo("]", nl=False)
        typer.echo("}")

    @staticmethod
    def _add(file: IO[bytes], one: dict[str, Any]) -> None:
        file.write((b",\n" if file.tell() else b"") + jsontext.dumps(one))


@contextmanager
def _progress() -> Iterator[Tell]:
    console = error_console()
    with console.status("") as status:

        def tell(target: str, done: int, of: int) -> None:
            status.update(f"{target}: {done:,} of {of:,}")

        yield tell


def _document(name: str, plan: DryRunPlan) -> dict[str, Any]:
    return {
        "connection": name,
        "counts": {target: asdict(count) for target, count in plan.counts.items()},
        "readings": dict(plan.readings),
        "halo_calls": plan.halo_calls,
        "highlevel_calls": plan.highlevel_calls,
        "minutes": plan.minutes,
    }


def _call(call: Call, *, bodies: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "target": call.target,
        "method": call.method,
        "path": call.path,
        "elements": len(call.references),
        "references": list(call.references),
        "reads": call.reads,
    }
    return {**told, "body": call.body} if bodies else told


def _command(name: str, target: str | None, *, bodies: bool) -> str:
    """What shows all of it."""
    chosen = f" --target {target}" if target else ""
    return f"syncline dry-run {name}{chosen}{' --bodies' if bodies else ''} --json --limit 0"


def _nothing(name: str, parked: int) -> str:
    told = f"Nothing is due: {name} would write nothing now."
    if not parked:
        return told
    many = "1 delivery needs" if parked == 1 else f"{parked:,} deliveries need"
    return f"{told} {many} a person: syncline parked list --connection {name}"


def _render(
    name: str, plan: DryRunPlan, sheet: _Sheet, rest: str, *, bodies: bool
) -> RenderableType:
    columns = ["target", "owed#", "write#", "as it is#", "wait#", "park#", "calls#"]
    rows = [
        [
            *(target, count.owed, count.writes, count.as_it_is),
            *(count.waits, count.parks, count.calls),
        ]
        for target, count in plan.counts.items()
        if count.owed or count.doubtful
    ]
    parked = sum(count.parked for count in plan.counts.values())
    if not rows and not plan.readings:
        return plain(_nothing(name, parked))
    parts = [table(f"{name}: what would be done now; nothing is", columns, rows)]
    doubtful = sum(count.doubtful for count in plan.counts.values())
    if plan.readings or doubtful:
        told = [f"{many} {target}" for target, many in plan.readings.items()]
        told += [f"{doubtful} in doubt, looked up"] if doubtful else []
        parts.append(plain(f"Read first: {', '.join(told)}."))
    if sheet.calls:
        parts.append(_calls(sheet))
    if bodies:
        parts += [plain(_body(at, call)) for at, call in enumerate(sheet.calls, 1)]
    if sheet.reasons:
        most = sheet.reasons.most_common(sheet.most)
        asked = [[target, many, field, why] for (target, field, why), many in most]
        title = _title("would be parked", len(most), len(sheet.reasons), "reasons")
        parts.append(table(title, ["target", "records#", "field", "why"], asked))
    left_out = sheet.left_out()
    if left_out:
        parts.append(plain(f"This is a part: {left_out} are left out. See all of it: {rest}"))
    parts.append(
        plain(
            f"About {plan.halo_calls:,} calls to Halo and {plan.highlevel_calls:,} to HighLevel: "
            f"{plan.minutes:,.1f} minutes at the least, by the limits of both."
        )
    )
    return stack(*parts)


def _calls(sheet: _Sheet) -> RenderableType:
    rows = []
    for at, call in enumerate(sheet.calls, 1):
        more = len(call.references) - _REFERENCES
        named = ", ".join(call.references[:_REFERENCES]) + (f", {more} more" if more > 0 else "")
        rows.append([at, call.method, call.path, len(call.references), named])
    title = _title("calls", len(sheet.calls), sheet.many)
    return table(title, ["#", "method", "path", "elements#", "of"], rows)


def _title(what: str, shown: int, of: int, things: str = "") -> str:
    """What a table holds, and how much of all there is."""
    return what if shown == of else f"{what}, the first {shown} of {of:,} {things}".rstrip()


def _body(at: int, call: Call) -> str:
    return f"{at}. {call.method} {call.path} {jsontext.dumps(call.body).decode()}"
