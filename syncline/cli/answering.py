"""The part of `syncline status` about how a side answers: since when it does not, who else does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from syncline.calls.faults import failing_now
from syncline.ledger.calls import Fault, FaultyOperation, LastAnswer
from syncline.terminal.output import ago

_IN_WORDS = {
    Fault.SILENT: "silent",
    Fault.FOREIGN: "somebody else answers",
    Fault.FAILING: "fails",
    Fault.SUSPENDED: "suspended",
}


@dataclass(frozen=True, slots=True)
class FailingCalls:
    """What fails for everybody, and is asked by one caller at a time.

    Attributes:
        operation: the call.
        fault: how it fails.
        many: how often in a row.
        error: what the last one failed with.
        answered_by: who answered it in place of the side that was asked.
    """

    operation: str
    fault: str
    many: int
    since: datetime
    error: str
    answered_by: str | None


@dataclass(frozen=True, slots=True)
class Answering:
    """How a side answers.

    Attributes:
        answered_s: seconds since it last answered anything.
        error: what failed since, if it has answered nothing since.
        fault: how.
        since: since when.
        since_s: the same in seconds.
        many: calls that failed.
        answered_by: who answered the last of them in its place.
        strangers: calls of the last minutes that somebody else answered, now and then.
        stranger: who.
        failing: calls that fail while others are answered.
        again_s: seconds until it is asked again, where it is held back.
    """

    answered_s: float | None
    error: str | None
    fault: str | None
    since: datetime | None
    since_s: float | None
    many: int
    answered_by: str | None
    strangers: int
    stranger: str | None
    failing: list[FailingCalls]
    again_s: float


def answering(answer: LastAnswer, again_s: float) -> Answering:
    """How a side answers, by its calls and by how long it is held back."""
    outage = answer.outage
    return Answering(
        answered_s=answer.answered_s,
        error=None if outage is None else outage.error,
        fault=None if outage is None else outage.fault.value,
        since=None if outage is None else outage.since,
        since_s=None if outage is None else (answer.now - outage.since).total_seconds(),
        many=0 if outage is None else outage.many,
        answered_by=None if outage is None else outage.answered_by,
        strangers=answer.strangers,
        stranger=answer.stranger,
        failing=[_failing(one) for one in failing_now(answer)],
        again_s=again_s,
    )


def in_words(one: Answering) -> str:
    """The same as a person reads it."""
    lines = [_outage(one)] if one.fault is not None else [_last(one)]
    if one.fault is None and one.strangers:
        lines.append(f"somebody else answered {one.strangers} in 5 minutes: {one.stranger}")
    for call in one.failing:
        how = call.answered_by or call.error
        lines.append(
            f"{call.operation} {_verb(call.fault)} since {call.since:%H:%M:%S} UTC "
            f"({call.many} calls): {how}"
        )
    if one.again_s:
        lines.append(f"asked again in {one.again_s:.0f} s, by one caller at a time")
    return "\n".join(lines)


def _failing(one: FaultyOperation) -> FailingCalls:
    return FailingCalls(
        one.operation, one.fault.value, one.many, one.since, one.error, one.answered_by
    )


def _outage(one: Answering) -> str:
    calls = f" ({one.many} calls)" if one.many > 1 else ""
    how = one.answered_by or one.error
    return f"{_verb(one.fault or '')} since {ago(one.since_s or 0)}{calls}: {how}"


def _verb(fault: str) -> str:
    return _IN_WORDS[Fault(fault)]


def _last(one: Answering) -> str:
    return "none in a day" if one.answered_s is None else ago(one.answered_s)
