"""A batch of writes: arrays that leave side by side, and what became of each of their elements.

The one way in which deliveries are written to Halo. The rows depart in the transaction that writes
the calls; outcomes are judged and written in one that outlasts a restart of PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls import capabilities
from syncline.calls.calls import ApiCalls, Outcome, Planned
from syncline.calls.context import Line
from syncline.deliveries import leased
from syncline.deliveries.delivery import Confirmation, Departure
from syncline.engine.departure import departed
from syncline.engine.failures import TROUBLED, Refusal, RefusalPolicy
from syncline.errors import Absent, Again, MissingScope, NotSent, Rejected, SynclineError
from syncline.halo.array_size import ArraySize
from syncline.halo.capabilities import Capabilities
from syncline.halo.models import HaloRow
from syncline.ledger import connections
from syncline.sending import round_trips
from syncline.sending.completing import complete
from syncline.sending.decide import Write
from syncline.sending.in_doubt.answered_ids import believed, disbelieve, remember
from syncline.sending.outcomes import (
    Array,
    ArrayOutcome,
    apply,
    is_stale,
    judge,
    made,
    rows_of,
    settle_times,
)
from syncline.sending.targets import Target
from syncline.sending.tenant import currencies
from syncline.transport import Permit


def operation(target: Target) -> str:
    """The calls that write such rows, as call rows name them."""
    return f"POST {target.path}"


def arrays(writes: Sequence[Write], size: ArraySize) -> list[Array]:
    """Cut writes into arrays: as large as is proved, smaller where one failed before.

    What has not failed goes first, and in arrays of its own: where one caller tries for all, it is
    that which is tried, and not beside a row for whose sake all fails. What has failed follows, the
    one that was tried longest ago first, so that it is not the same set which is tried each time.
    """
    most = size.next()
    fresh = [one for one in writes if one.lease.is_fresh]
    again = [one for one in writes if not one.lease.is_fresh]
    again.sort(key=lambda one: one.lease.tried_at)
    return [array for part in (fresh, again) for array in cut(part, lambda: most)]


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
    *,
    reads_back: bool = False,
) -> list[Confirmation]:
    """Send some arrays side by side: one transaction before, one after.

    Args:
        line: the connection.
        target: what is written.
        api: the way out.
        known: what is known of the tenant.
        tokens: one for each array.
        batch: the arrays.
        reads_back: read what was written once more by its id, and learn from that.

    Raises:
        NotSent: the rows have gone on to another worker, or the connection was stopped, rehearses
            or changed its mode or mapping since the line was opened; nothing was sent.
        Refused: the other side lets nobody in.
    """
    began = line.worker.monotonic()
    planned = [Planned(operation(target), len(array.writes)) for array in batch]

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

    departed(line.worker, api, tokens, depart)
    sent = [
        Array(tuple(one.departed(token) for one in array.writes))
        for token, array in zip(tokens, batch, strict=True)
    ]
    try:
        outcomes = api.send(tokens, [_maker(line, target, known, array) for array in sent], began)
        results, confirmed = _finish(
            line, target, api, known, sent, outcomes, reads_back=reads_back
        )
    except BaseException:
        # Rows that have departed must not stay in the hands of a worker that lost track of them.
        line.worker.abandon()
        raise
    _learn(line, target, results)
    for result in results:
        if result.error is not None and result.refusal in {Refusal.STOP, Refusal.REST}:
            raise result.error
        if result.error is not None and result.refusal is Refusal.LATER:
            raise Again(result.error.what, after=TROUBLED)
    return confirmed


def _finish(
    line: Line,
    target: Target,
    api: ApiCalls,
    known: Capabilities,
    sent: list[Array],
    outcomes: list[Outcome],
    *,
    reads_back: bool,
) -> tuple[list[ArrayOutcome], list[Confirmation]]:
    """Write what became of a batch, in one transaction that outlasts a restart of PostgreSQL."""
    rest = settle_times(line, target, known)
    ends = list(zip(sent, outcomes, strict=True))
    came = {key: row for one in ends for key, row in rows_of(target, *one).items()}
    writes = [write for array in sent for write in array.writes]
    kept = believed(line, target, known, writes, came)
    remember(line, target, known, ends, kept, reads_back=reads_back)
    if len(kept) < len(came) and not known.misnames(target.name):
        disbelieve(line, target)
    shown = complete(line, target, api, known, writes, kept, reads_back=reads_back)
    known = currencies.with_fresh_rates(line, known, made(sent, shown.rows))
    refusals = RefusalPolicy(line, target.on_refused)
    results = [judge(line, target, known, *one, shown, refusals) for one in ends]
    for result in results:
        result.came = sum(lease.id in came for lease in result.elements)
    if reads_back:
        round_trips.conclude(line, target, known, writes, shown, results)

    def finish(connection: Connection) -> list[Confirmation]:
        api.end(connection, outcomes)
        for result in results:
            apply(connection, result, rest)
        return [item for result in results for item in result.confirmed]

    return results, line.worker.ledger.run_patiently(finish, sleep=line.worker.sleep)


def _maker(
    line: Line, target: Target, known: Capabilities, array: Array
) -> Callable[[Permit], Sequence[HaloRow]]:
    bodies = [one.body for one in array.writes]
    spelling = known.line_spelling
    return lambda permit: target.saves(line.halo, permit, bodies, spelling)


def _learn(line: Line, target: Target, results: Sequence[ArrayOutcome]) -> None:
    """Teach the capabilities what these arrays showed."""
    if target.gives_up is not None and any(_refuses(result.error) for result in results):
        target.gives_up(line, "they were refused")
    enforced = any(isinstance(v.error, Rejected) and is_stale(v.error) for v in results)
    merges = any(v.merged for v in results)
    now = line.worker.now()

    def change(known: Capabilities) -> Capabilities:
        size = known.array_size(target.name)
        for result in results:
            size = _grown(size, result, now)
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


def _grown(size: ArraySize, result: ArrayOutcome, now: datetime) -> ArraySize:
    """The size after an array; one that was refused whole may be too large where that is new."""
    if result.error is None:
        return size.came(result.size, result.came, now)
    refused = isinstance(result.error, (Rejected, Absent)) and not is_stale(result.error)
    return size.failed(result.size, now) if refused and result.size > size.proved else size


def _refuses(error: SynclineError | None) -> bool:
    return isinstance(error, (Rejected, Absent, MissingScope))
