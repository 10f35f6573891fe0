"""A tenant that is taken over: its survey, its adoption, one that dies in the middle."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest

from syncline.adopt.run import Adopted, Survey, settle, survey
from syncline.sandbox.process import SandboxProcess
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
    return world.parts.now().date() - timedelta(days=31)


def surveyed(world: World) -> Survey:
    return survey(world.reopened(), since(world), quiet)


def adopted(world: World) -> Adopted:
    return settle(world.reopened(), surveyed(world), quiet)


def killed_while_it_settles(world: World, seen: Survey, at: Callable[[int, str], bool]) -> None:
    """An adoption that dies at the point, by number and name, that `at` chooses."""

    def strike(number: int, name: str) -> None:
        if at(number, name):
            raise Killed(name)

    mortal = Mortal(world, strike)
    with pytest.raises(Killed):
        settle(world.reopened(), seen, quiet)
    mortal.silence()


def posts(sandbox: SandboxProcess) -> list[str]:
    return [
        call["operation"]
        for call in sandbox.calls("halo")
        if call["operation"].startswith(("POST", "DELETE"))
        and call["operation"] not in {"POST /Report", "POST /auth"}
        and "token" not in call["operation"]
    ]
