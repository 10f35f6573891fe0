"""Sent: what is due is claimed, rendered, and leaves in batches as quota allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls import capabilities
from syncline.calls.calls import ApiCalls, halo_calls
from syncline.calls.context import PARALLEL, Line, Nudge, WorkerContext, in_hand
from syncline.deliveries import leased, needs, outstanding
from syncline.deliveries.delivery import Confirmation, Lease
from syncline.deliveries.in_doubt import absent
from syncline.engine.claim import Claim
from syncline.engine.failures import SENDING, TROUBLED, Batch, Policy, count, put_back
from syncline.engine.rounds import NextRun, in_rounds
from syncline.errors import Again, SynclineError
from syncline.halo.array_size import ArraySize
from syncline.halo.capabilities import Capabilities
from syncline.queues import Lane
from syncline.sending import batches, outcomes, prove, render, round_trips
from syncline.sending.completing import read_first
from syncline.sending.decide import Write, is_read_first, onto_rows
from syncline.sending.first_rows import looking
from syncline.sending.first_rows.kept import kept_on
from syncline.sending.outcomes import Array
from syncline.sending.pace import LOOKS_AGAIN, Pace
from syncline.sending.restored.mark import seems_restored
from syncline.sending.restored.reading_first import only_ours
from syncline.sending.targets import TARGETS, Target
from syncline.sending.tenant.by_id import NOT_SHOWN

MOST_RENDERED = 2000
"""Rows that are claimed at once to fill an array, where most of them have to wait."""

MOST_READ = PARALLEL
"""Rows of one claim that are read before they are updated: what was read is lost where quota ends
before they are written, so that it must not be more than quota is ever there for."""

_SOON = timedelta(seconds=1)
"""Rest of rows that wait until the first one of their kind is found again."""


_LEAST_NEWS = timedelta(seconds=15)
"""For so long at least it is news that a row is not there."""


def _tell_nobody() -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Sender:
    """Which deliveries of a target are sent, and what their failure means.

    Attributes:
        claim: takes them.
        most: of one claim.
        policy: what a failure means for them.
        when_idle: when to go on where there are none; None: claim again.
        pace: by which part-filled arrays wait for company; None: none of them waits.
        calls_in: whether another sender is called in where more than these are due.
        told: is called after each batch.
    """

    claim: Claim
    most: int
    policy: Policy
    when_idle: NextRun | None
    pace: Pace | None = None
    calls_in: bool = True
    told: Callable[[], object] = _tell_nobody


def send(line: Line, target: Target) -> NextRun:
    """Write what is due to one kind of Halo's rows."""
    return in_rounds(partial(_round, line, target))


def _round(line: Line, target: Target) -> NextRun | None:
    """One claim to its end; None: claim again."""
    known = capabilities.known(line)
    if round_trips.holds_back(line, target, known):
        return NextRun.when_due()
    size = known.array_size(target.name)
    urgent = line.worker.ledger.run(lambda c: outstanding.any_urgent(c, line.link.id, target.name))
    if urgent:
        line = replace(line, lane=Lane.EVENTS)
    pace = Pace(line, target) if target.vital and not urgent else None
    if pace is not None and (wait := pace.hold_back(size)) is not None:
        return wait
    trying = known.round_trip(target.name).trying
    first = [*([] if trying is None else [trying]), *looking.go_first(target, known)]
    claim = partial(_claim, line, target, first, urgent=urgent)
    most = min(one_wave(size), line.worker.settings.send_batch)
    when_idle = None if urgent else NextRun.when_due()
    try:
        return send_claimed(line, target, known, Sender(claim, most, SENDING, when_idle, pace))
    finally:
        if pace is not None:
            pace.give_back()


def _claim(
    line: Line,
    target: Target,
    first: Sequence[int],
    connection: Connection,
    *,
    owner: UUID,
    most: int,
    urgent: bool,
) -> list[Lease]:
    """What is due; before all else the row that is tried, for which all others of its kind wait.

    Or those that look for such a row.
    """
    take = partial(
        leased.claim, connection, connection_id=line.link.id, target=target.name, owner=owner
    )
    for one in first:
        if leases := take(most=1, one=one):
            return leases
    return take(most=most, urgent=urgent)


def one_wave(size: ArraySize) -> int:
    """How many rows may leave side by side."""
    # A size that is not proved yet is tried on one array, and not on many side by side.
    return PARALLEL * size.next() if size.next() <= size.proved else size.next()


def send_claimed(line: Line, target: Target, known: Capabilities, sender: Sender) -> NextRun | None:
    """Claim once, deliver, and give back what could not be sent; None: claim again.

    Raises:
        SynclineError: the sender's policy has nothing to say about it.
    """
    with in_hand(line.worker):
        news = max(outcomes.settle_times(line, target, known).unknown, _LEAST_NEWS)
        claim = partial(sender.claim, owner=line.worker.session(), most=sender.most)
        take = partial(absent.claim, claim, sender.most, news)
        claimed = line.worker.ledger.run(take)
        if not claimed.leases:
            return None if claimed.is_any else sender.when_idle
        batch = Batch(claimed.leases)
        with put_back(line, sender.policy, batch, target.on_refused):
            is_more = claimed.is_full
            writes, more = _rendered(line, target, known, batch, take, is_more=is_more)
            return _deliver(line, target, known, writes, sender, more=more) if writes else None
        return batch.next_run


def _rendered(
    line: Line,
    target: Target,
    known: Capabilities,
    batch: Batch,
    take: Callable[[Connection], absent.Claimed],
    *,
    is_more: bool,
) -> tuple[list[Write], bool]:
    """What is to be written of what was claimed, and whether there may be more.

    Most of it may have to wait for others: then more is claimed, until an array is full.
    """
    size = known.array_size(target.name).next()
    given = render.gathered(line, target, batch.leases)
    while len(given.ready) < size and is_more and len(batch.leases) < MOST_RENDERED:
        with in_hand(line.worker):
            claimed = line.worker.ledger.run(take)
        is_more = claimed.is_full
        if claimed.leases:
            batch.leases = [*batch.leases, *claimed.leases]
            given = given.and_more(render.gathered(line, target, claimed.leases))
    writes = render.render(line, target, known, given, batch.leases[0].owner)
    return writes, is_more


def _deliver(
    line: Line,
    target: Target,
    known: Capabilities,
    writes: list[Write],
    sender: Sender,
    *,
    more: bool,
) -> NextRun | None:
    """Send; where more is due, another sender is called in once there is quota.

    Called in before, it would find no quota either, and so on through all that is due.
    """
    if not known.currency_rates:
        known = capabilities.known(line)  # rendering may have asked for the currencies
    api = halo_calls(line, line.lane)
    earlier = prove.row_for_a_report(line, target, known)
    if target.name in TARGETS and seems_restored(known):
        writes = only_ours(line, target, api, writes)
    writes = _with_what_stands(line, target, api, known, writes)
    next_run = None
    while news := to_prove(target, known, writes):
        first, later = round_trips.most_telling(target, known, news)
        next_run = _prove(line, target, api, known, first)
        writes = [write for write in writes if write is not first]
        if next_run is not None:
            looking.rest(line, target, [write.lease for write in later], next_run.after)
            writes = [write for write in writes if write not in later]
            break
        known = capabilities.known(line)
    looking.end_where_found(line, target, known)
    size = known.array_size(target.name)
    pending, held = batches.arrays(writes, size), list[Array]()
    if sender.pace is not None:
        pending, held = sender.pace.let_go(size, pending)
    if held:
        leases = [write.lease for array in held for write in array.writes]
        _release(line.worker, leases, LOOKS_AGAIN, None)
        next_run = next_run or NextRun.later(LOOKS_AGAIN)
    more = more and sender.calls_in
    while pending:
        tokens = api.tokens(len(pending), batches.operation(target))
        if more:
            line.worker.announce([Nudge(line.link.name, "send", target.name)])
            more = False
        batch, pending = pending[: len(tokens)], pending[len(tokens) :]
        _batch(line, target, api, known, tokens, batch)
        sender.told()
    if earlier is not None:
        with suppress(Again):  # nothing depends on it, and it is tried with the next ones
            reference = target.reference(earlier.source_id, earlier.role)
            prove.by_report(line, target, api, reference, earlier.target_id)
    return next_run


def _with_what_stands(
    line: Line, target: Target, api: ApiCalls, known: Capabilities, writes: list[Write]
) -> list[Write]:
    """Updates with what their rows hold already; what cannot be told is parked."""
    later = {write.lease.id for write in [one for one in writes if is_read_first(one)][MOST_READ:]}
    if later:
        leases = [write.lease for write in writes if write.lease.id in later]
        _release(line.worker, leases, _SOON, None)
        writes = [write for write in writes if write.lease.id not in later]
    read = read_first(line, target, api, writes)
    unread = {
        key: error
        for key, error in read.items()
        if isinstance(error, SynclineError) and not isinstance(error, NOT_SHOWN)
    }
    others = [write for write in writes if write.lease.id not in unread]
    told, parked = onto_rows(target, others, read, known)
    notes = {write.lease.id: write.note for write in others}

    def work(connection: Connection) -> None:
        for write in writes:
            if write.lease.id in unread:
                count(connection, SENDING, [write.lease], unread[write.lease.id])
        for lease, error in parked:
            leased.park(connection, [lease], reason=str(error), field=notes[lease.id] or "lines")

    if parked or unread:
        line.worker.ledger.run_patiently(work, sleep=line.worker.sleep)
    return told


def to_prove(target: Target, known: Capabilities, writes: Sequence[Write]) -> list[Write]:
    """Rows of which one must be found again, or read back, before the others are written.

    The row that is looked for counts where it is written again: it may be found after that.
    """
    sought = known.sought(target.name)
    unfound = () if known.find_way(target.name) is not None else (None, sought and sought.row)
    return [
        write
        for write in writes
        if round_trips.unproved(target, known, write) or write.lease.target_id in unfound
    ]


def _prove(
    line: Line, target: Target, api: ApiCalls, known: Capabilities, first: Write
) -> NextRun | None:
    """Write one row alone, read it back and find it again; None: it was all as it should be.

    One that was created and not found yet is looked for once more; there is no second one.
    """
    nudges, place = line.worker.nudges, line.link.tenant_place
    reads_back = bool(round_trips.unproved(target, known, first))
    if not nudges.claim(place, Lane.DELIVERIES, f"prove:{target.name}"):
        _release(line.worker, [first.lease], _SOON, None)
        return NextRun.later(_SOON)
    try:
        if (wait := _waits_for_first(line, target, api, known, first)) is not None:
            return wait
        if reads_back and (rest := round_trips.begin(line, target, first)) is not None:
            _release(line.worker, [first.lease], rest, None)
            return NextRun.later(rest)
        return _tried(line, target, api, known, first, reads_back=reads_back)
    finally:
        nudges.clear(place, Lane.DELIVERIES, f"prove:{target.name}")


def _waits_for_first(
    line: Line, target: Target, api: ApiCalls, known: Capabilities, first: Write
) -> NextRun | None:
    """Look for a row that was made before, if it was not found; None: this may be written.

    It was made by this worker, or by another one since this one asked what is proved.
    """
    if known.find_way(target.name) is not None or first.lease.target_id is not None:
        return None
    made = line.worker.ledger.run(
        lambda connection: needs.made_by_us(connection, line.link.tenant, target.name)
    )
    if made is not None:
        return NextRun.later(looking.look(line, target, api, made, first.lease))
    maybe = line.worker.ledger.run(
        lambda connection: needs.maybe_made_by_us(connection, line.link.tenant, target.name)
    )
    return None if maybe is None else _waits_for(line, target, maybe, first)


def _tried(
    line: Line,
    target: Target,
    api: ApiCalls,
    known: Capabilities,
    first: Write,
    *,
    reads_back: bool,
) -> NextRun | None:
    is_found = known.find_way(target.name) is not None
    alone, tokens = [Array((first,))], api.tokens(1, batches.operation(target))
    confirmed = _batch(line, target, api, known, tokens, alone, reads_back=reads_back)
    if not confirmed:
        return NextRun.later(_SOON)
    made_id = confirmed[0].target_id or ""
    if is_found or not prove.can_prove(target, first.lease):
        return None
    row = needs.Made(first.lease.id, first.lease.source_id, first.lease.role, made_id)
    if prove.prove(line, target, api, first.reference, made_id, row) is not None:
        return None
    if target.gives_up is not None:
        target.gives_up(line, looking.NOT_SHOWN)
    else:
        looking.in_vain(line, target, row, looking.Look(None, kept_on(line, target, api, row)))
    return NextRun.later(_SOON)


def _waits_for(line: Line, target: Target, made: needs.Made, first: Write) -> NextRun:
    """Whether a row was made is not known yet, or is for a person to say."""
    reference = target.reference(made.source_id, made.role)
    why = f"waits until it is known whether Halo has {target.name} {reference}"
    _release(line.worker, [first.lease], TROUBLED, why)
    return NextRun.later(TROUBLED)


def _batch(
    line: Line,
    target: Target,
    api: ApiCalls,
    known: Capabilities,
    tokens: list[UUID],
    arrays: list[Array],
    *,
    reads_back: bool = False,
) -> list[Confirmation]:
    """Send some arrays side by side, and call in those who may have waited for what came of it."""
    confirmed = batches.write(line, target, api, known, tokens, arrays, reads_back=reads_back)
    woken = {name for name in target.wakes if confirmed}
    line.worker.announce(Nudge(line.link.name, "send", name) for name in sorted(woken))
    return confirmed


def _release(
    worker: WorkerContext, leases: Sequence[Lease], after: timedelta, why: str | None
) -> None:
    worker.ledger.run_patiently(
        lambda connection: leased.release(connection, leases, after=after, why=why),
        sleep=worker.sleep,
    )
