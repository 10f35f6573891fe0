"""Adoption of money: which invoice, payment, credit and recurring invoice of Halo is which of ours.

As with orders, what is likely and not sure is doubtful, and is not created meanwhile: an amount
that exists twice in the books is worse than a question.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from syncline.adopt import order_matching
from syncline.adopt.order_matching import SAME_DAYS, Candidate, HaloOrder, UnmatchedOrder, own_order

_AN = {"invoice": "an invoice", "payment": "a payment", "recurring": "a recurring invoice"}
_ANY_DAY = date(2000, 1, 1)
_BILLS = "bills by itself: disable it in Halo first"


@dataclass(frozen=True, slots=True)
class Bill:
    """What has one invoice: an order, or a transaction without one.

    Attributes:
        sold: it.
        orders: Halo's ids of its sales order; of a doubtful one, those that it may be.
        sure: whether that sales order is known, and not only likely.
    """

    sold: UnmatchedOrder
    orders: frozenset[int] = frozenset()
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice of Halo, and Halo's id of the sales order that it is of."""

    held: HaloOrder
    order: int | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """What came in with a transaction, or a part of it that went back.

    Attributes:
        sold: the transaction, with this amount: below zero where it went back.
        role: the delivery's: payment, or a credit's.
        bill: the source id of the invoice that it stands on.
        reference: ours.
        numbers: by which the payment provider knows it.
    """

    sold: UnmatchedOrder
    role: str
    bill: str
    reference: str
    numbers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Booked:
    """A payment or a credit of Halo, and the id of the invoice that it stands on.

    What its fields for references say stands in `held.texts`.
    """

    held: HaloOrder
    invoice: int | None


@dataclass(frozen=True, slots=True)
class InvoiceMatch:
    """Halo's invoices that a bill's is or, where that is not sure, may be."""

    invoices: frozenset[int]
    sure: bool


@dataclass(frozen=True, slots=True)
class Template:
    """A recurring invoice of Halo, and whether it makes invoices by itself."""

    held: HaloOrder
    bills: bool


@dataclass(frozen=True, slots=True)
class MatchedRow:
    """A row of ours by its source and role, and the row of Halo that surely is it."""

    source: str
    role: str
    halo: int
    why: str


@dataclass(frozen=True, slots=True)
class UnmatchedRow:
    """A row of ours that Halo may hold already."""

    source: str
    role: str
    candidates: tuple[Candidate, ...]

    @property
    def reason(self) -> str:
        """The doubt in words."""
        return order_matching.in_words(_AN.get(self.role, "a credit"), self.candidates)


@dataclass(frozen=True, slots=True)
class Group:
    """What belongs together of one kind; `alone` are rows of Halo that nothing comes near."""

    matched: tuple[MatchedRow, ...] = ()
    doubtful: tuple[UnmatchedRow, ...] = ()
    rest: tuple[str, ...] = ()
    alone: tuple[int, ...] = ()


def match_invoices(
    bills: Iterable[Bill], invoices: Iterable[Invoice], *, near: bool = True
) -> Group:
    """Tell for every bill whether Halo holds its invoice.

    Sure is, one to one: our reference; else the invoice of its sales order with equal money; else
    what makes an order sure.

    Args:
        bills: ours.
        invoices: Halo's, but for credits.
        near: whether what equals but for one thing is doubtful.
    """
    rows = {one.held.id: one for one in sorted(invoices, key=lambda one: one.held.id)}
    carried = {own_order(one.held.reference) for one in rows.values()}
    by_order: dict[int | None, list[int]] = defaultdict(list)
    for one in rows.values():
        if own_order(one.held.reference) is None:
            by_order[one.order or None].append(one.held.id)
    pairs: dict[str, MatchedRow] = {}
    doubts: dict[str, dict[int, str]] = {}
    spoken_for: set[int] = set()
    others: list[UnmatchedOrder] = []
    for bill in sorted(bills, key=lambda one: one.sold.id):
        source = bill.sold.id
        of_order = [row for order in sorted(bill.orders) for row in by_order.get(order, ())]
        if source in carried or not of_order:
            others.append(bill.sold)
            continue
        spoken_for.update(of_order)
        equal = [row for row in of_order if order_matching.same_money(bill.sold, rows[row].held)]
        if bill.sure and len(equal) == 1:
            pairs[source] = MatchedRow(
                source, "invoice", equal[0], "its order, amount and currency"
            )
        else:
            doubts[source] = {row: _of_its_order(bill, rows[row].held) for row in equal or of_order}
    free = [_loose(one) for row, one in rows.items() if row not in spoken_for]
    found = _group(order_matching.match(others, free, near=near), "invoice")
    questions = [
        UnmatchedRow(key, "invoice", order_matching.candidates_of(doubts[key])) for key in doubts
    ]
    taken = {pair.halo for pair in pairs.values()} | {row for one in doubts.values() for row in one}
    return Group(
        tuple(sorted((*found.matched, *pairs.values()), key=_source)),
        tuple(sorted((*found.doubtful, *questions), key=_source)),
        found.rest,
        tuple(sorted({*found.alone, *(spoken_for - taken)})),
    )


def match_templates(
    subscriptions: Iterable[UnmatchedOrder], templates: Iterable[Template]
) -> tuple[Group, tuple[int, ...]]:
    """Tell for every subscription whether Halo holds its recurring invoice.

    Sure is, one to one: our reference, its number with equal money, or equal customer and money.
    One that bills by itself is never sure: HighLevel bills too, and which of both is to go on is
    not ours to say. Those are named in the second place.
    """
    rows = {one.held.id: one for one in templates}
    ours = [replace(one, day=_ANY_DAY) for one in subscriptions]
    theirs = [replace(one.held, day=_ANY_DAY) for one in rows.values()]
    found = _group(order_matching.match(ours, theirs, near=False), "recurring")
    billing = [pair for pair in found.matched if rows[pair.halo].bills]
    questions = [
        UnmatchedRow(one.source, one.role, (Candidate(one.halo, f"{one.why}; {_BILLS}"),))
        for one in billing
    ]
    doubtful = sorted((*found.doubtful, *questions), key=_source)
    named = {one.halo for question in doubtful for one in question.candidates}
    group = Group(
        tuple(pair for pair in found.matched if not rows[pair.halo].bills),
        tuple(doubtful),
        found.rest,
        found.alone,
    )
    return group, tuple(sorted(row for row in named if rows[row].bills))


def match_charges(
    charges: Iterable[Charge],
    booked: Iterable[Booked],
    standing: Mapping[str, InvoiceMatch],
    *,
    dated: bool,
) -> Group:
    """Tell for what came in or went back whether Halo holds it, invoice by invoice.

    Sure is, one to one: our reference; else the provider's number with equal money; else equal
    money, where `dated` on days beside each other. Several that are equal are as good as each
    other, so they are paired in turn.

    Args:
        charges: ours.
        booked: Halo's payments, or its credits.
        standing: source id of a bill → its invoices in Halo; one that has none there is left out.
        dated: whether the days say something.
    """
    by_invoice: dict[int | None, list[Booked]] = defaultdict(list)
    for row in sorted(booked, key=lambda one: one.held.id):
        by_invoice[row.invoice].append(row)
    by_bill: dict[str, list[Charge]] = defaultdict(list)
    for charge in sorted(charges, key=lambda one: (one.sold.id, one.role)):
        by_bill[charge.bill].append(charge)
    found = Group()
    for bill, group in by_bill.items():
        where = standing.get(bill)
        rows = [] if where is None else [r for i in sorted(where.invoices) for r in by_invoice[i]]
        if where is not None and rows and not where.sure:
            found = _joined(found, _unsure(group, rows))
        else:
            found = _joined(found, _OnOneInvoice(group, rows, dated=dated).result())
    used = {pair.halo for pair in found.matched}
    used |= {one.halo for question in found.doubtful for one in question.candidates}
    ours = {invoice for where in standing.values() for invoice in where.invoices}
    alone = [r.held.id for i in sorted(ours) for r in by_invoice[i] if r.held.id not in used]
    return replace(found, alone=tuple(alone))


class _OnOneInvoice:
    """The payments or credits of one invoice; each stage sees what the one before has left."""

    def __init__(self, charges: Sequence[Charge], rows: Sequence[Booked], *, dated: bool) -> None:
        self._charges = list(charges)
        self._rows = list(rows)
        self._pairs: list[MatchedRow] = []
        self._by_reference()
        self._by_number()
        self._in_turn(dated=dated)

    def result(self) -> Group:
        """What is left on both sides may be the same in other words: one sum for two payments."""
        if not self._rows:
            return Group(tuple(self._pairs), rest=tuple(one.sold.id for one in self._charges))
        questions = [
            UnmatchedRow(
                one.sold.id,
                one.role,
                order_matching.candidates_of(
                    {row.held.id: _unlike(one, row) for row in self._rows}
                ),
            )
            for one in self._charges
        ]
        return Group(tuple(self._pairs), tuple(questions))

    def _by_reference(self) -> None:
        for charge in list(self._charges):
            rows = [row for row in self._rows if charge.reference in row.held.texts]
            if len(rows) == 1:
                self._take(charge, rows[0], "our reference")
        self._rows = [row for row in self._rows if not any(map(own_order, row.held.texts))]

    def _by_number(self) -> None:
        for charge in list(self._charges):
            rows = [row for row in self._rows if charge.numbers.intersection(row.held.texts)]
            if len(rows) == 1 and order_matching.same_money(charge.sold, rows[0].held):
                self._take(charge, rows[0], "the provider's number, amount and currency")

    def _in_turn(self, *, dated: bool) -> None:
        """Both in the order of their days: then what fits one and not the next is found."""
        rows = sorted(self._rows, key=lambda one: (one.held.day or _ANY_DAY, one.held.id))
        why = "its invoice, amount and date" if dated else "its invoice and amount"
        for charge in sorted(self._charges, key=lambda one: (one.sold.day or _ANY_DAY, one.role)):
            for row in rows:
                if order_matching.same_money(charge.sold, row.held) and (
                    not dated or _beside(charge.sold.day, row.held.day)
                ):
                    rows.remove(row)
                    self._take(charge, row, why)
                    break

    def _take(self, charge: Charge, row: Booked, why: str) -> None:
        self._charges.remove(charge)
        self._rows.remove(row)
        self._pairs.append(MatchedRow(charge.sold.id, charge.role, row.held.id, why))


def _group(found: order_matching.Adoption, role: str) -> Group:
    return Group(
        tuple(MatchedRow(one.order, role, one.halo, one.why) for one in found.matched),
        tuple(UnmatchedRow(one.order, role, one.candidates) for one in found.doubtful),
        found.rest,
        found.unmatched,
    )


def _joined(one: Group, other: Group) -> Group:
    return Group(one.matched + other.matched, one.doubtful + other.doubtful, one.rest + other.rest)


def _source(one: Any) -> str:
    source: str = one.source
    return source


def _of_its_order(bill: Bill, row: HaloOrder) -> str:
    if not bill.sure:
        return "of an order that is doubtful itself"
    differing = ", ".join(order_matching.money_differences(bill.sold, row))
    return f"of its order; {differing or 'equal, and not alone'}"


def _loose(one: Invoice) -> HaloOrder:
    """One of a sales order that is none of ours is told by a number alone, and not by likeness."""
    return replace(one.held, day=None) if one.order else one.held


def _unsure(charges: Sequence[Charge], rows: Sequence[Booked]) -> Group:
    why = "stands on an invoice that is doubtful itself"
    candidates = order_matching.candidates_of({row.held.id: why for row in rows})
    return Group(doubtful=tuple(UnmatchedRow(one.sold.id, one.role, candidates) for one in charges))


def _unlike(charge: Charge, row: Booked) -> str:
    differing = order_matching.money_differences(charge.sold, row.held)
    differing += order_matching.day_differences(charge.sold, row.held)
    return "on its invoice; " + (", ".join(differing) or "equal, and not alone")


def _beside(one: date | None, other: date | None) -> bool:
    return one is not None and other is not None and abs((one - other).days) <= SAME_DAYS
