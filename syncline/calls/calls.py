"""The one way out: no call leaves without quota, a committed call row and a living session.

Order of events for every call: tokens taken in Redis; call rows (and, for writes, the state
*sending*) committed; tokens held once more, in case Redis was emptied in between; the call made;
tokens given back; the outcome written.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls.context import OF_A_TASK, PARALLEL, Line, WorkerContext
from syncline.errors import Again, NotSent, RateLimited, SynclineError, Unanswered
from syncline.halo.client import HaloClient
from syncline.ledger import calls, left_out, sessions
from syncline.leniency import LeftOut, noting
from syncline.queues import Lane
from syncline.quota.keys import QuotaKey, halo_hint, highlevel_hint
from syncline.transport import Permit

MOST_TRIES = 10
"""Failures in a row of one reading that may heal by itself; waiting for quota is none."""

T = TypeVar("T")

PATIENCE = timedelta(seconds=3)
"""Longest a task sleeps for quota; further away than that, work goes back to the ledger."""

_LONG_READINGS = frozenset({Lane.BACKFILL, Lane.PULLS})
"""Whoever asks for one of these waits as workers do: it would eat up what is kept for people."""


@dataclass(frozen=True, slots=True)
class Planned:
    """A call that is wanted: what for, with how many elements."""

    operation: str
    elements: int = 0


@dataclass(frozen=True, slots=True)
class Outcome:
    """How one call of a batch ended: a result, or the error that says what to do next.

    What was left out of its result, since it was nonsense, is counted when its end is written.
    """

    call_id: UUID
    result: object
    error: SynclineError | None
    left_out: Sequence[LeftOut] = ()


class NoQuota(Again):
    """The budget is used up for longer than a task may sleep; `after` says for how long."""


class ApiCalls:
    """The way out to one side of a connection, for one lane."""

    def __init__(
        self, worker: WorkerContext, connection: tuple[int, str], key: QuotaKey, lane: Lane
    ) -> None:
        self._worker = worker
        self._connection_id, self._connection = connection
        self._key = key
        self._lane = lane
        self._patience = OF_A_TASK if lane in _LONG_READINGS else worker.patience

    def tokens(self, wanted: int) -> list[UUID]:
        """Between one and `wanted` tokens, after a short sleep at most; a person waits longer.

        Raises:
            NoQuota: none comes back within the patience of whoever calls.
        """
        waited, by_hand = timedelta(0), self._patience.by_hand
        while True:
            grant = self._worker.quota.take(
                self._key,
                min(wanted, PARALLEL),
                lane=self._lane,
                connection=self._connection,
                deadline=self._worker.settings.deadline,
                by_hand=by_hand,
            )
            if grant.tokens:
                return [UUID(token) for token in grant.tokens]
            if grant.wait + waited > (self._key.longest if by_hand else PATIENCE):
                raise NoQuota(f"The quota of {self._key.name} is used up.", after=grant.wait)
            pause = max(grant.wait, timedelta(milliseconds=2))
            self._patience.rest(self._key.name, pause.total_seconds(), self._worker.sleep)
            waited += pause

    def return_unused(self, tokens: Sequence[UUID]) -> None:
        """Tokens that were taken and are not needed."""
        if tokens:
            self._worker.quota.give_back(self._key, [str(token) for token in tokens], sent=False)

    def begin(
        self, connection: Connection, tokens: Sequence[UUID], planned: Sequence[Planned]
    ) -> None:
        """Write the call rows in the caller's transaction.

        Raises:
            NotSent: this process has been declared dead; it must not write anything any more.
        """
        session = self._worker.session()
        if not sessions.alive(connection, session, self._worker.settings.dead_after):
            raise NotSent("This worker was declared dead, so it sends nothing any more.")
        calls.begin(
            connection,
            session,
            [
                calls.CallRow(
                    id=token,
                    quota_key=self._key.name,
                    connection_id=self._connection_id,
                    operation=call.operation,
                    elements=call.elements,
                )
                for token, call in zip(tokens, planned, strict=True)
            ],
            self._worker.settings.deadline,
        )

    def send(
        self, tokens: Sequence[UUID], makes: Sequence[Callable[[Permit], T]], began: float
    ) -> list[Outcome]:
        """Make a batch of begun calls side by side; every error becomes an outcome.

        Args:
            tokens: the calls' tokens, whose rows are committed.
            makes: one function for each token that makes the call.
            began: monotonic time at which the transaction of the rows was begun.
        """
        held = self._worker.quota.hold(
            self._key, [str(token) for token in tokens], self._worker.settings.deadline
        )
        if not held:
            self.return_unused(tokens)
            late = NotSent("The quota was rebuilt and is used up.", after=timedelta(seconds=1))
            return [Outcome(token, None, late) for token in tokens]
        permits = [
            Permit(
                call_id=str(token),
                token=str(token),
                send_before=began + calls.SEND_WITHIN.total_seconds(),
                deadline=self._worker.settings.deadline,
            )
            for token in tokens
        ]
        if len(tokens) == 1:
            return [self._one(permits[0], makes[0])]
        return list(self._worker.workers.map(self._one, permits, makes))

    def read(self, operation: str, make: Callable[[Permit], T]) -> T:
        """One call that changes nothing on the other side; its errors are raised."""
        outcome = self.read_many([operation], [make])[0]
        if outcome.error is not None:
            raise outcome.error
        return outcome.result  # type: ignore[return-value]  # an outcome holds what `make` gave

    def sign_in(self, halo: HaloClient) -> None:
        """Get a token where there is none; its two calls are counted like all others."""
        if halo.signed_in:
            return
        tokens = self.tokens(2)
        try:
            if len(tokens) == 1:
                tokens += self.tokens(1)
            planned = [Planned("GET /authinfo"), Planned("POST /token")]
            began = self._worker.monotonic()
            self._worker.ledger.run(lambda connection: self.begin(connection, tokens, planned))
        except SynclineError:
            self.return_unused(tokens)
            raise
        first, second = tokens
        outcome = self.send([first], [halo.sign_in], began)[0]
        self._give_back(str(second), outcome.error)
        ends = [outcome, Outcome(second, None, outcome.error)]
        self._worker.ledger.run(lambda connection: self.end(connection, ends))
        if outcome.error is not None:
            raise outcome.error

    def read_many(
        self, operations: Sequence[str], makes: Sequence[Callable[[Permit], T]]
    ) -> list[Outcome]:
        """Up to as many reading calls as quota is there for, in order; at least one.

        Raises:
            NoQuota: there is none for longer than a task may sleep.
        """
        tokens = self.tokens(len(makes))
        makes = makes[: len(tokens)]
        planned = [Planned(operation) for operation in operations[: len(tokens)]]
        began = self._worker.monotonic()
        try:
            self._worker.ledger.run(lambda connection: self.begin(connection, tokens, planned))
        except SynclineError:
            self.return_unused(tokens)
            raise
        outcomes = self.send(tokens, makes, began)
        self._worker.ledger.run(lambda connection: self.end(connection, outcomes))
        return outcomes

    def end(self, connection: Connection, outcomes: Sequence[Outcome]) -> None:
        """Write how a batch's calls ended, in the caller's transaction."""
        calls.end(connection, [_end(outcome) for outcome in outcomes])
        noted = [one for outcome in outcomes for one in outcome.left_out]
        left_out.count(connection, self._connection_id, noted)

    def _one(self, permit: Permit, make: Callable[[Permit], T]) -> Outcome:
        error: SynclineError | None = None
        result: object = None
        started = self._worker.monotonic()
        with noting() as noted:
            try:
                result = make(permit)
            except SynclineError as failure:
                error = failure
        self._give_back(permit.token, error)
        headers = getattr(result, "headers", None)
        if headers:
            took = timedelta(seconds=self._worker.monotonic() - started)
            hint = highlevel_hint(headers, now=self._worker.now(), took=took)
            self._worker.quota.learn(self._key, hint)
        return Outcome(UUID(permit.call_id), result, error, noted)

    def _give_back(self, token: str, error: SynclineError | None) -> None:
        if isinstance(error, RateLimited):
            self._worker.quota.freeze(self._key, error.after)
            said = halo_hint(error.what, {}, now=self._worker.now())
            self._worker.quota.learn(self._key, said)
        sent = not isinstance(error, NotSent)
        self._worker.quota.give_back(self._key, [token], sent=sent)


def halo_calls(line: Line, lane: Lane) -> ApiCalls:
    """The way out to a line's Halo tenant, signed in.

    Raises:
        SynclineError: there is no token and none can be had.
    """
    api = ApiCalls(line.worker, (line.link.id, line.link.name), line.halo_key, lane)
    api.sign_in(line.halo)
    return api


def highlevel_calls(line: Line, lane: Lane) -> ApiCalls:
    """The way out to a line's HighLevel location, signed in.

    Raises:
        SynclineError: there is no token and none can be had.
    """
    api = ApiCalls(line.worker, (line.link.id, line.link.name), line.highlevel_key, lane)
    line.highlevel.sign_in(api.read)
    return api


def _end(outcome: Outcome) -> calls.CallEnd:
    error = outcome.error
    return calls.CallEnd(
        id=outcome.call_id,
        sent=not isinstance(error, NotSent),
        status=_status(outcome),
        error=None if error is None else error.what,
    )


def _status(outcome: Outcome) -> int | None:
    if isinstance(outcome.error, Unanswered):
        return calls.NOBODY
    if outcome.error is not None:
        return outcome.error.status
    return int(getattr(outcome.result, "status", 200))


def patiently(worker: WorkerContext, make: Callable[[], T]) -> T:
    """A reading that waits for its turn, and is tried again where that may help."""
    failures = 0
    while True:
        try:
            return make()
        except Again as error:
            failures += not isinstance(error, NoQuota)
            if failures >= MOST_TRIES:
                raise
            pause = max(error.after.total_seconds(), 0.05)
            worker.patience.rest(error.what, pause, worker.sleep)
