"""Single calls that change something on the other side: how one ended and what it did are one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls.calls import ApiCalls, Outcome, Planned
from syncline.calls.context import WorkerContext
from syncline.errors import SynclineError
from syncline.transport import Permit

T = TypeVar("T")


def change(
    worker: WorkerContext,
    api: ApiCalls,
    planned: Planned,
    make: Callable[[Permit], T],
    note: Callable[[Connection, T, UUID], object],
) -> Outcome:
    """Make one call that changes something; what it did outlasts an outage of the ledger.

    Args:
        worker: the process's context.
        api: the way out.
        planned: the call.
        make: makes it.
        note: writes the audit entry: (connection, what `make` gave, the call's id).

    Raises:
        SynclineError: it was not made.
    """
    tokens = api.tokens(1, planned.operation)
    began = worker.monotonic()
    try:
        worker.ledger.run(lambda connection: api.begin(connection, tokens, [planned]))
    except SynclineError:
        api.return_unused(tokens)
        raise
    [outcome] = api.send(tokens, [make], began)

    def work(connection: Connection) -> None:
        api.end(connection, [outcome])
        if outcome.error is None:
            made: T = outcome.result  # type: ignore[assignment]  # it holds what `make` gave
            note(connection, made, outcome.call_id)

    worker.ledger.run_patiently(work, sleep=worker.sleep)
    return outcome


def made(
    worker: WorkerContext,
    api: ApiCalls,
    planned: Planned,
    make: Callable[[Permit], T],
    note: Callable[[Connection, T, UUID], object],
) -> T:
    """What one call that changes something gave, as `change` makes it.

    Raises:
        SynclineError: it was not made, or ended with that.
    """
    outcome = change(worker, api, planned, make, note)
    if outcome.error is not None:
        raise outcome.error
    return outcome.result  # type: ignore[return-value]  # it holds what `make` gave
