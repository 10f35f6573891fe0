"""What an adoption reads: HighLevel's records into the ledger, and what Halo holds of the like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from sqlalchemy import Connection

from syncline.adopt import money_queries, queries
from syncline.adopt.order_matching import HaloOrder, UnmatchedOrder
from syncline.adopt.queries import OpenOrder
from syncline.calls import capabilities, halo_queries
from syncline.calls.calls import halo_calls, highlevel_calls, patiently
from syncline.calls.context import PARALLEL, Line
from syncline.deliveries import dead_workers
from syncline.engine.rounds import ROUNDS
from syncline.errors import Rejected, Unmappable
from syncline.flows import customers, orders
from syncline.halo.sql import money_holdings, order_holdings
from syncline.halo.sql.money_holdings import InvoiceHolding, PaymentHolding
from syncline.halo.sql.order_holdings import Holding
from syncline.halo.sql.queries import Ask, Query
from syncline.highlevel import paging
from syncline.highlevel.paging import Days
from syncline.highlevel.records import ORDERS, get_record
from syncline.ingest.by_id import readings
from syncline.ingest.pull import ELSEWHERE, pull
from syncline.ingest.record import record
from syncline.ingest.unfinished import unfinished
from syncline.money import decimal, minor_digits
from syncline.queues import Lane
from syncline.sending.tenant import currencies
from syncline.transport import Permit

Progress = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and of how much."""

_PAUSE_S = 1.0
"""Between two looks at a window that another worker reads."""


@dataclass(frozen=True, slots=True)
class HaloSide:
    """What Halo holds; of money only what the mapping keeps in line."""

    orders: list[Holding]
    invoices: list[InvoiceHolding]
    payments: list[PaymentHolding]
    templates: list[InvoiceHolding]


def read_highlevel(line: Line, since: date, progress: Progress) -> None:
    """Read HighLevel's orders and money created from a day on into the ledger.

    And the orders, however old, that this money belongs to.

    Raises:
        SynclineError: a window could not be read.
    """
    _read_windows(line, "order", since, progress)
    if _keeps_payments(line):
        _read_windows(line, "transaction", since, progress)
    if _keeps_subscriptions(line):
        _read_windows(line, "subscription", since, progress)
    _read_missing(line, progress)


def _read_windows(line: Line, kind: str, since: date, progress: Progress) -> None:
    today = line.worker.now().date()
    windows = [one.days for one in paging.windows(since, today, today=today)]
    what = f"reading HighLevel's {kind}s, windows"
    done = 0
    while done < len(windows):
        progress(what, done, len(windows))
        _read_window(line, kind, windows[done])
        # What is refused of a window is narrowed: it asks for others, with fewer days.
        left = line.worker.ledger.run(partial(unfinished, ids=[line.link.id], untried=True))
        mine = [one for one in left if one.kind == kind and one.last >= since]
        windows += [days for one in mine if (days := (one.first, one.last)) not in windows]
        done += 1
    progress(what, done, len(windows))
    refused = next((one for one in mine if one.refused), None)
    if refused is not None:
        raise Rejected(
            f"HighLevel does not show all of its {kind}s, so nobody knows what Halo holds of them. "
            f"{refused.note}",
            text=refused.note or "",
            remedy="Correct what it refuses in HighLevel, then adopt again.",
        )


def _read_window(line: Line, kind: str, days: Days) -> None:
    """One that a worker has begun before the connection was stopped is waited for: it reads on."""
    while True:
        finished = patiently(line.worker, lambda: pull(line, kind, *days, Lane.BACKFILL))
        after = finished.again_after
        if ELSEWHERE in finished.states:
            after = _PAUSE_S
            line.worker.ledger.run(partial(_free_of_the_dead, line))
        if after is None:
            return
        line.worker.sleep(after)


def _free_of_the_dead(line: Line, connection: Connection) -> None:
    """While connections stand still there may be no worker that sweeps."""
    settings = line.worker.settings
    dead_workers.recover(connection, settings.dead_after, settings.settle)


def _read_missing(line: Line, progress: Progress) -> None:
    """Read orders that only money names; what cannot be read now is left to the workers."""
    missing = line.worker.ledger.run(
        lambda connection: queries.missing_orders(connection, line.link)
    )
    api = highlevel_calls(line, Lane.BACKFILL)
    done = 0
    while done < len(missing):
        progress("reading further orders of HighLevel", done, len(missing))
        ids = missing[done : done + PARALLEL]
        makes = [_order_reader(line, order) for order in ids]
        outcomes = patiently(line.worker, lambda: api.read_many(["get order"] * len(ids), makes))  # noqa: B023 - called at once
        read: dict[str, Any] = {
            order: outcome.result
            for order, outcome in zip(ids, outcomes, strict=False)
            if outcome.error is None
        }
        line.worker.ledger.run(
            lambda c: record(c, line.link, line.document, "order", "detail", read, "adopt")  # noqa: B023 - run at once
        )
        done += len(outcomes)


def _order_reader(line: Line, order: str) -> Callable[[Permit], object]:
    return lambda permit: get_record(line.highlevel, permit, ORDERS, order)


def read_halo(
    line: Line, since: date, by_currency: Mapping[int, str], progress: Progress
) -> HaloSide:
    """By reports where the tenant runs them, else by lists."""
    api = patiently(line.worker, lambda: halo_calls(line, Lane.BACKFILL))
    calls = 0

    def asked(query: Query) -> object:
        nonlocal calls
        calls += 1
        progress("reading Halo, calls", calls, 0)

        return patiently(line.worker, lambda: halo_queries.asked(line, api, query))

    digits = {code: minor_digits(iso) for code, iso in by_currency.items()}
    with halo_queries.counting(line):
        try:
            return _by_report(asked, line, since, digits)
        except halo_queries.NO_REPORT:
            return _by_pages(asked, line, since)


def _by_report(asked: Ask, line: Line, since: date, digits: Mapping[int, int]) -> HaloSide:
    people = order_holdings.people_by_report(asked)
    paid = _keeps_payments(line)
    return HaloSide(
        order_holdings.by_report(asked, since, digits, people),
        money_holdings.invoices_by_report(asked, since, digits, people) if paid else [],
        money_holdings.payments_by_report(asked, since) if paid else [],
        money_holdings.templates(asked, people) if _keeps_subscriptions(line) else [],
    )


def _by_pages(asked: Ask, line: Line, since: date) -> HaloSide:
    people = order_holdings.people_by_pages(asked)
    paid = _keeps_payments(line)
    return HaloSide(
        order_holdings.by_pages(asked, since, people),
        money_holdings.invoices_by_pages(asked, since, people) if paid else [],
        money_holdings.payments_by_pages(asked, since) if paid else [],
        money_holdings.templates(asked, people) if _keeps_subscriptions(line) else [],
    )


def _keeps_payments(line: Line) -> bool:
    return line.document.payments.into != "none"


def _keeps_subscriptions(line: Line) -> bool:
    return line.document.subscriptions.into != "none"


def read_details(line: Line, many: int, progress: Progress) -> None:
    """Read all details that are due, as the workers would."""
    targets = ["highlevel.order"] if line.document.orders.lines == "detail" else []
    if _keeps_subscriptions(line):
        targets.append("highlevel.subscription")
    for target in targets:
        done = 0
        while True:
            progress("reading details", min(done, many), many)
            pause = readings.read(line, target).after
            if pause is None:
                break
            done += ROUNDS * PARALLEL
            line.worker.sleep(pause.total_seconds())


def currencies_of(line: Line, since: date) -> dict[int, str]:
    """Halo's id → ISO 4217; where Halo has two names for it, the one that our records use."""

    def named(connection: Connection) -> list[dict[str, Any]]:
        sold = queries.open_orders(connection, line.link, orders.FLOW, since)
        money = money_queries.open_money(connection, line.link, since)
        return [*(one.canonical for one in sold), *(one.canonical for one in money)]

    wanted = {str(one.get("currency") or "") for one in line.worker.ledger.run(named)}
    known = capabilities.known(line)
    ids = patiently(line.worker, lambda: currencies.learn(line, known, wanted)).currencies
    return {code: iso for iso, code in sorted(ids.items(), key=lambda one: one[0] in wanted)}


def open_orders(line: Line, since: date) -> list[OpenOrder]:
    """Orders created from a day on that nothing was sent of."""
    return line.worker.ledger.run(lambda c: queries.open_orders(c, line.link, orders.FLOW, since))


def as_sold(source_id: str, canonical: Mapping[str, Any]) -> UnmatchedOrder:
    """A record of HighLevel as it is matched."""
    email = (canonical.get("contact") or {}).get("email")
    created = canonical.get("created_at")
    return UnmatchedOrder(
        id=source_id,
        currency=str(canonical.get("currency") or ""),
        amount=amount_of(canonical.get("amount")),
        customer=None if not email else customers.email_key(email),
        day=None if created is None else datetime.fromisoformat(str(created)).date(),
    )


def as_held(one: Holding, by_currency: Mapping[int, str]) -> HaloOrder:
    """An order of Halo as it is matched; `by_currency` is Halo's id → ISO 4217."""
    row = one.row
    return HaloOrder(
        id=row.id,
        reference=row.po_number,
        texts=one.texts,
        currency=by_currency.get(row.currency_code or 0, ""),
        amount=row.total,
        customers=frozenset(map(customers.email_key, one.emails)),
        day=one.day,
    )


def amount_of(value: Any) -> Decimal | None:
    """An amount as a record has it, None where it has none that can be read."""
    try:
        return decimal(value, "amount")
    except Unmappable:
        return None
