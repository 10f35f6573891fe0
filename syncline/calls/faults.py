"""What a call's end says of the side that was asked: whether it spoke, failed, or is shut."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from syncline.calls.context import WorkerContext
from syncline.errors import (
    Doubtful,
    NoAnswer,
    NotSent,
    RateLimited,
    Suspended,
    SynclineError,
    Troubled,
    Unanswered,
    Unreadable,
)
from syncline.ledger.calls import Fault, FaultyOperation, LastAnswer
from syncline.operations import TOKENS, is_without_elements
from syncline.quota.breakers import WHOLE_KEY, Endpoint, FailingEndpoint, Said
from syncline.quota.keys import QuotaKey

_SERVER, _REQUEST_TIMEOUT = 500, 408

TOKEN_ENDPOINTS = tuple(Endpoint(name, opens_after=1) for name in sorted(TOKENS))
"""Without a token nothing else can be asked, so that one failure holds all others back."""


_TRIED_WITHIN = timedelta(minutes=10)
"""What failed and was not wanted any more for so long says nothing about now."""


def endpoint_of(operation: str) -> Endpoint:
    """The endpoint of an operation, as the breaker tells it apart."""
    return Endpoint(operation, 1) if operation in TOKENS else Endpoint(operation)


def fault_of(error: SynclineError | None) -> Fault | None:
    """What was wrong with the side that was asked; None where it answered, or was not asked."""
    if error is None:
        return None
    if error.answered_by is not None:
        return Fault.FOREIGN
    if isinstance(error, Suspended):
        return Fault.SUSPENDED
    if isinstance(error, (Unanswered, NoAnswer)) or (
        isinstance(error, Doubtful) and error.status is None
    ):
        return Fault.SILENT
    if isinstance(error, Troubled) or (isinstance(error, Doubtful) and _is_trouble(error.status)):
        return Fault.FAILING
    return None


def _is_trouble(status: int | None) -> bool:
    return status == _REQUEST_TIMEOUT or (status or 0) >= _SERVER


def fault_as_kept(error: SynclineError | None) -> Fault | None:
    """The same as it is kept and shown: what is not as the API promises is no silence either."""
    return fault_of(error) or (Fault.FAILING if isinstance(error, Unreadable) else None)


def said_by(error: SynclineError | None) -> Said:
    """What that means to the endpoint's breaker."""
    fault = fault_of(error)
    if fault is Fault.SUSPENDED:
        return Said.SHUT
    if fault is not None:
        return Said.FAILED
    if isinstance(error, (NotSent, RateLimited)):
        return Said.NOTHING
    return Said.SPOKE


def failing_endpoints(faulty: Sequence[FaultyOperation]) -> list[FailingEndpoint]:
    """The breakers that are open, by the operations of a key that failed last.

    Args:
        faulty: as the ledger has them; the one without a name stands for all of the key.
    """
    return [
        FailingEndpoint(
            one.operation, one.many, one.since, one.last, shut=one.fault is Fault.SUSPENDED
        )
        for one in faulty
        if _is_of_all(one)
    ]


def failing_now(answer: LastAnswer) -> list[FaultyOperation]:
    """The operations that fail for everybody now, while others of their key are answered.

    Of what is only asked to find out at what another one fails, nothing is owed.
    """
    return [
        one
        for one in answer.faulty
        if one.operation
        and not is_without_elements(one.operation)
        and _is_of_all(one)
        and answer.now - one.last < _TRIED_WITHIN
    ]


def _is_of_all(one: FaultyOperation) -> bool:
    return one.fault is Fault.SUSPENDED or one.many >= endpoint_of(one.operation).opens_after


def held_back(worker: WorkerContext, key: QuotaKey) -> timedelta:
    """How long a side is asked nothing, since all of it, or the giving of tokens, fails.

    Asked before deliveries are claimed: they stay due as they are, and go when it is back.
    """
    return worker.quota.held_back(key, (WHOLE_KEY, *TOKEN_ENDPOINTS))
