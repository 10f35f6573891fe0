"""Adopted: invoices, payments, credits and recurring invoices that Halo holds already.

An invoice is found by its order, a payment and a credit by their invoice; so all are matched one
after the other, and pinned in the transaction that pins the orders.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import pairwise

from sqlalchemy import Connection

from syncline.adopt import money_matching, money_queries
from syncline.adopt.money_matching import (
    Bill,
    Booked,
    Charge,
    Group,
    Invoice,
    InvoiceMatch,
    MatchedRow,
    Template,
    UnmatchedRow,
)
from syncline.adopt.money_queries import KnownRow, OpenMoney
from syncline.adopt.order_matching import Adoption, HaloOrder, UnmatchedOrder
from syncline.adopt.pins import park_doubtful, pin_of
from syncline.adopt.reading import HaloSide, amount_of, as_sold
from syncline.calls.context import Line
from syncline.deliveries import pinned, requests
from syncline.deliveries.requests import DeliveryRequest
from syncline.flows import customers, orders, payments
from syncline.halo.models import HaloRow
from syncline.halo.sql.money_holdings import InvoiceHolding, PaymentHolding
from syncline.mapping.document import Document

KINDS = {"invoice": "invoices", "payment": "payments", "credit": "credits",
         "recurring": "subscriptions"}  # fmt: skip
"""Target → the name of its group."""


@dataclass(frozen=True, slots=True)
class MoneySide:
    """Halo's money as it was read, by id; credits stand among the invoices.

    `by_currency` is Halo's id → ISO 4217.
    """

    invoices: Mapping[int, InvoiceHolding]
    payments: Mapping[int, PaymentHolding]
    templates: Mapping[int, InvoiceHolding]
    by_currency: Mapping[int, str]

    @classmethod
    def of(cls, side: HaloSide, by_currency: Mapping[int, str]) -> MoneySide:
        """The money of all that was read."""
        return cls(
            {one.row.id: one for one in side.invoices},
            {one.row.id: one for one in side.payments},
            {one.row.id: one for one in side.templates},
            by_currency,
        )

    def row(self, target: str, row_id: int) -> HaloRow:
        """A row as it was read."""
        if target == "payment":
            return self.payments[row_id].row
        return (self.templates if target == "recurring" else self.invoices)[row_id].row

    def currency(self, target: str, row_id: int) -> str:
        """ISO 4217, "" where nobody knows; a payment is in its invoice's currency."""
        if target == "payment":
            invoice = self.invoices.get(self.payments[row_id].row.invoice_id or 0)
            code = None if invoice is None else invoice.row.currency_code
        else:
            held = self.templates if target == "recurring" else self.invoices
            code = held[row_id].row.currency_code
        return self.by_currency.get(code or 0, "")

    def held(self, target: str, row_id: int) -> HaloOrder:
        """A row as it is matched."""
        currency = self.currency(target, row_id)
        if target == "payment":
            paid = self.payments[row_id]
            texts = (paid.row.intent_id.strip(), paid.row.thirdpartyid.strip())
            amount = paid.row.amount
            return HaloOrder(row_id, texts[0], texts, currency, amount, frozenset(), paid.day)
        one = (self.templates if target == "recurring" else self.invoices)[row_id]
        number = one.row.thirdpartyinvoicenumber.strip()
        return HaloOrder(
            id=row_id,
            reference=number,
            texts=(number,) if target == "credit" else one.texts,
            currency=currency,
            amount=one.row.total,
            customers=frozenset(map(customers.email_key, one.emails)),
            day=one.day,
        )


@dataclass(frozen=True, slots=True)
class AdoptedMoney:
    """What belongs together of money.

    Attributes:
        groups: `invoices`, `payments`, `credits`, `subscriptions`.
        billing: recurring invoices of our subscriptions that Halo still makes invoices from.
        sold: what was looked for, by source id and role.
    """

    groups: Mapping[str, Group]
    billing: tuple[int, ...]
    sold: Mapping[tuple[str, str], UnmatchedOrder]

    @property
    def matched(self) -> int:
        """How many rows of Halo would be taken over."""
        return sum(len(group.matched) for group in self.groups.values())

    @property
    def doubtful(self) -> int:
        """How many would be parked."""
        return sum(len(group.doubtful) for group in self.groups.values())


def match_money(
    connection: Connection,
    line: Line,
    since: date,
    side: MoneySide,
    found: Adoption,
    known_orders: Mapping[str, str],
) -> AdoptedMoney:
    """Tell for all money from a day on whether Halo holds it.

    Args:
        connection: the transaction.
        line: the connection.
        since: the first day.
        side: what Halo holds.
        found: which orders belong together.
        known_orders: Halo's id → the order that is known to be it.
    """
    rows = money_queries.open_money(connection, line.link, since)
    known = money_queries.known_money(connection, line.link)
    free = _Free(side, known)
    invoices, billed = _invoices(connection, line, since, rows, free, _Orders(found, known_orders))
    standing = {
        one.source_id: InvoiceMatch(frozenset({one.target_id}), sure=True)
        for one in known
        if one.target == "invoice"
    }
    standing |= {one.source: InvoiceMatch(frozenset({one.halo}), True) for one in invoices.matched}
    standing |= {
        one.source: InvoiceMatch(frozenset(row.halo for row in one.candidates), sure=False)
        for one in invoices.doubtful
    }
    paid = [_payment(one) for one in rows if one.target == "payment"]
    back = _credits(connection, line, [one for one in rows if one.target == "credit"])
    subscribed = [
        as_sold(one.source_id, one.canonical) for one in rows if one.target == "recurring"
    ]
    templates, billing = money_matching.match_templates(subscribed, free.templates())
    return AdoptedMoney(
        {
            "invoices": invoices,
            "payments": money_matching.match_charges(paid, free.payments(), standing, dated=True),
            "credits": money_matching.match_charges(back, free.credits(), standing, dated=False),
            "subscriptions": templates,
        },
        billing,
        {
            **{(one.id, "invoice"): one for one in billed},
            **{(one.sold.id, one.role): one.sold for one in (*paid, *back)},
            **{(one.id, "recurring"): one for one in subscribed},
        },
    )


def apply_money(
    connection: Connection, line: Line, since: date, side: MoneySide, money: AdoptedMoney
) -> None:
    """Pin what matched and park what is doubtful, in the caller's transaction."""
    pairs = [(name, one) for name in KINDS for one in money.groups[KINDS[name]].matched]
    questions = [one for group in money.groups.values() for one in group.doubtful]
    _request_bills(connection, line, since, [*money.groups["invoices"].matched, *questions])
    rows = money_queries.open_money(connection, line.link, since)
    numbers = {(one.source_id, one.role): one.delivery or 0 for one in rows}
    decided = {(one.source, one.role) for _, one in pairs}
    decided |= {(one.source, one.role) for one in questions}
    pinned.take_up(
        connection,
        [
            one.delivery
            for one in rows
            if one.delivery is not None and (one.parked or (one.source_id, one.role) in decided)
        ],
    )
    pinned.pin(
        connection,
        [
            pin_of(
                target,
                numbers[one.source, one.role],
                side.row(target, one.halo),
                side.currency(target, one.halo),
                line.document,
            )
            for target, one in pairs
        ],
    )
    reasons = {numbers[one.source, one.role]: one.reason for one in questions}
    park_doubtful(connection, line, reasons)


def _request_bills(
    connection: Connection, line: Line, since: date, decided: Iterable[MatchedRow | UnmatchedRow]
) -> None:
    """Request the invoices that Halo has, or may have, of orders that nobody has paid yet."""
    sources = {one.source for one in decided if one.role == "invoice"}
    requests_made = [
        DeliveryRequest(
            flow=payments.FLOW,
            source_kind=one.kind,
            source_id=one.source_id,
            role=one.role,
            target=one.target,
            place=line.link.location_place,
            version=one.version,
        )
        for one in money_queries.unbilled(connection, line.link, since)
        if one.source_id in sources
    ]
    requests.enqueue(connection, line.link.id, line.link.tenant, requests_made, "adopt")


class _Orders:
    """Which sales orders of Halo an order of HighLevel is, or may be."""

    def __init__(self, found: Adoption, known: Mapping[str, str]) -> None:
        self._sure = {source: int(row) for row, source in known.items()}
        self._sure |= {one.order: one.halo for one in found.matched}
        self._likely = {
            doubt.order: frozenset(one.halo for one in doubt.candidates) for doubt in found.doubtful
        }

    def bill(self, one: OpenMoney) -> Bill:
        """The bill of an order, or of a transaction without one."""
        sold = as_sold(one.source_id, one.canonical)
        if one.source_id in self._sure:
            return Bill(sold, frozenset({self._sure[one.source_id]}))
        likely = self._likely.get(one.source_id, frozenset())
        return Bill(sold, likely, sure=not likely)


class _Free:
    """Halo's money that is not known to be of ours, as it is matched."""

    def __init__(self, side: MoneySide, known: Iterable[KnownRow]) -> None:
        self._side = side
        self._known = {(_table(one.target), one.target_id) for one in known}

    def invoices(self) -> list[Invoice]:
        return [
            Invoice(self._side.held("invoice", key), one.row.salesorder_id)
            for key, one in self._side.invoices.items()
            if not one.is_credit and ("invoice", key) not in self._known
        ]

    def credits(self) -> list[Booked]:
        return [
            Booked(self._side.held("credit", key), one.row.creditlinkedtoinvoiceid)
            for key, one in self._side.invoices.items()
            if one.is_credit and ("invoice", key) not in self._known
        ]

    def payments(self) -> list[Booked]:
        return [
            Booked(self._side.held("payment", key), one.row.invoice_id)
            for key, one in self._side.payments.items()
            if ("payment", key) not in self._known
        ]

    def templates(self) -> list[Template]:
        return [
            Template(self._side.held("recurring", key), one.bills)
            for key, one in self._side.templates.items()
            if ("recurring", key) not in self._known
        ]


def _table(target: str) -> str:
    """Invoices and credits are of one sequence of ids."""
    return "invoice" if target == "credit" else target


def _invoices(
    connection: Connection,
    line: Line,
    since: date,
    rows: Iterable[OpenMoney],
    free: _Free,
    known: _Orders,
) -> tuple[Group, list[UnmatchedOrder]]:
    """The requested invoices, then those of orders that nobody has paid yet, on what is left.

    In the second place all that was looked for.
    """
    bills = [known.bill(one) for one in rows if one.target == "invoice"]
    unpaid = [
        known.bill(one)
        for one in money_queries.unbilled(connection, line.link, since)
        if _may_be_billed(one, line.document)
    ]
    pool = free.invoices()
    first = money_matching.match_invoices(bills, pool)
    left = set(first.alone)
    rest = [one for one in pool if one.held.id in left]
    second = money_matching.match_invoices(unpaid, rest, near=False)
    group = Group(
        first.matched + second.matched, first.doubtful + second.doubtful, first.rest, second.alone
    )
    return group, [one.sold for one in (*bills, *unpaid)]


def _may_be_billed(one: OpenMoney, document: Document) -> bool:
    return orders.wanted(one.canonical, document) and payments.wanted(one.canonical, document)


def _payment(one: OpenMoney) -> Charge:
    charge = str(one.canonical.get("charge_id") or "")
    return Charge(
        as_sold(one.source_id, one.canonical),
        one.role,
        payments.invoice_of(one.canonical),
        payments.reference(one.source_id, one.role),
        frozenset({charge} - {""}),
    )


def _credits(connection: Connection, line: Line, rows: Iterable[OpenMoney]) -> list[Charge]:
    """What went back with each credit: the increase over the one before."""
    by_source = {one.source_id: one for one in rows}
    standing = requests.existing_roles(connection, line.link.tenant, payments.FLOW, list(by_source))
    found: list[Charge] = []
    for one in rows:
        sold = as_sold(one.source_id, one.canonical)
        found.append(
            Charge(
                UnmatchedOrder(
                    sold.id,
                    sold.currency,
                    _given_back(one.role, standing.get(one.source_id, set())),
                    None,
                    sold.day,
                ),
                one.role,
                payments.invoice_of(one.canonical),
                payments.reference(one.source_id, one.role),
            )
        )
    return found


def _given_back(role: str, standing: Iterable[str]) -> Decimal | None:
    """The amount of one credit, below zero as Halo holds it."""
    upto = {one: amount_of(one.partition(":")[2]) for one in standing if payments.is_credit(one)}
    amounts = sorted({Decimal(0), *(one for one in upto.values() if one is not None)})
    steps = {after: before - after for before, after in pairwise(amounts)}
    amount = upto.get(role)
    return None if amount is None else steps.get(amount)
