"""Money is exact or refused."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import Unmappable
from syncline.money import MOST_DIGITS, Money, allocate, decimal, minor_digits, quantize, total

_CURRENCIES = st.sampled_from(["USD", "EUR", "JPY", "KWD", "XYZ"])


@st.composite
def _amounts(draw: st.DrawFn) -> Money:
    currency = draw(_CURRENCIES)
    units = draw(st.integers(-(10**17), 10**17))
    return Money(Decimal(units).scaleb(-minor_digits(currency)), currency)


def _units(money: Money) -> Decimal:
    return money.amount.scaleb(minor_digits(money.currency))


@pytest.mark.parametrize(
    ("currency", "digits"), [("JPY", 0), ("KRW", 0), ("USD", 2), ("KWD", 3), ("XYZ", 2)]
)
def test_a_currency_has_its_own_minor_digits(currency: str, digits: int) -> None:
    assert minor_digits(currency) == digits


@given(_amounts(), st.lists(st.decimals(0, 10**12, places=5), min_size=1, max_size=12))
def test_parts_sum_to_the_whole_exactly_and_are_whole_minor_units(
    amount: Money, weights: list[Decimal]
) -> None:
    parts = allocate(amount, weights)
    assert len(parts) == len(weights)
    assert total(parts, amount.currency) == amount
    assert all(_units(part) == int(_units(part)) for part in parts)


@given(_amounts(), st.lists(st.decimals(0, 10**12, places=5), min_size=1, max_size=12))
def test_no_part_is_a_minor_unit_or_more_away_from_its_share(
    amount: Money, weights: list[Decimal]
) -> None:
    whole = sum(weights)
    if whole == 0:
        weights, whole = [Decimal(1)] * len(weights), Decimal(len(weights))
    for part, weight in zip(allocate(amount, weights), weights, strict=True):
        # Multiplied out, so that the judge needs no division that rounds.
        gap = abs(int(_units(part)) * _scaled(whole) - int(_units(amount)) * _scaled(weight))
        assert gap < _scaled(whole)


def _scaled(weight: Decimal | int) -> int:
    return int(Decimal(weight).scaleb(5))


def test_weights_far_apart_still_sum_exactly() -> None:
    amount = Money.of("999999999999999.99", "USD")
    parts = allocate(amount, [Decimal(10) ** 30, Decimal(1), Decimal("1e-20")])
    assert total(parts, "USD") == amount


def test_what_is_left_over_goes_to_the_largest_remainder_and_first_to_the_earlier() -> None:
    cent = Money.of("0.01", "USD")
    nothing = Money.of(0, "USD")
    assert allocate(cent, [Decimal(1), Decimal(1)]) == [cent, nothing]
    assert allocate(cent, [Decimal(1), Decimal(2)]) == [nothing, cent]


def test_nothing_to_share_between_gives_no_parts() -> None:
    assert allocate(Money.of(1, "USD"), []) == []


@given(_amounts())
def test_an_exact_amount_is_read_from_its_own_text(amount: Money) -> None:
    assert Money.of(str(amount.amount), amount.currency) == amount


@given(st.integers(1, 9), _CURRENCIES)
def test_a_digit_more_than_the_currency_has_is_refused_with_the_remedy(
    digit: int, currency: str
) -> None:
    value = Decimal(digit).scaleb(-minor_digits(currency) - 1)
    with pytest.raises(Unmappable, match="Correct the amount where it was entered") as raised:
        Money.of(value, currency, "shipping")
    assert raised.value.field == "shipping"


@pytest.mark.parametrize(
    "value",
    [None, True, "", "a lot", "1,5", [], "NaN", "Infinity", "1e400", "-1e400", "1e999999999999"],
)
def test_what_is_no_amount_is_refused_by_field(value: Any) -> None:
    for read in (lambda: decimal(value, "tax"), lambda: Money.of(value, "USD", "tax")):
        with pytest.raises(Unmappable) as raised:
            read()
        assert raised.value.field == "tax"


@given(st.integers(29, 10**5), st.sampled_from([1, -1]), _CURRENCIES)
def test_a_huge_number_is_refused_when_it_is_rounded(digits: int, sign: int, currency: str) -> None:
    with pytest.raises(Unmappable, match="too large to be an amount"):
        quantize(Decimal(sign).scaleb(digits), currency)


def test_an_amount_has_18_digits_before_the_point_at_most() -> None:
    largest = "9" * MOST_DIGITS
    assert Money.of(largest, "KWD").amount == Decimal(largest)
    with pytest.raises(Unmappable, match="too large to be an amount"):
        decimal(f"1{'0' * MOST_DIGITS}", "total")


def test_a_huge_zero_is_still_zero() -> None:
    assert Money.of("0e400", "USD") == Money.of(0, "USD")


@pytest.mark.parametrize(
    ("value", "currency", "rounded"),
    [("0.005", "USD", "0.01"), ("-0.005", "USD", "-0.01"), ("0.5", "JPY", "1"), ("1", "KWD", "1")],
)
def test_halves_are_rounded_away_from_zero(value: str, currency: str, rounded: str) -> None:
    assert quantize(Decimal(value), currency) == Decimal(rounded)


def test_currencies_do_not_mix() -> None:
    with pytest.raises(Unmappable, match="different currencies"):
        Money.of(1, "USD") + Money.of(1, "EUR")
    with pytest.raises(Unmappable, match="different currencies"):
        Money.of(1, "USD") - Money.of(1, "EUR")


@given(_amounts())
def test_what_is_added_can_be_taken_away(amount: Money) -> None:
    nothing = total([], amount.currency)
    assert amount + -amount == nothing
    assert nothing - amount == -amount


def test_money_is_written_with_its_currency_and_digits() -> None:
    assert str(Money.of("1234.5", "USD")) == "USD 1,234.50"
    assert str(Money.of(1234, "JPY")) == "JPY 1,234"
