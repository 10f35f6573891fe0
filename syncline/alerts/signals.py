"""What the ledger and the quotas show, as signals in words: what it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType

from syncline.alerts.facts import Differences, Gathered, Missed
from syncline.alerts.rules import LONGEST_REASON, Signal, in_lines, shortened
from syncline.calls.faults import failing_now
from syncline.deliveries.parked import ParkedCause
from syncline.deliveries.states import DOUBTED
from syncline.ledger.calls import Fault, FaultyOperation, LastAnswer
from syncline.operations import may_fail_for_a_row
from syncline.reconciliation.rules import Cause as WhyDifferent

MOST_CAUSES = 50
"""Causes of parked deliveries that get an alert each, of one connection and kind."""

MANY_STRANGERS = 5
"""Calls in some minutes that somebody else answers, which are more than passing."""

STAYS = timedelta(seconds=30)
"""How long somebody else answers everything before that is told."""

MOST_NAMED = 3
"""Records that an alert names, of those at which a call fails though each is alone in it."""

_LONGEST_TITLE = 200
_SIDES = {"highlevel": "HighLevel", "halo": "Halo"}


def parked(causes: Sequence[ParkedCause], connection: str) -> Iterator[Signal]:
    """Deliveries that need a person, a signal for each of the greatest causes and one for the rest.

    Args:
        causes: those of a connection, the one with the most records first.
        connection: its name.
    """
    kinds: dict[str, list[ParkedCause]] = {}
    for cause in causes:
        kind = "fulfillment" if cause.flow == "fulfillments" else "parked"
        kinds.setdefault(kind, []).append(cause)
    for kind, found in kinds.items():
        yield from (_parked(kind, cause) for cause in found[:MOST_CAUSES])
        if rest := found[MOST_CAUSES:]:
            yield _other_causes(kind, rest, connection)


def _other_causes(kind: str, rest: Sequence[ParkedCause], connection: str) -> Signal:
    return Signal(
        kind,
        f"{kind} for other causes",
        "Deliveries are parked for many other causes",
        in_lines(
            [
                f"The {MOST_CAUSES} greatest causes have alerts of their own; these have none.",
                f"See them with: syncline parked list --connection {connection}",
            ]
        ),
        count=sum(cause.records for cause in rest),
        since=min(cause.since for cause in rest),
        latest=max(cause.latest for cause in rest),
    )


def _parked(kind: str, cause: ParkedCause) -> Signal:
    """Only what all of them have in common is told, no names."""
    what = "Fulfillments" if kind == "fulfillment" else f"Deliveries ({cause.flow}, {cause.target})"
    lines = [
        f"They cannot be delivered: {shortened(cause.reason, LONGEST_REASON)}",
        f"The field to blame is {cause.field}." if cause.field else "",
        f"One of them is record {cause.example_record}.",
        f"See both sides with: syncline parked show {cause.id}",
        _way_out(cause),
    ]
    return Signal(
        kind,
        f"parked {cause.id}",
        shortened(f"{what} are parked: {cause.reason}", _LONGEST_TITLE),
        in_lines(lines),
        count=cause.records,
        since=cause.since,
        latest=cause.latest,
    )


def _way_out(cause: ParkedCause) -> str:
    """What a person does about it; where Halo may hold it already, nothing that makes it twice."""
    if cause.field != DOUBTED:
        return f"Correct what it names, then: syncline parked retry --cause {cause.id}"
    return "Halo may hold it already: decide about each as `syncline parked show ID` says."


def differences(found: Differences, connection: str) -> Signal:
    """What reconciliation found and nobody has decided yet."""
    said = WhyDifferent(found.cause).name_in_words
    return Signal(
        "discrepancy",
        f"discrepancy {found.flow} {found.cause}",
        f"Reconciliation found differences in {found.flow}: {said}",
        in_lines(
            [
                f"Both sides do not agree: {said}.",
                f"One of them is record {found.source_id}, field {found.field}.",
                f"See all of them with: syncline discrepancies list --connection {connection}",
            ]
        ),
        count=found.many,
        since=found.since,
        latest=found.latest,
    )


def many_orders(found: Gathered, most: int, connection: str) -> Signal:
    """More new orders than are told one by one."""
    return Signal(
        "many_orders",
        "many orders",
        "More new orders fit the rules than are told one by one",
        in_lines(
            [
                f"At most {most} in an hour get a ticket and messages of their own.",
                "The count is of those of the last day that got none.",
                f"See them with: syncline alerts list --connection {connection} --all",
                "Narrow the rows [[alerts.new_order]] of the mapping, or raise new_orders_an_hour.",
            ]
        ),
        count=found.many,
        since=found.since,
        latest=found.latest,
    )


def stopped(connection: str, note: str) -> Signal:
    """A connection that cannot work until a person changes something."""
    return Signal(
        "stopped",
        "stopped",
        f"Connection {connection} is stopped",
        in_lines([note, f"When that is put right: syncline connection start {connection}"]),
    )


def of_side(
    side: str,
    answer: LastAnswer,
    connection: str,
    alone: Mapping[str, Sequence[str]] = MappingProxyType({}),
) -> Iterator[Signal]:
    """A side that answers nothing, or not all, or in whose place somebody else answers.

    Args:
        side: `highlevel` or `halo`.
        answer: of its last calls.
        connection: the name of the connection.
        alone: the records at which an operation failed though nothing else was in the call.
    """
    outage = answer.outage
    if outage is not None and _is_to_be_told(outage, answer):
        yield _of_outage(side, outage, connection)
    elif outage is None and answer.strangers >= MANY_STRANGERS:
        yield _foreign(side, answer.stranger or "", answer.strangers, None, connection)
    if outage is None:
        for one in failing_now(answer):
            yield _of_call(side, one, connection, alone.get(one.operation, ()))


def _is_to_be_told(outage: FaultyOperation, answer: LastAnswer) -> bool:
    """One page of somebody else is passing; what stays for half a minute is not."""
    stays = answer.now - outage.since >= STAYS or outage.many >= MANY_STRANGERS
    return outage.fault is not Fault.FOREIGN or stays


def _of_outage(side: str, outage: FaultyOperation, connection: str) -> Signal:
    name = _SIDES[side]
    if outage.fault is Fault.FOREIGN:
        return _foreign(side, outage.answered_by or "", outage.many, outage.since, connection)
    if outage.fault is Fault.SUSPENDED:
        return Signal(
            "suspended",
            f"suspended {side}",
            f"The account of {connection} in {name} is suspended",
            in_lines(
                [
                    outage.error,
                    "It is asked again by itself, ever more seldom, and goes on when it is active.",
                    f"See there why it is not; nothing is to be installed anew for {connection}.",
                ]
            ),
            since=outage.since,
        )
    if outage.fault is Fault.FAILING:
        return Signal(
            "failing",
            f"failing {side}",
            f"{name} fails",
            in_lines([f"{name} has answered nothing else: {outage.error}", *_kept(connection)]),
            since=outage.since,
        )
    return Signal(
        "silent",
        f"silent {side}",
        f"{name} does not answer",
        in_lines([f"{name} has not answered: {outage.error}", *_kept(connection)]),
        since=outage.since,
    )


def _foreign(side: str, who: str, many: int, since: datetime | None, connection: str) -> Signal:
    name = _SIDES[side]
    return Signal(
        "foreign",
        f"foreign {side}",
        f"Somebody else answers in place of {name}",
        in_lines(
            [
                f"It is not the API of {name} that answers, but {who}."
                if since is not None
                else f"Some calls are answered by {who}.",
                "It is no verdict on credentials or records: what is read is asked again.",
                "Look at what stands between syncline and it: a firewall, a proxy, maintenance.",
                f"Look at it with: syncline connection check {connection}",
            ]
        ),
        count=many,
        since=since,
    )


def _of_call(side: str, one: FaultyOperation, connection: str, alone: Sequence[str]) -> Signal:
    return Signal(
        "failing",
        f"failing {side} {one.operation}",
        f"{one.operation} of {_SIDES[side]} fails",
        in_lines(
            [
                f"Other calls are answered; this one fails: {one.answered_by or one.error}",
                "What is owed is kept and tried again by itself, ever more seldom.",
                _of_records(one, alone),
                _look(connection),
            ]
        ),
        count=one.many,
        since=one.since,
    )


def _kept(connection: str) -> list[str]:
    return [
        "What is owed is kept and goes by itself when it answers again.",
        _look(connection),
    ]


def _of_records(one: FaultyOperation, alone: Sequence[str]) -> str:
    """Whether it may fail for the sake of a record; of a reading nothing is said."""
    if not may_fail_for_a_row(one.operation):
        return ""
    if not alone:
        return "It may be for the sake of one record: smaller sets are tried, until one is alone."
    named = ", ".join(alone[:MOST_NAMED]) + (", …" if len(alone) > MOST_NAMED else "")
    return (
        f"It fails also where one record is alone in the call: {named}. If others pass, the one it "
        "fails at is parked; if none does, nobody can tell yet whether it is for a record's sake."
    )


def _look(connection: str) -> str:
    return f"Look at it with: syncline connection check {connection}"


def quota(
    side: str, daily_left: int | None, frozen_until: datetime | None, connection: str
) -> Signal | None:
    """A quota that lets nothing through: the day's calls are used up, or a 429 froze it.

    Args:
        side: `highlevel` or `halo`.
        daily_left: calls left today; None where there is no such limit.
        frozen_until: until when nothing may be sent; None when it may.
        connection: the name of the connection.
    """
    if daily_left == 0:
        why = "Its calls of today are used up; they come back when the day is over."
    elif frozen_until is not None:
        why = f"It answered 429: nothing is sent before {frozen_until:%Y-%m-%d %H:%M:%S} UTC."
    else:
        return None
    return Signal(
        "quota",
        f"quota {side}",
        f"The quota of {_SIDES[side]} is used up",
        in_lines([why, f"See what is left with: syncline status --connection {connection}"]),
    )


def restored(what: str, connection: str) -> Signal | None:
    """Halo seems to have been restored, so that ids which we hold may be other rows' by now.

    Args:
        what: what showed it; "" where nothing did.
        connection: the name of the connection.
    """
    if not what:
        return None
    return Signal(
        "restored",
        "restored",
        "Halo seems to have been restored from a backup",
        in_lines(
            [
                shortened(what, LONGEST_REASON),
                "Until a person says that it is over, each row is read before it is written.",
                f"Compare both sides: syncline reconcile run {connection}",
                "See what is parked, and look for it in Halo: syncline parked list",
                f"When all that is settled: syncline halo restored {connection} --clear",
            ]
        ),
    )


def missed(found: Missed, least: int) -> Signal | None:
    """Webhooks that did not come, where they are more than may be lost now and then."""
    if found.many < least:
        return None
    return Signal(
        "missed_events",
        "missed events",
        "Webhooks of HighLevel are missing",
        in_lines(
            [
                "Pulls found changes of which no webhook told. Nothing is lost, but it comes late.",
                "Check the receiver's address in HighLevel's marketplace settings: is it reached?",
                "See what came and what did not with: syncline status",
            ]
        ),
        count=found.many,
        since=found.since,
    )
