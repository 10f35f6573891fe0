"""Each target has one handler, which works while its connection does what the target declares."""

from __future__ import annotations

import pytest

from syncline.engine.handlers import Works
from syncline.engine.rounds import NextRun
from syncline.runtime.registry import HANDLERS, look_up, send
from syncline.sandbox.process import SandboxProcess
from tests.world import Worlds, small

READ = {name for name, one in HANDLERS.items() if one.may_work is Works.READS}
TOLD = {name for name, one in HANDLERS.items() if one.may_work is Works.TELLS}


def test_only_what_is_written_can_be_in_doubt() -> None:
    assert {name for name, one in HANDLERS.items() if one.looks_up is None} == READ


def test_only_alerts_are_told_of_a_connection_that_was_stopped_by_itself() -> None:
    assert {"ticket", "alert_action", "integration_error"} == TOLD


@pytest.mark.parametrize(
    ("state", "note", "working"),
    [
        ("active", None, set(HANDLERS)),
        ("rehearsing", None, READ),
        ("stopped", "Halo refused the secret", TOLD),
    ],
)
def test_a_target_works_in_the_states_that_it_declares(
    worlds: Worlds,
    sandbox: SandboxProcess,
    state: str,
    note: str | None,
    working: set[str],
) -> None:
    small(sandbox, orders=1)
    world = worlds()
    world.do("update connection set state = :state, note = :note", state=state, note=note)
    link = world.reopened().link
    assert {name for name, one in HANDLERS.items() if one.may_work.allowed(link)} == working


def test_nothing_is_asked_for_a_target_that_may_not_work(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=1)
    world = worlds()
    world.pull()
    world.do("update connection set state = 'stopped', note = 'by hand'")
    seen = len(sandbox.calls())
    line = world.reopened()
    for target in HANDLERS:
        assert send(line, target) == NextRun.when_due()
        assert look_up(line, target) == NextRun.when_due()
    assert sandbox.calls(after=seen) == []
