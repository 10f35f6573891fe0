"""What an adoption reads: HighLevel's orders into the ledger, and all that Halo holds of orders."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from syncline.errors import Absent, Again, MissingScope, Rejected, Unmappable
from syncline.flows import customers, orders
from syncline.flows.adoption import Held, Sold
from syncline.halo import holdings
from syncline.halo.finding import Query, ask
from syncline.halo.holdings import Holding
from syncline.halo.orders import get_order
from syncline.highlevel import paging
from syncline.ledger import adopting
from syncline.ledger.adopting import OpenOrder
from syncline.money import decimal, minor_digits
from syncline.quota.keys import Lane
from syncline.steps import abilities, currencies, detail
from syncline.steps.gate import PARALLEL, Gate, NoQuota, halo_gate
from syncline.steps.parts import Line, Parts
from syncline.steps.pull import pull
from syncline.transport import Permit

MOST_TRIES = 10
"""Failures in a row of one reading that may heal by itself; waiting for quota is none."""

_DETAILS = "highlevel.order"

Progress = Callable[[str, int, int], None]
"""Is told what is being done, how much of it is done, and of how much."""

T = TypeVar("T")


def read_highlevel(parts: Parts, line: Line, since: date, progress: Progress) -> None:
    """Read HighLevel's orders created from a day on into the ledger.

    Raises:
        SynclineError: a window could not be read.
    """
    today = parts.now().date()
    windows = paging.windows(since, today, today=today)
    for at, window in enumerate(windows):
        progress("reading HighLevel's orders, windows", at, len(windows))
        while True:
            after = patiently(
                parts,
                lambda: pull(parts, line, "order", window.since, window.until, Lane.BACKFILL),  # noqa: B023 - called at once
            ).again_after
            if after is None:
                break
            parts.sleep(after)
    progress("reading HighLevel's orders, windows", len(windows), len(windows))


def read_halo(
    parts: Parts, line: Line, since: date, by_currency: Mapping[int, str], progress: Progress
) -> list[Holding]:
    """By reports where the tenant runs them, else by lists."""
    gate = patiently(parts, lambda: halo_gate(parts, line, Lane.BACKFILL))
    calls = 0

    def asked(query: Query) -> object:
        nonlocal calls
        calls += 1
        progress("reading Halo's orders, calls", calls, 0)

        def make(permit: Permit) -> object:
            return ask(line.halo, permit, query)

        return patiently(parts, lambda: gate.read(f"{query.method} {query.path}", make))

    digits = {code: minor_digits(iso) for code, iso in by_currency.items()}
    try:
        return holdings.by_report(asked, since, digits)
    except (Absent, MissingScope, Rejected):
        return holdings.by_pages(asked, since)


def read_details(parts: Parts, line: Line, many: int, progress: Progress) -> None:
    """Read all details that are due, as the workers would."""
    done = 0
    while True:
        progress("reading details, orders", min(done, many), many)
        after = detail.read_details(parts, line, _DETAILS)
        if after is None:
            return
        done += detail.ROUNDS * PARALLEL
        parts.sleep(after)


def currencies_of(parts: Parts, line: Line, since: date) -> dict[int, str]:
    """Halo's id → ISO 4217."""
    wanted = {str(one.canonical.get("currency") or "") for one in open_orders(parts, line, since)}
    known = abilities.known(parts, line)
    ids = patiently(parts, lambda: currencies.ids(parts, line, known, wanted))
    return {code: iso for iso, code in ids.items()}


def open_orders(parts: Parts, line: Line, since: date) -> list[OpenOrder]:
    """Orders created from a day on that nothing was sent of."""
    return parts.ledger.run(lambda c: adopting.open_orders(c, line.link, orders.FLOW, since))


def read_row(parts: Parts, line: Line, gate: Gate, row_id: int) -> Holding:
    """One order of Halo by its id.

    Raises:
        Absent: there is none.
    """

    def make(permit: Permit) -> Any:
        return get_order(line.halo, permit, row_id).raw

    return holdings.of_row(patiently(parts, lambda: gate.read("GET /SalesOrder/id", make)))


def as_sold(one: OpenOrder) -> Sold:
    """An order of HighLevel as it is matched."""
    canonical = one.canonical
    email = (canonical.get("contact") or {}).get("email")
    created = canonical.get("created_at")
    return Sold(
        id=one.order_id,
        currency=str(canonical.get("currency") or ""),
        amount=_amount(canonical.get("amount")),
        customer=None if not email else customers.email_key(email),
        day=None if created is None else datetime.fromisoformat(str(created)).date(),
    )


def as_held(one: Holding, by_currency: Mapping[int, str]) -> Held:
    """An order of Halo as it is matched; `by_currency` is Halo's id → ISO 4217."""
    row = one.row
    return Held(
        id=row.id,
        reference=row.po_number,
        texts=one.texts,
        currency=by_currency.get(row.currency_code or 0, ""),
        amount=row.total,
        customers=frozenset(map(customers.email_key, one.emails)),
        day=one.day,
    )


def patiently(parts: Parts, make: Callable[[], T]) -> T:
    """A reading that waits for its turn, and is tried again where that may help."""
    failures = 0
    while True:
        try:
            return make()
        except Again as error:
            failures += not isinstance(error, NoQuota)
            if failures >= MOST_TRIES:
                raise
            parts.sleep(max(error.after.total_seconds(), 0.05))


def _amount(value: Any) -> Decimal | None:
    try:
        return decimal(value, "amount")
    except Unmappable:
        return None
