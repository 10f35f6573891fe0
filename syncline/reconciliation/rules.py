"""What two sides that should be in line differ in, and why: three-way, and as it is certified.

What was confirmed last tells who moved: where Halo holds something else, somebody changed it there;
where HighLevel says something else, it has moved on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from syncline.flows.flow import Difference

ROW = "row"
"""The field of a difference that is about a row as a whole."""

REFERENCE = "reference"
COUNT = "count"

_SUMS = ("total", "amount")
_LINE = "line"


class Cause(StrEnum):
    """Why two sides differ."""

    MISSING = "missing"
    DOUBLED = "doubled"
    CHANGED_IN_HALO = "changed_in_halo"
    CHANGED_IN_HIGHLEVEL = "changed_in_highlevel"
    CHANGED_ON_BOTH = "changed_on_both"
    UNKNOWN_IN_HALO = "unknown_in_halo"
    NOT_DELIVERED = "not_delivered"
    NOT_IN_LEDGER = "not_in_ledger"

    @property
    def name_in_words(self) -> str:
        """The cause as a person reads it."""
        words = self.replace("_", " ")
        return words.replace("highlevel", "HighLevel").replace("halo", "Halo")


IN_WORDS: Mapping[Cause, str] = {
    Cause.MISSING: "confirmed once, and not there any more",
    Cause.DOUBLED: "more than one row with our reference",
    Cause.CHANGED_IN_HALO: "changed in Halo since we wrote it",
    Cause.CHANGED_IN_HIGHLEVEL: "changed in HighLevel, and not on its way",
    Cause.CHANGED_ON_BOTH: "changed on both sides",
    Cause.UNKNOWN_IN_HALO: "in Halo with our reference, and nobody knows it",
    Cause.NOT_DELIVERED: "owed, and not delivered: parked here, or late",
    Cause.NOT_IN_LEDGER: "in HighLevel, and not read",
}


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """One difference: the cause, the field, and the three values as text."""

    cause: Cause
    field: str
    ours: str | None
    theirs: str | None
    delivered: str | None


@dataclass(frozen=True, slots=True)
class ComparedDelivery:
    """A delivery as it is compared.

    Attributes:
        state: its state.
        reason: why it does not move, if it does.
        target_id: Halo's row; None where none was confirmed.
        delivered: the projection that was confirmed last, None where it is not known.
        amount: what HighLevel's record says that the row comes to; None where it says nothing.
    """

    state: str
    reason: str | None
    target_id: str | None
    delivered: Mapping[str, str] | None
    amount: Decimal | None


def undelivered(row: ComparedDelivery) -> FieldDifference:
    """The difference that a delivery is which did not come about."""
    state = f"{row.state}: {row.reason}" if row.reason else row.state
    ours = None if row.amount is None else _plain(row.amount)
    return FieldDifference(Cause.NOT_DELIVERED, ROW, ours, state, _total(row.delivered or {}))


def judge(
    row: ComparedDelivery,
    held: Mapping[str, str] | None,
    different: Sequence[Difference],
    copies: Sequence[int] = (),
) -> list[FieldDifference]:
    """Every difference between a delivery and Halo's row of now.

    Args:
        row: the delivery.
        held: the projection of Halo's row; None where it is not there.
        different: where that is not as it was delivered.
        copies: further rows of Halo with the same reference.
    """
    delivered = row.delivered or {}
    others = ", ".join(map(str, copies)) or None
    if held is None:
        return [FieldDifference(Cause.MISSING, ROW, row.target_id, others, _total(delivered))]
    told = []
    if others:
        every = f"{row.target_id}, {others}"
        told.append(FieldDifference(Cause.DOUBLED, REFERENCE, row.target_id, every, row.target_id))
    if held.get("voided") == "yes":
        told.append(FieldDifference(Cause.CHANGED_IN_HALO, "voided", "no", "yes", "no"))
    return told + _fields(row, delivered, held, different)


def _fields(
    row: ComparedDelivery,
    delivered: Mapping[str, str],
    held: Mapping[str, str],
    different: Sequence[Difference],
) -> list[FieldDifference]:
    field = next((one for one in _SUMS if one in held or one in delivered), "total")
    was, ours = _number(delivered.get(field)), row.amount
    moved = ours is not None and was is not None and ours != was
    told = []
    for one in by_line(different):
        cause, mine = Cause.CHANGED_IN_HALO, one.wanted
        if one.field == field and moved and ours is not None:
            if ours == _number(one.got):
                continue  # both sides say the same; what was confirmed is older than either
            cause, mine = Cause.CHANGED_ON_BOTH, _plain(ours)
        told.append(FieldDifference(cause, one.field, mine, one.got, one.wanted))
    if moved and ours is not None and not any(one.field == field for one in different):
        theirs = held.get(field, delivered.get(field))
        told.append(
            FieldDifference(
                Cause.CHANGED_IN_HIGHLEVEL, field, _plain(ours), theirs, delivered.get(field)
            )
        )
    return told


def by_line(different: Sequence[Difference]) -> list[Difference]:
    """Fields as they are; the single lines as one field, which lists them."""
    lines = [one for one in different if one.field.startswith(_LINE)]
    rest = [one for one in different if not one.field.startswith(_LINE)]
    if not lines:
        return rest
    each = [one for one in lines if one.field != "lines"] or lines
    wanted, got = (
        "; ".join(
            f"{one.field.removeprefix('line ')} ({many})" for one in each if (many := one[at])
        )
        for at in (1, 2)
    )
    return [*rest, Difference("lines", wanted, got)]


def _total(projection: Mapping[str, Any]) -> str | None:
    return next((str(projection[one]) for one in _SUMS if one in projection), None)


def _number(text: Any) -> Decimal | None:
    try:
        return Decimal(str(text))
    except InvalidOperation:
        return None


def _plain(amount: Decimal) -> str:
    return f"{amount:f}"


def at_most(sampled: int, wrong: int) -> float | None:
    """The share of wrong rows that there may be in all, with 95 % confidence; None without any.

    None were wrong: exact (the rule of three, before it is rounded). Some: Wilson's upper bound.
    """
    if not sampled:
        return None
    if not wrong:
        return float(1 - 0.05 ** (1 / sampled))
    z, share = 1.6448536269514722, wrong / sampled
    middle = share + z * z / (2 * sampled)
    spread = z * math.sqrt(share * (1 - share) / sampled + z * z / (4 * sampled * sampled))
    return min(1.0, max(share, (middle + spread) / (1 + z * z / sampled)))


def days_of(text: str) -> tuple[date, date]:
    """The first and last day of `2026`, `2026-11` or `2026-11-05`.

    Raises:
        ValueError: it is none of these.
    """
    parts = [int(part) for part in text.split("-")]
    if len(parts) == 1:
        return date(parts[0], 1, 1), date(parts[0], 12, 31)
    if len(parts) == 2:  # noqa: PLR2004 - year and month
        first = date(parts[0], parts[1], 1)
        return first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1)
    year, month, day = parts
    return date(year, month, day), date(year, month, day)


def period_in_words(first: date, last: date) -> str:
    """A month or a day by its name, else both ends."""
    for text in (first.isoformat(), first.isoformat()[:7], first.isoformat()[:4]):
        if days_of(text) == (first, last):
            return text
    return f"{first} to {last}"


def so_far(progress: Mapping[str, Any]) -> str:
    """How far a run has read Halo, in words; empty before it has begun to.

    Args:
        progress: as the run keeps it. Of a list, all rows are counted that Halo counts in it.
    """
    parts = [_read_of(kind, one) for kind, one in progress.get("kinds", {}).items()]
    return f"Read so far: {', '.join(parts)}." if parts else ""


def _read_of(kind: str, read: Mapping[str, Any]) -> str:
    name = "recurring invoice" if kind == "recurring" else kind
    by_id = read.get("incomplete") or ()
    if by_id and not read.get("done"):
        return f"{name}s by their ids, {read.get('at', 0)} of {len(by_id)}"
    counts = read.get("list", {}).get("walk", {}).get("counts")
    of = f" of {max(counts)}" if counts and not read.get("listed") else ""
    return f"{read.get('rows', 0)}{of} {name}s"
