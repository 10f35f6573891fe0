"""Which order of Halo is which of HighLevel: surely, perhaps, or not, and never two to one."""

from __future__ import annotations

import random
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.adopt.order_matching import (
    MOST_CANDIDATES,
    Adoption,
    HaloOrder,
    UnmatchedOrder,
    match,
)

DAY = date(2026, 3, 10)
ORDER = UnmatchedOrder("6578a1b2c3d4e5f60718293a", "USD", Decimal("49.90"), "ada@example.com", DAY)
ROW = HaloOrder(5012, "PO-17", (), "USD", Decimal("49.9"), frozenset({"ada@example.com"}), DAY)


def pairs(found: Adoption) -> list[tuple[str, int]]:
    return [(one.order, one.halo) for one in found.matched]


def doubts(found: Adoption) -> dict[str, list[int]]:
    return {one.order: [each.halo for each in one.candidates] for one in found.doubtful}


def test_equal_amount_currency_customer_and_day_is_a_match() -> None:
    found = match([ORDER], [ROW])
    assert pairs(found) == [(ORDER.id, ROW.id)]
    assert (found.doubtful, found.rest, found.unmatched) == ((), (), ())


def test_an_order_that_halo_does_not_hold_is_the_rest_and_a_stranger_is_unmatched() -> None:
    stranger = HaloOrder(9, "x", (), "EUR", Decimal(1), frozenset({"bob@example.com"}), DAY)
    found = match([ORDER], [stranger])
    assert (found.rest, found.unmatched) == ((ORDER.id,), (9,))


@pytest.mark.parametrize(
    "row",
    [
        replace(ROW, reference=ORDER.id),
        replace(ROW, texts=("", f"Web order #{ORDER.id[-8:].upper()}, paid")),
        replace(ROW, texts=(f"order{ORDER.id}",)),
    ],
)
def test_the_number_decides_whatever_customer_and_date_say(row: HaloOrder) -> None:
    row = replace(row, customers=frozenset(), day=DAY + timedelta(days=200))
    assert pairs(match([ORDER], [row])) == [(ORDER.id, ROW.id)]


def test_the_number_with_another_amount_or_currency_is_a_doubt() -> None:
    for wrong in (replace(ROW, amount=Decimal("49.91")), replace(ROW, currency="EUR")):
        found = match([ORDER], [replace(wrong, reference=ORDER.id)])
        assert (pairs(found), doubts(found)) == ([], {ORDER.id: [ROW.id]})


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (replace(ROW, amount=Decimal("49.91")), "amount differs by 0.01"),
        (replace(ROW, currency="EUR"), "currency is EUR"),
        (replace(ROW, day=DAY + timedelta(days=5)), "5 days apart"),
        (replace(ROW, customers=frozenset({"ada@example.org"})), "another customer"),
        (replace(ROW, customers=frozenset()), "customer is not known"),
    ],
)
def test_a_near_miss_is_a_doubt_that_says_what_differs(row: HaloOrder, why: str) -> None:
    [doubt] = match([ORDER], [row]).doubtful
    assert doubt.reason == f"Halo holds an order that may be this one: 5012 ({why})"


def test_twins_on_either_side_are_a_doubt() -> None:
    twin = replace(ROW, id=5044)
    assert doubts(match([ORDER], [ROW, twin])) == {ORDER.id: [5012, 5044]}
    other = replace(ORDER, id="6578a1b2c3d4e5f607182999", day=DAY + timedelta(days=1))
    assert doubts(match([ORDER, other], [ROW])) == {ORDER.id: [5012], other.id: [5012]}


def test_a_number_tells_twins_apart() -> None:
    other = replace(ORDER, id="6578a1b2c3d4e5f607182999")
    rows = [replace(ROW, reference=other.id), replace(ROW, id=5044)]
    assert pairs(match([ORDER, other], rows)) == [(ORDER.id, 5044), (other.id, 5012)]


def test_what_carries_our_reference_is_taken_and_of_another_order_left_alone() -> None:
    mine = replace(ROW, reference=f"HL-{ORDER.id}", amount=Decimal(7))
    foreign = replace(ROW, id=5044, reference="HL-of-another-location")
    found = match([ORDER], [mine, foreign])
    assert pairs(found) == [(ORDER.id, 5012)]
    assert found.unmatched == ()
    assert match([ORDER], [foreign]).rest == (ORDER.id,)


def test_an_order_without_an_email_is_never_matched_by_likeness() -> None:
    nobody = replace(ORDER, customer=None)
    found = match([nobody], [replace(ROW, customers=frozenset())])
    assert (pairs(found), doubts(found)) == ([], {ORDER.id: [ROW.id]})


def test_thousands_of_equal_orders_are_told_apart_in_linear_time() -> None:
    orders = [replace(ORDER, id=f"{at:024x}") for at in range(5_000)]
    rows = [replace(ROW, id=at) for at in range(1, 5_001)]
    found = match(orders, rows)
    assert len(found.doubtful) == 5_000
    assert all(len(one.candidates) <= MOST_CANDIDATES for one in found.doubtful)


people = st.sampled_from(["a@x.com", "b@x.com", "c@x.com"])
amounts = st.sampled_from([Decimal(10), Decimal("10.01"), Decimal(99)])
currencies = st.sampled_from(["USD", "EUR"])
days = st.integers(0, 8).map(lambda off: DAY + timedelta(days=off))
ids = st.integers(0, 30).map(lambda at: f"{at:024x}")
orders_ = st.builds(UnmatchedOrder, ids, currencies, amounts, st.none() | people, days)
rows_ = st.builds(
    HaloOrder,
    st.integers(1, 40),
    st.sampled_from(["", "PO-1"]) | ids | ids.map(lambda text: f"HL-{text}"),
    st.tuples(st.just("") | ids.map(lambda text: f"#{text[-8:]}")),
    currencies,
    amounts,
    st.frozensets(people, max_size=2),
    days,
)
some_orders = st.lists(orders_, max_size=12, unique_by=lambda one: one.id)
some_rows = st.lists(rows_, max_size=12, unique_by=lambda one: one.id)


@given(some_orders, some_rows)
def test_never_two_orders_to_one_row_and_every_order_is_told_of_once(
    orders: list[UnmatchedOrder], rows: list[HaloOrder]
) -> None:
    found = match(orders, rows)
    assert len({one.halo for one in found.matched}) == len(found.matched)
    told = [
        *(one.order for one in found.matched),
        *(one.order for one in found.doubtful),
        *found.rest,
    ]
    assert sorted(told) == sorted(one.id for one in orders)
    assert not {one.halo for one in found.matched} & set(found.unmatched)


@given(some_orders, some_rows)
def test_never_a_match_with_another_amount_or_currency(
    orders: list[UnmatchedOrder], rows: list[HaloOrder]
) -> None:
    by_id, by_row = {one.id: one for one in orders}, {one.id: one for one in rows}
    for one in match(orders, rows).matched:
        order, row = by_id[one.order], by_row[one.halo]
        ours = row.reference == f"HL-{order.id}"
        assert ours or (order.amount, order.currency) == (row.amount, row.currency)


@given(some_orders, some_rows, st.randoms())
def test_the_order_in_which_they_come_decides_nothing(
    orders: list[UnmatchedOrder], rows: list[HaloOrder], rng: random.Random
) -> None:
    before = match(orders, rows)
    rng.shuffle(orders)
    rng.shuffle(rows)
    assert match(orders, rows) == before


@given(st.lists(st.tuples(currencies, people, days, st.booleans()), max_size=20))
def test_what_stands_apart_from_all_others_is_found(
    drawn: list[tuple[str, str, date, bool]],
) -> None:
    orders, rows = [], []
    for at, (currency, person, day, numbered) in enumerate(drawn):
        one = UnmatchedOrder(f"{at:024x}", currency, Decimal(at + 1), person, day)
        reference = one.id if numbered else f"PO-{at}"
        orders.append(one)
        rows.append(
            HaloOrder(at + 1, reference, (), currency, one.amount, frozenset({person}), day)
        )
    assert len(match(orders, rows).matched) == len(orders)
