"""What becomes of a difference that a person decided about, and what is remembered of it.

Pure: `act_of` says what brings our value back, `accepting` what is remembered as accepted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from enum import StrEnum
from typing import Final

from syncline.flows import fulfillments
from syncline.flows.flow import Difference
from syncline.flows.projections import Accepted
from syncline.reconciliation.rules import Cause, by_line

_SUMS_OF_LINES = "lines"
_TOTAL = "total"
_LINE = "line "

VOIDED = "voided"


class Act(StrEnum):
    """What brings our value back."""

    MAKE = "make again"
    WRITE = "write again"
    REQUEST = "owe again"
    READ = "read again"
    REMOVE = "remove the extra row"


_ACTS: Final[Mapping[str, Act]] = {
    Cause.MISSING: Act.MAKE,
    Cause.DOUBLED: Act.REMOVE,
    Cause.CHANGED_IN_HALO: Act.WRITE,
    Cause.CHANGED_IN_HIGHLEVEL: Act.REQUEST,
    Cause.CHANGED_ON_BOTH: Act.WRITE,
    Cause.NOT_DELIVERED: Act.REQUEST,
    Cause.NOT_IN_LEDGER: Act.READ,
}

_STRANGER = (
    "No delivery of ours made this row, so nothing is done to it. Take our reference off it, "
    "remove it in Halo, or take it over with: syncline adopt NAME --take ID=HALO_ID"
)
_POSTED = (
    "HighLevel can neither change a fulfillment nor take one back, and a second one would tell the "
    "buyer twice. Correct it in HighLevel by hand, then accept."
)
_VOIDED = (
    "A person has voided it in Halo, and no call of ours takes that back. Undo it in Halo, or "
    "accept it."
)
_AGAIN = "Run `syncline reconcile run NAME` again."
_EQUAL = "Both sides are equal by now: the next reconciliation closes it."
_NO_VALUE = "There is no value of Halo's that could be taken. Apply it, or mark it as known."


def act_of(cause: str, target: str, field: str) -> tuple[Act | None, str]:
    """What brings our value back; where nothing does, None and why."""
    if cause == Cause.UNKNOWN_IN_HALO:
        return None, _STRANGER
    if field == VOIDED:
        return None, _VOIDED
    act = _ACTS.get(cause)
    if act is None:
        return None, f"Nothing is known to mend {cause!r}."
    if target == fulfillments.TARGET and act in {Act.MAKE, Act.WRITE, Act.REMOVE}:
        return None, _POSTED
    return act, ""


def moved_on(
    field: str, theirs: str | None, wanted: Collection[str], now: Iterable[Difference]
) -> str | None:
    """Why a difference is not any more what was shown; None if it is.

    Args:
        field: in which it was found.
        theirs: what the other side held then.
        wanted: the fields that are compared.
        now: the differences of the row as it is now.
    """
    held = {one.field: one.got for one in by_line(list(now))}
    if not held or (field not in held and field in wanted):
        return _EQUAL
    if field in held and theirs is not None and held[field] != theirs:
        return f"It has changed since: Halo holds {held[field] or 'none'}. {_AGAIN}"
    return None


def why_not_accepted(cause: str) -> str | None:
    """Why what the other side holds cannot be taken as it is; None if it can."""
    return _NO_VALUE if cause in {Cause.NOT_DELIVERED, Cause.NOT_IN_LEDGER} else None


def is_remembered(cause: str, field: str) -> bool:
    """Whether a delivery must know what was accepted, lest a reading of its row brings it up."""
    return field != VOIDED and cause in {
        Cause.MISSING,
        Cause.CHANGED_IN_HALO,
        Cause.CHANGED_IN_HIGHLEVEL,
        Cause.CHANGED_ON_BOTH,
    }


def accepting(
    differences: Iterable[Difference], accepted: Accepted, fields: Iterable[str] | None = None
) -> dict[str, list[str]]:
    """What is accepted with these differences.

    Args:
        differences: of a row, as it is now.
        accepted: what was accepted of it before.
        fields: only those of these fields; None for all. `lines` stands for each line.
    """
    only = None if fields is None else with_lines(fields)
    return {
        **accepted,
        **{
            one.field: [one.wanted, one.got]
            for one in differences
            if only is None or only & {one.field, _group(one.field)}
        },
    }


def with_lines(fields: Iterable[str]) -> set[str]:
    """Fields that a person decided about, and what goes with them.

    A comparison by report sees a total and not the lines that make it.
    """
    named = set(fields)
    return named | {_SUMS_OF_LINES} if _TOTAL in named else named


def _group(field: str) -> str:
    return _SUMS_OF_LINES if field.startswith(_LINE) else field
