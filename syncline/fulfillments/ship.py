"""Shipped: consignments of Halo leave as fulfillments of HighLevel's orders, each one once.

A repeated call makes a second fulfillment, and none can be taken back. So the fulfillments of an
order go one after the other, each after a look at what HighLevel shows of that order; several
orders go side by side. A call whose outcome is unknown is looked up (`unknown_outcomes`) before any
other of its order may leave.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls.calls import ApiCalls, Outcome, Planned, highlevel_calls
from syncline.calls.context import PARALLEL, Line, Nudge, WorkerContext, in_hand
from syncline.deliveries import leased
from syncline.deliveries.delivery import Departure, Lease
from syncline.engine import suspects
from syncline.engine.claim import claim_urgent_first
from syncline.engine.departure import departed
from syncline.engine.failures import (
    BACKOFF,
    SENDING,
    Batch,
    Move,
    Refusal,
    RefusalPolicy,
    put_back,
)
from syncline.engine.rounds import NextRun, in_rounds
from syncline.errors import Absent, Again, NotSent, Refused, SynclineError, Unreadable
from syncline.flows import fulfillments, orders
from syncline.fulfillments import earlier_attempts, queries
from syncline.fulfillments import outcomes as ship_cases
from syncline.fulfillments.earlier_attempts import THERE_BEFORE
from syncline.fulfillments.outcomes import BUSY, Case, Parting
from syncline.highlevel.fulfillments import Fulfillment, create_fulfillment, list_fulfillments
from syncline.highlevel.pages import PageRecord
from syncline.ingest.record import record
from syncline.ledger import connections, database
from syncline.operations import CREATE_FULFILLMENT
from syncline.transport import Permit

TARGET = fulfillments.TARGET


@dataclass(slots=True)
class _Queue:
    """The consignments of one order, one after the other.

    Attributes:
        cases: those that were not posted yet, in their turn.
        shown: what HighLevel shows of the order.
        read_at: since when it may show more.
    """

    cases: list[Case]
    shown: list[PageRecord[Fulfillment]]
    read_at: datetime


@dataclass(frozen=True, slots=True)
class _Endings:
    """How the calls of a batch ended.

    Attributes:
        outcomes: of each call.
        alone: the places of refusals that concern nothing but what was posted.
        counting: the places of failures that count against what was posted.
    """

    outcomes: Sequence[Outcome]
    alone: frozenset[int]
    counting: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Sent:
    """A fulfillment on its way."""

    queue: _Queue
    case: Case
    projection: dict[str, str]


def ship(line: Line, target: str) -> NextRun:
    """Post the consignments that are due."""

    def one_round() -> NextRun | None:
        with in_hand(line.worker):
            lane, leases = claim_urgent_first(line, target, PARALLEL)
            if not leases:
                return NextRun.when_due()
            batch = Batch(leases)
            with put_back(line, SENDING, batch):
                _ship(line, highlevel_calls(line, lane), leases)
            return batch.next_run

    return in_rounds(one_round)


def write(worker: WorkerContext, moves: Sequence[Move]) -> None:
    """Make moves in one transaction that outlasts a restart of PostgreSQL."""

    def work(connection: Connection) -> None:
        for move in moves:
            move(connection)

    if moves:
        worker.ledger.run_patiently(work, sleep=worker.sleep)


def keep(
    connection: Connection,
    line: Line,
    order_id: str,
    shown: Iterable[PageRecord[Fulfillment]],
    cause: str,
) -> frozenset[str]:
    """Record what HighLevel shows of an order now; returns the targets that are due by it."""
    payload = {"_id": order_id, "data": [row.payload for row in shown]}
    recorded = record(
        connection,
        line.link,
        line.document,
        orders.SOURCE_KIND,
        "fulfillments",
        {order_id: payload},
        cause,
    )
    return recorded.targets


def read_order(line: Line, order_id: str) -> Callable[[Permit], list[PageRecord[Fulfillment]]]:
    """The call that reads the fulfillments of an order."""
    return lambda permit: list_fulfillments(line.highlevel, permit, order_id)


def _ship(line: Line, api: ApiCalls, leases: list[Lease]) -> None:
    cases, strangers, busy = line.worker.ledger.run(
        lambda connection: (
            *ship_cases.opened(connection, line, leases),
            queries.orders_in_flight(connection, line.link.id, fulfillments.FLOW),
        )
    )
    moves: list[Move] = [ship_cases.unknown(lease) for lease in strangers]
    waiting: dict[str, list[Case]] = {}
    for case in _in_turn(cases):
        move = ship_cases.without_call(line, case)
        if move is None and case.lease.target_id is None and case.order_id in busy:
            move = ship_cases.release([case.lease], BUSY, ship_cases.WAITS)
        if move is None:
            waiting.setdefault(case.order_id, []).append(case)
        else:
            moves.append(move)
    write(line.worker, moves)
    while waiting:
        read_at = line.worker.ledger.run(database.now)
        ids = list(waiting)
        outcomes = api.read_many(
            ["list fulfillments"] * len(ids), [read_order(line, order_id) for order_id in ids]
        )
        read = [waiting.pop(order_id) for order_id in ids[: len(outcomes)]]
        _ship_orders(line, api, _queues(line, read, outcomes, read_at))


def _in_turn(cases: Sequence[Case]) -> list[Case]:
    """What has not failed goes first, the oldest before; then what was tried longest ago."""
    again = [case for case in cases if not case.lease.is_fresh]
    fresh = [case for case in cases if case.lease.is_fresh]
    return [*fresh, *sorted(again, key=lambda case: case.lease.tried_at)]


def _queues(
    line: Line, read: list[list[Case]], outcomes: list[Outcome], read_at: datetime
) -> list[_Queue]:
    """The orders that could be read; of one that is gone or refused, all parcels are parked."""
    refusals = RefusalPolicy(line)
    queues: list[_Queue] = []
    moves: list[Move] = []
    failure: SynclineError | None = None
    for cases, outcome in zip(read, outcomes, strict=True):
        error = outcome.error
        refusal = refusals.of(error) if isinstance(error, Refused) else None
        if error is None:
            shown: list[PageRecord[Fulfillment]] = outcome.result  # type: ignore[assignment]  # what it read
            queues.append(_Queue(cases, list(shown), read_at))
        elif isinstance(error, Absent):
            moves += [ship_cases.gone(case) for case in cases]
        elif refusal is Refusal.STOP:
            failure = error
        elif isinstance(error, (Again, Unreadable)) or refusal is Refusal.LATER:
            moves += [ship_cases.unread(case, outcome, refusal, in_doubt=False) for case in cases]
        else:
            moves += [ship_cases.park(case.lease, error) for case in cases]
    write(line.worker, moves)
    if failure is not None:
        raise failure
    return queues


def _ship_orders(line: Line, api: ApiCalls, queues: list[_Queue]) -> None:
    """Post one consignment of each order side by side, then the next one of each."""
    while queues := [queue for queue in queues if queue.cases]:
        batch: list[tuple[_Queue, Parting]] = []
        moves: list[Move] = []
        for queue in queues:
            case = queue.cases[0]
            if earlier_attempts.settle(line, case, queue.shown):
                queue.cases.pop(0)
                continue
            decided = ship_cases.decide(line, case, queue.shown)
            if isinstance(decided, Parting):
                batch.append((queue, decided))
            else:
                queue.cases.pop(0)
                moves.append(decided)
        write(line.worker, moves)
        if batch:
            _post(line, api, batch)


def _post(line: Line, api: ApiCalls, batch: list[tuple[_Queue, Parting]]) -> None:
    """Post as many as there is quota for; a queue whose order is busy elsewhere is given back."""
    tokens = api.tokens(len(batch), CREATE_FULFILLMENT)
    batch = batch[: len(tokens)]
    began = line.worker.monotonic()
    leaving = list(zip(tokens, batch, strict=True))
    going = departed(line.worker, api, tokens, lambda c: _depart(c, line, api, leaving))
    api.return_unused([token for token in tokens if token not in going])
    busy = [queue for token, (queue, _) in zip(tokens, batch, strict=True) if token not in going]
    write(line.worker, [_put_off(queue, BUSY) for queue in busy])
    if not going:
        return
    sent = [
        _sent(token, queue, parting)
        for token, (queue, parting) in zip(tokens, batch, strict=True)
        if token in going
    ]
    makes = [
        _maker(line, parting)
        for token, (_, parting) in zip(tokens, batch, strict=True)
        if token in going
    ]
    try:
        outcomes = api.send(going, makes, began)
        ends = _Endings(outcomes, _alone(line, outcomes), _counting(line, sent, outcomes))
        targets = line.worker.ledger.run_patiently(
            lambda connection: _finish(connection, line, api, sent, ends),
            sleep=line.worker.sleep,
        )
    except BaseException:
        # Rows that have departed must not stay in the hands of a worker that lost track of them.
        line.worker.abandon()
        raise
    line.worker.announce([Nudge(line.link.name, "send", name) for name in sorted(targets)])
    _next(line.worker, sent, ends)


def _alone(line: Line, outcomes: Sequence[Outcome]) -> frozenset[int]:
    """The refusals, by their places, that concern nothing but what was posted."""
    refusals = RefusalPolicy(line)
    return frozenset(
        at
        for at, one in enumerate(outcomes)
        if isinstance(one.error, Refused) and refusals.of(one.error) is Refusal.ALONE
    )


def _counting(line: Line, sent: Sequence[_Sent], outcomes: Sequence[Outcome]) -> frozenset[int]:
    """The failures, by their places, that may be for the sake of what was posted."""
    return frozenset(
        at
        for at, (one, outcome) in enumerate(zip(sent, outcomes, strict=True))
        if suspects.counts(line, [one.case.lease], outcome.error, suspects.for_a_list)
    )


def _depart(
    connection: Connection,
    line: Line,
    api: ApiCalls,
    batch: list[tuple[UUID, tuple[_Queue, Parting]]],
) -> list[UUID]:
    """LEASED → SENDING for those whose order nobody else is at; returns their tokens.

    The lock makes others of the same order look when this one is committed; they then find it on
    its way, or that HighLevel shows more than what they have read.
    """
    place = line.link.location_place
    ids = {parting.case.order_id for _, (_, parting) in batch}
    queries.lock_orders(connection, place, ids)
    busy = queries.orders_in_flight(connection, line.link.id, fulfillments.FLOW)
    seen = queries.last_seen(connection, place, list(ids))
    going = [
        (token, queue, parting)
        for token, (queue, parting) in batch
        if parting.case.order_id not in busy
        and seen.get(parting.case.order_id, queue.read_at) <= queue.read_at
    ]
    if not going:
        return []
    if not connections.is_as(connection, line.link):
        raise NotSent("Its connection stands or works otherwise by now.")
    tokens = [token for token, _, _ in going]
    api.begin(connection, tokens, [Planned(CREATE_FULFILLMENT, 1)] * len(going))
    departures = [
        Departure(parting.case.lease, token, _projection(queue, parting))
        for token, queue, parting in going
    ]
    if len(leased.depart(connection, departures)) < len(departures):
        raise NotSent("Deliveries of this worker have gone on to another one.")
    return tokens


def _projection(queue: _Queue, parting: Parting) -> dict[str, str]:
    """What is sent, and the ids that were there before it."""
    there = " ".join(row.id for row in queue.shown)
    return {**parting.shipment.projection(), THERE_BEFORE: there}


def _sent(token: UUID, queue: _Queue, parting: Parting) -> _Sent:
    lease = parting.case.lease
    departed = replace(lease, sent_version=lease.wanted_version, call_id=token)
    case = replace(parting.case, lease=departed)
    return _Sent(queue, case, parting.shipment.projection())


def _maker(line: Line, parting: Parting) -> Callable[[Permit], PageRecord[Fulfillment]]:
    order_id, body = parting.case.order_id, parting.body
    return lambda permit: create_fulfillment(line.highlevel, permit, order_id, body)


def _finish(
    connection: Connection, line: Line, api: ApiCalls, sent: Sequence[_Sent], ends: _Endings
) -> set[str]:
    """Write what became of a batch; what was made is shown in Halo without being read again."""
    targets: set[str] = set()
    for one, outcome in zip(sent, ends.outcomes, strict=True):
        if outcome.error is None:
            shown = [*one.queue.shown, _made(outcome)]
            cause = f"fulfillment of Halo's consignment {one.case.lease.source_id}"
            targets |= keep(connection, line, one.case.order_id, shown, cause)
    api.end(connection, ends.outcomes)
    settle = line.link.settle(line.worker.settings.settle)
    for at, (one, outcome) in enumerate(zip(sent, ends.outcomes, strict=True)):
        end = (
            ship_cases.park(one.case.lease, outcome.error)
            if at in ends.alone and outcome.error is not None
            else ship_cases.ended(
                one.case, one.projection, outcome, settle, counts=at in ends.counting
            )
        )
        end(connection)
    return targets


def _made(outcome: Outcome) -> PageRecord[Fulfillment]:
    row: PageRecord[Fulfillment] = outcome.result  # type: ignore[assignment]  # what the call made
    return row


def _next(worker: WorkerContext, sent: Sequence[_Sent], ends: _Endings) -> None:
    """Go on with the orders of which it is known what HighLevel shows.

    Raises:
        Refused: HighLevel lets nobody in.
    """
    read_at = worker.ledger.run(database.now)
    moves: list[Move] = []
    for one, outcome in zip(sent, ends.outcomes, strict=True):
        one.queue.cases.pop(0)
        if outcome.error is None:
            one.queue.shown.append(_made(outcome))
            one.queue.read_at = read_at
        else:
            moves.append(_put_off(one.queue, BACKOFF))
    write(worker, moves)
    for at, outcome in enumerate(ends.outcomes):
        if isinstance(outcome.error, Refused) and at not in ends.alone:
            raise outcome.error


def _put_off(queue: _Queue, after: timedelta) -> Move:
    """Leave an order alone for a while, with all its consignments."""
    leases = [case.lease for case in queue.cases]
    queue.cases.clear()
    return ship_cases.release(leases, after)
