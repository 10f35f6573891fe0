"""The forms of carriers' tracking numbers, and the check digits by which a real one is known.

Source: the carriers' public guides to their labels; UPU S10 for what goes by post, GS1 for modulo
10, ISO/IEC 7064 for DPD. A form says only how a number looks: nobody is asked about it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

_S10_WEIGHTS: Final = (8, 6, 4, 2, 3, 5, 9, 7)
_FEDEX_WEIGHTS: Final = (3, 1, 7)
_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"


@dataclass(frozen=True, slots=True)
class Form:
    """How a carrier's numbers look, without spaces and in capitals.

    Attributes:
        carrier: its name, as HighLevel is told.
        pattern: of the whole number.
        told: the same in words.
        check: whether the check digit is right; None where the form has none.
        speaks: whether a number of this form with a right check digit is one wherever it stands.
            Others look like anybody's numbers, so they need the carrier's name beside them.
        decides: whether the form is of no other carrier, whatever name stands beside it.
    """

    carrier: str
    pattern: re.Pattern[str]
    told: str
    check: Callable[[str], bool] | None = None
    speaks: bool = False
    decides: bool = False

    def fits(self, number: str) -> bool:
        """Whether a number looks like this."""
        return self.pattern.fullmatch(number) is not None

    def is_proved(self, number: str) -> bool:
        """Whether it looks like this and its check digit is right."""
        return self.check is not None and self.fits(number) and self.check(number)


def _ups(number: str) -> bool:
    """Letters count as (code - 63) modulo 10; every second one doubles."""
    values = [int(one) if one.isdigit() else (ord(one) - 63) % 10 for one in number[2:-1]]
    total = sum(values[::2]) + 2 * sum(values[1::2])
    return number[-1] == str(-total % 10)


def _modulo_10(number: str) -> bool:
    """Weights 3 and 1, from the right; as GS1 says it."""
    digits = [int(one) for one in reversed(number[:-1])]
    return int(number[-1]) == -(3 * sum(digits[::2]) + sum(digits[1::2])) % 10


def _fedex_express(number: str) -> bool:
    total = sum(int(one) * _FEDEX_WEIGHTS[at % 3] for at, one in enumerate(number[:-1]))
    return int(number[-1]) == total % 11 % 10


def _fedex_20(number: str) -> bool:
    """By itself, or as SmartPost with the application identifier that is not printed."""
    return _modulo_10(number) or _modulo_10(f"92{number}")


def _fedex_96(number: str) -> bool:
    """The check digit stands for the fifteen last ones."""
    return _modulo_10(number[-15:])


def _dhl_express(number: str) -> bool:
    return int(number[-1]) == int(number[:-1]) % 7


def _s10(number: str) -> bool:
    """Two letters, eight digits, the check digit, the country."""
    total = sum(int(one) * weight for one, weight in zip(number[2:10], _S10_WEIGHTS, strict=True))
    check = 11 - total % 11
    return int(number[10]) == {10: 0, 11: 5}.get(check, check)


def _dpd(number: str) -> bool:
    """ISO/IEC 7064, modulo 37, 36, over the fourteen digits."""
    rest = 36
    for one in number[:-1]:
        rest = (rest + int(one)) % 36 or 36
        rest = rest * 2 % 37
    return number[-1] == _ALPHABET[(37 - rest) % 36]


def _form(
    carrier: str,
    pattern: str,
    told: str,
    check: Callable[[str], bool] | None = None,
    *,
    speaks: bool = False,
    decides: bool = False,
) -> Form:
    return Form(carrier, re.compile(pattern, re.ASCII), told, check, speaks, decides)


_LAST = "the last one a check digit"
_POST = "two letters, nine digits of which the last one is a check digit, and {}"

FORMS: Final = (
    _form(
        "UPS",
        "1Z[0-9A-Z]{15}[0-9]",
        f"1Z and 16 more, {_LAST}",
        _ups,
        speaks=True,
        decides=True,
    ),
    _form("USPS", "9[1-5][0-9]{20}", f"22 digits from 91 to 95, {_LAST}", _modulo_10, speaks=True),
    _form("USPS", "[A-Z]{2}[0-9]{9}US", _POST.format("US"), _s10, speaks=True, decides=True),
    _form("Royal Mail", "[A-Z]{2}[0-9]{9}GB", _POST.format("GB"), _s10, speaks=True, decides=True),
    _form("Parcelforce", "[A-Z]{2}[0-9]{9}GB", _POST.format("GB"), _s10),
    _form("Parcelforce", "[A-Z]{2}[0-9]{7}", "two letters and seven digits"),
    _form(
        "Australia Post",
        "[A-Z]{2}[0-9]{9}AU",
        _POST.format("AU"),
        _s10,
        speaks=True,
        decides=True,
    ),
    _form("Canada Post", "[A-Z]{2}[0-9]{9}CA", _POST.format("CA"), _s10, speaks=True, decides=True),
    _form("Canada Post", "[0-9]{16}", "16 digits"),
    _form("DHL", "[A-Z]{2}[0-9]{9}DE", _POST.format("DE"), _s10, speaks=True, decides=True),
    _form("DHL", "0034[0-9]{16}", f"20 digits from 0034, {_LAST}", _modulo_10, speaks=True),
    _form("DHL", "[0-9]{10}", f"10 digits, {_LAST}", _dhl_express),
    _form("DHL", "[0-9]{12}", "12 digits"),
    _form("DHL", "JJ?D[0-9]{16,20}", "JD or JJD and 16 to 20 digits"),
    _form("FedEx", "[0-9]{12}", f"12 digits, {_LAST}", _fedex_express),
    _form("FedEx", "[0-9]{15}", f"15 digits, {_LAST}", _modulo_10),
    _form("FedEx", "[0-9]{20}", f"20 digits, {_LAST}", _fedex_20),
    _form("FedEx", "96[0-9]{20}", f"22 digits from 96, {_LAST}", _fedex_96),
    _form("DPD", "[0-9]{14}[0-9A-Z]", "14 digits and a check digit or letter", _dpd),
    _form("DPD", "[0-9]{14}", "14 digits"),
    _form(
        "Evri",
        "[A-Z][0-9]{2}[0-9A-Z]{3}[0-9]{10}",
        "a letter, two digits, three more places and ten digits",
    ),
    _form("GLS", "[0-9]{11,12}", "11 or 12 digits"),
    _form("TNT", "G[DE][0-9]{9}[A-Z]{2}", "GD or GE, nine digits and two letters"),
)
"""What is known, the surest first."""


def forms_of(number: str, carrier: str = "") -> Iterator[Form]:
    """The forms that a number has, of one carrier or of all."""
    return (one for one in FORMS if carrier in {"", one.carrier} and one.fits(number))


def proved(number: str) -> Form | None:
    """The form of a number that needs nobody beside it; None where it has none."""
    return next((one for one in forms_of(number) if one.speaks and one.is_proved(number)), None)
