"""What rows that were read from Halo mean: ours or not, as we wrote them or changed by somebody.

HighLevel owns what we write. What was changed in Halo is written again, or parked with both values,
as the mapping says; never more often than a few times an hour, so that two sides that disagree
do not play ping-pong.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from syncline.calls.context import Nudge
from syncline.deliveries import target_rows, unleased
from syncline.deliveries.delivery import Lease
from syncline.deliveries.target_rows import OVERWRITES, TargetRow, accepted_in
from syncline.errors import Again, BadDocument, SynclineError, Unmappable
from syncline.flows import payments, projections
from syncline.flows.flow import Difference
from syncline.halo.models import HaloOrderRow, HaloRow, InvoiceRow, PaymentRow
from syncline.halo.sql.changes import Noun, moment, same_moment
from syncline.halo_changes.second_rows import second_row
from syncline.halo_changes.unit_of_work import WRITTEN, UnitOfWork
from syncline.ledger import records
from syncline.sending.targets import TARGETS

MOST_OVERWRITES = 3
WITHIN = timedelta(hours=1)
"""How often a row is written again because somebody changed it, before a person is asked."""

OUR_WRITE = timedelta(seconds=2)
"""How long a reading waits that came while we were writing the row ourselves."""

IN_DOUBT = timedelta(seconds=30)
"""The same where nobody knows what became of our write: it is looked up only after a settle time,
and a call every few seconds until then would tell nothing."""

_SHAPES = {
    "order": projections.ORDER,
    "invoice": projections.INVOICE,
    "credit": projections.CREDIT,
    "payment": projections.PAYMENT,
}


def judge_order(unit: UnitOfWork, lease: Lease, row: HaloOrderRow) -> SynclineError | None:
    """What becomes of the reading of an order's row: None when it is done with."""
    standing = unit.order(row.raw)
    if standing is None:
        return None
    if unit.is_moving(standing):
        return being_written(standing)
    if standing.target_id != str(row.id):
        return second_row(unit, lease, standing, row)
    because = f"{lease.cause}, then Halo's order {row.id}"
    sent = {one for line in row.lines for one in line.consignment_ids}
    if same_moment((standing.target_meta or {}).get("last_update_time"), row.last_update_time):
        place = unit.line.link.tenant_place
        known = records.versions(unit.connection, place, "consignment", [str(one) for one in sent])
        sent = {one for one in sent if str(one) not in known}
    else:
        unit.reread(standing, because)
    unit.read([("consignment", one) for one in sent], because, named_by=row.id)
    return _put_right(unit, lease, standing, row.raw)


def judge_invoice(unit: UnitOfWork, lease: Lease, row: InvoiceRow) -> SynclineError | None:
    """What becomes of the reading of an invoice's or credit's row."""
    standing = unit.invoice(row.raw)
    if standing is None:
        _of_our_order(unit, lease, row.salesorder_id, row.id)
        return None
    if unit.is_moving(standing):
        return being_written(standing)
    if standing.target_id != str(row.id):
        return second_row(unit, lease, standing, row)
    if standing.target == "invoice":
        unit.read(_payments_to_read(unit, standing, row.raw), lease.cause)
    if differences(unit, standing, row.raw):
        unit.reread(standing, f"{lease.cause}, then Halo's invoice {row.id}")
    return _put_right(unit, lease, standing, row.raw)


def judge_payment(unit: UnitOfWork, lease: Lease, row: PaymentRow) -> SynclineError | None:
    """What becomes of the reading of a payment's row; one of a stranger on our invoice is told."""
    standing = unit.payment(row.raw)
    if standing is not None and unit.is_moving(standing):
        return being_written(standing)
    if standing is not None and standing.target_id == str(row.id):
        if differences(unit, standing, row.raw):
            unit.reread(standing, f"{lease.cause}, then Halo's payment {row.id}")
        return _put_right(unit, lease, standing, row.raw) or _on_anothers(unit, standing, row)
    if standing is not None and standing.target_id is not None:
        return second_row(unit, lease, standing, row)
    invoice = unit.made(("invoice",), row.invoice_id)
    if invoice is None or not row.amount:
        return None
    paid = f"{row.amount:f} {unit.currency(invoice)}".strip()
    ours = _unconfirmed(unit, invoice, row)
    if ours is not None:
        return _may_be_ours(row, paid, ours)
    unit.reread(invoice, f"{lease.cause}, then Halo's payment {row.id}")
    return Unmappable(
        f"Halo holds a payment of {paid} on invoice {row.invoice_id}, which HighLevel has not.",
        field="amount",
        # Entered in HighLevel alone, it would come from there as a second payment.
        remedy=f"Look whether invoice {row.invoice_id} is that of {invoice.source_id}. If not, "
        "leave both as they are, and retry. If so, and no money came in, take the payment out of "
        "Halo, then retry. If the money came in, do the same and enter it in HighLevel: from there "
        "it comes back into Halo by itself.",
    )


def _on_anothers(unit: UnitOfWork, standing: TargetRow, row: PaymentRow) -> SynclineError | None:
    """A payment of ours on an invoice that is not ours, or not any more: it pays somebody else's.

    No comparison of payments alone would tell.
    """
    if not row.invoice_id or unit.made(("invoice",), row.invoice_id) is not None:
        return None
    return Unmappable(
        f"Our payment {standing.source_id} stands in Halo as {row.id} on invoice {row.invoice_id}, "
        "which is not known to be ours.",
        field="invoice_id",
        remedy=f"Look at both. If that invoice is another customer's, take payment {row.id} out of "
        "it, then retry: the payment is made anew on its own invoice once that is there.",
    )


def _may_be_ours(row: PaymentRow, paid: str, ours: TargetRow) -> SynclineError:
    """A payment that may be the row of a write of ours: whoever ends that tells it."""
    why = (
        f"Halo holds a payment of {paid} on invoice {row.invoice_id}, which may be ours: what "
        f"became of our own write of {ours.source_id} is not known"
    )
    if ours.state != "parked":
        return Again(f"{why} yet.", after=IN_DOUBT)
    return Unmappable(
        f"{why}, and waits for a person.",
        field="amount",
        remedy=f"Look at our payment {ours.source_id} first, which is parked too, then retry.",
    )


def _unconfirmed(unit: UnitOfWork, invoice: TargetRow, row: PaymentRow) -> TargetRow | None:
    """A payment of ours on that invoice and of that amount, written and not known to be a row.

    Halo may keep our reference otherwise, so that its row looks like a stranger's.
    """
    amount = projections.projection(
        row.raw, unit.currency(invoice), unit.opened(invoice)[1], projections.PAYMENT
    ).get("amount")
    ours = target_rows.payments_for(
        unit.connection, unit.tenant, invoice.place, payments.FLOW, invoice.source_id
    )
    return next(
        (
            one
            for one in ours
            if one.target_id is None
            and one.state in {*target_rows.IN_HAND, "due", "parked"}
            and (one.sent_projection or {}).get("amount") == amount
        ),
        None,
    )


def judge_absent(unit: UnitOfWork, lease: Lease) -> SynclineError | None:
    """What becomes of the reading of a row that is not there: if it was ours, its delivery says."""
    row_id = int(lease.source_id)
    noun = next(one for one in WRITTEN if one == lease.source_kind)
    standing = unit.made(WRITTEN[noun], row_id)
    if standing is None:
        return None
    if unit.is_moving(standing):
        return being_written(standing)
    unit.reread(standing, f"{lease.cause}, then Halo's {noun} {row_id}")
    link, document = unit.opened(standing)
    # A payment is nothing but its amount, so the mapping decides about it as about a changed one.
    again = noun == "payment" and document.orders.changed_in_halo == "overwrite"
    again = again and not _too_often(unit, standing)
    lost = unleased.lose(
        unit.connection,
        standing,
        reason=f"{noun} {row_id} was there and is gone from Halo.",
        cause=f"{OVERWRITES}: gone ({lease.cause})",
        make_again=again,
    )
    if lost and again:
        unit.nudges[Nudge(link.name, "look_up", standing.target)] = None
    return None


def is_as_known(unit: UnitOfWork, noun: Noun, row: Mapping[str, Any]) -> bool:
    """Whether what a list or report shows of a row says enough to leave it alone.

    It says enough when the row is no business of ours, or shows what we wrote or saw last.
    """
    row_id = HaloRow.of(row).id
    if noun == "salesorder":
        standing = unit.order(row)
        return standing is None or _order_is_as_known(unit, standing, row)
    standing = unit.invoice(row) if noun == "invoice" else unit.payment(row)
    if standing is not None:
        return standing.target_id == str(row_id) and _agrees(unit, standing, row)
    if noun == "invoice":
        return unit.made(("order",), InvoiceRow.of(row).salesorder_id) is None
    return unit.made(("invoice",), PaymentRow.of(row).invoice_id) is None


def is_ours_to_end(unit: UnitOfWork, noun: Noun, row: Mapping[str, Any]) -> Again | None:
    """Why a row need not be read now: a write of ours is under way or in doubt, and tells it."""
    standing = {"salesorder": unit.order, "invoice": unit.invoice}.get(noun, unit.payment)(row)
    if standing is None or not unit.is_moving(standing):
        return None
    return being_written(standing)


def _order_is_as_known(unit: UnitOfWork, standing: TargetRow, row: Mapping[str, Any]) -> bool:
    if unit.is_moving(standing):
        return False
    row_id = HaloRow.of(row).id
    if standing.target_id != str(row_id):
        return standing.target_id is None and unit.made(("order",), row_id) is None
    changed_at = row.get("last_update_time")
    if moment(changed_at) is None:
        return _agrees(unit, standing, row)  # else every order would be read at every look
    return same_moment((standing.target_meta or {}).get("last_update_time"), changed_at)


def differences(unit: UnitOfWork, standing: TargetRow, row: Mapping[str, Any]) -> list[Difference]:
    """Where a row, read by its id, is not what was confirmed last nor what a person accepted.

    Nothing where nothing is to be compared.

    Raises:
        BadDocument: the mapping of its connection cannot be read.
    """
    if not standing.projection:
        return []  # it is to be written anyway, or a person is asked already
    _, document = unit.opened(standing)
    compares = TARGETS[standing.target].compares
    found = compares(standing.projection, row, document, unit.currency(standing), whole=True)
    return projections.remaining(found, accepted_in(standing.target_meta))


def being_written(standing: TargetRow) -> Again:
    """Why a reading is retried: what it shows may be older than what we wrote meanwhile."""
    after = IN_DOUBT if standing.state == "doubtful" else OUR_WRITE
    return Again(f"Our own write of {standing.source_id} has not ended yet.", after=after)


def _put_right(
    unit: UnitOfWork, lease: Lease, standing: TargetRow, row: Mapping[str, Any]
) -> SynclineError | None:
    """Have a changed row written again or a person asked, and remember how it was seen."""
    meta = TARGETS[standing.target].meta(row)
    different = differences(unit, standing, row)
    if not different:
        kept = standing.target_meta or {}
        if all(kept.get(name) == value for name, value in meta.items()):
            return None
        unleased_now = unleased.learn_held(unit.connection, standing, meta)
        return None if unleased_now else being_written(standing)
    field, wanted, got = different[0]
    link, document = unit.opened(standing)
    both = f"{field}: wanted {wanted}, Halo holds {got}"
    if document.orders.changed_in_halo == "report":
        reason = f"{OVERWRITES} by hand: {both}"
    elif _too_often(unit, standing):
        reason = f"{OVERWRITES} again after it was put right {MOST_OVERWRITES} times: {both}"
    else:
        cause = f"{OVERWRITES}: {field} ({lease.cause})"
        unleased_now = unleased.overwrite(unit.connection, standing, meta=meta, cause=cause)
        unit.wake(link, [standing.target])
        return None if unleased_now else being_written(standing)
    unleased_now = unleased.park_changed(
        unit.connection, standing, meta=meta, reason=reason, field=field
    )
    return None if unleased_now else being_written(standing)


def _too_often(unit: UnitOfWork, standing: TargetRow) -> bool:
    done = target_rows.times_overwritten(unit.connection, standing, WITHIN)
    return done >= MOST_OVERWRITES


def _of_our_order(unit: UnitOfWork, lease: Lease, order_id: int | None, invoice_id: int) -> None:
    """An invoice that a person made for an order of ours is theirs; HighLevel may know more."""
    standing = unit.made(("order",), order_id)
    if standing is not None:
        unit.reread(standing, f"{lease.cause}, then Halo's invoice {invoice_id}")


def _payments_to_read(
    unit: UnitOfWork, invoice: TargetRow, row: Mapping[str, Any]
) -> list[tuple[Noun, int]]:
    """Payments of an invoice that are not as we wrote them: changed, gone, or not ours."""
    shown = row.get("payments")
    if not isinstance(shown, list):
        return []
    came = {one.id: one for one in PaymentRow.all_of(one for one in shown if "id" in one)}
    ours = {
        int(standing.target_id): standing
        for standing in target_rows.payments_for(
            unit.connection, unit.tenant, invoice.place, payments.FLOW, invoice.source_id
        )
        if standing.target_id
    }
    same = {
        row_id
        for row_id, one in came.items()
        if row_id in ours and _agrees(unit, ours[row_id], one.raw)
    }
    return [("payment", one) for one in {*came, *ours} - same]


def _agrees(unit: UnitOfWork, standing: TargetRow, row: Mapping[str, Any]) -> bool:
    """Whether what is shown of a row, amounts among it, is what was confirmed last."""
    if unit.is_moving(standing) or not standing.projection:
        return False
    try:
        _, document = unit.opened(standing)
    except BadDocument:
        return False
    shape = _SHAPES[standing.target]
    got = projections.projection(row, unit.currency(standing), document, shape)
    shared = standing.projection.keys() & got.keys()
    amount = "amount" if standing.target == "payment" else "total"
    wanted = standing.projection
    found = [Difference(one, wanted[one], got[one]) for one in shared if wanted[one] != got[one]]
    return amount in shared and not projections.remaining(found, accepted_in(standing.target_meta))
