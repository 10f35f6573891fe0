"""The second half of an adoption: our reference is written to each pinned row, and nothing else.

Rows are pinned before, so a row whose outcome is unknown is read by its id, and writing to it once
more does no harm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from sqlalchemy import Connection

from syncline.adopt.order_matching import own_order
from syncline.adopt.pins import SHAPES, THIRD_PARTY, compared
from syncline.adopt.reading import Progress
from syncline.calls import capabilities
from syncline.calls.calls import Gate, NoQuota, Outcome, halo_gate
from syncline.calls.context import PARALLEL, Line, Parts, in_hand
from syncline.deliveries import leased, pinned
from syncline.deliveries.leases import Lease
from syncline.engine.failures import ADOPTING, BACKOFF, PARK_AFTER, Batch, backoff, put_back
from syncline.engine.rounds import NextRun
from syncline.errors import Absent, SynclineError, Unmappable
from syncline.flows import payments
from syncline.flows.flow import Difference, external_link
from syncline.halo.entities.resources import PAYMENT
from syncline.halo.models import HaloRow, PaymentRow
from syncline.ledger import records
from syncline.mapping.apply import apply as apply_mapping
from syncline.mapping.apply import projected
from syncline.mapping.document import Document
from syncline.quota.lanes import Lane
from syncline.sending import batches
from syncline.sending.inputs import currency_of
from syncline.sending.render import Write
from syncline.sending.targets import TARGETS, Target
from syncline.transport import Permit

PATIENCE_S = 30.0
"""How long nothing may move, beyond the settle time, before the rest is left to another run."""

_PAYMENT = TARGETS["payment"]


def _payment_differences(
    wanted: Mapping[str, str], row: Mapping[str, Any], document: Document, currency: str
) -> list[Difference]:
    """A payment is ours by its second reference; the first may be a payment provider's."""
    shown = dict(row)
    if shown.get(_PAYMENT.key):
        shown[_PAYMENT.key] = shown.get(THIRD_PARTY)
    held = {key: text for key, text in wanted.items() if key in compared("payment")}
    return _PAYMENT.compares(held, shown, document, currency)


def _payment_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    """One that cannot be found by its first reference proves no way of finding."""
    adopted = own_order(PaymentRow.of(row).intent_id) is None
    return {**_PAYMENT.meta(row), "adopted": adopted}


_WRITTEN: Mapping[str, Target] = {
    **{name: TARGETS[name] for name in ("order", "invoice", "recurring")},
    "payment": replace(
        _PAYMENT,
        resource=replace(PAYMENT, reference=THIRD_PARTY),
        compares=_payment_differences,
        meta=_payment_meta,
    ),
    "credit": TARGETS["credit"],
}
"""What is written to, in this order: what the rest stands on first."""


def write_references(line: Line, progress: Progress, leases: Sequence[Lease] = ()) -> int:
    """Write to all pinned rows; returns how many are not confirmed when it gives up.

    Args:
        parts: what a step is handed.
        line: the connection, which may stand still.
        progress: is told how far it is.
        leases: pinned rows that are in this process's hands already.

    Raises:
        Refused: Halo lets nobody in.
    """
    return sum(
        _write_all(line, target, progress, [one for one in leases if one.target == target.name])
        for target in _WRITTEN.values()
    )


def _write_all(line: Line, target: Target, progress: Progress, given: list[Lease]) -> int:
    what = f"writing references, {target.name}s"
    total = max(_left(line, target), len(given))
    waited = 0.0
    patience = PATIENCE_S + line.link.settle(line.worker.settings.settle).total_seconds()
    while left := _left(line, target):
        progress(what, total - left, total)
        pause = _round(line, target, given)
        given = []
        if pause is None:
            waited = 0.0
            continue
        if waited > patience:
            return left
        line.worker.sleep(pause)
        waited += pause
    if total:
        progress(what, total, total)
    return 0


def _left(line: Line, target: Target) -> int:
    return line.worker.ledger.run(
        lambda connection: pinned.unwritten(connection, line.link, target.name)
    ).left


def _round(line: Line, target: Target, given: list[Lease]) -> float | None:
    """Write what is due and look at what is in doubt; the seconds to wait if there was neither."""
    try:
        gate = halo_gate(line, Lane.BACKFILL)
        with in_hand(line.worker):
            next_run = _written(line, target, gate, given)
            if next_run is None:
                return None
            if next_run.after is not None:
                return min(next_run.after.total_seconds(), 1.0)
            if _checked(line, target, gate):
                return None
    except NoQuota as error:
        return min(error.after.total_seconds(), 1.0)
    rest = line.worker.ledger.run(
        lambda connection: pinned.unwritten(connection, line.link, target.name)
    ).next_in_s
    return min(max(rest, 0.05), 1.0)


def _written(line: Line, target: Target, gate: Gate, given: list[Lease]) -> NextRun | None:
    """Write what is due; None: go on at once."""
    known = capabilities.known(line)
    size = known.array_size(target.name)
    # A size that is not proved yet is tried on one array alone.
    most = PARALLEL * size.next() if size.next() <= size.proved else size.next()
    leases = given or line.worker.ledger.run(
        lambda connection: pinned.claim_unsent(
            connection, line.link, target.name, line.worker.session(), most
        )
    )
    if not leases:
        return NextRun.when_due()
    batch = Batch(leases)
    with put_back(line, ADOPTING, batch):
        arrays = batches.arrays(_writes(line, target, leases), size)
        tokens = gate.tokens(len(arrays))
    if batch.next_run is not None:
        return batch.next_run
    now, later = arrays[: len(tokens)], arrays[len(tokens) :]
    _release(line.worker, [write.lease for array in later for write in array.writes])
    batches.write(line, target, gate, known, tokens, now)
    return None


def _writes(line: Line, target: Target, leases: Sequence[Lease]) -> list[Write]:
    found = line.worker.ledger.run(
        lambda connection: records.canonical(
            connection, [(lease.place, lease.source_kind, lease.source_id) for lease in leases]
        )
    )
    return [
        _write(line, target, lease, found[lease.place, lease.source_kind, lease.source_id][1])
        for lease in leases
    ]


def _write(line: Line, target: Target, lease: Lease, canonical: Any) -> Write:
    """Our reference, and our link where the row can have one."""
    reference = payments.reference(lease.source_id, lease.role)
    keys = compared(target.name)
    holds = {key: text for key, text in (lease.projection or {}).items() if key in keys}
    body: dict[str, Any] = {"id": int(lease.target_id or 0)}
    body |= _paid(lease, reference) if target.name == "payment" else _linked(lease, reference)
    sequence = (lease.target_meta or {}).get("change_seq")
    if sequence is not None:
        body["change_seq"] = sequence
    wanted = {**holds, SHAPES[target.name].texts[0]: reference}
    if target.name == "payment":
        wanted |= _as_mapped(canonical, line.document)
    return Write(lease, reference, body, wanted, currency_of(canonical))


def _linked(lease: Lease, reference: str) -> dict[str, Any]:
    """The number that stood there before is kept in the link's description."""
    key = TARGETS[lease.target].key
    before = (lease.projection or {}).get(key, "")
    what = "refund of" if payments.is_credit(lease.role) else lease.source_kind
    told = f"HighLevel {what} {lease.source_id}"
    if before and before != reference:
        told += f"; number before: {before}"
    return {
        key: reference,
        "new_external_link": external_link(reference, told),
        "_dont_fire_automations": True,
    }


def _paid(lease: Lease, reference: str) -> dict[str, Any]:
    """A payment provider finds its payment by the number that it wrote: that one stays."""
    before = (lease.projection or {}).get(_PAYMENT.key, "")
    if before and own_order(before) is None:
        return {THIRD_PARTY: reference}
    return {_PAYMENT.key: reference, THIRD_PARTY: reference}


def _as_mapped(transaction: Mapping[str, Any], document: Document) -> dict[str, str]:
    """What the mapping says of a payment, which counts as held.

    Else its date would be set when the transaction is refunded, and the provider's number be
    written over with it.
    """
    rows = document.rows[SHAPES["payment"].rows]
    with suppress(Unmappable):
        return projected(rows, apply_mapping(rows, transaction, currency_of(transaction)).always)
    return {}


def _checked(line: Line, target: Target, gate: Gate) -> bool:
    """Read rows whose outcome is unknown, by their ids."""
    leases = line.worker.ledger.run(
        lambda connection: pinned.claim_doubtful(
            connection, line.link, target.name, line.worker.session(), PARALLEL
        )
    )
    if not leases:
        return False
    outcomes: list[Outcome] = []
    try:
        outcomes = gate.read_many(
            [f"GET {target.path}/id"] * len(leases),
            [_reader(line, target, lease) for lease in leases],
        )
    finally:
        line.worker.ledger.run_patiently(
            lambda connection: _concluded(connection, line, target, leases, outcomes),
            sleep=line.worker.sleep,
        )
    return True


def _reader(line: Line, target: Target, lease: Lease) -> Callable[[Permit], HaloRow]:
    return lambda permit: target.reads(line.halo, permit, int(lease.target_id or 0))


def _concluded(
    connection: Connection,
    line: Line,
    target: Target,
    leases: list[Lease],
    outcomes: list[Outcome],
) -> None:
    places = [(lease.place, lease.source_kind, lease.source_id) for lease in leases]
    found = records.canonical(connection, places)
    for lease, place, outcome in zip(leases, places, outcomes, strict=False):
        _conclude(connection, line, target, lease, currency_of(found[place][1]), outcome)
    unread = leases[len(outcomes) :]
    leased.doubt(connection, unread, settle=BACKOFF, why="not looked up yet")


def _conclude(
    connection: Connection,
    line: Line,
    target: Target,
    lease: Lease,
    currency: str,
    outcome: Outcome,
) -> None:
    error: SynclineError | None = outcome.error
    if isinstance(error, Absent):
        reason = f"{target.name} {lease.target_id} was there and is gone from Halo"
        leased.park(connection, [lease], reason=reason, field=pinned.FIELD)
        return
    if error is not None:
        pause = backoff(lease.failures)
        leased.doubt(connection, [lease], settle=pause, why=error.what)
        return
    row: HaloRow = outcome.result  # type: ignore[assignment]  # what the target reads
    wanted = lease.sent_projection or {}
    if wanted and not target.compares(wanted, row.raw, line.document, currency):
        done = target.confirmation(lease, row.raw, wanted)
        leased.confirm(connection, [done], wrote=True)
    elif lease.failures >= PARK_AFTER:
        reason = f"our reference was written {PARK_AFTER} times without effect"
        leased.park(connection, [lease], reason=reason, field=target.key)
    else:
        leased.give_back(connection, [lease], why="looked up: not written, written again")
        pinned.note_sequence(connection, lease.id, row.raw.get("change_seq"))


def _release(parts: Parts, leases: Sequence[Lease]) -> None:
    if leases:
        parts.ledger.run_patiently(
            lambda connection: leased.release(connection, leases, after=BACKOFF * 0, why=None),
            sleep=parts.sleep,
        )
