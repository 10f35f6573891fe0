"""Looked up: what became of deliveries whose outcome is unknown, after their settle time.

Only an absence that the answers prove lets a delivery be sent again.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection

from syncline.errors import Absent, Again, MissingScope, Rejected, SynclineError
from syncline.halo.abilities import Abilities, FindWay
from syncline.halo.customers import get_client
from syncline.halo.finding import Found, FoundRow
from syncline.halo.orders import get_order
from syncline.ledger import deliveries
from syncline.ledger.leases import Confirmation, Lease
from syncline.ledger.states import State
from syncline.quota.keys import Lane
from syncline.steps import abilities, render
from syncline.steps.find import find
from syncline.steps.gate import Gate, NoQuota, halo_gate
from syncline.steps.parts import Line, Nudge, Parts
from syncline.steps.targets import TARGETS, Target
from syncline.steps.verdicts import BACKOFF, PARK_AFTER, backoff
from syncline.transport import Permit

MOST = 100
"""Doubtful deliveries of one look-up: with SQL, one call answers for all."""

Move = Callable[[Connection], object]


@dataclass(frozen=True, slots=True)
class _Seek:
    """Where and how one look-up looks."""

    line: Line
    gate: Gate
    target: Target
    known: Abilities


def look_up(parts: Parts, line: Line, target_name: str) -> float | None:
    """Look up what is doubtful and settled at one target.

    Returns:
        Seconds after which to go on, or None when nothing is left to look up now.
    """
    target = TARGETS[target_name]
    owner = parts.session()
    leases = parts.ledger.run(
        lambda connection: deliveries.claim(
            connection, line.link.id, target.name, owner, MOST, State.DOUBTFUL
        )
    )
    if not leases:
        return None
    try:
        gate = halo_gate(parts, line, Lane.DELIVERIES)
        moves = _moves(parts, line, gate, target, leases)
    except Again as error:
        pause = error.after if isinstance(error, NoQuota) else max(error.after, BACKOFF)
        _still_unknown(parts, leases, pause, error.what)
        return pause.total_seconds()
    except SynclineError as error:
        _still_unknown(parts, leases, backoff(leases[0].failures), error.what)
        return None
    except BaseException:
        parts.abandon()
        raise

    def work(connection: Connection) -> None:
        for move in moves:
            move(connection)

    parts.ledger.run_patiently(work, sleep=parts.sleep)
    parts.announce([Nudge(line.link.name, "send", name) for name in (target.name, *target.wakes)])
    return 0.05 if len(leases) == MOST else None


def _moves(parts: Parts, line: Line, gate: Gate, target: Target, leases: list[Lease]) -> list[Move]:
    known = abilities.known(parts, line)
    loaded = parts.ledger.run(lambda connection: render.load(connection, leases))
    seek = _Seek(line, gate, target, known)
    moves: list[Move] = []
    lost = [lease for lease in leases if lease.target_id is None]
    if lost:
        found = _find(seek, [render.reference(target, lease) for lease in lost])
        moves.extend(_move(seek, lease, found, loaded[lease.id][1]) for lease in lost)
    moves.extend(
        _found(seek, lease, lease.target_id, {}, loaded[lease.id][1])
        for lease in leases
        if lease.target_id is not None
    )
    return moves


def _move(seek: _Seek, lease: Lease, found: Found, canonical: render.Canonical) -> Move:
    reference = render.reference(seek.target, lease)
    rows = found.rows[reference]
    if len(rows) > 1:
        return _doubled(lease, reference, rows)
    if rows:
        return _found(seek, lease, str(rows[0].id), rows[0].row, canonical)
    return _unsure(lease) if reference in found.unsure else _absent(lease)


def _find(seek: _Seek, references: list[str]) -> Found:
    """By the proved way; before one is proved, by those that can prove an absence."""
    line, gate, target = seek.line, seek.gate, seek.target
    proved = seek.known.find_way(target.name)
    if proved is not None:
        return find(line, gate, target, proved, references)
    try:
        return find(line, gate, target, FindWay.SQL, references)
    except (Absent, MissingScope, Rejected):
        return find(line, gate, target, FindWay.PAGES, references)


def _found(
    seek: _Seek,
    lease: Lease,
    target_id: str,
    row: dict[str, Any],
    canonical: render.Canonical,
) -> Move:
    """Its row is known: delivered if it holds what was sent, else due again as an update."""
    target = seek.target
    try:
        row = _whole(seek, lease, target_id, row)
    except Absent:
        return lambda connection: deliveries.park(
            connection,
            [lease],
            reason=f"{target.name} {target_id} was there and is gone from Halo",
            field=None,
        )
    if lease.sent_projection and target.is_whole(row):
        currency = render.currency_of(canonical)
        wanted = lease.sent_projection
        if not target.compares(wanted, row, seek.line.document, currency):
            done = target.confirmation(lease, {**row, "id": target_id}, wanted)
            return lambda connection: deliveries.confirm(connection, [done], wrote=True)
    meta = target.meta({**row, "id": target_id}) if target.is_whole(row) else lease.target_meta
    news = Confirmation(lease, target_id, meta, None)
    return lambda connection: deliveries.learn_target(connection, [news])


def _whole(seek: _Seek, lease: Lease, target_id: str, row: dict[str, Any]) -> dict[str, Any]:
    """The row with what is compared and needed, read by id where the finding did not show it."""
    if seek.target.name == "order" and (
        lease.target_id is not None or seek.known.change_seq_enforced
    ):
        return _read_order(seek.line, seek.gate, int(target_id))
    if seek.target.name == "client" and not seek.target.is_whole(row):
        return _read_client(seek.line, seek.gate, int(target_id))
    return row


def _read_client(line: Line, gate: Gate, client_id: int) -> dict[str, Any]:
    def make(permit: Permit) -> dict[str, Any]:
        return get_client(line.halo, permit, client_id).raw

    return gate.read("GET /Client/id", make)


def _read_order(line: Line, gate: Gate, order_id: int) -> dict[str, Any]:
    def make(permit: Permit) -> dict[str, Any]:
        return get_order(line.halo, permit, order_id).raw

    return gate.read("GET /SalesOrder/id", make)


def _absent(lease: Lease) -> Move:
    if lease.failures >= PARK_AFTER:
        return lambda connection: deliveries.park(
            connection,
            [lease],
            reason=f"sent {PARK_AFTER} times in a row without effect",
            field=None,
        )
    return lambda connection: deliveries.give_back(
        connection, [lease], why="looked up: not there, sent again"
    )


def _unsure(lease: Lease) -> Move:
    return lambda connection: deliveries.doubt(
        connection,
        [lease],
        settle=backoff(lease.failures),
        why="looked up: Halo's answer proves neither presence nor absence",
    )


def _doubled(lease: Lease, reference: str, rows: list[FoundRow]) -> Move:
    ids = ", ".join(str(row.id) for row in rows)
    return lambda connection: deliveries.park(
        connection,
        [lease],
        reason=f"Halo holds several rows with reference {reference}: {ids}",
        field=None,
    )


def _still_unknown(parts: Parts, leases: list[Lease], pause: timedelta, why: str) -> None:
    parts.ledger.run_patiently(
        lambda connection: deliveries.doubt(connection, leases, settle=pause, why=why),
        sleep=parts.sleep,
    )
