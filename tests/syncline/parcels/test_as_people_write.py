"""A carrier's name and a number, with whatever words people put between them, or none."""

from __future__ import annotations

import pytest

from syncline.parcels.notes import parcels_in

UPS = "1Z12345E0205271688"
"""As the carrier's guide prints it: its check digit is wrong, so that it proves nothing."""

DPD, FEDEX, DHL, USPS = "15501234567890", "986578788855", "3318810025", "9400100000000000000000"
ROYAL, EVRI, GLS = "RB123456785GB", "H01ABC0123456789", "12345678901"

TOLD = {
    # The number behind the name.
    "DPD, consignment 1550 1234 5678 90": (DPD, "DPD"),
    "DPD consignment number: 1550 1234 5678 90": (DPD, "DPD"),
    "DPD con note 15501234567890": (DPD, "DPD"),
    "DPD parcel no. 1550-1234-5678-90": (DPD, "DPD"),
    "sent by DPD. Consignment no. 1550-1234-5678-90": (DPD, "DPD"),
    "Sent via DPD, ref 15501234567890": (DPD, "DPD"),
    "Sent with DPD - reference: 15501234567890": (DPD, "DPD"),
    "Carrier DPD, tracking reference 15501234567890": (DPD, "DPD"),
    "DPD driver picked it up, consignment 15501234567890": (DPD, "DPD"),
    "went out with DPD under consignment number 1550 1234 5678 90, thanks": (DPD, "DPD"),
    "DPD\n15501234567890": (DPD, "DPD"),
    "DPD\nConsignment: 15501234567890": (DPD, "DPD"),
    "Courier - DPD\nConsignment - 15501234567890": (DPD, "DPD"),
    "Sent with DPD today.\nParcel number 15501234567890": (DPD, "DPD"),
    "UPS ref: 1Z12345E0205271688": (UPS, "UPS"),
    "UPS shipment # 1Z 123 45E 02 0527 1688": (UPS, "UPS"),
    "sent by UPS under number 1Z12345E0205271688": (UPS, "UPS"),
    "UPS label is 1Z12345E0205271688": (UPS, "UPS"),
    "FedEx - parcel #986578788855": (FEDEX, "FedEx"),
    "shipped with FedEx, tracking no. is 9865-7878-8855": (FEDEX, "FedEx"),
    "FedEx Ground shipment no: 9865 7878 8855": (FEDEX, "FedEx"),
    "Collected by FedEx this morning. Shipment 986578788855": (FEDEX, "FedEx"),
    "DHL waybill 3318810025": (DHL, "DHL"),
    "DHL shipment no 33 1881 0025": (DHL, "DHL"),
    "Dispatched by DHL on 12/03/2026, shipment 3318810025": (DHL, "DHL"),
    "USPS label 9400 1000 0000 0000 0000 00": (USPS, "USPS"),
    "US Mail, package number 9400100000000000000000": (USPS, "USPS"),
    "via Royal Mail, item RB 1234 5678 5 GB": (ROYAL, "Royal Mail"),
    "Royal Mail special delivery, ref. RB123456785GB": (ROYAL, "Royal Mail"),
    "Evri parcel H01ABC0123456789": (EVRI, "Evri"),
    "Evri: H01 ABC 012 345 6789": (EVRI, "Evri"),
    "Evri collected it, parcel H01ABC0123456789": (EVRI, "Evri"),
    "GLS parcel number 12345678901": (GLS, "GLS"),
    "GLS 123 4567 8901": (GLS, "GLS"),
    "TNT con note 123456789": ("123456789", "TNT"),
    "TNT consignment GD123456782WW": ("GD123456782WW", "TNT"),
    "Parcelforce consignment EB123456785GB": ("EB123456785GB", "Parcelforce"),
    "Parcel Force PB1234567": ("PB1234567", "Parcelforce"),
    "Australia Post 33ABC1234567": ("33ABC1234567", "Australia Post"),
    "AusPost RB123456785AU": ("RB123456785AU", "Australia Post"),
    "Canada Post parcel 1234 5678 9012 3456": ("1234567890123456", "Canada Post"),
    "Canada Post tracking: 1234567890123456": ("1234567890123456", "Canada Post"),
    # The name behind the number.
    "consignment 15501234567890 DPD": (DPD, "DPD"),
    "Consignment number 15501234567890 (DPD)": (DPD, "DPD"),
    "15501234567890 via DPD": (DPD, "DPD"),
    "15501234567890 - DPD": (DPD, "DPD"),
    "15501234567890 was sent by DPD": (DPD, "DPD"),
    "15501234567890, going out with DPD": (DPD, "DPD"),
    "15501234567890\nDPD": (DPD, "DPD"),
    "parcel 15501234567890\ncarrier: DPD": (DPD, "DPD"),
    "tracking 15501234567890, carrier is DPD": (DPD, "DPD"),
    "package 1Z12345E0205271688 is with UPS": (UPS, "UPS"),
    "9865 7878 8855, shipped via FedEx": (FEDEX, "FedEx"),
    "H01ABC0123456789 collected by Evri": (EVRI, "Evri"),
    # Beside numbers of other things.
    "Order 4711, DPD consignment 15501234567890, call 0121 275 0500": (DPD, "DPD"),
    "PO 450012345678. DPD 15501234567890": (DPD, "DPD"),
    "Serial 12345678901234. Consignment 15501234567890 with DPD": (DPD, "DPD"),
}

NOT_TOLD = (
    # Nobody names a carrier.
    "consignment 15501234567890",
    "parcel 12345678901",
    "shipment 986578788855",
    "Halo consignment 4711, order 1204",
    "Serial number 12345678901234",
    # It is the number of something else.
    "DPD order 15501234567890",
    "order 15501234567890 via DPD",
    "order no 986578788855, shipped with FedEx",
    "order no. 986578788855\nFedEx",
    "PO 12345678901 via GLS",
    "FedEx invoice no 986578788855",
    "FedEx invoice number: 986578788855",
    "DPD account 12345678901234",
    "our DPD customer number 12345678901234",
    "GLS contract 12345678901",
    "Serial no 12345678901234, DPD collected it",
    "S/N 12345678901234\nDPD",
    "asset 12345678901 sent by GLS",
    "IMEI 123456789012345, FedEx",
    "Ticket 12345678901234 (DPD claim)",
    "DPD ref PO450012345678",
    "FedEx ref 123456789013",
    # Phone numbers, dates, prices, short ids.
    "DPD, call 0121 275 0500",
    "DPD parcel desk 0121 275 0500",
    "call TNT 800 123 456",
    "GLS +49 6677 646907000",
    "Parcelforce 0344 800 4466",
    "Evri, 12 March 2026",
    "sent with DPD on 2026-03-01 at 10:30",
    "DPD consignment 4711",
    "Royal Mail parcel, 12.50 GBP",
    "GLS parcel 1 of 2, 23.5 kg",
    # Several carriers might be meant.
    "DPD or GLS, whoever comes first. Ask them.\n12345678901234",
)


@pytest.mark.parametrize("note", TOLD)
def test_a_number_is_found_with_its_carrier(note: str) -> None:
    assert [(one.number, one.carrier) for one in parcels_in(note)] == [TOLD[note]]


@pytest.mark.parametrize("note", NOT_TOLD)
def test_a_number_of_something_else_is_not_found(note: str) -> None:
    assert parcels_in(note) == []


def test_each_of_several_parcels_has_its_own_carrier() -> None:
    note = "DPD consignment 1550 1234 5678 90\nGLS parcel 12345678901\nEvri: H01ABC0123456789"
    assert [(one.number, one.carrier) for one in parcels_in(note)] == [
        (DPD, "DPD"),
        (GLS, "GLS"),
        (EVRI, "Evri"),
    ]
    assert [one.number for one in parcels_in(f"DPD consignments {DPD}, 15501234567891")] == [
        DPD,
        "15501234567891",
    ]
