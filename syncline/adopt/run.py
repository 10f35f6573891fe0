"""Adopted: what Halo holds already is found and taken over, before anything is created.

A survey reads both sides and changes nothing outside. Settling it pins each sure match in the
ledger and then writes our references, and nothing else, to Halo. Killed anywhere it is run again:
what is pinned goes on, what is not is looked at anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection

from syncline.actor import actor
from syncline.adopt import order_matching, queries
from syncline.adopt.money import AdoptedMoney, MoneySide, apply_money, match_money
from syncline.adopt.order_matching import Adoption, HaloOrder, UnmatchedOrder
from syncline.adopt.pins import park_doubtful, pin_of
from syncline.adopt.reading import (
    Progress,
    as_held,
    as_sold,
    currencies_of,
    open_orders,
    read_details,
    read_halo,
    read_highlevel,
)
from syncline.adopt.references import write_references
from syncline.calls.context import Line, in_hand
from syncline.deliveries import dead_workers, leased, pinned
from syncline.deliveries.states import State
from syncline.engine.connection_rules import begin as start
from syncline.engine.connection_rules import rules_of
from syncline.engine.failures import LOOKING_UP_ADOPTED
from syncline.errors import Again, BadDocument, Refused
from syncline.flows import customers, orders
from syncline.halo.sql.order_holdings import Holding
from syncline.ingest import requests
from syncline.ledger import connections, effects, modes, records
from syncline.ledger.connections import Link
from syncline.mapping.document import Document
from syncline.sending.targets import TARGETS
from syncline.sending.unknown_outcomes import look_up_claimed

MARGIN = timedelta(days=31)
"""How much older than our first order a row of Halo may be dated that is looked at."""

PAGE = 500

PATIENCE_S = 10.0
PAUSE_S = 0.5
"""How long, beyond the settle time, what is on its way may take, and how often it is looked at."""


@dataclass(frozen=True, slots=True)
class Survey:
    """Both sides as they were read, and what belongs together.

    Attributes:
        since: the first day of creation that is looked at.
        found: what belongs together.
        sold: HighLevel's orders that nothing was sent of, by id.
        held: Halo's orders, by id.
        holdings: the same as they were read.
        side: Halo's money as it was read.
        money: what belongs together of it.
        known: orders that are in line already or pinned by an earlier run.
    """

    since: date
    found: Adoption
    sold: Mapping[str, UnmatchedOrder]
    held: Mapping[int, HaloOrder]
    holdings: Mapping[int, Holding]
    side: MoneySide
    money: AdoptedMoney
    known: int


@dataclass(frozen=True, slots=True)
class AdoptionResult:
    """What applying a survey came to.

    Attributes:
        found: the matches as they were applied.
        money: those of money.
        forgotten: orders from before the first day, for which nothing is requested any more.
        unwritten: pinned rows whose reference is not confirmed yet: run it again.
    """

    found: Adoption
    money: AdoptedMoney
    forgotten: int
    unwritten: int


def survey(line: Line, since: date, progress: Progress) -> Survey:
    """Read both sides and tell what belongs together; nothing outside is changed.

    Raises:
        Refused: the connection is at work, so it may be creating these very orders.
        SynclineError: a side could not be read.
    """
    _stands_still(line, progress)
    read_highlevel(line, since, progress)
    by_currency = currencies_of(line, since)
    waiting = open_orders(line, since)
    sold = {one.id: one for one in (as_sold(one.order_id, one.canonical) for one in waiting)}
    # An order from before may be needed for later money, and its row be as old.
    first = min([since, *(one.day for one in sold.values() if one.day is not None)])
    halo = read_halo(line, first - MARGIN, by_currency, progress)
    holdings = {one.row.id: one for one in halo.orders}
    held = {key: as_held(one, by_currency) for key, one in holdings.items()}
    side = MoneySide.of(halo, by_currency)

    def told(connection: Connection) -> tuple[Adoption, AdoptedMoney, int]:
        known = queries.known_orders(connection, line.link, orders.FLOW)
        pool = [one for one in held.values() if str(one.id) not in known]
        found = order_matching.match(sold.values(), pool)
        return found, match_money(connection, line, since, side, found, known), len(known)

    found, money, known = line.worker.ledger.run(told)
    return Survey(since, found, sold, held, holdings, side, money, known)


def apply_survey(line: Line, seen: Survey, progress: Progress) -> AdoptionResult:
    """Pin what matched, park what is doubtful, and write our references to what is pinned.

    Raises:
        Refused: the connection is at work.
        SynclineError: a side could not be reached; what is pinned by then goes on later.
    """
    _stands_still(line, progress)
    forgotten = line.worker.ledger.run(lambda connection: _begin(connection, line, seen.since))
    # Read after the matches were applied, a detail would be a change that is sent to Halo.
    read_details(line, len(seen.sold), progress)
    with in_hand(line.worker):
        found, money = line.worker.ledger.run(lambda connection: _apply(connection, line, seen))
    return AdoptionResult(found, money, forgotten, write_references(line, progress))


def begin(line: Line) -> None:
    """Let a connection go on after its adoption; nothing that was adopted is written anew."""

    def work(connection: Connection) -> None:
        mark = modes.rules_mark(connection, line.link)
        modes.requested_under(connection, line.link, mark)
        start(connection, line.link)
        _decided(connection, line, "active")

    line.worker.ledger.run(work)


def stay(line: Line) -> None:
    """Leave a connection stopped after its adoption, until a person starts it."""

    def work(connection: Connection) -> None:
        connections.note_adopted(connection, line.link)
        _decided(connection, line, "stopped")

    line.worker.ledger.run(work)


def _decided(connection: Connection, line: Line, state: str) -> None:
    effects.decided(
        connection,
        line.link.id,
        what="adopt --apply",
        subject=line.link.name,
        by=actor(line.worker.settings),
        before={"state": line.link.state, "note": line.link.note},
        after={"state": state},
    )


def _stands_still(line: Line, progress: Progress) -> None:
    """Nobody else may create orders meanwhile.

    What is in doubt is looked up here: were the connection started for it, it would create the very
    orders that are to be adopted.

    Raises:
        Refused: the connection is active, or rehearses.
        Again: a worker still has some in its hands, or the outcome of some stays unknown.
    """
    waited = 0.0
    patience = PATIENCE_S + line.link.settle(line.worker.settings.settle).total_seconds()
    while many := _in_flight(line):
        if waited > patience:
            raise Again(
                f"{many} deliveries of {line.link.name} are still being sent, or are in doubt.",
                remedy="Try again in a minute: they are looked up in Halo then, and the connection "
                "need not be started for it. `syncline status` shows them.",
            )
        progress("waiting for what is still being sent or in doubt", 0, many)
        if not _look_up(line):
            line.worker.sleep(PAUSE_S)
            waited += PAUSE_S


def _look_up(line: Line) -> bool:
    """Look up what is in doubt and settled; whether there was any."""
    found = False
    for target in TARGETS.values():
        claim = partial(
            leased.claim, connection_id=line.link.id, target=target.name, state=State.DOUBTFUL
        )
        found |= look_up_claimed(line, target, claim, LOOKING_UP_ADOPTED) is None
    return found


def _in_flight(line: Line) -> int:
    """How many rows may be made in Halo just now.

    Raises:
        Refused: the connection is active, or rehearses.
    """

    def work(connection: Connection) -> tuple[str, int]:
        dead_workers.recover(
            connection, line.worker.settings.dead_after, line.worker.settings.settle
        )
        link = connections.by_name(connection, line.link.name)
        return link.state, queries.in_flight(connection, link)

    state, many = line.worker.ledger.run(work)
    if state == "active":
        raise Refused(
            f"{line.link.name} is at work, so it may be creating the very orders that Halo has.",
            remedy=f"First: syncline connection stop {line.link.name}",
        )
    if state == "rehearsing":
        raise Refused(
            f"{line.link.name} rehearses, so nothing is written to Halo.",
            remedy=f"First: syncline connection stop {line.link.name}",
        )
    return many


def _begin(connection: Connection, line: Line, since: date) -> int:
    """The connection begins on that day; what is older is left alone on both sides."""
    queries.start_from(connection, line.link, since)
    return queries.forget_before(connection, line.link, since, _needed(connection, line, since))


def _needed(connection: Connection, line: Line, since: date) -> set[str]:
    """The customers of all that is kept in line, also by other connections of the tenant."""
    named = queries.named_orders(connection, line.link, since)
    needed = set[str | None]()
    for link in connections.everyone(connection):
        if link.tenant != line.link.tenant:
            continue
        is_ours, document = link.id == line.link.id, _document(line, link)
        needed |= {
            customers.key_of(canonical.get("contact"), document)
            for foreign_id, canonical in _records(connection, link)
            if not is_ours
            or foreign_id in named
            or str(canonical.get("created_at") or "") >= since.isoformat()
        }
    return {key for key in needed if key is not None}


def _document(line: Line, link: Link) -> Document:
    """What says who the customers of a connection are; ours where its own cannot be read."""
    try:
        return line.document if link.id == line.link.id else rules_of(link)
    except BadDocument:
        return line.document


def _records(connection: Connection, link: Link) -> Iterable[tuple[str, Mapping[str, Any]]]:
    for kind in requests.KINDS:
        after = ""
        while page := records.page(connection, link.location_place, kind, after, PAGE):
            yield from ((foreign_id, canonical) for foreign_id, _, canonical in page)
            after = page[-1][0]


def _apply(connection: Connection, line: Line, seen: Survey) -> tuple[Adoption, AdoptedMoney]:
    """Matched anew with what the ledger knows by now, and written down in one transaction."""
    link, since = line.link, seen.since
    waiting = {
        one.order_id: one for one in queries.open_orders(connection, link, orders.FLOW, since)
    }
    known = queries.known_orders(connection, link, orders.FLOW)
    pool = [one for one in seen.held.values() if str(one.id) not in known]
    sold = (as_sold(one.order_id, one.canonical) for one in waiting.values())
    found = order_matching.match(sold, pool)
    money = match_money(connection, line, since, seen.side, found, known)
    pinned.take_up(connection, [one.delivery for one in waiting.values()])
    pins = [
        pin_of(
            "order",
            waiting[one.order].delivery,
            seen.holdings[one.halo].row,
            seen.held[one.halo].currency,
            line.document,
        )
        for one in found.matched
    ]
    pinned.pin(connection, pins)
    reasons = {waiting[one.order].delivery: one.reason for one in found.doubtful}
    park_doubtful(connection, line, reasons)
    apply_money(connection, line, since, seen.side, money)
    return found, money
