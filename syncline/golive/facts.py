"""What going live is judged by: what was found of a connection, and what people accepted."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta
from math import ceil

from syncline.mapping.document import Document


@dataclass(frozen=True, slots=True)
class Side:
    """One answer of `connection check`: what was asked of a side, and whether it works."""

    what: str
    works: bool
    needed: bool
    found: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Load:
    """What a side is expected to be asked on a busy day.

    Attributes:
        records: of the busiest of the last thirty days.
        calls_a_record: as measured of what was delivered; None: nothing was yet.
        cadence: calls a day that pulls and polls take, however little there is.
        others: calls a day that other connections with the same key made on their busiest day.
        budget: calls a day that the key allows.
    """

    records: int
    calls_a_record: float | None
    cadence: int
    others: int
    budget: int

    @property
    def expected(self) -> int:
        """Calls of the busiest day."""
        return ceil(self.records * (self.calls_a_record or 0)) + self.cadence + self.others


@dataclass(frozen=True, slots=True)
class Tried:
    """What the ledger shows of test orders that went all the way; ids, or None.

    Attributes:
        order: one that Halo confirmed under the mapping of now.
        payment: the transaction of one whose order, invoice and payment Halo confirmed.
        refund: the same with a credit.
        shipment: Halo's consignment that HighLevel confirmed as a fulfillment.
        tracking: the order whose fulfillment of ours is known again, and which Halo has since.
    """

    order: str | None = None
    payment: str | None = None
    refund: str | None = None
    shipment: str | None = None
    tracking: str | None = None


@dataclass(frozen=True, slots=True)
class Reconciled:
    """The last reconciliation that came to its end, what is open now, and whether it was whole."""

    number: int
    age: timedelta
    open: int
    whole: bool


@dataclass(frozen=True, slots=True)
class Dump:
    """A dump of the ledger: where it is, and how old."""

    place: str
    age: timedelta


@dataclass(frozen=True, slots=True)
class AcceptedLine:
    """That somebody takes a line as it is, and why."""

    by: str
    because: str


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that the lines are judged by; ages are by the database's clock.

    Attributes:
        name: the connection's.
        state: active, stopped or rehearsing.
        document: its mapping.
        sides: what `connection check` found.
        ways: target → how its rows are found again, as proved; without those that are not.
        arrays: target → most elements that were proved in one call.
        known_currencies: ISO codes that Halo has.
        used_currencies: ISO codes of the records that are known.
        statuses: statuses of the transactions that are known.
        is_requested_again: whether records are still to be looked at under the mapping of now.
        parked: deliveries that need a person.
        parked_events: webhooks that need one.
        refused: what HighLevel does not show of its lists.
        tried: what went all the way.
        app: whether HighLevel is reached through an app, which alone gets events.
        heard_highlevel: age of the last verified event of HighLevel.
        heard_halo: age of the last verified event of Halo.
        loads: side → what it is expected to be asked.
        reconciled: the last comparison of both sides.
        told: age of the last proof that alerts arrive.
        dump: the newest dump of the ledger.
        strangers: orders in Halo that no delivery of ours knows; None: Halo does not count them.
        adopted: whether an adoption was done.
        accepted: line → who takes it as it is.
        within: how old events, dumps, alerts and comparisons may be.
    """

    name: str
    state: str
    document: Document
    sides: tuple[Side, ...]
    ways: Mapping[str, str]
    arrays: Mapping[str, int]
    known_currencies: Collection[str]
    used_currencies: Collection[str]
    statuses: Collection[str]
    is_requested_again: bool
    parked: int
    parked_events: int
    refused: Collection[str]
    tried: Tried
    app: bool
    heard_highlevel: timedelta | None
    heard_halo: timedelta | None
    loads: Mapping[str, Load]
    reconciled: Reconciled | None
    told: timedelta | None
    dump: Dump | None
    strangers: int | None
    adopted: bool
    accepted: Mapping[str, AcceptedLine]
    within: timedelta
