"""Readings: what an order, an invoice or a subscription asks to have read from HighLevel by id.

A reading is requested like a delivery, so it is claimed, retried and parked as one; what it brings
is recorded, and that makes the real deliveries due.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Any

from sqlalchemy import Connection

from syncline.calls.calls import ApiCalls, Outcome, highlevel_calls
from syncline.calls.context import PARALLEL, Line, Nudge
from syncline.deliveries import leased
from syncline.deliveries.delivery import Confirmation, Lease
from syncline.engine import connection_rules
from syncline.engine.claim import do_readings
from syncline.engine.failures import (
    Refusal,
    RefusalPolicy,
)
from syncline.engine.rounds import NextRun
from syncline.errors import Refused, SynclineError
from syncline.highlevel.fulfillments import list_fulfillments
from syncline.highlevel.models import CORRECT
from syncline.highlevel.pages import NAMELESS
from syncline.highlevel.records import (
    ORDERS,
    SUBSCRIPTIONS,
    TRANSACTIONS,
    Span,
    TransactionFilter,
    get_record,
    list_records,
)
from syncline.ingest import rereading, unreadable
from syncline.ingest.by_id import closing
from syncline.ingest.record import record
from syncline.ingest.requests import request_customers
from syncline.ingest.rereading import BY_ID
from syncline.ingest.unreadable import UnreadableRecord
from syncline.ledger import records
from syncline.queues import Lane
from syncline.transport import Permit

PAGE = 100
"""Transactions asked for of one order; the largest page that third parties are known to use."""

Payloads = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Read:
    """What one call of a reading brought.

    Attributes:
        payloads: raw records by their id.
        unreadable: those that could not be understood.
        next_offset: where the list goes on; None at its end.
        ids: of all rows of the list that came.
    """

    payloads: Payloads
    unreadable: tuple[UnreadableRecord, ...] = ()
    next_offset: int | None = None
    ids: frozenset[str] = frozenset()


Came = Read | Outcome
"""What a reading brought, or how its call failed."""


@dataclass(frozen=True, slots=True)
class _HighLevelReading:
    """One kind of reading.

    Attributes:
        kind: of the records that it brings.
        facet: their shape.
        operation: the call's name in the ledger.
        reads: (line, permit, id, offset) → what there is.
        wakes: targets whose deliveries may wait for what it brings.
    """

    kind: str
    facet: str
    operation: str
    reads: Callable[[Line, Permit, str, int], Read]
    wakes: tuple[str, ...]


def _order(line: Line, permit: Permit, order_id: str, _: int) -> Read:
    return Read({order_id: get_record(line.highlevel, permit, ORDERS, order_id)})


def _transaction(line: Line, permit: Permit, transaction_id: str, _: int) -> Read:
    return Read({transaction_id: get_record(line.highlevel, permit, TRANSACTIONS, transaction_id)})


def _subscription(line: Line, permit: Permit, subscription_id: str, _: int) -> Read:
    return Read(
        {subscription_id: get_record(line.highlevel, permit, SUBSCRIPTIONS, subscription_id)}
    )


def _transactions(line: Line, permit: Permit, payer: str, offset: int) -> Read:
    """Those of an order or invoice, without what is older than the connection begins with.

    Source: a maintainer's word that `entityId` takes the payer's id.
    """
    only = TransactionFilter(entity_id=payer)
    page = list_records(line.highlevel, permit, TRANSACTIONS, Span(PAGE, offset), only)
    begins = datetime.combine(line.link.start_from, time(), UTC)
    came = len(page.rows) + len(page.unreadable)
    total = page.total_count
    more = came > 0 and (total is None or offset + came < total)
    place = f"the transactions of {payer}"
    return Read(
        {row.id: row.payload for row in page.rows if (row.model.created_at or begins) >= begins},
        tuple(unreadable.rows_of(place, offset, page.unreadable)),
        offset + came if more else None,
        frozenset(page.ids),
    )


def _fulfillments(line: Line, permit: Permit, order_id: str, _: int) -> Read:
    rows = list_fulfillments(line.highlevel, permit, order_id)
    return Read({order_id: {"_id": order_id, "data": [row.payload for row in rows]}})


TARGETS = {
    BY_ID["order"]: _HighLevelReading(
        "order", "detail", "get order", _order, ("order", "invoice", "recurring", "fulfillment")
    ),
    BY_ID["transaction"]: _HighLevelReading(
        "transaction",
        "detail",
        "get transaction",
        _transaction,
        ("order", "invoice", "payment", "credit"),
    ),
    BY_ID["subscription"]: _HighLevelReading(
        "subscription", "detail", "get subscription", _subscription, ("recurring",)
    ),
    "highlevel.transactions": _HighLevelReading(
        "transaction",
        "list",
        "list transactions of one order",
        _transactions,
        ("order", "invoice", "payment", "credit"),
    ),
    "highlevel.fulfillments": _HighLevelReading(
        "order", "fulfillments", "list fulfillments", _fulfillments, ("order",)
    ),
}
"""The targets of deliveries that ask for something to be read from HighLevel."""


def read(line: Line, target: str) -> NextRun:
    """Do the readings of one kind that are due."""

    def some(lane: Lane, leases: list[Lease]) -> None:
        _read(line, highlevel_calls(line, lane), TARGETS[target], leases)

    return do_readings(line, target, PARALLEL, some)


def _read(line: Line, api: ApiCalls, reading: _HighLevelReading, leases: list[Lease]) -> None:
    # Where one caller tries for all, it is not what failed before that is tried.
    named = _named(line, leases)
    pending = sorted(_still_wanted(line, reading, named), key=lambda one: one.failures)
    while pending:
        outcomes = api.read_many(
            [reading.operation] * len(pending),
            [_maker(line, reading, lease.source_id) for lease in pending],
        )
        done, pending = pending[: len(outcomes)], pending[len(outcomes) :]
        whole = [
            _to_its_end(line, api, reading, lease, outcome)
            for lease, outcome in zip(done, outcomes, strict=True)
        ]
        _write(line, reading, list(zip(done, whole, strict=True)))


def _named(line: Line, leases: list[Lease]) -> list[Lease]:
    """Without those that stand for a row whose id cannot be used: only its list shows it."""
    nameless = [lease for lease in leases if lease.source_id.startswith(NAMELESS)]
    if nameless:
        line.worker.ledger.run_patiently(
            lambda connection: leased.park(
                connection,
                nameless,
                reason=f"It has no id by which it could be read. {CORRECT}",
                field=None,
            ),
            sleep=line.worker.sleep,
        )
    return [lease for lease in leases if lease not in nameless]


def _still_wanted(line: Line, reading: _HighLevelReading, leases: list[Lease]) -> list[Lease]:
    """Without those of orders that were to be read only because they were not known, and came."""
    sought = [lease for lease in leases if lease.wanted_version == 0 and lease.role == "detail"]
    if not sought:
        return leases

    def work(connection: Connection) -> set[int]:
        # An event that is being recorded leaves its customer to this reading, or is seen by it.
        records.lock(connection, line.link.location_place, reading.kind)
        ids = [lease.source_id for lease in sought]
        known = records.versions(connection, line.link.location_place, reading.kind, ids)
        came = [lease for lease in sought if lease.source_id in known]
        confirmed = [Confirmation(lease, None, None, None) for lease in came]
        ended = leased.confirm(connection, confirmed, wrote=False)
        _request_customers(
            connection, line, reading.kind, {one.source_id: one.cause for one in came}
        )
        return ended

    confirmed = line.worker.ledger.run(work)
    return [lease for lease in leases if lease.id not in confirmed]


def _maker(
    line: Line, reading: _HighLevelReading, source_id: str, offset: int = 0
) -> Callable[[Permit], Read]:
    return lambda permit: reading.reads(line, permit, source_id, offset)


def _to_its_end(
    line: Line, api: ApiCalls, reading: _HighLevelReading, lease: Lease, outcome: Outcome
) -> Came:
    """A list that is longer than a page is read on; that is rare, so one call after the other."""
    if outcome.error is not None:
        return outcome
    found: Read = outcome.result  # type: ignore[assignment]  # what the reading gave
    try:
        while found.next_offset is not None:
            more = api.read(
                reading.operation, _maker(line, reading, lease.source_id, found.next_offset)
            )
            # A server that does not go by the offset would show the same for ever.
            is_news = not found.ids.issuperset(more.ids)
            found = Read(
                {**found.payloads, **more.payloads},
                found.unreadable + more.unreadable,
                more.next_offset if is_news else None,
                found.ids | more.ids,
            )
    except SynclineError as error:
        return Outcome(outcome.call_id, None, error)
    return found


def _write(line: Line, reading: _HighLevelReading, outcomes: list[tuple[Lease, Came]]) -> None:
    """Record what came and close the readings, in one transaction."""
    payloads = {
        key: payload
        for _, came in outcomes
        if isinstance(came, Read)
        for key, payload in came.payloads.items()
    }
    causes = {
        key: f"{lease.cause}, then read by id"
        for lease, came in outcomes
        if isinstance(came, Read)
        for key in came.payloads
    }
    refusals = RefusalPolicy(line)
    refused = [
        (came.error, refusals.of(came.error))
        for _, came in outcomes
        if isinstance(came, Outcome) and isinstance(came.error, Refused)
    ]
    alone = {id(error) for error, refusal in refused if refusal is Refusal.ALONE}

    def work(connection: Connection) -> frozenset[str]:
        recorded = record(
            connection,
            line.link,
            line.document,
            reading.kind,
            reading.facet,
            payloads,
            causes,
        )
        read = [lease for lease, came in outcomes if isinstance(came, Read)]
        contested = closing.contested(connection, line.link, reading.kind, reading.facet, read)
        closing.close(connection, line.link, reading.kind, read, contested)
        for lease, came in outcomes:
            if isinstance(came, Read):
                if lease.role in unreadable.ROLES:
                    ids = list(came.payloads)
                    unreadable.read_by_id(connection, line.link, reading.kind, ids, lease.cause)
                unreadable.park(connection, line.link, reading.kind, came.unreadable, lease.cause)
            elif id(came.error) in alone:
                leased.park(connection, [lease], reason=str(came.error), field=None)
            else:
                closing.fail(connection, lease, came)
        _ask_again(connection, line, reading, read, contested)
        if reading.facet == "detail":
            return recorded.targets | _request_customers(connection, line, reading.kind, causes)
        return recorded.targets

    targets = line.worker.ledger.run_patiently(work, sleep=line.worker.sleep)
    names = sorted({*reading.wakes, *targets})
    line.worker.announce([Nudge(line.link.name, "send", name) for name in names])
    for error, refusal in refused:
        if refusal is not Refusal.ALONE:
            raise error


def _ask_again(
    connection: Connection,
    line: Line,
    reading: _HighLevelReading,
    read: Sequence[Lease],
    contested: Mapping[str, Mapping[str, Any]],
) -> None:
    """What turns out to be contested where its detail was read for another reason."""
    other = [one for one in read if one.source_id in contested and one.role in unreadable.ROLES]
    for lease in other:
        rereading.reread(
            connection, line.link, [lease.source_id], ["detail"], lease.cause, reading.kind
        )


def _request_customers(
    connection: Connection, line: Line, kind: str, causes: Mapping[str, str]
) -> frozenset[str]:
    """Make due the customers of records whose reading by id has ended, whatever it brought."""
    if not causes:
        return frozenset()
    cause = next(iter(causes.values()))
    targets = request_customers(connection, line.link, line.document, kind, list(causes), cause)
    # Also of what was read as it was known: nobody else notices that its customer is another now.
    connection_rules.hold_after_requests(connection, line.link)
    return targets
