"""Carriers by the names that people write, and by the addresses of their sites."""

from __future__ import annotations

import re
from typing import Final

CARRIERS: Final = {
    # In small letters it is a word too, as in follow-ups.
    "UPS": r"(?-i:UPS|Ups)|ups(?=\W{1,3}1z)|^ups$|U\.P\.S\.|United Parcel Service",
    "USPS": r"USPS|U\.S\.P\.S\.|(?:US|U\.S\.|United States) (?:Postal Service|Post|Mail)",
    "FedEx": r"Fed[ -]?Ex|Federal Express",
    "DHL": r"DHL",
    "Royal Mail": r"Royal ?Mail",
    "DPD": r"DPD",
    "Australia Post": r"Aus(?:tralia)? ?Post",
    "Canada Post": r"Canada ?Post",
    "Parcelforce": r"Parcel ?force",
    **{
        name: name
        for name in (
            *("Aramex", "Deutsche Post", "Evri", "GLS", "Hermes", "OnTrac", "PostNL"),
            *("Purolator", "TNT", "Yodel"),
        )
    },
}
"""Carrier, as HighLevel is told, → how people write it, in any case."""

ENDS: Final = r"(?![^\W_])"
"""A pattern: no letter or digit follows."""

NAME: Final = rf"(?:{'|'.join(CARRIERS.values())}){ENDS}"
"""A pattern: the name of a carrier, to be searched for in any case."""

_SITES: Final = {re.sub(r"\W", "", name).lower(): name for name in CARRIERS}


def carrier_named(text: str) -> str:
    """A carrier's name as HighLevel is told; empty where none is named."""
    for name, how in CARRIERS.items():
        if re.search(rf"(?<![^\W_])(?:{how}){ENDS}", text, re.IGNORECASE):
            return name
    return ""


def site_of(link: str) -> str:
    """The carrier whose site an address is of; empty where it is of none."""
    host = link.split("/")[2].lower()
    return next((_SITES[part] for part in host.split(".")[:-1] if part in _SITES), "")
