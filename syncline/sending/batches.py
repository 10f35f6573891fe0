"""A batch of writes: arrays that leave side by side, and what became of each of their elements.

The one way in which deliveries are written to Halo. The rows depart in the transaction that writes
the calls; outcomes are judged and written in one that outlasts a restart of PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls import capabilities
from syncline.calls.calls import ApiCalls, Outcome, Planned
from syncline.calls.context import Line
from syncline.deliveries import leased
from syncline.deliveries.delivery import Confirmation, Departure
from syncline.engine.failures import Refusal
from syncline.errors import Absent, MissingScope, NotSent, Rejected, SynclineError
from syncline.halo.capabilities import ArraySize, Capabilities
from syncline.halo.models import HaloRow
from syncline.ledger import connections
from syncline.sending import currencies
from syncline.sending.decide import Write
from syncline.sending.outcomes import (
    Array,
    ArrayOutcome,
    apply,
    is_stale,
    judge,
    made,
    settle_times,
)
from syncline.sending.targets import Target
from syncline.transport import Permit


def arrays(writes: Sequence[Write], size: ArraySize) -> list[Array]:
    """Cut writes into arrays: as large as is proved, smaller where one failed before."""
    most = size.next()
    ordered = sorted(writes, key=lambda one: one.lease.array_limit or most)
    return list(cut(ordered, lambda: most))


def cut(writes: Iterable[Write], most: Callable[[], int]) -> Iterator[Array]:
    """Cut writes into arrays, in their order.

    Args:
        writes: the elements.
        most: how many go into the array that is being filled; asked for each array anew.
    """
    group: list[Write] = []
    limit = 0
    for one in writes:
        if group and len(group) >= min(limit, one.lease.array_limit or limit):
            yield Array(tuple(group))
            group = []
        if not group:
            limit = most()
        limit = min(limit, one.lease.array_limit or limit)
        group.append(one)
    if group:
        yield Array(tuple(group))


def write(
    line: Line,
    target: Target,
    api: ApiCalls,
    known: Capabilities,
    tokens: list[UUID],
    batch: list[Array],
) -> list[Confirmation]:
    """Send some arrays side by side: one transaction before, one after.

    Raises:
        NotSent: the rows have gone on to another worker, or the connection was stopped, rehearses
            or changed its mode since the line was opened; nothing was sent.
        Refused: the other side lets nobody in.
    """
    began = line.worker.monotonic()
    planned = [Planned(f"POST {target.path}", len(array.writes)) for array in batch]

    departures = [
        Departure(one.lease, token, one.projection)
        for token, array in zip(tokens, batch, strict=True)
        for one in array.writes
    ]

    def depart(connection: Connection) -> None:
        if not connections.is_as(connection, line.link):
            raise NotSent("Its connection stands or works otherwise by now.")
        api.begin(connection, tokens, planned)
        if len(leased.depart(connection, departures)) < len(departures):
            raise NotSent("Deliveries of this worker have gone on to another one.")

    try:
        line.worker.ledger.run(depart)
    except BaseException:
        api.return_unused(tokens)
        raise
    sent = [
        Array(tuple(one.departed(token) for one in array.writes))
        for token, array in zip(tokens, batch, strict=True)
    ]
    try:
        outcomes = api.send(tokens, [_maker(line, target, array) for array in sent], began)
        results, confirmed = _finish(line, target, api, known, sent, outcomes)
    except BaseException:
        # Rows that have departed must not stay in the hands of a worker that lost track of them.
        line.worker.abandon()
        raise
    _learn(line, target, results)
    for result in results:
        if result.error is not None and result.refusal not in {None, Refusal.PARK}:
            raise result.error
    return confirmed


def _finish(
    line: Line,
    target: Target,
    api: ApiCalls,
    known: Capabilities,
    sent: list[Array],
    outcomes: list[Outcome],
) -> tuple[list[ArrayOutcome], list[Confirmation]]:
    """Write what became of a batch, in one transaction that outlasts a restart of PostgreSQL."""
    rest = settle_times(line, target, known)
    known = currencies.with_fresh_rates(line, known, made(sent, outcomes, target))
    results = [
        judge(line, target, known, array, outcome)
        for array, outcome in zip(sent, outcomes, strict=True)
    ]

    def finish(connection: Connection) -> list[Confirmation]:
        api.end(connection, outcomes)
        for result in results:
            apply(connection, result, rest)
        return [item for result in results for item in result.confirmed]

    return results, line.worker.ledger.run_patiently(finish, sleep=line.worker.sleep)


def _maker(line: Line, target: Target, array: Array) -> Callable[[Permit], Sequence[HaloRow]]:
    bodies = [one.body for one in array.writes]
    return lambda permit: target.saves(line.halo, permit, bodies)


def _learn(line: Line, target: Target, results: Sequence[ArrayOutcome]) -> None:
    """Teach the capabilities what these arrays showed."""
    if target.gives_up is not None and any(_refuses(result.error) for result in results):
        target.gives_up(line, "they were refused")
    enforced = any(isinstance(v.error, Rejected) and is_stale(v.error) for v in results)
    merges = any(v.merged for v in results)
    answered = [v for v in results if v.elements and v.error is None]
    if not answered and not enforced:
        return
    now = line.worker.now()

    def change(known: Capabilities) -> Capabilities:
        size = known.array_size(target.name)
        for result in answered:
            size = size.matched(result.size) if result.whole else size.doubted(result.size)
        known = known.with_array_size(target.name, size, found_at=now, how="writes")
        if enforced and not known.change_seq_enforced:
            known = known.with_change_seq_enforced(enforced=True, found_at=now, how="a refusal")
        if merges:
            known = known.with_lines_on_update("merge", found_at=now, how="an update's answer")
        return known

    before = capabilities.known(line)
    grown = change(before).array_size(target.name) != before.array_size(target.name)
    if grown or enforced or merges:
        capabilities.teach(line, change)


def _refuses(error: SynclineError | None) -> bool:
    return isinstance(error, (Rejected, Absent, MissingScope))
