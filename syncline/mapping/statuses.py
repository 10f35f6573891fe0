"""The table by which the status of an order in Halo follows the order, its money and its parcels.

Rows are looked at from the top; the first that fits decides. Where none fits, no status is written.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BeforeValidator, Field

from syncline.mapping.options import Options

PaymentStatus = Literal["unpaid", "partially_paid", "paid", "partially_refunded", "refunded"]
FulfillmentStatus = Literal["unfulfilled", "partially_fulfilled", "fulfilled"]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _lower(many: list[str]) -> list[str]:
    return [one.strip().lower() for one in many]


_NotEmpty = Field(min_length=1)


class StatusRow(Options):
    """One row of `[[orders.status]]`; a condition that is left out takes anything."""

    order: Annotated[
        Annotated[list[str], _NotEmpty, AfterValidator(_lower)] | None, BeforeValidator(_listed)
    ] = None
    payment: Annotated[
        Annotated[list[PaymentStatus], _NotEmpty] | None, BeforeValidator(_listed)
    ] = None
    fulfillment: Annotated[
        Annotated[list[FulfillmentStatus], _NotEmpty] | None, BeforeValidator(_listed)
    ] = None
    halo: Annotated[int, Field(gt=0)]

    def fits(self, standing: OrderStanding) -> bool:
        """Whether it takes an order that stands so."""
        conditions = (
            (self.order, standing.order),
            (self.payment, standing.payment),
            (self.fulfillment, standing.fulfillment),
        )
        return all(wanted is None or found in wanted for wanted, found in conditions)


@dataclass(frozen=True, slots=True)
class OrderStanding:
    """How an order stands: its own status in lower case, its money, its parcels."""

    order: str
    payment: PaymentStatus
    fulfillment: FulfillmentStatus


def status_of(rows: Sequence[StatusRow], standing: OrderStanding) -> int | None:
    """Halo's id of the status of an order; None where the table says nothing of it."""
    return next((row.halo for row in rows if row.fits(standing)), None)


def unreachable(rows: Sequence[StatusRow]) -> list[int]:
    """The places, from 0, of rows that take nothing which the rows above them leave."""
    reached = {
        next((at for at, row in enumerate(rows) if row.fits(standing)), None)
        for standing in _all_standings(rows)
    }
    return [at for at in range(len(rows)) if at not in reached]


def in_words(row: StatusRow) -> str:
    """A row's conditions, for people."""
    conditions = {"order": row.order, "payment": row.payment, "fulfillment": row.fulfillment}
    said = [f"{name} {' or '.join(many)}" for name, many in conditions.items() if many is not None]
    return ", ".join(said) or "everything else"


def _all_standings(rows: Sequence[StatusRow]) -> Iterator[OrderStanding]:
    """Each one that a row can tell apart; an order's status may be any text."""
    named = dict.fromkeys(status for row in rows for status in row.order or ())
    for standing in product(
        [*named, "\0any other"], get_args(PaymentStatus), get_args(FulfillmentStatus)
    ):
        yield OrderStanding(*standing)
