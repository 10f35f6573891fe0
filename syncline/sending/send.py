"""Sent: what is due is claimed, rendered, and leaves in batches as quota allows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from uuid import UUID

from syncline.calls import capabilities
from syncline.calls.calls import ApiCalls, halo_calls
from syncline.calls.context import PARALLEL, Line, Nudge, WorkerContext, in_hand
from syncline.deliveries import leased, needs, outstanding
from syncline.deliveries.delivery import Confirmation, Lease
from syncline.engine.claim import Claim
from syncline.engine.failures import SENDING, TROUBLED, Batch, Policy, put_back
from syncline.engine.rounds import NextRun, in_rounds
from syncline.halo.capabilities import ArraySize, Capabilities
from syncline.queues import Lane
from syncline.sending import batches, pace, prove, render
from syncline.sending.decide import Write
from syncline.sending.outcomes import Array
from syncline.sending.targets import Target

_SOON = timedelta(seconds=1)
"""Rest of rows that wait until the first one of their kind is found again."""


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
        calls_in: whether another sender is called in where more than these are due.
        told: is called after each batch.
    """

    claim: Claim
    most: int
    policy: Policy
    when_idle: NextRun | None
    calls_in: bool = True
    told: Callable[[], object] = _tell_nobody


def send(line: Line, target: Target) -> NextRun:
    """Write what is due to one kind of Halo's rows."""
    return in_rounds(partial(_round, line, target))


def _round(line: Line, target: Target) -> NextRun | None:
    """One claim to its end; None: claim again."""
    known = capabilities.known(line)
    size = known.array_size(target.name)
    urgent = line.worker.ledger.run(lambda c: outstanding.any_urgent(c, line.link.id, target.name))
    if urgent:
        line = replace(line, lane=Lane.EVENTS)
    else:
        wait = pace.hold_back(line, target.name, size)
        if wait is not None:
            return wait
    claim = partial(leased.claim, connection_id=line.link.id, target=target.name, urgent=urgent)
    most = min(one_wave(size), line.worker.settings.send_batch)
    when_idle = None if urgent else NextRun.when_due()
    return send_claimed(line, target, known, Sender(claim, most, SENDING, when_idle))


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
        take = partial(sender.claim, owner=line.worker.session(), most=sender.most)
        leases = line.worker.ledger.run(take)
        if not leases:
            return sender.when_idle
        batch = Batch(leases)
        with put_back(line, sender.policy, batch, target.on_refused):
            return _deliver(line, target, known, leases, sender)
        return batch.next_run


def _deliver(
    line: Line, target: Target, known: Capabilities, leases: list[Lease], sender: Sender
) -> NextRun | None:
    """Render and send; where more is due, another sender is called in once there is quota.

    Called in before, it would find no quota either, and so on through all that is due.
    """
    writes = render.render(line, target, known, leases)
    if not writes:
        return None
    if not known.currency_rates:
        known = capabilities.known(line)  # rendering may have asked for the currencies
    api = halo_calls(line, line.lane)
    proved = known.find_way(target.name) is not None
    if not proved and any(write.lease.target_id is None for write in writes):
        return _prove_first(line, target, api, known, writes)
    more = sender.calls_in and len(leases) == sender.most
    pending = batches.arrays(writes, known.array_size(target.name))
    while pending:
        tokens = api.tokens(len(pending))
        if more:
            line.worker.announce([Nudge(line.link.name, "send", target.name)])
            more = False
        batch, pending = pending[: len(tokens)], pending[len(tokens) :]
        _batch(line, target, api, known, tokens, batch)
        sender.told()
    return None


def _prove_first(
    line: Line,
    target: Target,
    api: ApiCalls,
    known: Capabilities,
    writes: list[Write],
) -> NextRun | None:
    """Create one row alone and find it again, before anything else is created at this tenant.

    One that was created and not found yet is looked for once more; there is no second one.
    """
    first, rest = writes[0], writes[1:]
    _release(line.worker, [write.lease for write in rest], _SOON, None)
    if not line.worker.nudges.claim(
        line.link.tenant_place, Lane.DELIVERIES, f"prove:{target.name}"
    ):
        _release(line.worker, [first.lease], _SOON, None)
        return NextRun.later(_SOON)
    try:
        made = line.worker.ledger.run(
            lambda connection: needs.made_by_us(connection, line.link.tenant, target.name)
        )
        if made is not None:
            # By this worker before, or by another one since this one asked what is proved.
            reference = target.reference(made.source_id, made.role)
            if prove.prove(line, target, api, reference, made.target_id) is None:
                _release(
                    line.worker, [first.lease], TROUBLED, "Halo does not show the first row we made"
                )
                return NextRun.later(TROUBLED)
            _release(line.worker, [first.lease], _SOON, None)
            return NextRun.later(_SOON)
        confirmed = _batch(line, target, api, known, api.tokens(1), [Array((first,))])
        if confirmed:
            made_id = confirmed[0].target_id or ""
            way = prove.prove(line, target, api, first.reference, made_id)
            if way is None and target.gives_up is not None:
                target.gives_up(line, "the first one was not shown")
    finally:
        line.worker.nudges.clear(line.link.tenant_place, Lane.DELIVERIES, f"prove:{target.name}")
    return NextRun.later(_SOON) if rest else None


def _batch(
    line: Line,
    target: Target,
    api: ApiCalls,
    known: Capabilities,
    tokens: list[UUID],
    arrays: list[Array],
) -> list[Confirmation]:
    """Send some arrays side by side, and call in those who may have waited for what came of it."""
    confirmed = batches.write(line, target, api, known, tokens, arrays)
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
