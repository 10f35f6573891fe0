"""Adopted: orders that Halo holds already are found and taken over, before anything is created.

A survey reads both sides and changes nothing outside. Settling it pins each sure match in the
ledger and then writes our references, and nothing else, to Halo. Killed anywhere it is run again:
what is pinned goes on, what is not is looked at anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import Connection

from syncline.errors import Again, Refused
from syncline.flows import adoption, customers, orders
from syncline.flows.adoption import Adoption, Held, Sold, own_order
from syncline.flows.projections import ORDER, projection
from syncline.halo.holdings import Holding
from syncline.ledger import adopting, connections, deliveries, records, sessions
from syncline.ledger.adopting import OpenOrder, Pin
from syncline.quota.keys import Lane
from syncline.steps import owing
from syncline.steps.adopt_reading import (
    Progress,
    as_held,
    as_sold,
    currencies_of,
    open_orders,
    patiently,
    read_details,
    read_halo,
    read_highlevel,
    read_row,
)
from syncline.steps.adopt_references import write_references
from syncline.steps.gate import halo_gate
from syncline.steps.hold import in_hand
from syncline.steps.parts import Line, Parts

MARGIN = timedelta(days=31)
"""How much older than our first order a row of Halo may be dated that is looked at."""

PAGE = 500


@dataclass(frozen=True, slots=True)
class Survey:
    """Both sides as they were read, and what belongs together.

    Attributes:
        since: the first day of creation that is looked at.
        found: what belongs together.
        sold: HighLevel's orders that nothing was sent of, by id.
        held: Halo's orders, by id.
        holdings: the same as they were read.
        known: orders that are in line already or pinned by an earlier run.
    """

    since: date
    found: Adoption
    sold: Mapping[str, Sold]
    held: Mapping[int, Held]
    holdings: Mapping[int, Holding]
    known: int


@dataclass(frozen=True, slots=True)
class Adopted:
    """What settling a survey came to.

    Attributes:
        found: the matches as they were settled.
        forgotten: orders from before the first day, for which nothing is owed any more.
        unwritten: pinned rows whose reference is not confirmed yet: run it again.
    """

    found: Adoption
    forgotten: int
    unwritten: int


def survey(parts: Parts, line: Line, since: date, progress: Progress) -> Survey:
    """Read both sides and tell what belongs together; nothing outside is changed.

    Raises:
        Refused: the connection is at work, so it may be creating these very orders.
        SynclineError: a side could not be read.
    """
    _stands_still(parts, line)
    read_highlevel(parts, line, since, progress)
    by_currency = currencies_of(parts, line, since)
    read = read_halo(parts, line, since - MARGIN, by_currency, progress)
    held = {one.row.id: as_held(one, by_currency) for one in read}
    known = parts.ledger.run(lambda c: adopting.known_orders(c, line.link, orders.FLOW))
    pool = [one for one in held.values() if str(one.id) not in known]
    sold = {one.id: one for one in map(as_sold, open_orders(parts, line, since))}
    return Survey(
        since=since,
        found=adoption.match(sold.values(), pool),
        sold=sold,
        held=held,
        holdings={one.row.id: one for one in read},
        known=len(known),
    )


def settle(parts: Parts, line: Line, seen: Survey, progress: Progress) -> Adopted:
    """Pin what matched, park what is doubtful, and write our references to what is pinned.

    Raises:
        Refused: the connection is at work.
        SynclineError: a side could not be reached; what is pinned by then goes on later.
    """
    _stands_still(parts, line)
    forgotten = parts.ledger.run(lambda connection: _begin(connection, line, seen.since))
    if line.document.orders.lines == "detail":
        # Read after the matches were settled, a detail would be a change that is sent to Halo.
        read_details(parts, line, len(seen.sold), progress)
    with in_hand(parts):
        found = parts.ledger.run(lambda connection: _settle(connection, parts, line, seen))
    return Adopted(found, forgotten, write_references(parts, line, progress))


def begin(parts: Parts, line: Line) -> None:
    """Let a connection go on after its adoption; nothing that was adopted is written anew."""

    def work(connection: Connection) -> None:
        connections.owed_under(connection, line.link)
        connections.start(connection, line.link.id)

    parts.ledger.run(work)


def take(parts: Parts, line: Line, pairs: Mapping[str, int], progress: Progress) -> int:
    """Adopt single orders as a person has decided; returns how many are not confirmed yet.

    Args:
        parts: what a step is handed.
        line: the connection.
        pairs: HighLevel's order id → Halo's id.
        progress: is told how far it is.

    Raises:
        Refused: an order is not open to be adopted, or that row of Halo belongs to another one.
        Absent: there is no such row in Halo.
    """
    by_currency = currencies_of(parts, line, line.link.start_from)
    gate = patiently(parts, lambda: halo_gate(parts, line, Lane.DELIVERIES))
    read = {order: read_row(parts, line, gate, row) for order, row in pairs.items()}

    def work(connection: Connection) -> list[int]:
        waiting = {
            one.order_id: one
            for one in adopting.open_orders(connection, line.link, orders.FLOW, date.min)
        }
        known = adopting.known_orders(connection, line.link, orders.FLOW)
        taken = []
        for order, holding in read.items():
            _may_take(order, holding, waiting, known)
            taken.append(waiting[order].delivery)
        adopting.take_up(connection, taken)
        pins = [
            _pin(line, waiting[order].delivery, holding, by_currency)
            for order, holding in read.items()
        ]
        adopting.pin(connection, pins)
        return taken

    with in_hand(parts):
        owner = parts.session()

        def claimed(connection: Connection) -> Any:
            ids = work(connection)
            return adopting.claim(connection, owner, ids, len(ids))

        leases = parts.ledger.run(claimed)
    return write_references(parts, line, progress, leases)


def _stands_still(parts: Parts, line: Line) -> None:
    """Nobody else may create orders meanwhile.

    Raises:
        Refused: the connection is active.
        Again: a worker still has some in its hands, or the outcome of some is unknown.
    """

    def work(connection: Connection) -> tuple[str, int]:
        sessions.recover(connection, parts.settings.dead_after, parts.settings.settle)
        link = connections.by_name(connection, line.link.name)
        return link.state, adopting.in_flight(connection, link)

    state, many = parts.ledger.run(work)
    if state == "active":
        raise Refused(
            f"{line.link.name} is at work, so it may be creating the very orders that Halo has.",
            remedy=f"First: syncline connection stop {line.link.name}",
        )
    if many:
        raise Again(
            f"{many} deliveries of {line.link.name} are still being sent, or are in doubt.",
            remedy="Try again in a minute. If they stay, start the connection until none is "
            "doubtful in `syncline status`, and stop it again.",
        )


def _begin(connection: Connection, line: Line, since: date) -> int:
    """The connection begins on that day; what is older is left alone on both sides."""
    adopting.start_from(connection, line.link, since)
    kept = {
        key
        for kind in owing.KINDS
        for canonical in _records(connection, line, kind)
        if str(canonical.get("created_at") or "") >= since.isoformat()
        and (key := customers.key_of(canonical.get("contact"), line.document)) is not None
    }
    return adopting.forget_before(connection, line.link, since, kept)


def _records(connection: Connection, line: Line, kind: str) -> Iterable[Mapping[str, Any]]:
    after = ""
    while page := records.page(connection, line.link.location_place, kind, after, PAGE):
        yield from (canonical for _, _, canonical in page)
        after = page[-1][0]


def _settle(connection: Connection, parts: Parts, line: Line, seen: Survey) -> Adoption:
    """Matched anew with what the ledger knows by now, and written down in one transaction."""
    waiting = {
        one.order_id: one
        for one in adopting.open_orders(connection, line.link, orders.FLOW, seen.since)
    }
    known = adopting.known_orders(connection, line.link, orders.FLOW)
    pool = [one for one in seen.held.values() if str(one.id) not in known]
    found = adoption.match(map(as_sold, waiting.values()), pool)
    adopting.take_up(connection, [one.delivery for one in waiting.values()])
    by_currency = {
        one.row.currency_code: seen.held[one.row.id].currency
        for one in seen.holdings.values()
        if one.row.currency_code is not None
    }
    pins = [
        _pin(line, waiting[one.order].delivery, seen.holdings[one.halo], by_currency)
        for one in found.matched
    ]
    adopting.pin(connection, pins)
    reasons = {waiting[one.order].delivery: one.reason for one in found.doubtful}
    leases = adopting.claim(connection, parts.session(), reasons, len(reasons))
    for lease in leases:
        reason = reasons[lease.id]
        deliveries.park(connection, [lease], reason=reason, field=adopting.FIELD)
    return found


def _pin(line: Line, delivery: int, one: Holding, by_currency: Mapping[int, str]) -> Pin:
    row = one.row
    named = {
        "po_number": row.po_number,
        "client_id": row.client_id,
        "site_id": row.site_id,
        "user_id": row.user_id,
        "currency_code": row.currency_code,
        "total": row.total,
        "tax_total": row.tax_total,
    }
    currency = by_currency.get(row.currency_code or 0, "")
    read = {key: value for key, value in named.items() if value is not None}
    holds = projection(read, currency, line.document)
    compared = {*ORDER.texts, *ORDER.numbers, *ORDER.amounts}
    return Pin(
        delivery,
        str(row.id),
        {key: value for key, value in holds.items() if key in compared},
        row.change_seq,
    )


def _may_take(
    order: str, one: Holding, waiting: Mapping[str, OpenOrder], known: Mapping[str, str]
) -> None:
    if order not in waiting:
        raise Refused(
            f"Order {order} is not open to be adopted.",
            remedy="See `syncline show order ID`: it may be in line already, or not read yet.",
        )
    other = known.get(str(one.row.id)) or own_order(one.row.po_number)
    if other not in {None, order}:
        raise Refused(
            f"Halo's order {one.row.id} belongs to order {other} already.",
            remedy="Take another one, or let it be created: syncline parked retry ID",
        )
