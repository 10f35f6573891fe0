"""Departed: rows become *sending* in the transaction that writes the calls for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Connection

from syncline.calls.calls import ApiCalls
from syncline.calls.context import WorkerContext
from syncline.errors import NotSent

T = TypeVar("T")


def departed(
    worker: WorkerContext, api: ApiCalls, tokens: Sequence[UUID], depart: Callable[[Connection], T]
) -> T:
    """What the transaction gives in which rows depart; the tokens are returned where it fails.

    Where PostgreSQL did not answer its commit, they may be *sending* by now, and nobody would know
    of them. So the session that has them is given up: the sweep frees them, to be looked up.

    Raises:
        NotSent: they did not depart.
        SynclineError: nobody knows whether they did; nothing was sent.
    """
    try:
        return worker.ledger.run(depart)
    except NotSent:  # raised inside of the transaction, which was rolled back
        api.return_unused(tokens)
        raise
    except BaseException:
        api.return_unused(tokens)
        worker.abandon()
        raise
