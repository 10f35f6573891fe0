"""What the ledger and the quotas show, as signals in words: what it is, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from syncline.alerts.facts import Comparisons, Differences, Gathered, Missed, Readings
from syncline.alerts.rules import Signal, shortened
from syncline.calls.faults import failing_now
from syncline.deliveries.parked import ParkedCause
from syncline.deliveries.states import DOUBTED
from syncline.ingest.unfinished import UnfinishedWindow
from syncline.ledger.calls import Fault, FaultyOperation, LastAnswer
from syncline.reconciliation.rules import Cause as WhyDifferent

MOST_CAUSES = 50
"""Causes of parked deliveries that get an alert each, of one connection and kind."""

MANY_STRANGERS = 5
"""Calls in some minutes that somebody else answers, which are more than passing."""

STAYS = timedelta(seconds=30)
"""How long somebody else answers everything before that is told."""

_MOST_WINDOWS = 5
"""Windows that an alert names."""

_LONGEST_TITLE = 200
_LONGEST_REASON = 1000
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
        _lines(
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
        f"They cannot be delivered: {shortened(cause.reason, _LONGEST_REASON)}",
        f"The field to blame is {cause.field}." if cause.field else "",
        f"One of them is record {cause.example_record}.",
        f"See both sides with: syncline parked show {cause.id}",
        _way_out(cause),
    ]
    return Signal(
        kind,
        f"parked {cause.id}",
        shortened(f"{what} are parked: {cause.reason}", _LONGEST_TITLE),
        _lines(lines),
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
        _lines(
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
        _lines(
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
        _lines([note, f"When that is put right: syncline connection start {connection}"]),
    )


def of_side(side: str, answer: LastAnswer, connection: str) -> Iterator[Signal]:
    """A side that answers nothing, or not all, or in whose place somebody else answers.

    Args:
        side: `highlevel` or `halo`.
        answer: of its last calls.
        connection: the name of the connection.
    """
    outage = answer.outage
    if outage is not None and _is_to_be_told(outage, answer):
        yield _of_outage(side, outage, connection)
    elif outage is None and answer.strangers >= MANY_STRANGERS:
        yield _foreign(side, answer.stranger or "", answer.strangers, None, connection)
    if outage is None:
        yield from (_of_call(side, one, connection) for one in failing_now(answer))


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
            _lines(
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
            _lines([f"{name} has answered nothing else: {outage.error}", *_kept(connection)]),
            since=outage.since,
        )
    return Signal(
        "silent",
        f"silent {side}",
        f"{name} does not answer",
        _lines([f"{name} has not answered: {outage.error}", *_kept(connection)]),
        since=outage.since,
    )


def _foreign(side: str, who: str, many: int, since: datetime | None, connection: str) -> Signal:
    name = _SIDES[side]
    return Signal(
        "foreign",
        f"foreign {side}",
        f"Somebody else answers in place of {name}",
        _lines(
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


def _of_call(side: str, one: FaultyOperation, connection: str) -> Signal:
    return Signal(
        "failing",
        f"failing {side} {one.operation}",
        f"{one.operation} of {_SIDES[side]} fails",
        _lines(
            [
                f"Other calls are answered; this one fails: {one.answered_by or one.error}",
                *_kept(connection),
            ]
        ),
        count=one.many,
        since=one.since,
    )


def _kept(connection: str) -> list[str]:
    return [
        "What is owed is kept and goes by itself when it answers again.",
        f"Look at it with: syncline connection check {connection}",
    ]


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
        _lines([why, f"See what is left with: syncline status --connection {connection}"]),
    )


def missed(found: Missed, least: int) -> Signal | None:
    """Webhooks that did not come, where they are more than may be lost now and then."""
    if found.many < least:
        return None
    return Signal(
        "missed_events",
        "missed events",
        "Webhooks of HighLevel are missing",
        _lines(
            [
                "Pulls found changes of which no webhook told. Nothing is lost, but it comes late.",
                "Check the receiver's address in HighLevel's marketplace settings: is it reached?",
                "See what came and what did not with: syncline status",
            ]
        ),
        count=found.many,
        since=found.since,
    )


def pulls(
    found: Readings, late_after: timedelta, now: datetime, connection: str
) -> Iterator[Signal]:
    """Pulls that do not end, or whose windows do not agree with the other side's own count.

    Args:
        found: how the pulls of a kind went.
        late_after: how long none may end, nor a window that was begun be without a page.
        now: the database's time.
        connection: the name of the connection.
    """
    kind = found.kind
    began = found.added_at if found.ended_at is None else found.ended_at
    refused = [one for one in found.unfinished if one.refused]
    late = [one for one in found.unfinished if not one.refused and now - one.moved_at >= late_after]
    if now - began >= late_after:
        yield Signal(
            "pulls",
            f"late {kind}",
            f"No pull of {kind}s has ended for long",
            _lines(
                [
                    f"The last one ended at {began:%Y-%m-%d %H:%M:%S} UTC."
                    if found.ended_at
                    else "None has ended since the connection was added.",
                    *_windows(late),
                    "See what is read and which workers live with: syncline status",
                ]
            ),
        )
    elif late:
        others = f"Other {kind}s are read. Those created in these days are not:"
        yield _unfinished(
            f"late window {kind}", f"Some {kind}s are not read", others, late, connection
        )
    if refused:
        others = f"All other {kind}s are read. These are seen by events only:"
        title = f"HighLevel does not show some {kind}s"
        yield _unfinished(f"refused {kind}", title, others, refused, connection)
    if found.uncertain:
        yield Signal(
            "pulls",
            f"uncertain {kind}",
            f"Pulls of {kind}s are uncertain",
            _lines(
                [
                    "HighLevel's lists show other rows than it counts, also when read again.",
                    "They are read again by themselves; see them with: syncline status",
                ]
            ),
            count=found.uncertain,
            since=found.since,
        )


def not_compared(
    found: Comparisons, late_after: timedelta | None, now: datetime, connection: str
) -> Signal | None:
    """Both sides were not compared: it failed, or has not come to its end for longer than due.

    Args:
        found: how the comparisons went.
        late_after: how long none may come to its end; None: none is due.
        now: the database's time.
        connection: the name of the connection.
    """
    again = f"The next one that is due tries again; at once: syncline reconcile run {connection}"
    if found.failed:
        return Signal(
            "reconciliation",
            "reconciliation failed",
            f"The comparison of both sides of {connection} failed",
            _lines([shortened(found.why or "It does not say why.", _LONGEST_REASON), again]),
            count=found.failed,
            since=found.failed_at,
        )
    began = max(one for one in (found.ended_at or found.added_at, found.at_work) if one)
    if late_after is None or now - began < late_after:
        return None
    said = "None has ended since it was added."
    if found.ended_at is not None:
        said = f"The last comparison ended at {found.ended_at:%Y-%m-%d %H:%M} UTC."
    if found.waits_for is None:
        why = "None has begun since: see with `syncline status` whether workers and beat live."
    else:
        why = f"One is owed and has not come to its end. {found.waits_for}".strip()
    return Signal(
        "reconciliation",
        "reconciliation late",
        f"Both sides of {connection} were not compared for long",
        _lines([said, why, again]),
    )


def _unfinished(
    cause: str, title: str, others: str, found: Sequence[UnfinishedWindow], connection: str
) -> Signal:
    again = f"They are tried again by themselves; at once with: {found[0].at_once(connection)}"
    return Signal(
        "pulls", cause, title, _lines([others, *_windows(found), again]), count=len(found)
    )


def _windows(found: Sequence[UnfinishedWindow]) -> list[str]:
    """The oldest of these windows, each with what happened to it."""
    some, more = found[:_MOST_WINDOWS], len(found) - _MOST_WINDOWS
    lines = [f"- {one.days}: {shortened(one.what, _LONGEST_REASON)}" for one in some]
    return [*lines, f"- and {more} more, as syncline status tells"] if more > 0 else lines


def not_shown(found: Mapping[str, str], connection: str) -> Iterator[Signal]:
    """Kinds of rows in which Halo lets nobody look for changes.

    Args:
        found: the kind of row, and what Halo said instead of showing its list.
        connection: the name of the connection.
    """
    for noun, said in found.items():
        yield Signal(
            "pulls",
            f"not shown {noun}",
            f"Halo does not show its list of {noun}s",
            _lines(
                [
                    shortened(said, _LONGEST_REASON),
                    "What changes there is not seen while no event tells it.",
                    f"Look at it with: syncline connection check {connection}",
                ]
            ),
        )


def _lines(lines: list[str]) -> str:
    return "\n".join(line for line in lines if line)
