"""Round trips: the first rows of a kind are read back whole before others of it are written.

Much of how Halo keeps a row is not documented: under which names it takes an order's quantities and
its tax, whether a tax stays, which currency it is booked in. So what a row shows that no row has
shown before is written alone and compared with what was kept. What came back as it was sent is
remembered and costs nothing more. If nothing that can be tried comes back so, the row waits for a
person, and with it all others of its kind. One that Halo fails at, or refuses, shows nothing of its
kind: it gives way, and another one is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from syncline.calls import capabilities
from syncline.calls.context import Line
from syncline.deliveries import outstanding
from syncline.deliveries.delivery import Lease
from syncline.deliveries.states import State
from syncline.engine import suspects
from syncline.engine.failures import Refusal, backoff
from syncline.errors import SynclineError
from syncline.flows.flow import Difference
from syncline.halo.capabilities import Capabilities
from syncline.halo.entities.resources import ORDER
from syncline.halo.lines import SPELLINGS, Spelling
from syncline.halo.round_trip import ROW, Mismatch, RoundTrip
from syncline.money import decimal
from syncline.sending.completing import Shown
from syncline.sending.decide import Write
from syncline.sending.outcomes import ArrayOutcome, is_stale
from syncline.sending.targets import Target
from syncline.sending.tenant import currencies

CURRENCIES = 2
"""So many currencies are looked at; where two are booked as they were sent, all are."""

MOST_APART = timedelta(minutes=1)
"""The longest rest after one that gave way; the first, a second, doubles up to it."""

_SOON = timedelta(seconds=1)
_CURRENCY = "currency "
_OF_LINES = ("lines", "line ", "total", "tax_total")
"""How fields begin that tell of lines."""


def unproved(target: Target, known: Capabilities, write: Write) -> frozenset[str]:
    """What a row shows that no row of its kind has come back with yet."""
    if not target.reads_back:
        return frozenset()
    seen = known.round_trip(target.name).traits
    many = sum(one.startswith(_CURRENCY) for one in seen)
    return frozenset(
        one for one in traits_of(write) - seen if not one.startswith(_CURRENCY) or many < CURRENCIES
    )


def most_telling(
    target: Target, known: Capabilities, writes: Sequence[Write]
) -> tuple[Write, list[Write]]:
    """The row to write first, and the others: one that stands there already, or shows most.

    What has failed comes after that, the one first which was tried longest ago.
    """
    fresh = [one for one in writes if one.lease.is_fresh]
    first = (
        max(
            fresh,
            key=lambda one: (one.lease.target_id is not None, len(unproved(target, known, one))),
        )
        if fresh
        else min(writes, key=lambda one: one.lease.tried_at)
    )
    return first, [one for one in writes if one is not first]


def holds_back(line: Line, target: Target, known: Capabilities) -> bool:
    """Whether rows of a kind wait for a person's decision about one that did not come back.

    Once that is made, it is forgotten what was found: what the person took is as good as proved,
    else it is tried anew.
    """
    seen = known.round_trip(target.name)
    failed = seen.failed
    if failed is None:
        return False
    state = line.worker.ledger.run(lambda c: outstanding.state_of(c, failed.delivery))
    if state == State.PARKED:
        return True
    taken = failed.traits if state == State.DELIVERED else ()
    decided = RoundTrip(seen.traits | frozenset(taken))
    now = line.worker.now()

    def change(before: Capabilities) -> Capabilities:
        after = before.with_round_trip(target.name, decided, found_at=now, how="a decision")
        if taken or target.resource is not ORDER:
            return after
        return after.with_line_spelling(SPELLINGS[0], found_at=now, how="a decision")

    capabilities.teach(line, change)
    return False


def begin(line: Line, target: Target, write: Write) -> timedelta | None:
    """How long a row waits until it may be tried; None: it is, from now on.

    Another one of its kind is on its way to be read back, or has just given way.
    """
    seen = capabilities.known(line).round_trip(target.name)
    other = seen.trying
    if other == write.lease.id:
        return None
    if other is not None and line.worker.ledger.run(lambda c: outstanding.is_on_its_way(c, other)):
        return _SOON
    now = line.worker.now()
    if seen.rests_until is not None and now < seen.rests_until:
        return seen.rests_until - now
    _note(line, target, "the first of its kind", lambda now: replace(now, trying=write.lease.id))
    return None


def let_go(line: Line, target: Target, known: Capabilities, lease: Lease) -> None:
    """Let another row be tried in place of one that failed, and was looked up without being found.

    It may have failed for its own sake, and all others of its kind would wait for it.
    """
    if known.round_trip(target.name).trying == lease.id and not lease.is_fresh:
        _give_way(line, target, lease)


def _give_way(line: Line, target: Target, lease: Lease) -> None:
    """Let another row be tried, after a rest that grows with each one that failed.

    So what fails for everybody costs few calls. One that fails again says nothing of others.
    """
    now, chance = line.worker.now(), line.worker.chance()

    def change(seen: RoundTrip) -> RoundTrip:
        if seen.trying != lease.id:
            return seen
        if not lease.is_fresh:
            return replace(seen, trying=None)
        rest = backoff(seen.gave_way, _SOON, MOST_APART) * (0.5 + chance / 2)
        return replace(seen, trying=None, gave_way=seen.gave_way + 1, rests_until=now + rest)

    _note(line, target, "it failed", change)


def conclude(
    line: Line,
    target: Target,
    known: Capabilities,
    writes: Sequence[Write],
    shown: Shown,
    results: Sequence[ArrayOutcome],
) -> None:
    """Learn from rows that were read back; one that may come back under other names goes once more.

    One at which Halo failed gives way at once: others need not wait until it is looked up.

    Args:
        line: the connection.
        target: what was written.
        known: what was known when it was.
        writes: the rows.
        shown: what was read.
        results: what became of them; a row that goes once more is moved there.
    """
    traits = {write.lease.id: traits_of(write) for write in writes}
    for result in results:
        if result.error is not None:
            _judge_failure(line, target, result, result.error)
        for held in result.confirmed:
            if held.lease.id in shown.proved:
                _proved(line, target, known, traits[held.lease.id])
        for held, difference in list(result.differing):
            if difference.field == currencies.FIELD:
                continue  # of its currency's rate, and not of its kind
            other = _next_spelling(target, known, difference)
            if other is None:
                shown_as = (held.target_id or "", *difference, tuple(sorted(traits[held.lease.id])))
                give_up(line, target, Mismatch(held.lease.id, *shown_as))
                continue
            result.differing.remove((held, difference))
            result.respelled.append(held)
            _try_spelling(line, other, difference)


def _judge_failure(line: Line, target: Target, result: ArrayOutcome, error: SynclineError) -> None:
    """Let those give way that may have failed for their own sake."""
    if is_stale(error):
        return  # it is read and written anew
    for lease in result.elements:
        if result.refusal is Refusal.ALONE or suspects.gives_way(lease, error):
            _give_way(line, target, lease)


def traits_of(write: Write) -> frozenset[str]:
    """What a row shows that may be kept otherwise than it was sent."""
    lines = write.body.get("lines") or []
    shown = {ROW}
    if any(abs(decimal(line["quantity"], "quantity")) not in {0, 1} for line in lines):
        shown.add("quantity")
    if any(decimal(line["tax"], "tax") for line in lines):
        shown.add("tax")
    if write.body.get("duedate"):
        shown.add("due date")
    if write.currency and "currency_code" in write.body:
        shown.add(f"{_CURRENCY}{write.currency}")
    return frozenset(shown)


def _next_spelling(target: Target, known: Capabilities, difference: Difference) -> Spelling | None:
    """The names of lines to try next, where these may be why an order did not come back."""
    if target.resource is not ORDER or not difference.field.startswith(_OF_LINES):
        return None
    later = SPELLINGS[SPELLINGS.index(known.line_spelling) + 1 :]
    return later[0] if later else None


def _try_spelling(line: Line, spelling: Spelling, difference: Difference) -> None:
    """What other names have proved says nothing of these."""
    now = line.worker.now()
    how = f"{difference.field} was {difference.got!r:.60} where {difference.wanted!r:.60} was sent"

    def change(known: Capabilities) -> Capabilities:
        anew = RoundTrip(trying=known.round_trip(ORDER.name).trying)
        known = known.with_round_trip(ORDER.name, anew, found_at=now, how=how)
        return known.with_line_spelling(spelling, found_at=now, how=how)

    capabilities.teach(line, change)


def _proved(line: Line, target: Target, known: Capabilities, traits: Collection[str]) -> None:
    spelling = known.line_spelling

    def change(before: Capabilities) -> Capabilities:
        if before.line_spelling != spelling:
            return before  # another process has found out otherwise meanwhile
        return after(before, target, traits, line.worker.now())

    capabilities.teach(line, change)


def after(
    known: Capabilities, target: Target, traits: Collection[str], now: datetime
) -> Capabilities:
    """What is known once a row with these traits came back as it was sent."""
    seen = known.round_trip(target.name)
    told = RoundTrip(seen.traits | frozenset(traits), seen.failed)
    return known.with_round_trip(target.name, told, found_at=now, how="the row was read back")


def give_up(line: Line, target: Target, failed: Mismatch) -> None:
    """Let a kind wait for a person's decision about one row of it, if that was being tried."""
    trying = capabilities.known(line).round_trip(target.name).trying
    if target.reads_back and trying == failed.delivery:
        _note(line, target, "the row was read back", lambda seen: RoundTrip(seen.traits, failed))


def _note(line: Line, target: Target, how: str, change: Callable[[RoundTrip], RoundTrip]) -> None:
    now = line.worker.now()
    capabilities.teach(
        line,
        lambda known: known.with_round_trip(
            target.name, change(known.round_trip(target.name)), found_at=now, how=how
        ),
    )
