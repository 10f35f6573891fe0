"""`syncline audit erase`: one contact's personal data out of the ledger, the chains unbroken."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated

import typer
from rich.console import RenderableType

from syncline.errors import Refused
from syncline.privacy.erase import Erasure
from syncline.privacy.erase import erase as erase_step
from syncline.terminal.context import command_context
from syncline.terminal.output import AsJson, plain, show, stack

_REST = (
    "Not erased: what HighLevel and Halo hold, dumps and exports made before, logs of other "
    "programs. The anchors hold no personal data. Erase the contact in HighLevel and Halo too, "
    "best before this: a source that still has it brings it back with the next change of a "
    "record. What is still to be delivered of these records is parked, so that nothing in Halo "
    "is overwritten with blanks."
)


@dataclass(frozen=True, slots=True)
class _Told:
    dry_run: bool
    records: int
    changes: int
    effects: int
    events: int
    entry: int | None


def erase(
    context: typer.Context,
    *,
    who: Annotated[
        str, typer.Argument(metavar="CONTACT", help="HighLevel's contact id, or the e-mail.")
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do it; it cannot be undone.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be erased, and change nothing.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Erase one contact's personal data from the ledger; the audit log stays provable.

    Example: syncline audit erase ada@example.com --dry-run
    """
    if yes == dry_run:
        raise Refused(
            "An erasure cannot be undone.", remedy="Look with --dry-run, then run it with --yes."
        )
    with command_context(context).open() as worker:
        done = erase_step(worker, who, dry_run=dry_run)
    told = _Told(
        dry_run=dry_run,
        records=len(done.found.records),
        changes=len(done.found.changes),
        effects=len(done.found.effects),
        events=len(done.found.events),
        entry=None if done.erased is None else done.erased.entry,
    )
    show(as_json, asdict(told), lambda: _render(told, done))


def _render(told: _Told, done: Erasure) -> RenderableType:
    would = "would be" if told.dry_run else "is"
    what = (
        f"Personal data {would} erased from {told.records} records, {told.changes} changes, "
        f"{told.effects} effects and {told.events} webhooks."
    )
    proof = "Nothing was changed." if told.dry_run else f"The log says so: effect {told.entry}."
    if told.dry_run and (done.found.at_work or done.found.unhandled):
        proof += " It has to wait: some of it is at work just now."
    return stack(plain(f"{what} {proof}"), plain(_REST))
