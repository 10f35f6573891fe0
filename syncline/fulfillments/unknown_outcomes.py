"""Looked up: whether a fulfillment whose call was not answered was made after all.

Only a list that shows all of the order's fulfillments, and none that may be this one, lets it be
posted again. What cannot be read of one order holds no other up.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from sqlalchemy import Connection

from syncline.calls.calls import ApiCalls, Outcome, highlevel_calls
from syncline.calls.context import PARALLEL, Line, Nudge, in_hand
from syncline.deliveries import leased
from syncline.deliveries.delivery import Lease
from syncline.deliveries.states import State
from syncline.engine import suspects
from syncline.engine.failures import (
    LOOKING_UP,
    PARK_AFTER,
    Batch,
    Move,
    Refusal,
    RefusalPolicy,
    backoff,
    put_back,
    still_in_doubt,
)
from syncline.engine.rounds import NextRun
from syncline.errors import Absent, Refused
from syncline.flows import fulfillments
from syncline.fulfillments import earlier_attempts, queries
from syncline.fulfillments import outcomes as ship_cases
from syncline.fulfillments.outcomes import BUSY, WAITS, Case
from syncline.fulfillments.ship import TARGET, keep, read_order, write
from syncline.highlevel.fulfillments import Fulfillment
from syncline.highlevel.pages import PageRecord
from syncline.queues import Lane


def look_up_shipments(line: Line, target: str) -> NextRun:
    """Look up what is doubtful and settled."""
    with in_hand(line.worker):
        owner = line.worker.session()
        leases = line.worker.ledger.run(
            lambda connection: leased.claim(
                connection, line.link.id, target, owner, PARALLEL, State.DOUBTFUL
            )
        )
        return _look_up(line, leases) if leases else NextRun.when_due()


def _look_up(line: Line, leases: list[Lease]) -> NextRun:
    cases, strangers = line.worker.ledger.run(
        lambda connection: ship_cases.opened(connection, line, leases)
    )
    write(line.worker, [ship_cases.unknown(lease) for lease in strangers])
    left = {case.lease.id: case for case in cases}
    batch = Batch([case.lease for case in cases])
    refusals = RefusalPolicy(line)
    with put_back(line, LOOKING_UP, batch):
        api = highlevel_calls(line, Lane.DELIVERIES)
        while left:
            done, failure = _some(line, api, refusals, list(left.values()))
            for case in done:
                del left[case.lease.id]
            batch.leases = [case.lease for case in left.values()]
            if failure is not None:
                raise failure
    if len(left) < len(cases):
        line.worker.announce([Nudge(line.link.name, "send", name) for name in (TARGET, "order")])
    if batch.next_run is not None:
        return batch.next_run
    return NextRun.at_once() if len(leases) == PARALLEL else NextRun.when_due()


def _some(
    line: Line, api: ApiCalls, refusals: RefusalPolicy, cases: list[Case]
) -> tuple[list[Case], Refused | None]:
    """Look up as many as there is quota for, one call for each order.

    Returns:
        Those of which something was written, be it that their order could not be read; and what
        stops the connection.
    """
    ids = list(dict.fromkeys(case.order_id for case in cases))
    outcomes = api.read_many(
        ["list fulfillments"] * len(ids), [read_order(line, order_id) for order_id in ids]
    )
    done: list[Case] = []
    failure: Refused | None = None
    for order_id, outcome in zip(ids, outcomes, strict=False):
        of_order = [case for case in cases if case.order_id == order_id]
        error = outcome.error
        refusal = refusals.of(error) if isinstance(error, Refused) else None
        if isinstance(error, Refused) and refusal is Refusal.STOP:
            failure = error
            continue
        if error is None:
            _decide(line, order_id, of_order, outcome)
        else:
            write(line.worker, [_not_shown(case, outcome, refusal) for case in of_order])
        done += of_order
    return done, failure


def _not_shown(case: Case, outcome: Outcome, refusal: Refusal | None) -> Move:
    if isinstance(outcome.error, Absent):
        return ship_cases.gone_in_doubt(case)
    return ship_cases.unread(case, outcome, refusal, in_doubt=True)


def _decide(line: Line, order_id: str, cases: Sequence[Case], outcome: Outcome) -> None:
    shown: list[PageRecord[Fulfillment]] = outcome.result  # type: ignore[assignment]  # what it read
    ids = [row.id for row in shown]

    def work(connection: Connection) -> None:
        queries.lock_orders(connection, line.link.location_place, [order_id])
        in_flight = partial(queries.orders_in_flight, connection, line.link.id, fulfillments.FLOW)
        going = in_flight(states=[State.SENDING])
        busy = in_flight(but=[case.lease.id for case in cases])
        keep(connection, line, order_id, shown, f"look-up of order {order_id}")
        if order_id in going:
            for case in cases:
                _await_answer(case.lease)(connection)
            return
        owned = queries.owned(connection, line.link.id, fulfillments.FLOW, ids)
        not_found: list[Case] = []
        for case in cases:
            row = earlier_attempts.made_before(case, shown, owned)
            if row is not None:
                owned.add(row.id)
                ship_cases.confirm(case, row)(connection)
            else:
                not_found.append(case)
        # Last, since what another one has surely made is in doubt for none.
        for case in not_found:
            unsure = earlier_attempts.unsure(case, shown, owned)
            if unsure is not None and order_id in busy:
                unsure = _put_off(case.lease) or unsure
            move = unsure or _absent(case.lease)
            move(connection)

    line.worker.ledger.run_patiently(work, sleep=line.worker.sleep)


def _await_answer(lease: Lease) -> Move:
    """What is shown may be another one's of the order that is just being made."""
    return lambda connection: leased.doubt(
        connection, [lease], settle=BUSY, why=WAITS, failed=False
    )


def _put_off(lease: Lease) -> Move | None:
    """What is shown may be another one's of the order that is in doubt too; not waited for long."""
    return None if lease.failures >= PARK_AFTER else still_in_doubt(lease, WAITS)


def _absent(lease: Lease) -> Move:
    """It is not there: sent again, but not for ever; others of its order may go before it."""
    if lease.failures >= PARK_AFTER:
        return suspects.in_vain(lease)
    return lambda connection: leased.give_back(
        connection, [lease], after=backoff(lease.failures), why="looked up: not there, sent again"
    )
