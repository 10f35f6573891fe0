"""Sent: what is due is claimed, rendered, and leaves in waves as quota allows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import UUID

from syncline.deliveries import leased, needs, outstanding
from syncline.deliveries.leases import Confirmation, Lease
from syncline.errors import (
    Again,
    Refused,
    SynclineError,
)
from syncline.flows import alert_tickets
from syncline.halo.abilities import Abilities
from syncline.quota.keys import Lane
from syncline.steps import (
    abilities,
    alert_desk,
    halo_reading,
    pace,
    prove,
    readings,
    render,
    ship,
    waves,
)
from syncline.steps.gate import Gate, NoQuota, halo_gate
from syncline.steps.hold import in_hand
from syncline.steps.parts import PARALLEL, Line, Nudge, Parts
from syncline.steps.render import Write
from syncline.steps.stop import stop_connection
from syncline.steps.targets import TARGETS, Target
from syncline.steps.verdicts import BACKOFF, Array

ROUNDS = 50
"""Claims a task makes before it lets others have its thread; the rest is nudged again."""

TROUBLED = timedelta(seconds=30)
"""Rest of rows that could not be sent for a reason which another try at once does not heal."""

STOPPED = timedelta(minutes=5)
"""Rest of alerts that tell of a stopped connection, where Halo is the side that refuses."""


def send(parts: Parts, line: Line, target: str) -> float | None:
    """Deliver what is due to one target of a connection.

    Returns:
        Seconds after which there is more to do, or None when nothing is left that is due now.
    """
    only_reads = target in readings.TARGETS or target in halo_reading.TARGETS
    writes = line.link.writes or alert_desk.still_tells(line, target)
    if not (line.link.reads if only_reads else writes):
        return None
    if target in readings.TARGETS:
        return readings.read(parts, line, target)
    if target == ship.TARGET:
        return ship.ship(parts, line)
    if target in halo_reading.TARGETS:
        return halo_reading.read_halo(parts, line, target)
    for _ in range(ROUNDS):
        again = _round(parts, line, TARGETS[target])
        if again is not None:
            return again if again >= 0 else None
    return 0.05


def _round(parts: Parts, line: Line, target: Target) -> float | None:
    """One claim to its end; None: go on, negative: nothing is due, else seconds to wait."""
    known = abilities.known(parts, line)
    size = known.array_size(target.name)
    # A size that is not proved yet is tried on one array, and not on many side by side.
    most = PARALLEL * size.next() if size.next() <= size.proved else size.next()
    most = min(most, parts.settings.send_batch)
    urgent = parts.ledger.run(lambda c: outstanding.any_urgent(c, line.link.id, target.name))
    if urgent:
        line = replace(line, lane=Lane.EVENTS)
    else:
        wait = pace.hold_back(parts, line, target.name, size)
        if wait is not None:
            return wait
    with in_hand(parts):
        owner = parts.session()
        leases = parts.ledger.run(
            partial(
                leased.claim,
                connection_id=line.link.id,
                target=target.name,
                owner=owner,
                most=most,
                urgent=urgent,
            )
        )
        if not leases:
            return None if urgent else -1
        return _tried(parts, line, target, known, leases, more=len(leases) == most)


def _tried(
    parts: Parts, line: Line, target: Target, known: Abilities, leases: list[Lease], *, more: bool
) -> float | None:
    """Deliver, and give back what could not be sent."""
    try:
        return _deliver(parts, line, target, known, leases, more=more)
    except NoQuota as error:
        _release(parts, leases, error.after, None)
        return error.after.total_seconds()
    except Again as error:
        _release(parts, leases, max(error.after, BACKOFF), error.what)
        return max(error.after, BACKOFF).total_seconds()
    except Refused as error:
        _refused(parts, line, target, leases, error)
        return -1
    except SynclineError as error:
        _release(parts, leases, TROUBLED, error.what)
        return -1


def _refused(parts: Parts, line: Line, target: Target, leases: list[Lease], error: Refused) -> None:
    """Stop the connection, unless it stands already or can do its work without this target."""
    if not target.stops(error):
        alert_desk.park_refused(parts, leases, error)
    elif line.link.stopped_by_itself:
        _release(parts, leases, STOPPED, error.what)
    else:
        stop_connection(parts, line, error, leases)


def _deliver(
    parts: Parts, line: Line, target: Target, known: Abilities, leases: list[Lease], *, more: bool
) -> float | None:
    """Render and send; with `more` due, another sender is called in once there is quota.

    Called in before, it would find no quota either, and so on through all that is due.
    """
    writes = render.render(parts, line, target, known, leases)
    if not writes:
        return None
    if not known.currency_rates:
        known = abilities.known(parts, line)  # rendering may have asked for the currencies
    gate = halo_gate(parts, line, line.lane)
    proved = known.find_way(target.name) is not None
    if not proved and any(write.lease.target_id is None for write in writes):
        return _prove_first(parts, line, target, gate, known, writes)
    pending = waves.arrays(writes, known.array_size(target.name))
    while pending:
        tokens = gate.tokens(len(pending))
        if more:
            parts.announce([Nudge(line.link.name, "send", target.name)])
            more = False
        wave, pending = pending[: len(tokens)], pending[len(tokens) :]
        _wave(parts, line, target, gate, known, tokens, wave)
    return None


def _prove_first(
    parts: Parts,
    line: Line,
    target: Target,
    gate: Gate,
    known: Abilities,
    writes: list[Write],
) -> float | None:
    """Create one row alone and find it again, before anything else is created at this tenant.

    One that was created and not found yet is looked for once more; there is no second one.
    """
    first, rest = writes[0], writes[1:]
    _release(parts, [write.lease for write in rest], timedelta(seconds=1), None)
    if not parts.nudges.claim(line.link.tenant_place, Lane.DELIVERIES, f"prove:{target.name}"):
        _release(parts, [first.lease], timedelta(seconds=1), None)
        return 1.0
    try:
        made = parts.ledger.run(
            lambda connection: needs.made_by_us(connection, line.link.tenant, target.name)
        )
        if made is not None:
            # By this worker before, or by another one since this one asked what is proved.
            reference = render.reference(target, made.source_id, made.role)
            if prove.prove(parts, line, target, gate, reference, made.target_id) is None:
                _release(parts, [first.lease], TROUBLED, "Halo does not show the first row we made")
                return TROUBLED.total_seconds()
            _release(parts, [first.lease], timedelta(seconds=1), None)
            return 1.0
        confirmed = _wave(parts, line, target, gate, known, gate.tokens(1), [Array((first,))])
        if confirmed:
            made_id = confirmed[0].target_id or ""
            way = prove.prove(parts, line, target, gate, first.reference, made_id)
            if way is None and target.name == alert_tickets.INTEGRATION_ERROR:
                alert_desk.learn_hidden(parts, line, "the first one was not shown")
    finally:
        parts.nudges.clear(line.link.tenant_place, Lane.DELIVERIES, f"prove:{target.name}")
    return 1.0 if rest else None


def _wave(
    parts: Parts,
    line: Line,
    target: Target,
    gate: Gate,
    known: Abilities,
    tokens: list[UUID],
    arrays: list[Array],
) -> list[Confirmation]:
    """Send some arrays side by side, and call in those who may have waited for what came of it."""
    confirmed = waves.write(parts, line, target, gate, known, tokens, arrays)
    woken = {name for name in target.wakes if confirmed}
    parts.announce(Nudge(line.link.name, "send", name) for name in sorted(woken))
    return confirmed


def _release(parts: Parts, leases: Sequence[Lease], after: timedelta, why: str | None) -> None:
    parts.ledger.run_patiently(
        lambda connection: leased.release(connection, leases, after=after, why=why),
        sleep=parts.sleep,
    )
