from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.parcels.notes import Parcel, parcels_in
from syncline.parcels.numbers import FORMS, Form, proved

UPS, UPS_2 = "1Z999AA10123456784", "1ZXX3150YW44070023"
FEDEX, FEDEX_2 = "986578788855", "477179081230"
USPS = "9400111201080805483016"
ROYAL = "RB123456785GB"
DHL = "3318810025"
FEDEX_SITE = "https://www.fedex.com/fedextrack/?trknbr="


def told(note: str, *carriers: str) -> list[tuple[str, str]]:
    return [(one.number, one.carrier) for one in parcels_in(note, carriers)]


@pytest.mark.parametrize(
    ("note", "found"),
    [
        (f"Shipped via UPS {UPS}", [(UPS, "UPS")]),
        ("1Z 999 AA1 01 2345 6784", [(UPS, "UPS")]),
        ("1z999aa10123456784 left at noon", [(UPS, "UPS")]),
        ("FedEx 9865 7878 8855", [(FEDEX, "FedEx")]),
        (f"Fed Ex #{FEDEX}", [(FEDEX, "FedEx")]),
        (f"{FEDEX} (FedEx)", [(FEDEX, "FedEx")]),
        (f"sent with FedEx.\nnumber {FEDEX}", [(FEDEX, "FedEx")]),
        ("FedEx 039813852990618", [("039813852990618", "FedEx")]),
        ("FedEx: 61299998820821171811", [("61299998820821171811", "FedEx")]),
        ("USPS Tracking # 9400 1112 0108 0805 4830 16", [(USPS, "USPS")]),
        (USPS, [(USPS, "USPS")]),
        ("EA 123 456 785 US", [("EA123456785US", "USPS")]),
        (f"Royal Mail Tracked 24: {ROYAL}", [(ROYAL, "Royal Mail")]),
        ("RB 1234 5678 5GB", [(ROYAL, "Royal Mail")]),
        ("DHL Express 33 1881 0025", [(DHL, "DHL")]),
        ("DHL Paket 00340434161094022115", [("00340434161094022115", "DHL")]),
        ("DHL: JJD0099999999999999", [("JJD0099999999999999", "DHL")]),
        ("DPD 1550 2370 8888 70", [("15502370888870", "DPD")]),
        ("Evri H01ABC0123456789", [("H01ABC0123456789", "Evri")]),
        ("Tracking number 123456789012", [("123456789012", "")]),
        (f"Tracking no. {FEDEX}, sent with FedEx", [(FEDEX, "FedEx")]),
        (f"2 boxes: UPS {UPS}, {UPS_2}", [(UPS, "UPS"), (UPS_2, "UPS")]),
        (f"FedEx {FEDEX} and {FEDEX_2}", [(FEDEX, "FedEx"), (FEDEX_2, "FedEx")]),
        (f"FedEx:\n- {FEDEX}\n- {FEDEX_2}\n", [(FEDEX, "FedEx"), (FEDEX_2, "FedEx")]),
        (f"UPS {UPS}; DHL {DHL}", [(UPS, "UPS"), (DHL, "DHL")]),
        (f"UPS tracking: {UPS} / FedEx tracking: {FEDEX}", [(UPS, "UPS"), (FEDEX, "FedEx")]),
        (f"<p>UPS&nbsp;<b>{UPS}</b></p><p>thanks</p>", [(UPS, "UPS")]),
        # What the carrier's own guide prints has no right check digit; the name stands beside it.
        ("UPS 1Z12345E0205271688", [("1Z12345E0205271688", "UPS")]),
        # Lines that say what they are.
        ("Tracking: 1Z1\nTracking: 1Z2", [("1Z1", ""), ("1Z2", "")]),
        ("tracking number : ab-12", [("ab-12", "")]),
        ("  TRACKING NO.: 7; 8", [("7", ""), ("8", "")]),
        ("Tracking: 1Z 999 AA1 01 2345 6784, 1Z2", [(UPS, "UPS"), ("1Z2", "")]),
        ("Tracking (DHL): 12 34", [("1234", "DHL")]),
        ("Tracking: UPS 1Z1", [("1Z1", "UPS")]),
        (f"Carrier: DHL\n{DHL}", [(DHL, "DHL")]),
        ("Carrier: Bob's vans\nTracking: 4711", [("4711", "Bob's vans")]),
        ("Carrier: UPS 1Z12345E0205271688", [("1Z12345E0205271688", "UPS")]),
    ],
)
def test_tracking_is_found_as_people_write_it(note: str, found: list[tuple[str, str]]) -> None:
    assert told(note) == found


@pytest.mark.parametrize(
    "note",
    [
        "",
        "We have no tracking for this: sorry",
        "Tracking: will follow on 12 March",
        "Tracking: call us 0800 123 456",
        "Carrier: UPS",
        "order 986578788855, sent with FedEx",
        "FedEx, your order 986578788855",
        "call FedEx: +1 800 463 3339",
        "FedEx 8004633339",
        "UPS 1-800-742-5877",
        "DHL hotline 0228 4333112",
        "Royal Mail 03457 740 740",
        "tel 0800 123 45678, order 123456789012",
        "FedEx picked it up at 10:30 on 2026-03-01, PO 450012345678",
        "follow ups 123456789012 needed",
        "Ship to: 12345 Main St",
        FEDEX,
        "15502370888870",
        "1Z999AA10123456785 left at noon",
        "9400111201080805483017",
        "RB123456786GB",
        "see https://www.ups.com",
        f"see https://shop.example/orders/{FEDEX}",
    ],
)
def test_what_may_be_anything_else_is_no_tracking(note: str) -> None:
    assert parcels_in(note) == []


@pytest.mark.parametrize(
    ("note", "parcels"),
    [
        (f"see {FEDEX_SITE}{FEDEX}.", [Parcel(FEDEX, "FedEx", f"{FEDEX_SITE}{FEDEX}")]),
        (
            f"<a class='x' href='{FEDEX_SITE}{FEDEX}'>here</a>",
            [Parcel(FEDEX, "FedEx", f"{FEDEX_SITE}{FEDEX}")],
        ),
        ("Tracking: https://x.example/1", [Parcel("", "", "https://x.example/1")]),
        (
            "Tracking: 1Z1, 1Z2\r\nCarrier: UPS \r\nTracking URL: https://x.example/1Z2\r\n",
            [Parcel("1Z1", "UPS", ""), Parcel("1Z2", "UPS", "https://x.example/1Z2")],
        ),
        (
            "Tracking: 1Z1\nTracking link: https://x.example/a",
            [Parcel("1Z1", "", "https://x.example/a")],
        ),
        (
            f"UPS {UPS} https://www.ups.com/track?tracknum={UPS}",
            [Parcel(UPS, "UPS", f"https://www.ups.com/track?tracknum={UPS}")],
        ),
    ],
)
def test_an_address_stands_beside_the_number_that_it_names(
    note: str, parcels: list[Parcel]
) -> None:
    assert parcels_in(note) == parcels


def test_a_carrier_that_is_known_from_elsewhere_stands_beside_every_number() -> None:
    assert told("123456789012", "FedEx") == [("123456789012", "FedEx")]
    assert told(f"UPS {UPS}", "United Parcel Service") == [(UPS, "United Parcel Service")]
    assert told("call 123456789012", "FedEx") == []


def _completed(form: Form, digits: str) -> str:
    """A number of a form with a right check digit."""
    made = {
        ("UPS", 1): f"1Z999AA1{digits[:9]}{{}}",
        ("USPS", 0): f"94{digits[:19]}{{}}",
        ("USPS", 1): f"EA{digits[:8]}{{}}US",
        ("Royal Mail", 1): f"RB{digits[:8]}{{}}GB",
        ("DHL", 1): f"RR{digits[:8]}{{}}DE",
        ("Australia Post", 1): f"EA{digits[:8]}{{}}AU",
        ("Canada Post", 1): f"EA{digits[:8]}{{}}CA",
        ("DHL", 0): f"0034{digits[:15]}{{}}",
    }[form.carrier, int(form.decides)]
    return next(one for at in string.digits if form.is_proved(one := made.format(at)))


@given(
    form=st.sampled_from([one for one in FORMS if one.speaks]),
    digits=st.text(string.digits, min_size=20, max_size=20),
    groups=st.lists(st.integers(2, 5), min_size=7, max_size=9),
    data=st.data(),
)
def test_a_number_that_proves_itself_is_found_in_groups_among_words_and_none_is_made_up(
    form: Form, digits: str, groups: list[int], data: st.DataObject
) -> None:
    number = _completed(form, digits)
    parts: list[str] = []
    rest = number
    for size in groups:
        parts, rest = [*parts, rest[:size]], rest[size:]
    written = " ".join(one for one in [*parts, rest] if one)
    if len(written.split()) <= 8 and max(map(len, written.split())) <= 8:
        assert told(f"two boxes, {written} as agreed") == [(number, form.carrier)]
    assert told(number) == [(number, form.carrier)]
    at = data.draw(st.integers(len(number) - 3, len(number) - 1))
    if number[at].isdigit():
        wrong = f"{number[:at]}{(int(number[at]) + 1) % 10}{number[at + 1 :]}"
        assert proved(wrong) is None
        assert told(f"left at noon {wrong}") == []


@given(st.text(string.digits + " .-/\n", max_size=19))
def test_digits_alone_are_never_tracking(note: str) -> None:
    assert parcels_in(note) == []


@given(st.text(max_size=200))
def test_no_note_is_too_odd_to_be_read(note: str) -> None:
    for one in parcels_in(f"UPS {note} tracking: {note}\n{note}"):
        assert one.number or one.url


@pytest.mark.parametrize("note", ["1 ", "UPS ", "\n", " ", "tracking: ", "AB 123 ", "https://"])
def test_a_book_is_read_only_so_far(note: str) -> None:
    assert len(parcels_in(note * 20_000)) <= 1
