"""First rows of a kind that are not found again, or are answered under another id."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.halo.entities.resources import ORDER
from syncline.halo.entities.rows import save_rows
from syncline.halo.sql.finding import LookupResult
from syncline.sandbox.process import SandboxProcess
from syncline.sending import prove, targets
from syncline.sending.find import find
from syncline.sending.first_rows import status
from tests.tenants import parked
from tests.world import NAME, World, Worlds, small

ORDERS = 4


class Hidden:
    """Orders that no way finds, while it is on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.on, self.looks = True, 0
        monkeypatch.setattr(prove, "find", self.found)
        monkeypatch.setattr(prove, "TRIES", 1)

    def found(self, line: Any, api: Any, target: Any, way: Any, references: Any) -> LookupResult:
        if not self.on or target.name != "order":
            return find(line, api, target, way, references)
        self.looks += 1
        return LookupResult({one: [] for one in references}, frozenset())


class Misnamed:
    """Orders that are answered under another id when they are made.

    Attributes:
        rows: how many were.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch, answered: int) -> None:
        self.rows, self._answered = 0, answered
        monkeypatch.setattr(targets, "save_rows", self._saved)

    def _saved(
        self, client: Any, permit: Any, resource: Any, bodies: Any, *spelling: Any
    ) -> list[Any]:
        rows = save_rows(client, permit, resource, bodies, *spelling)
        if resource is not ORDER or any("id" in one for one in bodies):
            return rows
        self.rows += len(rows)
        return [type(row).of({**row.raw, "id": self._answered}) for row in rows]


def shop(worlds: Worlds, sandbox: SandboxProcess, **config: Any) -> World:
    small(sandbox, orders=ORDERS, customers=2, transactions=0, subscriptions=0, **config)
    world = worlds()
    world.pull()
    return world


def said(world: World) -> str:
    """What status says of kinds that are not written."""
    line = world.worker.open_line(NAME)
    unfound = world.worker.ledger.run(lambda c: status.read_unfound(c, line.link))
    return " ".join(str(one) for one in status.unfound_lines(unfound))


def until_parked(world: World) -> None:
    for _ in range(60):
        world.follow_all()
        if parked(world):
            return
