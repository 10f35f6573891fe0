"""Which money of Halo is which of ours: never two to one, and what is not sure is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.adopt.money_matching import (
    Bill,
    Booked,
    Charge,
    Group,
    Invoice,
    InvoiceMatch,
    Template,
    match_charges,
    match_invoices,
    match_templates,
)
from syncline.adopt.order_matching import HaloOrder, UnmatchedOrder

DAY = date(2026, 3, 10)
ORDER = UnmatchedOrder("6578a1b2c3d4e5f60718293a", "USD", Decimal("49.90"), "ada@example.com", DAY)
ROW = HaloOrder(400_001, "INV-17", (), "USD", Decimal("49.9"), frozenset({"ada@example.com"}), DAY)
BILL = Bill(ORDER, frozenset({5001}))
PAYMENT = HaloOrder(800_001, "", ("", ""), "USD", Decimal("49.9"), frozenset(), DAY)
STANDING = {ORDER.id: InvoiceMatch(frozenset({400_001}), sure=True)}


def charge(number: int = 1, amount: str = "49.90", days: int = 0) -> Charge:
    source = f"transaction{number:04}"
    sold = UnmatchedOrder(source, "USD", Decimal(amount), None, DAY + timedelta(days=days))
    return Charge(sold, "payment", ORDER.id, f"HL-{source}", frozenset({f"ch_{number}"}))


def booked(number: int = 1, amount: str = "49.90", days: int = 0, intent: str = "") -> Booked:
    row = replace(PAYMENT, id=800_000 + number, amount=Decimal(amount), texts=(intent, ""))
    return Booked(replace(row, day=DAY + timedelta(days=days)), 400_001)


def pairs(found: Group) -> dict[str, int]:
    return {one.source: one.halo for one in found.matched}


def doubts(found: Group) -> dict[str, list[int]]:
    return {one.source: [each.halo for each in one.candidates] for one in found.doubtful}


def test_the_invoice_of_its_order_is_sure_whatever_number_and_customer_say() -> None:
    row = replace(ROW, customers=frozenset(), day=None)
    assert pairs(match_invoices([BILL], [Invoice(row, 5001)])) == {ORDER.id: ROW.id}


def test_the_invoice_of_its_order_with_other_money_is_a_doubt() -> None:
    row = replace(ROW, amount=Decimal("49.91"))
    found = match_invoices([BILL], [Invoice(row, 5001)])
    assert (pairs(found), doubts(found)) == ({}, {ORDER.id: [ROW.id]})
    assert found.doubtful[0].reason == (
        "Halo holds an invoice that may be this one: 400001 (of its order; amount differs by 0.01)"
    )


def test_two_equal_invoices_of_one_order_are_a_doubt() -> None:
    twins = [Invoice(ROW, 5001), Invoice(replace(ROW, id=400_002), 5001)]
    assert doubts(match_invoices([BILL], twins)) == {ORDER.id: [400_001, 400_002]}


def test_an_invoice_of_an_order_that_is_doubtful_itself_is_a_doubt() -> None:
    bill = Bill(ORDER, frozenset({5001, 5002}), sure=False)
    assert doubts(match_invoices([bill], [Invoice(ROW, 5002)])) == {ORDER.id: [ROW.id]}


def test_an_invoice_of_another_sales_order_is_told_by_its_number_alone() -> None:
    assert match_invoices([BILL], [Invoice(ROW, 9)]).rest == (ORDER.id,)
    numbered = replace(ROW, texts=(f"order {ORDER.id}",))
    assert pairs(match_invoices([BILL], [Invoice(numbered, 9)])) == {ORDER.id: ROW.id}


def test_an_invoice_with_our_reference_is_sure_before_any_other_of_its_order() -> None:
    ours = replace(ROW, id=400_009, reference=f"HL-{ORDER.id}")
    found = match_invoices([BILL], [Invoice(ROW, 5001), Invoice(ours, 5001)])
    assert pairs(found) == {ORDER.id: 400_009}


def test_payments_that_are_equal_are_paired_in_turn_and_a_surplus_stays_in_halo_alone() -> None:
    found = match_charges(
        [charge(2, days=1), charge(1)], [booked(2, days=1), booked(1)], STANDING, dated=True
    )
    assert pairs(found) == {"transaction0001": 800_001, "transaction0002": 800_002}
    found = match_charges([charge()], [booked(1), booked(2)], STANDING, dated=True)
    assert (pairs(found), found.alone) == ({"transaction0001": 800_001}, (800_002,))


def test_a_payment_that_is_not_there_is_new() -> None:
    found = match_charges([charge(1), charge(2)], [booked(1)], STANDING, dated=True)
    assert (pairs(found), found.rest) == ({"transaction0001": 800_001}, ("transaction0002",))


@pytest.mark.parametrize(
    ("row", "why"),
    [
        (booked(days=5), "on its invoice; 5 days apart"),
        (booked(amount="49.91"), "on its invoice; amount differs by 0.01"),
    ],
)
def test_a_payment_on_its_invoice_that_is_like_no_other_is_a_doubt(row: Booked, why: str) -> None:
    [doubt] = match_charges([charge()], [row], STANDING, dated=True).doubtful
    assert [one.why for one in doubt.candidates] == [why]


def test_the_providers_number_decides_whatever_the_date_says() -> None:
    rows = [booked(1), booked(2, days=30, intent="ch_1")]
    found = match_charges([charge()], rows, STANDING, dated=True)
    assert pairs(found) == {"transaction0001": 800_002}


def test_a_payment_on_a_doubtful_invoice_is_a_doubt_and_on_none_is_new() -> None:
    unsure = {ORDER.id: InvoiceMatch(frozenset({400_001, 400_002}), sure=False)}
    found = match_charges([charge()], [booked()], unsure, dated=True)
    assert doubts(found) == {"transaction0001": [800_001]}
    assert match_charges([charge()], [booked()], {}, dated=True).rest == ("transaction0001",)


def test_a_recurring_invoice_that_bills_by_itself_is_never_sure() -> None:
    group, billing = match_templates([ORDER], [Template(ROW, bills=False)])
    assert (pairs(group), billing) == ({ORDER.id: ROW.id}, ())
    group, billing = match_templates([ORDER], [Template(ROW, bills=True)])
    assert (pairs(group), doubts(group), billing) == ({}, {ORDER.id: [ROW.id]}, (ROW.id,))
    assert "bills by itself" in group.doubtful[0].reason


def test_another_recurring_invoice_of_the_customer_is_no_doubt() -> None:
    other = replace(ROW, amount=Decimal(5), day=None)
    group, _ = match_templates([ORDER], [Template(other, bills=True)])
    assert (group.rest, group.alone) == ((ORDER.id,), (ROW.id,))


some = st.lists(
    st.tuples(st.sampled_from(["1.00", "2.00", "2.01"]), st.integers(-2, 2)), max_size=6
)


@given(some, some)
def test_every_charge_is_told_once_and_no_payment_is_given_twice(
    ours: list[tuple[str, int]], theirs: list[tuple[str, int]]
) -> None:
    charges = [charge(at, *one) for at, one in enumerate(ours)]
    rows = [booked(at, *one) for at, one in enumerate(theirs)]
    found = match_charges(charges, rows, STANDING, dated=True)
    told = [*pairs(found), *doubts(found), *found.rest]
    assert sorted(told) == sorted(one.sold.id for one in charges)
    taken = [one.halo for one in found.matched]
    assert len(taken) == len(set(taken))
    asked = {row for rows in doubts(found).values() for row in rows}
    assert not asked & set(taken)
    assert {*taken, *asked, *found.alone} == {one.held.id for one in rows} or len(asked) == 5
    # Nothing is made beside a payment that nobody can explain.
    assert not (found.rest and found.alone)
