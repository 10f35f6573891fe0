"""Arrays grow as far as a tenant takes them, survive chance, and are tried again after a rest."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from syncline.halo.array_size import LADDER, LONGEST_REST, MISSES, REST, ArraySize

AT = datetime(2026, 3, 1, tzinfo=UTC)


def sent(size: ArraySize, takes: int, now: datetime = AT) -> ArraySize:
    """After an array of the next size at a tenant that takes so many elements."""
    return size.came(size.next(), min(size.next(), takes), now)


def test_arrays_grow_rung_by_rung_after_each_proof() -> None:
    size, sizes = ArraySize(), []
    for _ in range(9):
        sizes.append(size.next())
        size = sent(size, 100)
    assert sizes == [1, 2, 5, 10, 25, 50, 100, 100, 100]


def test_what_a_tenant_takes_of_something_else_is_reached_in_larger_steps() -> None:
    size, sizes = ArraySize(bold=True), []
    for _ in range(4):
        sizes.append(size.next())
        size = sent(size, 100)
    assert sizes == [1, 10, 100, 100]
    fallen = ArraySize(10, bold=True).failed(100, AT).failed(100, AT)
    assert (fallen.next(), sent(fallen, 100).next()) == (25, 50)


@given(limit=st.integers(1, 75))
def test_a_tenant_with_a_hidden_limit_ends_on_the_highest_rung_below_it(limit: int) -> None:
    size = ArraySize()
    for _ in range(20):
        size = size.came(size.next(), size.next() if size.next() <= limit else 1, AT)
    assert size.next() == max(rung for rung in LADDER if rung <= limit)


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 100)), max_size=40))
def test_no_size_is_sent_that_reaches_the_ceiling(news: list[tuple[int, int]]) -> None:
    size = ArraySize()
    for elements, matched in news:
        size = size.came(elements, min(matched, elements), AT)
        assert 1 <= size.next() <= 100
        assert size.ceiling is None or size.next() < size.ceiling
        assert size.next() > size.proved or size.next() == max(size.proved, 1)


def test_one_array_that_fails_may_be_chance_and_two_in_a_row_are_not() -> None:
    once = ArraySize(10).failed(25, AT)
    assert (once.next(), once.came(25, 25, AT)) == (25, ArraySize(25))
    twice = once.failed(25, AT)
    assert (twice.next(), twice.ceiling) == (10, 25)
    fallen = ArraySize(25).failed(25, AT).failed(25, AT)
    assert (fallen.proved, fallen.next(), fallen.ceiling) == (10, 10, 25)


def test_what_says_nothing_about_arrays_changes_nothing() -> None:
    proved = ArraySize(50)
    assert proved.failed(1, AT) == proved.failed(25, AT) == proved.came(25, 3, AT) == proved
    assert proved.came(50, 48, AT) == proved
    assert ArraySize(5, ceiling=10).came(25, 25, AT) == ArraySize(5, ceiling=10)


def test_a_size_that_was_given_up_is_tried_again_ever_more_seldom_until_it_is_taken() -> None:
    size, now, rests = ArraySize(1), AT, []
    for _ in range(14):
        size = size.as_of(now)
        for _ in range(MISSES):
            size = sent(size, 1, now)
        assert size.next() == 1
        assert size.rests_until is not None
        rests.append(size.rests_until - now)
        assert size.as_of(size.rests_until - timedelta(seconds=1)) == size
        now = size.rests_until
    assert (rests[0], rests[1], rests[-1]) == (REST, 2 * REST, LONGEST_REST)
    grown = sent(size.as_of(now), 100)
    assert (grown.proved, grown.falls) == (2, 0)


@given(seed=st.integers(0, 200))
def test_arrays_of_which_one_in_ten_loses_an_element_stay_large(seed: int) -> None:
    chance, size, now = random.Random(seed), ArraySize(), AT
    calls = rows = 0
    while rows < 3000:
        size, now = size.as_of(now), now + timedelta(seconds=1)
        elements = size.next()
        lost = chance.random() < 0.1
        size = size.came(elements, elements - lost, now)
        calls, rows = calls + 1, rows + elements - lost
    assert calls < 150
    assert size.proved >= 50
