"""Money: a Decimal with its currency, exact or refused.

Minor digits follow ISO 4217. A currency that is not in the table has two, as most do.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from fractions import Fraction
from math import floor
from typing import Any

from syncline.errors import Unmappable

_NO_MINOR = frozenset(
    {
        *("BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG"),
        *("RWF", "UGX", "UYI", "VND", "VUV", "XAF", "XOF", "XPF"),
    }
)
_THREE_MINOR = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})

_CODES = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN
    BZD CAD CDF CHF CLF CLP CNH CNY COP CRC CUC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP
    GBP GEL GGP GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS IMP INR IQD IRR ISK JEP JMD JOD
    JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU
    MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB
    RWF SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD
    TWD TZS UAH UGX USD UYI UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG ZWL
"""
CURRENCIES = frozenset(_CODES.split())
"""The codes that are in use, or were lately: ISO 4217, and those of islands beside it."""

MOST_DIGITS = 18
"""Digits that an amount may have before the point: more is a slip, and sums below stay exact."""


def minor_digits(currency: str) -> int:
    """How many digits a currency has after the point: JPY 0, USD 2, KWD 3."""
    if currency in _NO_MINOR:
        return 0
    return 3 if currency in _THREE_MINOR else 2


def decimal(value: Any, field: str) -> Decimal:
    """A Decimal from a number or its text.

    Raises:
        Unmappable: if it is neither, not finite, or too large to be meant; naming the field.
    """
    if value is None:
        raise Unmappable(
            f"The record tells no {field}.",
            field=field,
            remedy="Enter it where the record was made, then retry.",
        )
    number = value if type(value) is Decimal else _parsed(value, field)
    if not number.is_finite():
        raise Unmappable(f"{field} is {value!r}, not a finite amount.", field=field)
    if number and number.adjusted() >= MOST_DIGITS:
        raise _too_large(number, field)
    return number


def _parsed(value: Any, field: str) -> Decimal:
    try:
        number = None if isinstance(value, bool) else Decimal(str(value).strip())
    except InvalidOperation:
        number = None
    if number is None:
        raise Unmappable(f"{field} is {value!r}, not an amount.", field=field)
    return number


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An amount in major units (dollars, not cents) of one ISO 4217 currency."""

    amount: Decimal
    currency: str

    @classmethod
    def of(cls, value: Any, currency: str, field: str = "amount") -> Money:
        """Read an exact amount.

        Raises:
            Unmappable: if the value is no amount, or has more digits than the currency.
        """
        number = decimal(value, field)
        exact = quantize(number, currency, field)
        if exact != number:
            raise Unmappable(
                f"{field} is {number} {currency}, which has more digits than {currency} allows.",
                field=field,
                remedy="Correct the amount where it was entered, then retry.",
            )
        return cls(exact, currency)

    def __add__(self, other: Money) -> Money:
        return Money(self.amount + self._same(other).amount, self.currency)

    def __sub__(self, other: Money) -> Money:
        return Money(self.amount - self._same(other).amount, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.amount, self.currency)

    def __str__(self) -> str:
        return f"{self.currency} {self.amount:,}"

    def _same(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise Unmappable(
                f"{self} and {other} have different currencies and cannot be added.",
                field="currency",
            )
        return other


def quantize(number: Decimal, currency: str, field: str = "amount") -> Decimal:
    """Round half up to the currency's minor digits.

    Raises:
        Unmappable: if it is too large to be money.
    """
    unit = Decimal(1).scaleb(-minor_digits(currency))
    try:
        return number.quantize(unit, rounding=ROUND_HALF_UP)
    except InvalidOperation:
        raise _too_large(number, field) from None


def total(amounts: Iterable[Money], currency: str) -> Money:
    """The exact sum, zero of that currency when there are none."""
    return sum(amounts, start=Money(quantize(Decimal(0), currency), currency))


def allocate(amount: Money, weights: Sequence[Decimal]) -> list[Money]:
    """Split an amount in proportion to weights so that the parts sum to it exactly.

    The largest remainders get the left-over minor units, the earlier one on a tie. Weights that
    sum to zero count as equal.
    """
    if not weights:
        return []
    whole = sum(map(Fraction, weights))
    if whole == 0:
        weights, whole = [Decimal(1)] * len(weights), Fraction(len(weights))
    unit = Decimal(1).scaleb(-minor_digits(amount.currency))
    units = int(amount.amount / unit)
    # Fractions, since a share that was rounded up could make the parts sum to too much.
    shares = [units * Fraction(weight) / whole for weight in weights]
    parts = [floor(share) for share in shares]
    by_remainder = sorted(range(len(shares)), key=lambda at: (parts[at] - shares[at], at))
    for at in by_remainder[: units - sum(parts)]:
        parts[at] += 1
    return [Money(part * unit, amount.currency) for part in parts]


def _too_large(number: Decimal, field: str) -> Unmappable:
    return Unmappable(
        f"{field} is {number:.3e}, too large to be an amount.",
        field=field,
        remedy="Correct the amount where it was entered, then retry.",
    )
