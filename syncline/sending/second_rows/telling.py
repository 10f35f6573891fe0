"""How it is told that Halo holds a row of ours twice, and what is safe to do about it."""

from __future__ import annotations

from collections.abc import Sequence

from syncline.deliveries.target_rows import TargetRow
from syncline.errors import Unmappable
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


def twice(standing: TargetRow, others: Sequence[int]) -> Unmappable:
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
