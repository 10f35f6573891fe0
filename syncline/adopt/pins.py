"""What an adoption writes down: which row of Halo a delivery is, or that this is in doubt."""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import Connection

from syncline.calls.context import WorkerContext
from syncline.deliveries import leased, pinned
from syncline.deliveries.pinned import Pin
from syncline.flows import projections
from syncline.flows.projections import Shape, projection
from syncline.halo.models import HaloRow
from syncline.mapping.document import Document

THIRD_PARTY = "thirdpartyid"
"""A payment's second field for a reference. It is not compared, yet what stood there is kept."""

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
    if target == "payment":
        holds[THIRD_PARTY] = str(getattr(row, THIRD_PARTY, ""))
    sequence: int | None = getattr(row, "change_seq", None)
    return Pin(delivery, str(row.id), holds, sequence)


def park_doubtful(
    connection: Connection, worker: WorkerContext, reasons: Mapping[int, str]
) -> None:
    """Due → parked for these deliveries, each with its reason."""
    for lease in pinned.claim(connection, worker.session(), reasons, len(reasons)):
        reason = reasons[lease.id]
        leased.park(connection, [lease], reason=reason, field=pinned.FIELD)
