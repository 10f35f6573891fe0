"""A tenant that is taken over: its survey, its adoption, one that dies in the middle."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from typing import Any

import pytest

from syncline.adopt.run import AdoptionResult, Survey, apply_survey, survey
from syncline.calls.calls import halo_calls
from syncline.calls.context import Line
from syncline.halo.entities.resources import INVOICE, PAYMENT, RECURRING, AnyResource
from syncline.halo.entities.rows import read_row
from syncline.queues import Lane
from syncline.sandbox.process import SandboxProcess
from syncline.transport import Permit
from tests.promises.mortal import Killed, Mortal
from tests.world import World, Worlds


def quiet(_what: str, _done: int, _of: int) -> None:
    """Nobody watches."""


def standing(make: Worlds, **options: Any) -> World:
    """A world whose connection waits for its adoption."""
    world = make(**options)
    world.do("update connection set state = 'stopped', note = 'adopt first'")
    world.reopened()
    return world


def since(world: World) -> date:
    return world.worker.now().date() - timedelta(days=31)


def surveyed(world: World) -> Survey:
    return survey(world.reopened(), since(world), quiet)


def adopted(world: World) -> AdoptionResult:
    return apply_survey(world.reopened(), surveyed(world), quiet)


def killed_while_it_applies(world: World, seen: Survey, at: Callable[[int, str], bool]) -> None:
    """An adoption that dies at the point, by number and name, that `at` chooses."""

    def strike(number: int, name: str) -> None:
        if at(number, name):
            raise Killed(name)

    mortal = Mortal(world, strike)
    with pytest.raises(Killed):
        apply_survey(world.reopened(), seen, quiet)
    mortal.silence()


def posts(sandbox: SandboxProcess) -> list[str]:
    return [
        call["operation"]
        for call in sandbox.calls("halo")
        if call["operation"].startswith(("POST", "DELETE"))
        and call["operation"] not in {"POST /Report", "POST /auth"}
        and "token" not in call["operation"]
    ]


IN_A_ROW = 16
"""So many ids in a row are never without any money: nothing is deleted here."""


def _raw(line: Line, resource: AnyResource, row_id: int, permit: Permit) -> dict[str, Any]:
    return read_row(line.halo, permit, resource, row_id).raw


def money_held(world: World) -> dict[str, dict[str, Any]]:
    """All money that Halo holds; invoices and recurring invoices are of one sequence."""
    line = world.worker.open_line("acme")
    api = halo_calls(line, Lane.UPKEEP)
    found: dict[str, dict[str, Any]] = {}
    for resources, first in (
        ({"invoice": INVOICE, "recurring": RECURRING}, 400_001),
        ({"payment": PAYMENT}, 800_001),
    ):
        many = -1
        while len(found) > many:  # until none of so many in a row is there
            many = len(found)
            wanted = [(table, row) for row in range(first, first + IN_A_ROW) for table in resources]
            first += IN_A_ROW  # noqa: PLW2901 - where it goes on
            while wanted:
                makes = [partial(_raw, line, resources[table], row) for table, row in wanted]
                outcomes = api.read_many(["look"] * len(wanted), makes)
                for (table, row), outcome in zip(wanted, outcomes, strict=False):
                    if outcome.error is None:
                        found[f"{table} {row}"] = outcome.result  # type: ignore[assignment]  # the row
                wanted = wanted[len(outcomes) :]
    return found
