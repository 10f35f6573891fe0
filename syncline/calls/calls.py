"""The one way out: no call leaves without quota, a committed call row and a living session.

Order of events for every call: signed in, where the side wants a token; tokens taken in Redis; call
rows (and, for writes, the state *sending*) committed; tokens held once more, in case Redis was
emptied in between; the call made; tokens given back; the outcome written. The calls that signing in
takes go the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls.context import OF_A_TASK, PARALLEL, Line, QuotaPatience, WorkerContext
from syncline.calls.faults import endpoint_of, fault_as_kept, said_by
from syncline.errors import Again, Doubtful, NotSent, RateLimited, SynclineError, Unanswered
from syncline.ledger import calls, left_out, sessions
from syncline.leniency import LeftOut, noting
from syncline.queues import Lane
from syncline.quota.breakers import WHOLE_KEY, Endpoint
from syncline.quota.keys import QuotaKey, halo_hint, highlevel_hint
from syncline.strangers import LONGEST_PAUSE
from syncline.transport import Counted, Permit

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
    """How one call of a batch ended.

    Attributes:
        result: what it brought.
        error: else, what to do next.
        left_out: what was left out of its result, since it was nonsense; counted when its end is
            written.
    """

    call_id: UUID
    result: object
    error: SynclineError | None
    left_out: Sequence[LeftOut] = ()


class NoQuota(Again):
    """The budget is used up for longer than a task may sleep; `after` says for how long."""


class Outage(NoQuota):
    """What was to be asked fails for everybody, so it is asked by one caller at a time."""


SignIn = Callable[[Counted], object]
"""Gets a token where there is none; every call for that is made by what it is given."""


def _needs_no_token(_counted: Counted) -> None:
    """It is asked for here, or another way."""


class ApiCalls:
    """The way out to one side of a connection, for one lane.

    Args:
        worker: what the process works with.
        connection: its id and its name.
        key: the quota.
        lane: in whose name.
        sign_in: gets a token where there is none, before anything else is asked.
        insists: whether it asks also what fails for everybody, since a person wants to know.
    """

    def __init__(
        self,
        worker: WorkerContext,
        connection: tuple[int, str],
        key: QuotaKey,
        lane: Lane,
        *,
        sign_in: SignIn = _needs_no_token,
        insists: bool = False,
    ) -> None:
        self._worker = worker
        self._connection_id, self._connection = connection
        self._key = key
        self._lane = lane
        self._signs_in = sign_in
        self._insists = insists
        self._endpoints: dict[UUID, Endpoint] = {}
        self._patience = OF_A_TASK if lane in _LONG_READINGS else worker.patience

    def tokens(self, wanted: int, operation: str) -> list[UUID]:
        """Between one and `wanted` tokens for calls of an operation, after a short sleep at most.

        A person waits longer.

        Raises:
            NoQuota: none comes back within the patience of whoever calls; as an `Outage`, the
                operation fails for everybody and another one is trying, or has just tried.
            SynclineError: there is no token of the other side, and none can be had.
        """
        self.sign_in()
        return self._tokens(wanted, endpoint_of(operation), self._patience)

    def sign_in(self) -> None:
        """Get a token where there is none.

        Raises:
            SynclineError: none can be had.
        """
        waited = timedelta(0)
        while True:
            try:
                self._signs_in(self._briefly)
            except NoQuota as error:
                if isinstance(error, Outage) or not self._patience.by_hand:
                    raise
                waited += self._rested(error.after, waited, self._patience)
            else:
                return

    def _tokens(self, wanted: int, endpoint: Endpoint, patience: QuotaPatience) -> list[UUID]:
        waited = timedelta(0)
        while True:
            grant = self._worker.quota.take(
                self._key,
                min(wanted, PARALLEL),
                lane=self._lane,
                connection=self._connection,
                deadline=self._worker.settings.deadline,
                by_hand=self._patience.by_hand,
                endpoint=endpoint,
                insists=self._insists,
            )
            if grant.tokens:
                taken = [UUID(token) for token in grant.tokens]
                self._endpoints |= dict.fromkeys(taken, endpoint)
                return taken
            if grant.failing:
                raise Outage(
                    f"{endpoint.name} of {self._key.name} fails for everybody, so one caller at a "
                    "time asks it.",
                    after=grant.wait,
                    remedy="It goes on by itself; since when, and with what: syncline status",
                )
            waited += self._rested(grant.wait, waited, patience)

    def _rested(self, wait: timedelta, waited: timedelta, patience: QuotaPatience) -> timedelta:
        """Wait for quota, if the patience lasts for it; returns how long that took."""
        if wait + waited > (self._key.longest if patience.by_hand else PATIENCE):
            raise NoQuota(f"The quota of {self._key.name} is used up.", after=wait)
        pause = max(wait, timedelta(milliseconds=2))
        patience.rest(self._key.name, pause.total_seconds(), self._worker.sleep)
        return pause

    def return_unused(self, tokens: Sequence[UUID]) -> None:
        """Tokens that were taken together and are not needed."""
        if tokens:
            [endpoint, *_] = [self._endpoint(token) for token in tokens]
            self._worker.quota.give_back(
                self._key, [str(token) for token in tokens], sent=False, endpoint=endpoint
            )

    def _endpoint(self, token: UUID) -> Endpoint:
        return self._endpoints.pop(token, WHOLE_KEY)

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
        with self._worker.patience.asking(self._key.name):
            if len(tokens) == 1:
                return [self._one(permits[0], makes[0])]
            return list(self._worker.workers.map(self._one, permits, makes))

    def read(self, operation: str, make: Callable[[Permit], T]) -> T:
        """One call that changes nothing on the other side; its errors are raised."""
        self.sign_in()
        return self._only(operation, make, self._patience)

    def _briefly(self, operation: str, make: Callable[[Permit], T]) -> T:
        """One call of those that signing in takes: others wait for it, so it waits for nobody."""
        return self._only(operation, make, OF_A_TASK)

    def _only(self, operation: str, make: Callable[[Permit], T], patience: QuotaPatience) -> T:
        outcome = self._read_many([operation], [make], patience)[0]
        if outcome.error is not None:
            raise outcome.error
        return outcome.result  # type: ignore[return-value]  # an outcome holds what `make` gave

    def read_many(
        self, operations: Sequence[str], makes: Sequence[Callable[[Permit], T]]
    ) -> list[Outcome]:
        """Up to as many reading calls as quota is there for, in order; at least one.

        Raises:
            NoQuota: there is none for longer than a task may sleep.
        """
        self.sign_in()
        return self._read_many(operations, makes, self._patience)

    def _read_many(
        self,
        operations: Sequence[str],
        makes: Sequence[Callable[[Permit], T]],
        patience: QuotaPatience,
    ) -> list[Outcome]:
        tokens = self._tokens(len(makes), endpoint_of(operations[0]), patience)
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
        of_all = self._give_back(UUID(permit.call_id), error)
        if error is not None:
            error.of_all = of_all
        headers = getattr(result, "headers", None)
        if headers:
            took = timedelta(seconds=self._worker.monotonic() - started)
            self._worker.quota.learn(self._key, highlevel_hint(headers, took=took))
        return Outcome(UUID(permit.call_id), result, error, noted)

    def _give_back(self, token: UUID, error: SynclineError | None) -> bool:
        if isinstance(error, RateLimited):
            self._rest(error)
        elif isinstance(error, Doubtful) and error.rest:
            self._worker.quota.freeze(self._key, error.rest)
        return self._worker.quota.give_back(
            self._key,
            [str(token)],
            sent=not isinstance(error, NotSent),
            said=said_by(error),
            endpoint=self._endpoint(token),
        )

    def _rest(self, error: RateLimited) -> None:
        """Let the key rest, and learn the limit where the other side itself names one.

        After its longest window no call counts any more, so a longer rest is a mistake but where
        the day's calls are used up.
        """
        if not error.of_day:
            error.after = min(error.after, max(self._key.longest, LONGEST_PAUSE))
        self._worker.quota.freeze(self._key, error.after)
        if error.answered_by is None:
            self._worker.quota.learn(self._key, halo_hint(error.what))


def halo_calls(line: Line, lane: Lane, *, insists: bool = False) -> ApiCalls:
    """The way out to a line's Halo tenant, signed in.

    Raises:
        SynclineError: there is no token and none can be had.
    """
    return _signed_in(line, line.halo_key, lane, line.halo.sign_in, insists=insists)


def highlevel_calls(line: Line, lane: Lane, *, insists: bool = False) -> ApiCalls:
    """The way out to a line's HighLevel location, signed in.

    Raises:
        SynclineError: there is no token and none can be had.
    """
    return _signed_in(line, line.highlevel_key, lane, line.highlevel.sign_in, insists=insists)


def _signed_in(
    line: Line, key: QuotaKey, lane: Lane, sign_in: SignIn, *, insists: bool
) -> ApiCalls:
    connection = (line.link.id, line.link.name)
    api = ApiCalls(line.worker, connection, key, lane, sign_in=sign_in, insists=insists)
    api.sign_in()
    return api


def _end(outcome: Outcome) -> calls.CallEnd:
    error = outcome.error
    return calls.CallEnd(
        id=outcome.call_id,
        sent=not isinstance(error, NotSent),
        status=_status(outcome),
        error=None if error is None else error.what,
        fault=fault_as_kept(error),
        answered_by=None if error is None else error.answered_by,
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
            failures += isinstance(error, Outage) or not isinstance(error, NoQuota)
            if failures >= MOST_TRIES:
                raise
            pause = max(error.after.total_seconds(), 0.05)
            worker.patience.rest(error.what, pause, worker.sleep)
