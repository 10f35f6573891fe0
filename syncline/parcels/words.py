"""The words of a note that say of a number what it is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from syncline.parcels.carriers import ENDS, NAME, carrier_named

TRACKING: Final = r"(?:track(?:ing|ed)?(?: *(?:&|and) *trac(?:e|ing))?|t&t|(?:air)?waybill|awb)"
"""A pattern: the number is tracking, whoever is named."""

PARCELS: Final = ("consignment", "con note", "parcel", "package", "shipment", "label", "barcode")
"""What a number may be called: then it is that of a carrier who is named nearby."""

_PARCEL: Final = (
    r"(?:con(?:s|signment)?[ -]?notes?|(?:consignment|parcel|package|shipment|label|barcode)s?)"
)
REFERENCE: Final = "ref"
_NUMBER: Final = r"numbers?|nos?\.?|nr\.?|num\.?|id|codes?|is|are|was|the|your|our|its|this"
_BESIDE: Final = (
    r"express|ground|standard|priority|economy|international|overnight|service|paket|next day"
    r"|special delivery|signed for|24|48|with|via|by|and|under|today|sent|shipped|dispatched"
    r"|despatched|collected"
)
WORD: Final = re.compile(
    "|".join(
        (
            rf"(?P<name>{NAME})",
            rf"(?P<tracking>{TRACKING}{ENDS})",
            rf"(?P<parcel>{_PARCEL}{ENDS})",
            rf"(?P<reference>ref(?:s|erences?)?\b\.?{ENDS})",
            rf"(?P<number>(?:{_NUMBER}){ENDS})",
            rf"(?P<beside>(?:{_BESIDE}){ENDS})",
            r"(?P<token>[^\W_]+)",
            r"(?P<end>[.!?](?=\s|$)|\n ?\n)",
            r"(?P<mark>[\s,:;#()\[\]\-\u2010-\u2015&/=\u2022*\"'|>.])",
            r"(?P<other>.)",
        )
    ),
    re.IGNORECASE,
)
"""What a note consists of; `number` and `beside` may stand between a carrier's name and its number,
and only `beside` and what tells of a parcel end what was said of another number."""

_LEADING: Final = (
    r"(?:(?:is|was|were|has|been|it|going|goes|went|out|sent|shipped|dispatched|despatched"
    r"|collected|delivered|carrier|courier|the|via|by|with|from|through|using)[ :=]{1,2}){0,5}"
)
NAMED_AFTER: Final = re.compile(rf"[ ,:;(\[\-\u2010-\u2015]*{_LEADING}({NAME})", re.IGNORECASE)
"""A carrier's name right behind a number."""

NAMED_BELOW: Final = re.compile(
    rf" ?\n[ (*\u2022\-]*{_LEADING}({NAME})[ ).,!]*(?:\n|$)", re.IGNORECASE
)
"""A carrier's name alone on the next line."""

PHONE: Final = re.compile(r"0[0-9]{8,12}|[2-9][0-9]{2}[2-9][0-9]{6}|18[0-9]{2}[2-9][0-9]{6}")
OTHER_NUMBERS: Final = frozenset(
    (
        *("account", "acct", "asset", "batch", "call", "case", "contact", "contract", "customer"),
        *("depot", "ean", "fax", "hotline", "iban", "imei", "invoice", "item", "job", "licence"),
        *("license", "mac", "mobile", "model", "n", "order", "part", "phone", "po", "policy"),
        *("quote", REFERENCE, "reference", "rma", "serial", "sku", "sn", "tel", "telephone"),
        *("ticket", "upc", "vat", "zip"),
    )
)
"""Words before a number that is something else, though a carrier is named nearby."""


@dataclass(slots=True)
class Wording:
    """What the words before a place say of a number that stands there.

    Attributes:
        beside: the carrier that is named right before it, "" for the word tracking alone; None
            for neither.
        parcel: whether it is called that of a parcel.
        last: the last word that says of what a number is.
    """

    beside: str | None
    parcel: bool = False
    last: str = ""

    def hear(self, found: re.Match[str]) -> None:
        """One more word."""
        if found["name"]:
            self.beside, self.parcel = carrier_named(found["name"]), False
        elif found["tracking"]:
            self.beside, self.last = self.beside or "", ""
        elif found["parcel"]:
            self.parcel, self.last = True, ""
        elif found["reference"]:
            self.last = REFERENCE
        elif found["token"] or found["end"] or found["other"]:
            self.beside, self.parcel = None, False
            self.last = found["token"].lower() if found["token"] else self.last
        elif found["beside"]:
            self.last = ""
