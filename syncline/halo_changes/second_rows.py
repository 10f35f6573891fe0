"""A second row of ours: it carries our reference, and is not the one that is kept in line.

A write whose outcome nobody knew may have been made twice, and a person may have copied a row with
all that stands on it. Nobody but a person can say which; nothing is removed by us.
"""

from __future__ import annotations

from collections.abc import Sequence

from syncline.deliveries.delivery import Lease
from syncline.deliveries.target_rows import TargetRow
from syncline.errors import SynclineError, Unmappable
from syncline.halo.models import ConsignmentRow, HaloOrderRow, HaloRow, InvoiceRow, PaymentRow
from syncline.halo.sql.changes import Noun
from syncline.halo_changes.unit_of_work import WRITTEN, UnitOfWork
from syncline.sending.targets import TARGETS

_HANGS = {
    "client": "users, tickets, orders or invoices belong to",
    "user": "tickets or orders belong to",
    "order": "a consignment, an invoice or a ticket was made from",
    "invoice": "a payment or a credit stands on",
    "credit": "anything was booked by",
    "recurring": "an invoice was made from",
}
"""Target → what is lost with a row of it, unless it is moved first."""


def is_second(standing: TargetRow, row: HaloRow) -> bool:
    """Whether a row with a delivery's reference stands beside the row that is known to be its own.

    One of no effect does not count, and one beside which no other is known may be its own.
    """
    known = standing.target_id
    return known is not None and known != str(row.id) and not _is_void(row)


def second_row(
    unit: UnitOfWork, lease: Lease, standing: TargetRow, row: HaloRow
) -> SynclineError | None:
    """What becomes of the reading of a row with a delivery's reference which is not its own.

    The one that is known is read too: where it is gone, its delivery says so, and a retry of that
    finds this one. So is what was sent with an order.
    """
    if not is_second(standing, row):
        return None
    noun = next(one for one, targets in WRITTEN.items() if standing.target in targets)
    because = f"{lease.cause}, then Halo's {noun} {row.id}"
    sent = row.lines if isinstance(row, HaloOrderRow) else []
    consigned = {one for line in sent for one in line.consignment_ids}
    wanted: list[tuple[Noun, int]] = [("consignment", one) for one in consigned]
    unit.read([(noun, int(standing.target_id or 0)), *wanted], because)
    return _twice(standing, [row.id])


def sent_with_second(
    row: ConsignmentRow, sold: HaloOrderRow, standing: TargetRow
) -> Unmappable | None:
    """Why nothing is posted of a consignment of a second row of an order of ours."""
    if not is_second(standing, sold):
        return None
    return Unmappable(
        f"Consignment {row.id} is of order {sold.id} in Halo, which carries the reference of our "
        f"order {standing.source_id}; that is kept in line as {standing.target_id}, so nothing of "
        "it is posted now.",
        field="salesorder_id",
        remedy=f"Compare both orders in Halo. If the goods of {standing.source_id} were sent with "
        f"it, have a consignment made of order {standing.target_id} in its place, then remove this "
        "one and retry. If not, or once what was sent is added in HighLevel by hand: syncline "
        "parked accept ID.",
    )


def _twice(standing: TargetRow, others: Sequence[int]) -> Unmappable:
    """What a person reads of a delivery whose reference stands on other rows than its own too.

    Args:
        standing: the delivery, whose own row is known.
        others: Halo's ids of the other rows.
    """
    target, kept = standing.target, standing.target_id
    listed = " and ".join(map(str, sorted(others)))
    often = "twice" if len(others) == 1 else f"{len(others) + 1} times"
    what = (
        f"Halo holds our {target} {standing.source_id} {often}: as {kept}, which is kept in line, "
        f"and as {listed}."
    )
    if target == "payment":
        return Unmappable(
            what,
            field="amount",
            # Entered in HighLevel, it would come from there a third time.
            remedy=f"Take payment {listed} out of Halo, then retry. Nothing is to be done in "
            "HighLevel: it has the payment once.",
        )
    return Unmappable(
        what,
        field=TARGETS[target].key,
        remedy=f"Compare them in Halo; {kept} is the one that follows HighLevel. If {kept} is not "
        f"there any more, leave {listed} and retry {target} {standing.source_id}, which finds it. "
        f"If {_HANGS[target]} {listed}, move that to {kept} first. Then remove {listed}, or clear "
        f"our reference on it ({TARGETS[target].key}) where it is somebody's own copy, and retry. "
        "Nothing is to be done in HighLevel.",
    )


def _is_void(row: HaloRow) -> bool:
    """Whether a row is of no effect: a voided invoice, or a payment of nothing."""
    if isinstance(row, PaymentRow):
        return not row.amount
    return isinstance(row, InvoiceRow) and bool(row.voided)
