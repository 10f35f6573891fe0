"""What a person can do about a reason for which a delivery is parked."""

from __future__ import annotations

import re
from typing import Final

from syncline.deliveries.causes import HALO_SAYS, HIGHLEVEL_SAYS

_WITH_REMEDY: Final = re.compile(
    r"(.*[.!?]) "
    r"((?:Add|Allow|Change|Check|Choose|Compare|Correct|Enter|Erase|Fill|Give|Have|Look|Refund|Say|Set|"
    r"Shorten|Take|Tell)\b.*)",
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
        re.compile(r"without effect.*; the last time: ", re.DOTALL),
        (
            "The other side fails where this record is in the call: ask its support, with the "
            "calls of `syncline show order ID`, or whoever runs what answers in its place. Correct "
            "what it stumbles over, then retry: it is looked up first, so nothing is doubled."
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
        (
            "Compare them in Halo. If payments, credits, consignments or tickets stand on one of "
            "them, keep that one, else the first; move to it what stands on another. Then remove "
            "the others, or clear our reference on what is somebody's own copy, and retry: what is "
            "left is looked up first, and nothing is made again."
        ),
    ),
    (
        re.compile(r"^client .* was there and is gone from Halo(;.*)?\.?$"),
        (
            "What this customer buys needs its client. Retry: it is looked up, and made again if "
            "it is not there."
        ),
    ),
    (
        re.compile(r" was there and is gone from Halo(;.*)?\.?$"),
        (
            "What was deleted is not made again unasked. If it was meant: syncline parked accept "
            "ID. Else retry: it is looked up, and made again if it is not there."
        ),
    ),
    (
        re.compile(r"^client .* in Halo is no longer ours: "),
        (
            "Compare that row in Halo: its id is given anew where Halo was restored from a backup. "
            "What stands there is never written. What this customer buys needs its client, so "
            "retry: ours is looked up by its reference, and made again if it is not there. If that "
            "row is this record's all the same, put our reference back on it first."
        ),
    ),
    (
        re.compile(r" in Halo is no longer ours: "),
        (
            "Compare that row in Halo: its id is given anew where Halo was restored from a backup. "
            "What stands there is never written. Retry: ours is looked up by its reference, and "
            "made again if it is not there. If that row is this record's all the same, put our "
            "reference back on it first. If ours is to stay away: syncline parked accept ID."
        ),
    ),
    (
        re.compile(r"^HighLevel no longer has this "),
        "Nothing is to be done if that is true; else retry.",
    ),
    (
        re.compile(r"proves neither presence nor absence"),
        (
            "Give our application in Halo leave to run reports, or to see all such rows in its "
            "lists. Then retry: it is looked up before it is sent again, so nothing is doubled."
        ),
    ),
    (
        re.compile(r"times in a row: ", re.DOTALL),
        (
            "See in `syncline status` whether the other side answers by now. Then retry: what may "
            "have been written is looked up first."
        ),
    ),
)
"""Advice for the reasons that carry none: the first that fits."""

_OF_OTHERS: Final = re.compile(r"(HighLevel|Halo) answered .* with \d{3}: .", re.DOTALL)
"""How a reason of ours begins that repeats what the other side said."""

_OF_OURS = "Correct what it names, where it was entered or in the mapping, then retry."
_OTHERS_SAID = "These are the other side's own words: correct what they name, then retry."


def in_two(reason: str | None) -> tuple[str, str | None]:
    """What a reason says, and the remedy, where there is one.

    Args:
        reason: as it stands in the ledger, or with "…" for what varies.
    """
    said = reason or ""
    if said.startswith((HALO_SAYS, HIGHLEVEL_SAYS)):
        return said, _OTHERS_SAID  # whatever advice stands in it is theirs
    found = _WITH_REMEDY.fullmatch(said)
    if found is not None:
        return found[1], found[2]
    otherwise = _OTHERS_SAID if _OF_OTHERS.match(said) else _OF_OURS
    return said, next((remedy for fits, remedy in _REMEDIES if fits.search(said)), otherwise)
