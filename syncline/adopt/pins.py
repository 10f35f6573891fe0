"""What an adoption writes down: which row of Halo a delivery is, or that this is in doubt."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from syncline.adopt.order_matching import own_order
from syncline.calls.context import Line
from syncline.deliveries import leased, pinned
from syncline.deliveries.delivery import Lease
from syncline.deliveries.pinned import Pin
from syncline.deliveries.states import DOUBTED
from syncline.flows import payments, projections
from syncline.flows.flow import reference_of
from syncline.flows.projections import Shape, projection
from syncline.halo.models import HaloRow
from syncline.mapping.apply import projected
from syncline.mapping.document import Document

THIRD_PARTY = "thirdpartyid"
"""A payment's second field for a reference, in which ours stands always."""

_NUMBER = "intent_id"

SHAPES: Mapping[str, Shape] = {
    "order": projections.ORDER,
    "invoice": projections.INVOICE,
    "payment": projections.PAYMENT,
    "credit": projections.CREDIT,
    "recurring": projections.RECURRING,
}


def compared(target: str) -> tuple[str, ...]:
    """The fields of a row that an adoption knows and compares."""
    shape = SHAPES[target]
    return (*shape.texts, *shape.numbers, *shape.amounts)


def pin_of(target: str, delivery: int, row: HaloRow, currency: str, document: Document) -> Pin:
    """A delivery and its row, with what that holds of what is compared.

    Args:
        target: what the delivery makes.
        delivery: its number.
        row: the row as it was read.
        currency: ISO 4217 of its amounts.
        document: the connection's mapping.
    """
    keys = compared(target)
    read = {key: value for key in keys if (value := getattr(row, key, None)) is not None}
    holds = projection(read, currency, document, SHAPES[target])
    holds = {key: value for key, value in holds.items() if key in keys}
    kept = _kept(row, document) if target == "payment" else {}
    sequence: int | None = getattr(row, "change_seq", None)
    return Pin(delivery, str(row.id), {**holds, **kept}, sequence, kept)


def _kept(row: HaloRow, document: Document) -> dict[str, str]:
    """What is left of a payment as it stands there.

    A provider finds its payment by the number that it wrote; the date, and whatever else the
    mapping sets, were booked so.
    """
    kept = projected(document.rows[projections.PAYMENT.rows], row.raw)
    number = str(getattr(row, _NUMBER, "")).strip()
    if number and own_order(number) is None:
        kept[_NUMBER] = number
    return kept


def park_doubtful(connection: Connection, line: Line, reasons: Mapping[int, str]) -> None:
    """Due → parked for these deliveries, each with its reason and the safe ways out."""
    for lease in pinned.claim(connection, line.worker.session(), reasons, len(reasons)):
        remedy = (
            f"Take the right row with `syncline adopt {line.link.name} --take {_pair(lease)}`. "
            f"Only if it is none of them, have it made: `syncline parked retry {lease.id} --create`"
        )
        reason = f"{reasons[lease.id]}. {remedy}"
        leased.park(connection, [lease], reason=reason, field=DOUBTED)


def _pair(lease: Lease) -> str:
    """What `adopt --take` wants: which row it is to be, and the number in Halo to be filled in."""
    reference = payments.reference(lease.source_id, lease.role).removeprefix(reference_of(""))
    named = reference if lease.target == "order" else f"{lease.target}:{reference}"
    return f"{named}=HALO_ID"
