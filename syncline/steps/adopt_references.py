"""The second half of an adoption: our reference is written to each pinned row, and nothing else.

Rows are pinned before, so a row whose outcome is unknown is read by its id, and writing to it once
more does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from syncline.errors import Absent, Again, NotSent, Refused, SynclineError
from syncline.flows.flow import external_link, reference_of
from syncline.halo.abilities import Abilities
from syncline.halo.models import HaloRow
from syncline.ledger import adopting, deliveries, records
from syncline.ledger.leases import Departure, Lease
from syncline.quota.keys import Lane
from syncline.steps import abilities
from syncline.steps.adopt_reading import Progress
from syncline.steps.gate import PARALLEL, Gate, NoQuota, Outcome, Planned, halo_gate
from syncline.steps.hold import in_hand
from syncline.steps.parts import Line, Parts
from syncline.steps.render import Write, currency_of
from syncline.steps.targets import TARGETS
from syncline.steps.verdicts import (
    BACKOFF,
    PARK_AFTER,
    Array,
    Verdict,
    apply,
    backoff,
    judge,
    rests,
)
from syncline.transport import Permit

PATIENCE_S = 30.0
"""How long nothing may move, beyond the settle time, before the rest is left to another run."""

_TARGET = TARGETS["order"]
_WHAT = "writing references, orders"


def write_references(
    parts: Parts, line: Line, progress: Progress, leases: Sequence[Lease] = ()
) -> int:
    """Write to all pinned rows; returns how many are not confirmed when it gives up.

    Args:
        parts: what a step is handed.
        line: the connection, which may stand still.
        progress: is told how far it is.
        leases: pinned rows that are in this process's hands already.

    Raises:
        Refused: Halo lets nobody in.
    """
    total = max(_left(parts, line), len(leases))
    given = list(leases)
    waited = 0.0
    patience = PATIENCE_S + line.link.settle(parts.settings.settle).total_seconds()
    while left := _left(parts, line):
        progress(_WHAT, total - left, total)
        pause = _round(parts, line, given)
        given = []
        if pause is None:
            waited = 0.0
            continue
        if waited > patience:
            return left
        parts.sleep(pause)
        waited += pause
    progress(_WHAT, total, total)
    return 0


def _left(parts: Parts, line: Line) -> int:
    return parts.ledger.run(lambda connection: adopting.pinned(connection, line.link)).left


def _round(parts: Parts, line: Line, given: list[Lease]) -> float | None:
    """Write what is due and look at what is in doubt; the seconds to wait if there was neither."""
    try:
        gate = halo_gate(parts, line, Lane.BACKFILL)
        with in_hand(parts):
            if _written(parts, line, gate, given) or _checked(parts, line, gate):
                return None
    except NoQuota as error:
        return min(error.after.total_seconds(), 1.0)
    rest = parts.ledger.run(lambda connection: adopting.pinned(connection, line.link)).next_in_s
    return min(max(rest, 0.05), 1.0)


def _written(parts: Parts, line: Line, gate: Gate, given: list[Lease]) -> bool:
    known = abilities.known(parts, line)
    size = known.array_size(_TARGET.name)
    # A size that is not proved yet is tried on one array alone.
    most = PARALLEL * size.next() if size.next() <= size.proved else size.next()
    leases = given or parts.ledger.run(
        lambda connection: adopting.claim_pinned(
            connection, line.link, parts.session(), most, doubtful=False
        )
    )
    if not leases:
        return False
    try:
        arrays = _arrays(_writes(parts, leases), size.next())
        tokens = gate.tokens(len(arrays))
    except Again as error:
        _release(parts, leases)
        raise NoQuota(error.what, after=error.after) from error
    now, later = arrays[: len(tokens)], arrays[len(tokens) :]
    _release(parts, [write.lease for array in later for write in array.writes])
    _wave(parts, line, gate, known, tokens, now)
    return True


def _writes(parts: Parts, leases: Sequence[Lease]) -> list[Write]:
    found = parts.ledger.run(
        lambda connection: records.canonical(
            connection, [(lease.place, lease.source_kind, lease.source_id) for lease in leases]
        )
    )
    return [
        _write(lease, found[lease.place, lease.source_kind, lease.source_id][1]) for lease in leases
    ]


def _write(lease: Lease, canonical: Any) -> Write:
    """Our number and our link; the number that stood there is kept in the link's description."""
    reference = reference_of(lease.source_id)
    holds = dict(lease.projection or {})
    before = holds.get(_TARGET.key, "")
    told = f"HighLevel order {lease.source_id}"
    if before and before != reference:
        told += f"; number before: {before}"
    body: dict[str, Any] = {
        "id": int(lease.target_id or 0),
        _TARGET.key: reference,
        "new_external_link": external_link(reference, told),
        "_dont_fire_automations": True,
    }
    sequence = (lease.target_meta or {}).get("change_seq")
    if sequence is not None:
        body["change_seq"] = sequence
    wanted = {**holds, _TARGET.key: reference}
    return Write(lease, reference, body, wanted, currency_of(canonical))


def _arrays(writes: Sequence[Write], size: int) -> list[Array]:
    smallest = min((write.lease.array_limit or size for write in writes), default=size)
    step = min(size, smallest)
    return [Array(tuple(writes[at : at + step])) for at in range(0, len(writes), step)]


def _wave(
    parts: Parts,
    line: Line,
    gate: Gate,
    known: Abilities,
    tokens: list[UUID],
    arrays: list[Array],
) -> None:
    began = parts.monotonic()
    planned = [Planned(f"POST {_TARGET.path}", len(array.writes)) for array in arrays]
    departures = [
        Departure(write.lease, token, write.projection)
        for token, array in zip(tokens, arrays, strict=True)
        for write in array.writes
    ]

    def depart(connection: Connection) -> None:
        gate.begin(connection, tokens, planned)
        if len(deliveries.depart(connection, departures)) < len(departures):
            raise NotSent("Deliveries of this process have gone on to another one.")

    try:
        parts.ledger.run(depart)
    except BaseException:
        gate.return_unused(tokens)
        raise
    sent = [
        Array(tuple(write.departed(token) for write in array.writes))
        for token, array in zip(tokens, arrays, strict=True)
    ]
    outcomes = gate.send(tokens, [_maker(line, array) for array in sent], began)
    verdicts = [
        judge(line, _TARGET, known, array, outcome)
        for array, outcome in zip(sent, outcomes, strict=True)
    ]
    rest = rests(parts, line, _TARGET, known)

    def finish(connection: Connection) -> None:
        gate.end(connection, outcomes)
        for verdict in verdicts:
            apply(connection, verdict, rest)

    parts.ledger.run_patiently(finish, sleep=parts.sleep)
    _learn(parts, line, verdicts)
    for verdict in verdicts:
        if isinstance(verdict.error, Refused):
            raise verdict.error


def _maker(line: Line, array: Array) -> Callable[[Permit], Sequence[HaloRow]]:
    bodies = [write.body for write in array.writes]
    return lambda permit: _TARGET.saves(line.halo, permit, bodies)


def _learn(parts: Parts, line: Line, verdicts: Sequence[Verdict]) -> None:
    """How many elements this tenant takes, which the first real deliveries then know."""
    answered = [verdict for verdict in verdicts if verdict.error is None]

    def change(known: Abilities) -> Abilities:
        size = known.array_size(_TARGET.name)
        for verdict in answered:
            size = size.matched(verdict.size) if verdict.whole else size.doubted(verdict.size)
        if size == known.array_size(_TARGET.name):
            return known
        return known.with_array_size(_TARGET.name, size, found_at=parts.now(), how="writes")

    abilities.teach(parts, line, change)


def _checked(parts: Parts, line: Line, gate: Gate) -> bool:
    """Read rows whose outcome is unknown, by their ids."""
    leases = parts.ledger.run(
        lambda connection: adopting.claim_pinned(
            connection, line.link, parts.session(), PARALLEL, doubtful=True
        )
    )
    if not leases:
        return False
    outcomes: list[Outcome] = []
    try:
        outcomes = gate.read_many(
            ["GET /SalesOrder/id"] * len(leases), [_reader(line, lease) for lease in leases]
        )
    finally:
        parts.ledger.run_patiently(
            lambda connection: _concluded(connection, line, leases, outcomes), sleep=parts.sleep
        )
    return True


def _reader(line: Line, lease: Lease) -> Callable[[Permit], HaloRow]:
    return lambda permit: _TARGET.reads(line.halo, permit, int(lease.target_id or 0))


def _concluded(
    connection: Connection, line: Line, leases: list[Lease], outcomes: list[Outcome]
) -> None:
    places = [(lease.place, lease.source_kind, lease.source_id) for lease in leases]
    found = records.canonical(connection, places)
    for lease, place, outcome in zip(leases, places, outcomes, strict=False):
        _conclude(connection, line, lease, currency_of(found[place][1]), outcome)
    unread = leases[len(outcomes) :]
    deliveries.doubt(connection, unread, settle=BACKOFF, why="not looked up yet")


def _conclude(
    connection: Connection, line: Line, lease: Lease, currency: str, outcome: Outcome
) -> None:
    error: SynclineError | None = outcome.error
    if isinstance(error, Absent):
        reason = f"order {lease.target_id} was there and is gone from Halo"
        deliveries.park(connection, [lease], reason=reason, field=adopting.FIELD)
        return
    if error is not None:
        pause = backoff(lease.failures)
        deliveries.doubt(connection, [lease], settle=pause, why=error.what)
        return
    row: HaloRow = outcome.result  # type: ignore[assignment]  # what the target reads
    wanted = lease.sent_projection or {}
    if wanted and not _TARGET.compares(wanted, row.raw, line.document, currency):
        done = _TARGET.confirmation(lease, row.raw, wanted)
        deliveries.confirm(connection, [done], wrote=True)
    elif lease.failures >= PARK_AFTER:
        reason = f"our reference was written {PARK_AFTER} times without effect"
        deliveries.park(connection, [lease], reason=reason, field=_TARGET.key)
    else:
        deliveries.give_back(connection, [lease], why="looked up: not written, written again")
        adopting.note_sequence(connection, lease.id, row.raw.get("change_seq"))


def _release(parts: Parts, leases: Sequence[Lease]) -> None:
    if leases:
        parts.ledger.run_patiently(
            lambda connection: deliveries.release(connection, leases, after=BACKOFF * 0, why=None),
            sleep=parts.sleep,
        )
