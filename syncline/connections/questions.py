"""One question after the other to one side: each call with a permit of its own, and with patience.

A question that cannot be asked, since workers use up the quota, is no finding about the connection.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import httpcore

from syncline.calls.calls import ApiCalls, NoQuota, SignIn
from syncline.calls.context import Line
from syncline.connections.scope_checks import CheckResult
from syncline.errors import (
    Again,
    BadCredentials,
    ForeignAnswer,
    MissingScope,
    NoAnswer,
    NotSent,
    RateLimited,
    Refused,
    Suspended,
    SynclineError,
    Unreachable,
    WrongPlace,
)
from syncline.queues import Lane
from syncline.quota.keys import QuotaKey
from syncline.transport import Counted, Permit

PATIENCE = timedelta(seconds=30)
"""How long a side's questions wait for their turn in all, while workers use up the quota."""

STRANGERS = 3
"""So often somebody else may answer one question before that is told: once is passing."""

_PAUSE_S = 1.0


@dataclass(frozen=True, slots=True)
class ConnectionCheck:
    """One question and what its answer means.

    Attributes:
        what: what works if it is answered.
        ask: asks it; each of its calls has a permit of its own.
        describe: says what the answer shows.
        needed: whether the connection cannot work without it.
        is_token: whether it is a token that is asked for, for which there need not be one.
    """

    what: str
    ask: Callable[[Counted], Any]
    describe: Callable[[Any], str]
    needed: bool = True
    is_token: bool = False


class Questions:
    """The questions to one side, one after the other.

    Args:
        line: the connection.
        key: the side's quota.
        sign_in: gets a token where there is none.
        tell: hears what is asked next.
    """

    def __init__(
        self, line: Line, key: QuotaKey, sign_in: SignIn, tell: Callable[[str], None]
    ) -> None:
        who = (line.link.id, line.link.name)
        self.api = ApiCalls(line.worker, who, key, Lane.UPKEEP, sign_in=sign_in, insists=True)
        self._unsigned = ApiCalls(line.worker, who, key, Lane.UPKEEP, insists=True)
        self.findings: list[CheckResult] = []
        self.errors: list[SynclineError] = []
        self.waits: Again | None = None
        self._line = line
        self._key = key
        self._tell = tell
        self._left = PATIENCE.total_seconds()

    @property
    def is_well(self) -> bool:
        """Whether everything that is needed works."""
        return not self.errors and self.waits is None

    @property
    def all_errors(self) -> list[SynclineError]:
        """What keeps the connection from working: also a scope that will be missed one day."""
        missing: list[SynclineError] = [
            MissingScope(one.found, remedy=one.remedy)
            for one in self.findings
            if one.needed and not one.works and one.checked
        ]
        return self.errors or missing

    def ask_all(self, questions: Iterator[ConnectionCheck]) -> None:
        """Each question in turn, until an error that all the others would meet as well."""
        shut = False
        for question in questions:
            if self.waits is not None:
                self._put_off(question, self.waits)
            elif not shut:
                shut = self._ask(question)

    def _ask(self, question: ConnectionCheck) -> bool:
        """Ask one; returns whether the others would end alike."""
        self._tell(question.what)
        try:
            api = self._unsigned if question.is_token else self.api
            answer = question.ask(partial(self._counted, api))
        except (NoQuota, RateLimited) as error:
            self.waits = error
            self._put_off(question, error)
            return False
        except SynclineError as raised:
            return self._failed(question, _explained(raised, self._line))
        self._found(question, works=True, found=question.describe(answer))
        return False

    def _failed(self, question: ConnectionCheck, error: SynclineError) -> bool:
        self._found(question, works=False, found=error.what, remedy=error.remedy)
        if question.needed:
            self.errors.append(error)
        shut = isinstance(error, (BadCredentials, WrongPlace, Unreachable, Suspended))
        return shut or question.is_token or type(error) is Refused or _is_silence(error)

    def _counted(self, api: ApiCalls, operation: str, make: Callable[[Permit], Any]) -> Any:
        """One call, which waits for its turn, and is made again where the answer is no answer."""
        strangers = renewed = 0
        while True:
            try:
                return api.read(operation, make)
            except (NoQuota, RateLimited) as error:
                if not self._wait(error.after.total_seconds()):
                    raise
            except ForeignAnswer:
                strangers += 1
                if strangers >= STRANGERS:
                    raise
                self._line.worker.sleep(_PAUSE_S)
            except Again as error:
                renewed += 1
                if error.after or renewed > 1:  # at once: with a new token
                    raise

    def _wait(self, seconds: float) -> bool:
        """Wait for a turn, if the patience lasts for it."""
        if seconds > self._left:
            return False
        pause = max(seconds, 0.05)
        self._left -= pause
        worker = self._line.worker
        worker.patience.rest(self._key.name, pause, worker.sleep)
        return True

    def _put_off(self, question: ConnectionCheck, why: Again) -> None:
        seconds = f"{why.after.total_seconds():.0f} s"
        self._found(
            question,
            works=False,
            found=f"not checked: {why.what} It may be asked again in {seconds}.",
            remedy="Run the command again then.",
            checked=False,
        )

    def _found(
        self,
        question: ConnectionCheck,
        *,
        works: bool,
        found: str,
        remedy: str = "",
        checked: bool = True,
    ) -> None:
        self.findings.append(
            CheckResult(question.what, works, question.needed, found, remedy, checked)
        )


def _explained(error: SynclineError, line: Line) -> SynclineError:
    """What a person must look at: an address where nobody answers, the location that was given."""
    no_connection = (httpcore.NetworkError, httpcore.TimeoutException)
    if isinstance(error, NotSent) and isinstance(error.__cause__, no_connection):
        return Unreachable(
            error.what,
            remedy="Check the address in `syncline connection list`, and the way there.",
            call_id=error.call_id,
        )
    if isinstance(error, WrongPlace):
        return WrongPlace(
            f"{error.what} The connection names the location {line.link.location_id}.",
            remedy=error.remedy,
            status=error.status,
            call_id=error.call_id,
        )
    return error


def _is_silence(error: SynclineError) -> bool:
    """No answer of the side came; none would come to the next question either."""
    return isinstance(error, (NoAnswer, ForeignAnswer, NotSent))
