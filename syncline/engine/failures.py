"""The failure policy: what becomes of claimed deliveries when the work on them fails.

Each kind of work has one policy, as data. The context manager `put_back` applies it, so that a
failure means the same wherever deliveries are claimed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Protocol

from sqlalchemy import Connection

from syncline.calls.calls import NoQuota, Outcome
from syncline.calls.context import Line, WorkerContext
from syncline.deliveries import leased
from syncline.deliveries.delivery import Lease
from syncline.engine.refusals import Concerns, concerns
from syncline.engine.rounds import NextRun
from syncline.errors import (
    BY_ITSELF,
    Again,
    BadCredentials,
    NotSent,
    RateLimited,
    Refused,
    SynclineError,
)
from syncline.ledger import connections
from syncline.ledger.connections import Link
from syncline.ledger.database import LedgerAway

BACKOFF = timedelta(seconds=2)
"""First pause after a failure that may heal by itself; doubles up to the longest."""

LONGEST_BACKOFF = timedelta(minutes=5)

NOT_SENT_PAUSE = timedelta(seconds=3)
"""Pause after a call that could not leave. It says nothing about the row, so it is no failure."""

TROUBLED = timedelta(seconds=30)
"""Pause after a failure that another try at once does not heal."""

PARK_AFTER = 12
"""Failures in a row after which a person is asked, so that nothing is retried without limit."""


Move = Callable[[Connection], object]
"""What becomes of a delivery, to be written."""


def still_in_doubt(lease: Lease, why: str) -> Move:
    """A look-up that decided nothing: it is made again, ever later, and each time counts."""
    return lambda connection: leased.doubt(
        connection, [lease], settle=backoff(lease.failures), why=why, failed=True
    )


class Refusal(StrEnum):
    """What is done where the other side refuses for the sake of settings or credentials."""

    STOP = "stop"
    """The connection stops, until a person changes them. Something harmless was refused as well."""

    PARK = "park"
    """A person is asked about these deliveries. The connection goes on without them."""

    REST = "rest"
    """They are tried again later: the connection is stopped already."""

    ALONE = "alone"
    """The one that was asked for is parked; its neighbours go on."""

    LATER = "later"
    """They are tried again later: nobody can tell yet what the refusal concerns."""


OnRefused = Callable[[Link, Refused], Refusal]
"""(connection, error) → what is done if the refusal concerns the whole connection."""


class PutBack(Protocol):
    """Gives up deliveries that were not done.

    Args: the transaction, the deliveries, the pause, what went wrong; `failed` says whether it
    counts against them.
    """

    def __call__(
        self,
        connection: Connection,
        leases: Sequence[Lease],
        pause: timedelta,
        error: SynclineError,
        *,
        failed: bool,
    ) -> object:
        """Give them up."""
        ...


def always_stop(_link: Link, _error: Refused) -> Refusal:
    """Without what was refused, the connection cannot do its work."""
    return Refusal.STOP


@dataclass(frozen=True, slots=True)
class Policy:
    """What a failure means for the deliveries of one kind of work.

    Attributes:
        puts_back: gives up deliveries that were not done.
        least: the least pause after a failure that may heal by itself.
        counts: whether any other failure counts against them and has them rest ever longer; else
            it is raised, and ends the task. A refusal of what was asked for them always counts.
        refused: the pause after a refusal, by what is done about it; where it is not said,
            it is as any other failure.
        parks: whether deliveries can be parked where a person must be asked.
        tells: whether a refusal is raised, since a person waits for what is done.
    """

    puts_back: PutBack
    least: timedelta = BACKOFF
    counts: bool = False
    refused: Mapping[Refusal, timedelta] = field(default_factory=dict)
    parks: bool = False
    tells: bool = False


@dataclass(slots=True)
class Batch:
    """Claimed deliveries, and when to go on after they failed.

    Attributes:
        leases: what is in hand still; what is done is taken out.
        next_run: set by a failure.
    """

    leases: list[Lease]
    next_run: NextRun | None = None


@contextmanager
def put_back(
    line: Line, policy: Policy, batch: Batch, on_refused: OnRefused = always_stop
) -> Iterator[None]:
    """Put back what is in hand still when the work on it fails, and say when to go on.

    Args:
        line: the connection.
        policy: what a failure means for this kind of work.
        batch: the deliveries; its `next_run` is set by a failure.
        on_refused: what is done where the other side refuses.

    Raises:
        SynclineError: the policy has nothing to say about it.
    """
    try:
        yield
    except Again as error:
        pause = error.after if isinstance(error, NoQuota) else max(error.after, policy.least)
        _put_back(line.worker, policy, batch, error, pause)
        batch.next_run = NextRun.later(pause)
    except Refused as error:
        _refused(line, policy, batch, error, RefusalPolicy(line, on_refused).of(error))
        batch.next_run = NextRun.when_due()
    except SynclineError as error:
        if not policy.counts:
            raise
        _put_back(line.worker, policy, batch, error)
        batch.next_run = NextRun.when_due()


class RefusalPolicy:
    """What is done about the refusals of one batch: something harmless is asked once for each kind.

    Args:
        line: the connection.
        on_refused: what is done about one that concerns the whole connection.
    """

    def __init__(self, line: Line, on_refused: OnRefused = always_stop) -> None:
        self._line = line
        self._on_refused = on_refused
        self._known: dict[tuple[type[Refused], str, str], Refusal] = {}

    def of(self, error: Refused) -> Refusal:
        """What is done about one."""
        method, path = error.call
        kind = (type(error), method, path.split("/")[1] if "/" in path else path)
        if kind not in self._known:
            self._known[kind] = self._judged(error)
        return self._known[kind]

    def _judged(self, error: Refused) -> Refusal:
        refusal = self._on_refused(self._line.link, error)
        return _BY_CONCERN[concerns(self._line, error)] if refusal is Refusal.STOP else refusal


_BY_CONCERN = {
    Concerns.ALL: Refusal.STOP,
    Concerns.ONE: Refusal.ALONE,
    Concerns.UNKNOWN: Refusal.LATER,
}


def _refused(line: Line, policy: Policy, batch: Batch, error: Refused, refusal: Refusal) -> None:
    # A token that is refused to one and taken from others died in between: it is no row's fault.
    is_of_row = refusal is Refusal.ALONE and not isinstance(error, BadCredentials)
    is_of_one = is_of_row and len(batch.leases) == 1
    if policy.parks and (refusal is Refusal.PARK or is_of_one):
        line.worker.ledger.run_patiently(
            lambda connection: leased.park(connection, batch.leases, reason=str(error), field=None),
            sleep=line.worker.sleep,
        )
        return
    pause = policy.refused.get(refusal, TROUBLED if refusal is Refusal.LATER else None)
    counts = policy.counts or refusal is Refusal.ALONE
    if policy.tells or (pause is None and not counts):
        raise error
    stopped = line.link if refusal is Refusal.STOP else None
    _put_back(line.worker, policy, batch, error, pause, stopped)


def _put_back(
    worker: WorkerContext,
    policy: Policy,
    batch: Batch,
    error: SynclineError,
    pause: timedelta | None = None,
    stopped: Link | None = None,
) -> None:
    """Give up what is in hand; without a pause it counts, and each rests by its own failures."""

    def work(connection: Connection) -> None:
        if pause is not None and batch.leases:
            policy.puts_back(connection, batch.leases, pause, error, failed=False)
        elif pause is None:
            count(connection, policy, batch.leases, error)
        if stopped is not None:
            connections.stop(connection, stopped, str(error))

    worker.ledger.run_patiently(work, sleep=worker.sleep)


def count(
    connection: Connection, policy: Policy, leases: Sequence[Lease], error: SynclineError
) -> None:
    """A failure that may be for the sake of the rows, so that nobody tries for ever in vain."""
    by_failures: dict[int, list[Lease]] = {}
    for lease in leases:
        by_failures.setdefault(min(lease.failures, PARK_AFTER), []).append(lease)
    # Once a person is asked, nothing is tried again by itself.
    said = error.what if error.remedy == BY_ITSELF else error
    reason = f"could not be done, {PARK_AFTER} times in a row: {said}"
    leased.park(connection, by_failures.pop(PARK_AFTER, []), reason=reason, field=None)
    for failures, those in sorted(by_failures.items()):
        policy.puts_back(connection, those, backoff(failures), error, failed=True)


def _release(
    connection: Connection,
    leases: Sequence[Lease],
    pause: timedelta,
    error: SynclineError,
    *,
    failed: bool,
) -> None:
    why = None if isinstance(error, NoQuota) else error.what
    leased.release(connection, leases, after=pause, why=why, failed=failed)


def _leave_doubtful(
    connection: Connection,
    leases: Sequence[Lease],
    pause: timedelta,
    error: SynclineError,
    *,
    failed: bool,
) -> None:
    leased.doubt(connection, leases, settle=pause, why=error.what, failed=failed)


_WHILE_STOPPING = timedelta(seconds=1)
_WHILE_STOPPED = timedelta(minutes=5)

_UNTIL_A_PERSON = {Refusal.STOP: _WHILE_STOPPING, Refusal.REST: _WHILE_STOPPED}

SENDING = Policy(_release, counts=True, refused=_UNTIL_A_PERSON, parks=True)
"""Writes that have not departed become due again."""

READING = Policy(_release, refused={Refusal.STOP: _WHILE_STOPPING})
"""Readings become due again. A failure that nobody foresaw ends the task."""

LOOKING_UP = Policy(_leave_doubtful, counts=True, refused=_UNTIL_A_PERSON)
"""What could not be looked up stays in doubt."""

ADOPTING = Policy(_release, least=timedelta(0), tells=True)
"""Somebody waits for what is adopted, and is told what goes wrong."""

LOOKING_UP_ADOPTED = replace(LOOKING_UP, tells=True)
"""The same, where it is looked up whether it was adopted."""


def is_of_the_record(error: SynclineError) -> bool:
    """Whether a call's failure may be for the sake of the record that it was about.

    Quota that is used up, a way that is cut, a ledger that is away and what fails for everybody say
    nothing about it.
    """
    of_others = (NotSent, RateLimited, NoQuota, LedgerAway)
    return not error.of_all and not isinstance(error, of_others)


def is_set_apart(outcome: Outcome, lease: Lease) -> bool:
    """Whether somebody else keeps answering what is asked of one record, and not the others'."""
    error = outcome.error
    if error is None or error.answered_by is None:
        return False
    return is_of_the_record(error) and lease.failures >= PARK_AFTER


def backoff(
    failures: int, first: timedelta = BACKOFF, longest: timedelta = LONGEST_BACKOFF
) -> timedelta:
    """The pause after so many failures in a row."""
    return min(first * (1 << min(failures, 16)), longest)
