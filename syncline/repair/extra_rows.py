"""A row of Halo that exists twice: the extra one is removed, where that is no guess.

It must carry our reference as the delivered one does, be the only other one, and have nothing
hanging on it. All of that is read right before.
"""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls import capabilities
from syncline.calls.calls import ApiCalls, Planned, halo_calls
from syncline.calls.changes import change
from syncline.calls.context import Line
from syncline.deliveries.target_rows import TargetRow
from syncline.errors import Absent, Doubtful, SynclineError
from syncline.halo.capabilities import FindWay
from syncline.halo.entities.resources import INVOICE
from syncline.halo.entities.rows import list_rows
from syncline.halo.models import HaloOrderRow, HaloRow, InvoiceRow
from syncline.ledger import effects
from syncline.queues import Lane
from syncline.reconciliation import discrepancies
from syncline.reconciliation.discrepancies import Discrepancy
from syncline.sending.find import find
from syncline.sending.targets import TARGETS

_SAY_SO = "With --delete-extra row {extra} is removed and row {ours}, which we delivered, stays."


@dataclass(frozen=True, slots=True)
class Extra:
    """A row to remove.

    Attributes:
        path: of its entity.
        row_id: Halo's id of it.
        reference: ours, which it carries.
        standing: the delivery whose row stays.
    """

    path: str
    row_id: int
    reference: str
    standing: TargetRow


def find_extra(line: Line, standing: TargetRow, *, delete_extra: bool) -> Extra | str:
    """The extra row of a delivery, or why none is removed.

    Raises:
        SynclineError: Halo could not be asked.
    """
    target = TARGETS[standing.target]
    api = halo_calls(line, Lane.UPKEEP)
    reference = target.reference(standing.source_id, standing.role)
    way = capabilities.known(line).find_way(target.name) or FindWay.PAGES
    found = find(line, api, target, way, [reference])
    ids = sorted({row.id for row in found.rows[reference]})
    if standing.target_id is None or int(standing.target_id) not in ids:
        which = ", ".join(map(str, ids)) or "none"
        return (
            f"Halo's rows with reference {reference} are {which}, and none of them is known to be "
            "the one that was delivered. Remove all but one in Halo, then: syncline parked retry "
            f"{standing.id}"
        )
    others = [row_id for row_id in ids if row_id != int(standing.target_id)]
    if len(others) != 1:
        return (
            f"Halo shows {len(ids)} rows with reference {reference} by now"
            f"{f': {ids}' if others else ''}. Run `syncline reconcile run NAME` again, or remove "
            "the extra ones in Halo."
        )
    extra = Extra(target.path, others[0], reference, standing)
    why = _hangs_on(line, api, extra)
    if why is not None:
        return why
    return extra if delete_extra else _SAY_SO.format(extra=extra.row_id, ours=standing.target_id)


def remove_extra(line: Line, one: Discrepancy, extra: Extra, by: str) -> str:
    """Remove it, if it is still as it was; the decision stands in the audit log before the call.

    Returns:
        Why it was not removed, or is not known to be; "" if it is gone.

    Raises:
        SynclineError: Halo could not be asked.
    """
    api = halo_calls(line, Lane.UPKEEP)
    why = _hangs_on(line, api, extra)
    if why is not None:
        return why
    if not line.worker.ledger.run(lambda connection: _decide(connection, line, one, extra, by)):
        return "Somebody else has decided about it meanwhile."
    path = f"{extra.path}/{extra.row_id}"

    def note(connection: Connection, _removed: object, call_id: UUID) -> None:
        _note(connection, line, extra, call_id, by)

    outcome = change(
        line.worker,
        api,
        Planned(f"DELETE {extra.path}/id"),
        lambda permit: line.halo.delete(path, permit),
        note,
    )
    if outcome.error is None or isinstance(outcome.error, Absent):
        return ""
    if not _is_away(line, api, extra, outcome.error):
        return str(outcome.error)
    line.worker.ledger.run_patiently(
        lambda connection: note(connection, None, outcome.call_id), sleep=line.worker.sleep
    )
    return ""


def _decide(connection: Connection, line: Line, one: Discrepancy, extra: Extra, by: str) -> bool:
    """Write down what is about to be removed; False where the difference is decided already."""
    if not discrepancies.hold(connection, [one]):
        return False
    effects.decided(
        connection,
        line.link.id,
        what="discrepancies apply --delete-extra",
        subject=extra.standing.source_id,
        by=by,
        before={"row": extra.row_id, "kept": extra.standing.target_id, "path": extra.path},
        after={"row": None},
    )
    return True


def _note(connection: Connection, line: Line, extra: Extra, call_id: UUID, by: str) -> None:
    effects.note(
        connection,
        line.link.id,
        flow=extra.standing.flow,
        effect="delete",
        target=extra.standing.target,
        target_id=str(extra.row_id),
        reference=extra.standing.source_id,
        call_id=call_id,
        cause=f"discrepancies apply --delete-extra by {by}",
    )


def _is_away(line: Line, api: ApiCalls, extra: Extra, error: SynclineError) -> bool:
    """Whether a removal of unknown outcome took effect."""
    return isinstance(error, Doubtful) and _read(line, api, extra) is None


def _read(line: Line, api: ApiCalls, extra: Extra) -> HaloRow | None:
    target = TARGETS[extra.standing.target]
    try:
        return api.read(
            f"GET {target.path}/id",
            lambda permit: target.reads(line.halo, permit, extra.row_id),
        )
    except Absent:
        return None


def _hangs_on(line: Line, api: ApiCalls, extra: Extra) -> str | None:
    """Why the row must not be removed; None where nothing speaks against it."""
    row = _read(line, api, extra)
    said = f"Row {extra.row_id} is not removed: "
    target = TARGETS[extra.standing.target]
    if row is None:
        return f"{said}it is gone by now. Run `syncline reconcile run NAME` again."
    if str(row.raw.get(target.key) or "").strip() != extra.reference:
        return f"{said}it does not carry {extra.reference} any more."
    if isinstance(row, HaloOrderRow):
        return _on_order(line, api, row, said)
    return _on_invoice(row, said) if isinstance(row, InvoiceRow) else None


def _on_invoice(row: InvoiceRow, said: str) -> str | None:
    payments = row.raw.get("payments")
    if payments or row.amountpaid:
        return f"{said}payments or credits stand on it. Take them off in Halo first."
    if not isinstance(payments, list) and row.amountpaid is None:
        return f"{said}Halo does not tell whether anything was paid on it."
    return None


def _on_order(line: Line, api: ApiCalls, row: HaloOrderRow, said: str) -> str | None:
    if any(one.consignment_ids or one.quantity_shipped for one in row.lines):
        return f"{said}goods were sent on it. Decide in Halo."
    shown = row.raw.get("lines")
    if not isinstance(shown, list) or len(row.lines) < len(shown):
        return f"{said}Halo does not show its lines."
    invoiced = _invoices_of(line, api, row.id)
    if invoiced is None:
        return f"{said}Halo does not tell whether it was invoiced."
    if invoiced:
        return f"{said}invoice {invoiced[0]} is made from it. Decide in Halo."
    return None


def _invoices_of(line: Line, api: ApiCalls, order_id: int) -> list[int] | None:
    """The invoices of an order; None where the answer shows that the filter was not applied.

    Source: parameter `salesorder_id` of GET /Invoice.
    """
    params = {"salesorder_id": str(order_id), **INVOICE.filters}
    rows = api.read(
        f"GET {INVOICE.path}", lambda permit: list_rows(line.halo, permit, INVOICE, params)
    )
    if any(row.salesorder_id != order_id for row in rows):
        return None
    return [row.id for row in rows]
