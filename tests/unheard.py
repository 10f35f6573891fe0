"""A worker whose commit is made, and that hears instead that PostgreSQL is away."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from sqlalchemy import Connection

from syncline.ledger.database import LedgerAway
from tests.world import World


def unheard(
    world: World, monkeypatch: pytest.MonkeyPatch, module: Any, name: str, *, nth: int = 1
) -> list[str]:
    """Let a worker not hear of one commit.

    Args:
        world: the worker.
        monkeypatch: for the test.
        module: where the work is.
        name: of the work that is committed; only where it finds something.
        nth: which of these commits.

    Returns:
        What it did not hear of, once that has happened.
    """
    ledger: Any = world.worker.ledger
    begin, work = ledger.begin, getattr(module, name)
    begun: list[str] = []
    lost: list[str] = []

    def watched(*arguments: Any, **options: Any) -> Any:
        found = work(*arguments, **options)
        if found:
            begun.append(name)
        return found

    @contextmanager
    def deaf() -> Iterator[Connection]:
        with begin() as connection:
            yield connection
        if len(begun) >= nth and not lost:
            lost.append(name)
            raise LedgerAway("PostgreSQL is away")

    monkeypatch.setattr(module, name, watched)
    ledger.begin = deaf
    return lost
