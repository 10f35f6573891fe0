"""Looked up: what became of deliveries whose outcome is unknown, after their settle time.

Only an absence that the answers prove lets a delivery be sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache, partial
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls import capabilities
from syncline.calls.calls import Outcome, halo_calls
from syncline.calls.context import PARALLEL, Line, Nudge, WorkerContext, in_hand
from syncline.calls.halo_queries import NO_REPORT, asked
from syncline.deliveries import leased
from syncline.deliveries.delivery import Lease
from syncline.deliveries.states import State
from syncline.deliveries.target_rows import none_is_ours
from syncline.engine.claim import Claim
from syncline.engine.failures import LOOKING_UP, Batch, Move, Policy, put_back
from syncline.engine.rounds import NextRun, in_rounds
from syncline.errors import (
    Again,
    Refused,
    SynclineError,
)
from syncline.halo.capabilities import FindWay
from syncline.halo.models import HaloRow
from syncline.halo.round_trip import ROW
from syncline.halo.sql import readback
from syncline.halo.sql.finding import LookupResult
from syncline.halo.sql.queries import Query
from syncline.ledger import calls
from syncline.money import minor_digits
from syncline.sending import inputs, round_trips
from syncline.sending.completing import completed
from syncline.sending.find import is_one_a_call
from syncline.sending.in_doubt import looking, resend, second_rows, verdicts
from syncline.sending.in_doubt.maybe_ours import (
    is_anothers,
    of_anothers,
    of_linked,
    of_maybe,
    rows_by_link,
)
from syncline.sending.in_doubt.rows import SeenRow, found_row, whole_row
from syncline.sending.in_doubt.seek import Seek
from syncline.sending.restored import mark
from syncline.sending.targets import Target
from syncline.transport import Permit

FOUND_AT_ONCE = 4
"""Rows whose fate is written together: what was found is not lost with a worker that dies. Where
each is found by calls of its own, it is written by itself."""


def look_up(line: Line, target: Target) -> NextRun:
    """Look up what is doubtful and settled at one kind of Halo's rows, or may stand there twice."""
    claim = partial(
        leased.claim, connection_id=line.link.id, target=target.name, state=State.DOUBTFUL
    )
    next_run = in_rounds(partial(look_up_claimed, line, target, claim, LOOKING_UP))
    second_rows.look(line, target)
    return next_run


def look_up_claimed(line: Line, target: Target, claim: Claim, policy: Policy) -> NextRun | None:
    """Claim once, and look that up; None: claim again.

    Raises:
        SynclineError: the policy has nothing to say about it.
    """
    with in_hand(line.worker):
        take = partial(claim, owner=line.worker.session(), most=looking.MOST)
        leases = line.worker.ledger.run(take)
        return _looked_up(line, target, leases, policy) if leases else NextRun.when_due()


def _looked_up(line: Line, target: Target, leases: list[Lease], policy: Policy) -> NextRun | None:
    """Look up what can be, and leave the rest in doubt."""
    batch, known = Batch(list(leases)), capabilities.known(line)
    with put_back(line, policy, batch, target.on_refused):
        api = halo_calls(line, line.lane)
        at_once = 1 if is_one_a_call(target, known) else FOUND_AT_ONCE
        seek = Seek(line, api, target, known)
        _write_as_found(line.worker, batch, _moves(seek, leases), at_once)
    for lease in batch.leases:
        round_trips.let_go(line, target, known, lease)
    if len(batch.leases) < len(leases):
        names = (target.name, *target.wakes)
        line.worker.announce([Nudge(line.link.name, "send", name) for name in names])
    return batch.next_run


def _write_as_found(
    worker: WorkerContext, batch: Batch, moves: Iterable[tuple[Lease, Move]], at_once: int
) -> None:
    """Write what was found every few rows, and what was found before a failure too."""
    found: dict[int, Move] = {}

    def write() -> None:
        if found:
            _write(worker, list(found.values()))
            batch.leases = [lease for lease in batch.leases if lease.id not in found]
            found.clear()

    try:
        for lease, move in moves:
            found[lease.id] = move
            if len(found) == at_once:
                write()
    except SynclineError:
        write()
        raise
    write()


def _write(worker: WorkerContext, moves: Sequence[Move]) -> None:
    def work(connection: Connection) -> None:
        for move in moves:
            move(connection)

    worker.ledger.run_patiently(work, sleep=worker.sleep)


def _moves(seek: Seek, leases: list[Lease]) -> Iterator[tuple[Lease, Move]]:
    """One move for each, as far as the look-up comes: what is known by then is not lost."""
    line = seek.line
    loaded = line.worker.ledger.run(
        lambda connection: inputs.load(connection, leases, line.document)
    )

    def canonical_of(lease: Lease) -> inputs.Canonical:
        # What was sent is looked up also when its record is not known any more.
        return loaded[lease.id].canonical if lease.id in loaded else {}

    lost = [lease for lease in leases if lease.target_id is None]
    failed: list[tuple[Sequence[Lease], SynclineError]] = []
    following = cache(partial(resend.following, seek))

    @cache
    def ended_at(call_id: UUID) -> datetime | None:
        return line.worker.ledger.run(lambda connection: calls.ended_at(connection, call_id))

    for group, looked in looking.looked_for(seek, lost):
        if isinstance(looked, SynclineError):
            failed.append((group, looked))
            continue
        sums = looking.or_why(partial(_sums, seek, looked.found))
        if isinstance(sums, SynclineError):
            failed.append((group, sums))
            continue
        absence = resend.Absence(looked, following, ended_at)
        for lease in group:
            yield lease, _move(seek, lease, sums, canonical_of(lease), absence)
    for lease, outcome in _read_all(seek, [one for one in leases if one.target_id is not None]):
        if isinstance(outcome.error, Again):
            yield lease, verdicts.unanswered(seek, lease, outcome.error)
            continue
        row_id = lease.target_id or ""
        whole = partial(_of, seek, outcome)
        yield lease, found_row(seek, lease, row_id, whole, canonical_of(lease))
    is_answered = sum(len(group) for group, _ in failed) < len(lost)
    yield from _set_apart(seek, failed, is_answered=is_answered)


def _set_apart(
    seek: Seek, failed: Sequence[tuple[Sequence[Lease], SynclineError]], *, is_answered: bool
) -> Iterator[tuple[Lease, Move]]:
    """What could not be looked for: it counts where it is answered what was asked for others."""
    refused: SynclineError | None = None
    for group, error in failed:
        if not isinstance(error, Again) or not is_answered:
            refused = refused or error
            continue
        for lease in group:
            yield lease, verdicts.unanswered(seek, lease, error)
    if refused is not None:
        raise refused


def _read_all(seek: Seek, leases: Sequence[Lease]) -> Iterator[tuple[Lease, Outcome]]:
    """Rows whose ids are known, read side by side; what could be read comes first.

    One that somebody else answers in Halo's place keeps no other from being read.
    """
    # Where one caller tries for all, it is not the same row that is tried each time.
    first = int(seek.line.worker.monotonic()) % max(len(leases), 1)
    left, failed = [*leases[first:], *leases[:first]], list[tuple[Lease, Outcome]]()
    while left:
        operations = [f"GET {seek.target.path}/id"] * min(len(left), PARALLEL)
        makes = [_reader(seek, lease) for lease in left[:PARALLEL]]
        came = seek.api.read_many(operations, makes)
        read, left = left[: len(came)], left[len(came) :]
        for one in zip(read, came, strict=True):
            if isinstance(one[1].error, (Again, Refused)):
                failed.append(one)
            else:
                yield one
    yield from failed


def _reader(seek: Seek, lease: Lease) -> Callable[[Permit], HaloRow]:
    return lambda permit: seek.target.reads(seek.line.halo, permit, int(lease.target_id or 0))


def _of(seek: Seek, outcome: Outcome) -> SeenRow:
    """The row that was read."""
    if outcome.error is not None:
        raise outcome.error
    row: HaloRow = outcome.result  # type: ignore[assignment]  # what the target reads
    return SeenRow(completed(seek.line, seek.api, seek.target, row.raw), whole=True)


def _sums(seek: Seek, found: LookupResult) -> dict[int, dict[str, Any]]:
    """What one report tells of all these rows, where that is enough to know that they were made.

    Where it is not, or where the tenant runs none, they are read one by one.
    """
    line, target, known = seek.line, seek.target, seek.known
    ids = {rows[0].id for rows in found.rows.values() if len(rows) == 1}
    is_enough = ROW in known.round_trip(target.name).traits
    if not (ids and is_enough and readback.is_reported(target.resource)):
        return {}
    if known.find_way(target.name) is not FindWay.SQL:
        return {}
    digits = {code: minor_digits(iso) for iso, code in known.currencies.items()}

    def reported(query: Query) -> Any:
        return asked(line, seek.api, query)

    try:
        rows = readback.report_of(reported, target.resource, ids, digits)
    except NO_REPORT:
        return {}
    return {int(row["id"]): row for row in rows}


def _move(
    seek: Seek,
    lease: Lease,
    sums: Mapping[int, Mapping[str, Any]],
    canonical: inputs.Canonical,
    absence: resend.Absence,
) -> Move:
    found = absence.looked.found
    reference = seek.target.reference(lease.source_id, lease.role)
    linked = seek.known.find_way(seek.target.name) is FindWay.LINK
    rows = found.rows[reference]
    if linked and len(rows) == 1 and is_anothers(seek, lease, rows[0].id):
        if not none_is_ours(lease.target_meta):
            return of_anothers(seek, lease, rows[0].id)
        found, linked = looking.searched(seek, [reference]), False
        rows = found.rows[reference]
    if len(rows) > 1:
        return verdicts.doubled(lease, reference, rows)
    if rows:
        if is_anothers(seek, lease, rows[0].id):
            _note_given_anew(seek, reference, rows[0].id)
        row_id = str(rows[0].id)
        row = {**rows[0].row, **sums.get(rows[0].id, {})}
        whole = partial(whole_row, seek, lease, row_id, row, linked=linked)
        return found_row(seek, lease, row_id, whole, canonical)
    is_linkless = _needs_no_link(seek, lease, absence)
    named = [] if is_linkless else rows_by_link(seek, reference)
    if len(named) > 1:
        return verdicts.doubled(lease, reference, named)
    move = of_linked(seek, lease, named[0].id, canonical) if named else None
    if move is not None:
        return move
    maybe = [row.id for row in [*named, *found.like.get(reference, ())]]
    # What had to wait may be about to go by now: not before links were asked.
    is_sure = absence.looked.is_sure and not is_linkless
    absence = replace(absence, looked=replace(absence.looked, found=found, is_sure=is_sure))
    return of_maybe(seek, lease, maybe, canonical, absence)


def _needs_no_link(seek: Seek, lease: Lease, absence: resend.Absence) -> bool:
    """Whether a report is enough, or nothing is sent again now: links are a call for each row.

    Where the way is proved, rows of the kind keep our reference; and what the report shows is newer
    than the write that is asked about.
    """
    if seek.known.find_way(seek.target.name) is not FindWay.SQL or lease.sent_at is None:
        return False
    return resend.covers(lease, absence) or resend.waits(seek, lease)


def _note_given_anew(seek: Seek, reference: str, row_id: int) -> None:
    """Our reference stands under an id that another delivery holds, whose row is gone."""
    line, name = seek.line, seek.target.name
    what = f"Halo holds {reference} as {name} {row_id}, which was another record's before."
    line.worker.ledger.run_patiently(
        lambda connection: mark.note(connection, line.link, what), sleep=line.worker.sleep
    )
