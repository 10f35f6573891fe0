"""Adoption: which sales order of Halo is which order of HighLevel, where both exist already.

A match must be sure, since a wrong one would let an order overwrite a stranger. What is likely and
not sure is doubtful: a person decides, and nothing is created meanwhile. Only the rest is new.
Everything is looked up in dictionaries, so the time grows with the number of orders alone.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from syncline.flows.flow import reference_of

SAME_DAYS = 1
"""Days between two dates that count as equal: clocks stand in different zones."""

NEAR_DAYS = 14
"""Days between two dates within which an otherwise equal order may be the same."""

SHORT_NUMBER = 8
"""Characters at the end of an order's id that shops and people use as its number."""

MOST_CANDIDATES = 5
"""Candidates that are named of one doubtful order; the first by id."""

_REFERENCE = reference_of("")
_WORD = re.compile(r"[0-9a-z]{8,}")


@dataclass(frozen=True, slots=True)
class UnmatchedOrder:
    """An order of HighLevel that has no row in Halo yet, as far as we know.

    `amount` is in major units of `currency` (ISO 4217); `customer` is the normalised e-mail
    address, None without one.
    """

    id: str
    currency: str
    amount: Decimal | None
    customer: str | None
    day: date | None


@dataclass(frozen=True, slots=True)
class HaloOrder:
    """A sales order of Halo.

    Attributes:
        id: Halo's id.
        reference: its number, which is where our reference stands.
        texts: what its fields for numbers and descriptions say.
        currency: ISO 4217, "" for a currency that nobody knows.
        amount: its total in major units.
        customers: the normalised addresses that it may belong to.
        day: its date.
    """

    id: int
    reference: str
    texts: tuple[str, ...]
    currency: str
    amount: Decimal | None
    customers: frozenset[str]
    day: date | None


@dataclass(frozen=True, slots=True)
class Match:
    """An order and the row of Halo that surely is it."""

    order: str
    halo: int
    why: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row of Halo that may be an order, and what speaks for it or against it."""

    halo: int
    why: str


@dataclass(frozen=True, slots=True)
class Doubt:
    """An order that Halo may hold already."""

    order: str
    candidates: tuple[Candidate, ...]

    @property
    def reason(self) -> str:
        """The doubt in words."""
        return in_words("an order", self.candidates)


@dataclass(frozen=True, slots=True)
class Adoption:
    """What belongs together: every order is in one of the first three.

    `unmatched` are rows of Halo that no order of ours comes near; what carries our reference of
    an order that is not asked about is left out.
    """

    matched: tuple[Match, ...]
    doubtful: tuple[Doubt, ...]
    rest: tuple[str, ...]
    unmatched: tuple[int, ...]


def match(
    sold: Iterable[UnmatchedOrder], held: Iterable[HaloOrder], *, near: bool = True
) -> Adoption:
    """Tell for every order whether Halo holds it: surely, perhaps, or not.

    Sure is, one to one: our reference; else its number with equal amount and currency; else equal
    amount, currency and customer on days beside each other, if no other order on either side has
    them too.

    Args:
        sold: what HighLevel holds.
        held: what Halo holds.
        near: whether what equals but for one thing is doubtful.
    """
    ours = sorted(set(sold), key=lambda one: one.id)
    theirs = sorted(set(held), key=lambda one: one.id)
    return _Matching(ours, theirs, near=near).result()


def in_words(what: str, candidates: Iterable[Candidate]) -> str:
    """The doubt about something that Halo may hold, such as `an order`."""
    listed = ", ".join(f"{one.halo} ({one.why})" for one in candidates)
    return f"Halo holds {what} that may be this one: {listed}"


def own_order(reference: str) -> str | None:
    """The id of the order whose reference of ours a text is."""
    text = reference.strip()
    return text[len(_REFERENCE) :] if text.startswith(_REFERENCE) else None


class _Matching:
    """One run, stage by stage: each stage sees what the one before has left."""

    def __init__(
        self, ours: Sequence[UnmatchedOrder], theirs: Sequence[HaloOrder], *, near: bool
    ) -> None:
        self._ours = {one.id: one for one in ours}
        self._matched: dict[str, Match] = {}
        self._doubts: dict[str, dict[int, str]] = defaultdict(dict)
        self._pool = self._by_reference(theirs)
        self._by_number()
        self._by_likeness()
        if near:
            self._by_nearness()

    def result(self) -> Adoption:
        open_ones = [order for order in self._ours if order not in self._matched]
        doubtful = tuple(
            Doubt(order, candidates_of(self._doubts[order]))
            for order in open_ones
            if self._doubts.get(order)
        )
        near = {one.halo for doubt in doubtful for one in doubt.candidates}
        return Adoption(
            matched=tuple(self._matched[order] for order in self._ours if order in self._matched),
            doubtful=doubtful,
            rest=tuple(order for order in open_ones if not self._doubts.get(order)),
            unmatched=tuple(row for row in self._pool if row not in near),
        )

    def _by_reference(self, theirs: Sequence[HaloOrder]) -> dict[int, HaloOrder]:
        """Match what carries our reference; returns what carries none."""
        carrying: dict[str, list[int]] = defaultdict(list)
        pool: dict[int, HaloOrder] = {}
        for row in theirs:
            order = own_order(row.reference)
            if order is None:
                pool[row.id] = row
            else:
                carrying[order].append(row.id)
        for order, rows in carrying.items():
            if order in self._ours and len(rows) == 1:
                self._matched[order] = Match(order, rows[0], "our reference")
            elif order in self._ours:
                self._doubts[order] = dict.fromkeys(rows, "has our reference, and is not alone")
        return pool

    def _by_number(self) -> None:
        numbers = _numbers(self._open())
        # An id is looked for at the end of a longer word too: "order6578a1…" names it.
        lengths = sorted({len(number) for number in numbers})
        exact: dict[str, list[int]] = defaultdict(list)
        named: dict[int, list[str]] = defaultdict(list)
        for row in self._pool.values():
            for order in sorted(_mentioned(row, numbers, lengths)):
                if same_money(self._ours[order], row):
                    exact[order].append(row.id)
                    named[row.id].append(order)
                else:
                    why = f"has its number; {_differences(self._ours[order], row)}"
                    self._doubts[order][row.id] = why
        for order, rows in exact.items():
            if len(rows) == 1 and len(named[rows[0]]) == 1:
                self._take(Match(order, rows[0], "number, amount and currency"))
            else:
                why = "has its number, and is not alone"
                self._doubts[order] |= dict.fromkeys(rows, why)

    def _by_likeness(self) -> None:
        """Equal in everything but a number, and alone on both sides."""
        rows = _index((_likeness(row, person), row) for row, person in self._free())
        peers = _index((_likeness(one, one.customer), one) for one in self._open())
        found = []
        for order in self._open():
            beside = _beside(rows, _likeness(order, order.customer), order.day, SAME_DAYS)
            if not beside:
                continue
            row = self._pool[beside[0]]
            rivals = {
                rival
                for person in row.customers
                for rival in _beside(peers, _likeness(row, person), row.day, SAME_DAYS)
            }
            if len(beside) == 1 and rivals == {order.id} and not self._doubts.get(order.id):
                found.append(Match(order.id, row.id, "amount, currency, customer and date"))
            else:
                self._doubts[order.id] |= dict.fromkeys(beside, "equal, and not alone")
        claimed = {row for doubts in self._doubts.values() for row in doubts}
        for one in found:
            if one.halo in claimed:
                self._doubts[one.order][one.halo] = "equal, and may be another order"
            else:
                self._take(one)

    def _by_nearness(self) -> None:
        """Equal but for one thing. What is known to be doubtful needs no further reasons."""
        free = list(self._free())
        every = [(row, "") for row in self._pool.values()]
        looks = [
            (key, days, _index((key(row, person), row) for row, person in rows))
            for key, days, rows in (
                (_but_amount, SAME_DAYS, free),
                (_but_currency, SAME_DAYS, free),
                (_but_customer, SAME_DAYS, every),
                (_likeness, NEAR_DAYS, free),
            )
        ]
        for order in self._open():
            if self._doubts.get(order.id):
                continue
            near = {
                row
                for key, days, index in looks
                for row in _beside(index, key(order, order.customer), order.day, days)
            }
            self._doubts[order.id] = {
                row: _differences(order, self._pool[row]) for row in sorted(near)
            }

    def _open(self) -> list[UnmatchedOrder]:
        return [one for one in self._ours.values() if one.id not in self._matched]

    def _free(self) -> Iterator[tuple[HaloOrder, str]]:
        """What is not matched, once for each customer that it may belong to."""
        return ((row, person) for row in self._pool.values() for person in sorted(row.customers))

    def _take(self, found: Match) -> None:
        self._matched[found.order] = found
        self._doubts.pop(found.order, None)
        del self._pool[found.halo]


_Key = tuple[Any, ...] | None


def _likeness(one: UnmatchedOrder | HaloOrder, customer: str | None) -> _Key:
    return _whole(one.currency or None, one.amount, customer)


def _but_amount(one: UnmatchedOrder | HaloOrder, customer: str | None) -> _Key:
    return _whole(one.currency or None, customer)


def _but_currency(one: UnmatchedOrder | HaloOrder, customer: str | None) -> _Key:
    return _whole(one.amount, customer)


def _but_customer(one: UnmatchedOrder | HaloOrder, _customer: str | None) -> _Key:
    return _whole(one.currency or None, one.amount)


def _whole(*parts: Any) -> _Key:
    """A key to look up by; None where a part of it is not known, which equals nothing."""
    return None if None in parts else parts


def _index(items: Iterable[tuple[_Key, Any]]) -> dict[tuple[Any, ...], list[Any]]:
    """Ids by key and day."""
    index: dict[tuple[Any, ...], list[Any]] = defaultdict(list)
    for key, one in items:
        if key is not None and one.day is not None:
            index[key, one.day].append(one.id)
    return index


def _beside(
    index: dict[tuple[Any, ...], list[Any]], key: _Key, day: date | None, days: int
) -> list[Any]:
    """Ids of that key from so many days before until so many days after; no more than are named."""
    found: dict[Any, None] = {}
    if key is None or day is None:
        return []
    for off in range(-days, days + 1):
        for one in index.get((key, day + timedelta(days=off)), ())[: MOST_CANDIDATES + 1]:
            found[one] = None
        if len(found) > MOST_CANDIDATES:
            break
    return list(found)


def _numbers(orders: Iterable[UnmatchedOrder]) -> dict[str, set[str]]:
    """Number → the orders that it may stand for: the whole id, or its end."""
    numbers: dict[str, set[str]] = defaultdict(set)
    for order in orders:
        text = order.id.lower()
        numbers[text].add(order.id)
        if len(text) > SHORT_NUMBER:
            numbers[text[-SHORT_NUMBER:]].add(order.id)
    return numbers


def _mentioned(row: HaloOrder, numbers: dict[str, set[str]], lengths: Sequence[int]) -> set[str]:
    """The orders whose number a row's texts name; letters right before a number do not hide it."""
    found: set[str] = set()
    for text in (row.reference, *row.texts):
        for word in _WORD.findall(text.lower()):
            for length in lengths:
                if length == len(word) or SHORT_NUMBER < length < len(word):
                    found |= numbers.get(word[-length:], set())
    return found


def same_money(order: UnmatchedOrder, row: HaloOrder) -> bool:
    """Whether amount and currency are known and equal."""
    return (
        order.amount is not None
        and order.amount == row.amount
        and bool(order.currency)
        and order.currency == row.currency
    )


def _differences(order: UnmatchedOrder, row: HaloOrder) -> str:
    """In what a row is another one, in words."""
    found = money_differences(order, row)
    if order.customer is None or order.customer not in row.customers:
        found.append("another customer" if row.customers else "customer is not known")
    return ", ".join(found + day_differences(order, row)) or "equal"


def money_differences(order: UnmatchedOrder, row: HaloOrder) -> list[str]:
    """What is not equal of amount and currency, in words."""
    found = []
    if order.amount is None or row.amount is None:
        found.append("amount is not known")
    elif order.amount != row.amount:
        found.append(f"amount differs by {abs(order.amount - row.amount):f}")
    if order.currency != row.currency:
        found.append(f"currency is {row.currency or 'not known'}")
    return found


def day_differences(order: UnmatchedOrder, row: HaloOrder) -> list[str]:
    """How far the days are apart, in words, where that is more than clocks may differ."""
    apart = 0 if order.day is None or row.day is None else abs((order.day - row.day).days)
    return [f"{apart} days apart"] if apart > SAME_DAYS else []


def candidates_of(doubts: Mapping[int, str]) -> tuple[Candidate, ...]:
    """The first of them by id, given as Halo's id → what speaks for it or against it."""
    return tuple(Candidate(*one) for one in sorted(doubts.items())[:MOST_CANDIDATES])
