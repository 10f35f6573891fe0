"""What a person can do about a reason for which a delivery is parked."""

from __future__ import annotations

import re
from typing import Final

_WITH_REMEDY: Final = re.compile(
    r"(.*[.!?]) "
    r"((?:Add|Change|Choose|Compare|Correct|Enter|Erase|Fill|Give|Look|Refund|Say|Set|Shorten|Take|Tell)\b.*)",
    re.DOTALL,
)
"""A reason of ours whose last advice stands behind it, as errors say it."""

_REMEDIES: Final = (
    (
        re.compile(r"^changed in Halo (by hand|again)"),
        (
            "Write ours again: syncline parked retry ID. Or leave Halo's value: syncline parked "
            "accept ID."
        ),
    ),
    (
        re.compile(
            r"^Halo keeps our reference "
            r"|^(po_number|thirdpartyinvoicenumber|intent_id|thirdpartyid|ref): wanted "
        ),
        (
            "Have Halo keep that field as it is sent: longer, in its letter case, without a number "
            "of its own. Then retry: the row is known and is updated. Or leave Halo's value: "
            "syncline parked accept ID."
        ),
    ),
    (
        re.compile(r"^It is not found by our reference, and "),
        (
            "Compare these rows in Halo. If one is this record's, put our reference on it, then "
            "retry: it is looked up first. If none is: syncline parked retry --create with the "
            "record's number."
        ),
    ),
    (
        re.compile(r"without effect"),
        (
            "Halo answers and stores nothing: ask its support, with the calls of `syncline show "
            "order ID`."
        ),
    ),
    (
        re.compile(r"wanted .*, Halo holds ", re.DOTALL),
        (
            "Look at the tax and price rules in Halo, then retry: the row is known and is updated. "
            "Or leave Halo's value: syncline parked accept ID."
        ),
    ),
    (
        re.compile(r"wanted .*, HighLevel holds ", re.DOTALL),
        (
            "Compare the consignment with what HighLevel shows: a fulfillment cannot be changed "
            "there. Leave it as it is: syncline parked accept ID."
        ),
    ),
    (
        re.compile(r"^Halo holds several rows with reference "),
        "Leave one of them in Halo, then retry: it is looked up first.",
    ),
    (
        re.compile(r" was there and is gone from Halo(;.*)?\.?$"),
        (
            "What was deleted is not made again unasked. If it was meant: syncline parked accept "
            "ID. Else retry: it is looked up, and made again if it is not there."
        ),
    ),
    (
        re.compile(r"^HighLevel no longer has this "),
        "Nothing is to be done if that is true; else retry.",
    ),
)
"""Advice for the reasons that carry none: the first that fits."""

_OTHERS_SAID = "These are the other side's own words: correct what they name, then retry."


def in_two(reason: str | None) -> tuple[str, str | None]:
    """What a reason says, and the remedy, where there is one.

    Args:
        reason: as it stands in the ledger, or with "…" for what varies.
    """
    said = reason or ""
    found = _WITH_REMEDY.fullmatch(said)
    if found is not None:
        return found[1], found[2]
    return said, next((remedy for fits, remedy in _REMEDIES if fits.search(said)), _OTHERS_SAID)
