from __future__ import annotations

import pytest

from syncline.parcels.numbers import FORMS, forms_of, proved

KNOWN = [
    ("UPS", "1Z999AA10123456784"),
    ("UPS", "1ZXX3150YW44070023"),
    ("USPS", "9400111201080805483016"),
    ("USPS", "9361289878700317633795"),
    ("USPS", "EA123456785US"),
    ("Royal Mail", "RB123456785GB"),
    ("DHL", "RR473124829DE"),
    ("DHL", "00340434161094022115"),
    ("DHL", "3318810025"),
    ("DHL", "8487135506"),
    ("FedEx", "986578788855"),
    ("FedEx", "568838414941"),
    ("FedEx", "039813852990618"),
    ("FedEx", "61299998820821171811"),
    ("FedEx", "9611020987654312345672"),
]
"""Numbers that carriers and others print as examples."""


@pytest.mark.parametrize(("carrier", "number"), KNOWN)
def test_the_check_digit_of_a_known_number_is_right_and_of_its_neighbour_wrong(
    carrier: str, number: str
) -> None:
    assert any(one.is_proved(number) for one in forms_of(number, carrier))
    at = max(place for place, one in enumerate(number) if one.isdigit())
    wrong = f"{number[:at]}{(int(number[at]) + 1) % 10}{number[at + 1 :]}"
    assert not any(one.is_proved(wrong) for one in forms_of(wrong, carrier))


def test_dpd_checks_by_letters_and_digits() -> None:
    [dpd] = [one for one in FORMS if one.carrier == "DPD" and one.check]
    right = [last for last in "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
             if dpd.is_proved(f"15502370888870{last}")]  # fmt: skip
    assert len(right) == 1


@pytest.mark.parametrize("number", ["986578788855", "3318810025", "15502370888870", ""])
def test_digits_that_anybody_may_use_prove_nothing(number: str) -> None:
    assert proved(number) is None
