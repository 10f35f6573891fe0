"""The second half of an adoption: our reference is written to each pinned row, and nothing else.

Sent and looked up like every delivery. What differs is data: which deliveries are claimed, that
only our reference is rendered, and that a person waits for it and is told what goes wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any

from syncline.adopt.order_matching import own_order
from syncline.adopt.pins import SHAPES, THIRD_PARTY, compared
from syncline.adopt.reading import Progress
from syncline.calls import capabilities
from syncline.calls.context import Line
from syncline.deliveries import pinned
from syncline.deliveries.delivery import Lease
from syncline.deliveries.pinned import Unwritten
from syncline.engine.claim import Claim
from syncline.engine.failures import ADOPTING, LOOKING_UP_ADOPTED
from syncline.engine.rounds import NextRun
from syncline.errors import Again, Unmappable
from syncline.flows import payments
from syncline.flows.flow import Desired, Difference, Needs, external_link
from syncline.halo.entities.resources import PAYMENT
from syncline.halo.models import PaymentRow
from syncline.ledger.connections import is_as
from syncline.mapping.apply import apply as apply_mapping
from syncline.mapping.apply import projected
from syncline.mapping.document import Document
from syncline.queues import Lane
from syncline.sending.bodies import Inputs
from syncline.sending.inputs import RenderInput, currency_of
from syncline.sending.send import Sender, one_wave, send_claimed
from syncline.sending.targets import TARGETS, Target, ask_nothing
from syncline.sending.unknown_outcomes import look_up_claimed

PATIENCE_S = 30.0
"""How long nothing may move, beyond the settle time, before the rest is left to another run."""

_PAYMENT = TARGETS["payment"]


def _payment_differences(
    wanted: Mapping[str, str],
    row: Mapping[str, Any],
    document: Document,
    currency: str,
    *,
    whole: bool = False,
) -> list[Difference]:
    """Without what the mapping sets: an answer may show it as it was booked."""
    held = {key: text for key, text in wanted.items() if key in compared("payment")}
    return _PAYMENT.compares(held, row, document, currency, whole=whole)


def _payment_meta(row: Mapping[str, Any]) -> dict[str, Any]:
    """One that cannot be found by its first reference proves no way of finding."""
    adopted = own_order(PaymentRow.of(row).intent_id) is None
    return {**_PAYMENT.meta(row), "adopted": adopted}


def _no_needs(_lease: Lease, _source: RenderInput, _document: Document) -> list[Needs]:
    """Whatever its row stands on was there before us."""
    return []


def _reference_only(lease: Lease, source: RenderInput, inputs: Inputs) -> Desired:
    """Our reference, and our link where the row can have one."""
    reference = payments.reference(lease.source_id, lease.role)
    keys = compared(lease.target)
    holds = {key: text for key, text in (lease.projection or {}).items() if key in keys}
    wanted = {**holds, SHAPES[lease.target].texts[0]: reference}
    if lease.target == "payment":
        mapped = _as_mapped(source.canonical, inputs.document)
        return Desired(_paid(reference), {**mapped, **wanted, THIRD_PARTY: reference})
    body = _linked(lease, reference)
    sequence = (lease.target_meta or {}).get("change_seq")
    # Whether the tenant insists on it may not be known yet.
    return Desired(body if sequence is None else {**body, "change_seq": sequence}, wanted)


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


def _paid(reference: str) -> dict[str, Any]:
    """Both references; a payment provider's number that stands in the first one is left there."""
    return {_PAYMENT.key: reference, THIRD_PARTY: reference}


def _as_mapped(transaction: Mapping[str, Any], document: Document) -> dict[str, str]:
    """What the mapping says of a payment counts as held, where Halo did not show what it holds.

    Else its date would be set when the transaction is refunded.
    """
    rows = document.rows[SHAPES["payment"].rows]
    with suppress(Unmappable):
        return projected(rows, apply_mapping(rows, transaction, currency_of(transaction)).always)
    return {}


def _adopted(name: str) -> Target:
    """A kind of row, of which nothing but our reference is written."""
    return replace(
        TARGETS[name],
        wakes=(),
        needs=_no_needs,
        renders=_reference_only,
        asks=ask_nothing,
        learns=pinned.write_again,
    )


_WRITTEN: Mapping[str, Target] = {
    **{name: _adopted(name) for name in ("order", "invoice", "recurring")},
    "payment": replace(
        _adopted("payment"),
        resource=replace(PAYMENT, reference=THIRD_PARTY),
        compares=_payment_differences,
        meta=_payment_meta,
    ),
    "credit": _adopted("credit"),
}
"""What is written to, in this order: what the rest stands on first."""


def write_references(line: Line, progress: Progress, leases: Sequence[Lease] = ()) -> int:
    """Write to all pinned rows; returns how many are not confirmed when it gives up.

    Args:
        line: the connection, which may stand still.
        progress: is told how far it is.
        leases: pinned rows that are in this process's hands already.

    Raises:
        Refused: Halo lets nobody in.
    """
    line = replace(line, lane=Lane.BACKFILL)
    return sum(
        _write_all(line, target, progress, [one for one in leases if one.target == target.name])
        for target in _WRITTEN.values()
    )


def _write_all(line: Line, target: Target, progress: Progress, given: list[Lease]) -> int:
    what = f"writing references, {target.name}s"
    total = max(_unwritten(line, target).left, len(given))
    pinned_rows = partial(pinned.claim_unsent, link=line.link, target=target.name)
    claim: Claim = pinned_rows if not given else lambda *_, **__: given
    waited = 0.0
    patience = PATIENCE_S + line.link.settle(line.worker.settings.settle).total_seconds()

    def told() -> None:
        progress(what, total - _unwritten(line, target).left, total)

    while left := _unwritten(line, target).left:
        progress(what, total - left, total)
        if not line.worker.ledger.run(lambda connection: is_as(connection, line.link)):
            raise Again(
                "The connection was changed by somebody while its rows were being adopted.",
                remedy="Run the command again; what was adopted stays so.",
            )
        pause = _round(line, target, claim, told)
        claim = pinned_rows
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


def _unwritten(line: Line, target: Target) -> Unwritten:
    return line.worker.ledger.run(
        lambda connection: pinned.unwritten(connection, line.link, target.name)
    )


def _round(line: Line, target: Target, claim: Claim, told: Callable[[], None]) -> float | None:
    """Write what is due, or look at what is in doubt; the seconds to wait if there was neither."""
    known = capabilities.known(line)
    most = one_wave(known.array_size(target.name))
    sender = Sender(claim, most, ADOPTING, NextRun.when_due(), calls_in=False, told=told)
    next_run = send_claimed(line, target, known, sender)
    if next_run == NextRun.when_due():
        doubtful = partial(pinned.claim_doubtful, link=line.link, target=target.name)
        next_run = look_up_claimed(line, target, doubtful, LOOKING_UP_ADOPTED)
    if next_run is None:
        return None
    if next_run.after is not None:
        return min(next_run.after.total_seconds(), 1.0)
    return min(max(_unwritten(line, target).next_in_s, 0.05), 1.0)
