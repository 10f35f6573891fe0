"""Taken: single rows of Halo are adopted as a person has decided, while the connection may work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from sqlalchemy import Connection

from syncline.actor import actor
from syncline.adopt import money_queries, queries
from syncline.adopt.order_matching import own_order
from syncline.adopt.pins import THIRD_PARTY, pin_of
from syncline.adopt.reading import Progress, currencies_of
from syncline.adopt.references import write_references
from syncline.calls.calls import ApiCalls, halo_calls, patiently
from syncline.calls.context import Line, in_hand
from syncline.deliveries import pinned
from syncline.deliveries.delivery import Lease
from syncline.errors import Refused
from syncline.flows import orders, payments
from syncline.halo.models import HaloOrderRow, HaloRow, InvoiceRow
from syncline.halo.sql.money_holdings import of_invoice, of_payment, of_template
from syncline.halo.sql.order_holdings import of_row
from syncline.ledger import effects
from syncline.queues import Lane
from syncline.sending import targets
from syncline.sending.find import read_row

_READ: Mapping[str, Callable[[Mapping[str, object]], HaloRow]] = {
    "order": lambda row: of_row(row).row,
    "invoice": lambda row: of_invoice(row).row,
    "credit": lambda row: of_invoice(row).row,
    "payment": lambda row: of_payment(row).row,
    "recurring": lambda row: of_template(row).row,
}

TARGETS = tuple(_READ)
"""What can be taken."""

_WHAT = "adopt --take"
_REFUNDED = "-R"


class ChosenRow(NamedTuple):
    """What a row of Halo is to be: its target, and our reference without its prefix."""

    target: str
    number: str


@dataclass(frozen=True, slots=True)
class _OpenRows:
    """What is open to be adopted, by what it is, and what is known to be of ours already."""

    open: Mapping[ChosenRow, int]
    known: Mapping[tuple[str, int], str]


def take(line: Line, pairs: Mapping[ChosenRow, int], progress: Progress) -> int:
    """Adopt single rows as a person has decided; returns how many are not confirmed yet.

    Args:
        line: the connection.
        pairs: what it is to be → Halo's id.
        progress: is told how far it is.

    Raises:
        Refused: something is not open to be adopted, or that row of Halo is another one's.
        Absent: there is no such row in Halo.
    """
    by_currency = currencies_of(line, line.link.start_from)
    api = patiently(line.worker, lambda: halo_calls(line, Lane.DELIVERIES))
    read = {
        wanted: _READ[wanted.target](_read(line, api, wanted.target, row_id))
        for wanted, row_id in pairs.items()
    }
    currencies = {
        wanted: by_currency.get(_currency(line, row) or 0, "") for wanted, row in read.items()
    }

    by = actor(line.worker.settings)

    def claimed(connection: Connection) -> list[Lease]:
        rows_open = _open_rows(connection, line)
        for wanted, row in read.items():
            _may_take(wanted, row, rows_open)
        taken = [rows_open.open[wanted] for wanted in read]
        pinned.take_up(connection, taken)
        pinned.pin(
            connection,
            [
                pin_of(
                    wanted.target, rows_open.open[wanted], row, currencies[wanted], line.document
                )
                for wanted, row in read.items()
            ],
            cause=f"{_WHAT} by {by}",
        )
        for wanted, row_id in pairs.items():
            effects.decided(
                connection,
                line.link.id,
                what=_WHAT,
                # A credit's record is its transaction.
                subject=wanted.number.partition(_REFUNDED)[0],
                by=by,
                after={"target": wanted.target, "id": row_id},
            )
        return pinned.claim(connection, line.worker.session(), taken, len(taken))

    with in_hand(line.worker):
        leases = line.worker.ledger.run(claimed)
    return write_references(line, progress, leases)


def _read(line: Line, api: ApiCalls, target: str, row_id: int) -> dict[str, Any]:
    return patiently(line.worker, lambda: read_row(line, api, targets.TARGETS[target], row_id))


def _currency(line: Line, row: HaloRow) -> int | None:
    """Halo's id of a row's currency; a payment is in that of its invoice."""
    if isinstance(row, (HaloOrderRow, InvoiceRow)):
        return row.currency_code
    invoice_id = getattr(row, "invoice_id", None)
    if invoice_id is None:
        return None
    api = patiently(line.worker, lambda: halo_calls(line, Lane.DELIVERIES))
    invoice = _read(line, api, "invoice", invoice_id)
    return InvoiceRow.of(invoice).currency_code


def _open_rows(connection: Connection, line: Line) -> _OpenRows:
    waiting = {
        ChosenRow("order", one.order_id): one.delivery
        for one in queries.open_orders(connection, line.link, orders.FLOW, date.min)
    }
    for one in money_queries.open_money(connection, line.link, date.min):
        if one.delivery is not None:
            waiting[ChosenRow(one.target, _number(one.source_id, one.role))] = one.delivery
    known = {
        ("order", int(row)): order
        for row, order in queries.known_orders(connection, line.link, orders.FLOW).items()
    }
    for row in money_queries.known_money(connection, line.link):
        known[_table(row.target), row.target_id] = _number(row.source_id, row.role)
    return _OpenRows(waiting, known)


def _number(source_id: str, role: str) -> str:
    return own_order(payments.reference(source_id, role)) or ""


def _table(target: str) -> str:
    """Invoices and credits are of one sequence of ids."""
    return "invoice" if target == "credit" else target


def _may_take(wanted: ChosenRow, row: HaloRow, rows_open: _OpenRows) -> None:
    if wanted not in rows_open.open:
        raise Refused(
            f"The {wanted.target} of {wanted.number} is not open to be adopted.",
            remedy="See `syncline show order ID`: it may be in line already, or not read yet.",
        )
    other = rows_open.known.get((_table(wanted.target), row.id)) or _carried(row)
    if other not in {None, wanted.number}:
        raise Refused(
            f"Halo's {wanted.target} {row.id} belongs to {other} already.",
            remedy="Take another one. If Halo holds none, it is made by: syncline parked retry ID "
            "--create",
        )


def _carried(row: HaloRow) -> str | None:
    """Whose reference of ours a row carries."""
    fields = ("po_number", "thirdpartyinvoicenumber", "intent_id", THIRD_PARTY)
    carried = (own_order(str(getattr(row, name, ""))) for name in fields)
    return next((one for one in carried if one), None)
