"""What Halo holds at this moment of rows that a repair is about, each read by its id."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from syncline.alerts.targets import TARGETS
from syncline.calls.calls import Outcome, halo_calls, patiently
from syncline.calls.context import PARALLEL, Line
from syncline.deliveries import target_rows
from syncline.deliveries.target_rows import TargetRow
from syncline.errors import Absent, Again, SynclineError
from syncline.flows import payments, subscriptions
from syncline.flows.flow import Difference
from syncline.queues import Lane
from syncline.sending import inputs
from syncline.sending.restored.ownership import no_longer_ours, strays_reference
from syncline.transport import Permit

Seen = Mapping[str, Any] | SynclineError
"""A row as Halo gave it, or why it did not: `Absent` where there is none, or none of ours."""

_FLOWS = (payments.FLOW, subscriptions.FLOW)


def look(line: Line, standings: Iterable[TargetRow]) -> dict[int, Seen]:
    """Read the target rows of deliveries that have one, by the delivery's number.

    One that stands under our id and is somebody else's counts as gone: ours is.

    Raises:
        SynclineError: authentication failed, or a call that may be repeated failed again and again.
    """
    asked = [one for one in standings if one.target_id is not None and one.target in TARGETS]
    open_ = asked
    seen: dict[int, Seen] = {}
    while open_:
        outcomes = patiently(line.worker, lambda: _batch(line, open_[:PARALLEL]))  # noqa: B023 - run at once
        for one, outcome in zip(open_, outcomes, strict=False):
            seen[one.id] = outcome.error or outcome.result.raw  # type: ignore[attr-defined]  # a row of Halo
        open_ = open_[len(outcomes) :]
    return seen | _others(line, asked, seen)


def differences(
    line: Line, standings: Iterable[TargetRow], seen: Mapping[int, Seen]
) -> dict[int, list[Difference]]:
    """Where rows that were seen are not what we wanted of them last, whatever was accepted."""
    shown = {
        one.id: (one, row)
        for one in standings
        if not isinstance(row := seen.get(one.id), SynclineError) and row is not None
    }
    currencies = _currencies(line, [one for one, _ in shown.values()])
    return {
        key: TARGETS[one.target].compares(
            one.projection or one.sent_projection or {},
            row,
            line.document,
            currencies[key],
            whole=True,
        )
        for key, (one, row) in shown.items()
    }


def _others(
    line: Line, standings: Iterable[TargetRow], seen: Mapping[int, Seen]
) -> dict[int, Seen]:
    """The rows among these that are somebody else's by now: ours are gone."""
    some = [(one, row) for one in standings if isinstance(row := seen.get(one.id), Mapping)]
    currencies = _currencies(line, [one for one, _ in some])
    found: dict[int, Seen] = {}
    for one, row in some:
        carried = strays_reference(one, row, line.document, currencies[one.id])
        if carried is not None:
            found[one.id] = Absent(no_longer_ours(one.target, one.target_id or "", carried))
    return found


def _currencies(line: Line, standings: Iterable[TargetRow]) -> dict[int, str]:
    """The currency of each delivery's record; "" where that is not known."""
    some = list(standings)
    return line.worker.ledger.run(lambda connection: inputs.currencies_of(connection, some))


def depending_on(line: Line, gone: Iterable[TargetRow]) -> list[TargetRow]:
    """The deliveries whose rows name rows that are to be made again under new ids."""
    lost = list(gone)
    orders_ = [one.source_id for one in lost if one.target == "order"]
    invoices = [one.source_id for one in lost if one.target == "invoice"]
    return line.worker.ledger.run(
        lambda connection: target_rows.depending(
            connection,
            line.link.tenant,
            line.link.location_place,
            _FLOWS,
            orders=orders_,
            invoices=invoices,
        )
    )


def _batch(line: Line, batch: list[TargetRow]) -> list[Outcome]:
    """One batch of readings; a passing failure is raised only where it is that of the first."""
    api = halo_calls(line, Lane.UPKEEP)
    outcomes = api.read_many(
        [f"GET {TARGETS[one.target].path}/id" for one in batch],
        [_reader(line, one) for one in batch],
    )
    if isinstance(outcomes[0].error, Again):
        raise outcomes[0].error
    for at, outcome in enumerate(outcomes):
        if isinstance(outcome.error, Again):
            return outcomes[:at]
    return outcomes


def _reader(line: Line, one: TargetRow) -> Callable[[Permit], object]:
    target, row_id = TARGETS[one.target], int(one.target_id or 0)
    return lambda permit: target.reads(line.halo, permit, row_id)


def is_gone(seen: Seen | None) -> bool:
    """Whether Halo said that there is no such row."""
    return isinstance(seen, Absent)
