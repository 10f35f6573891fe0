"""One (flow, source id, role) makes at most one target row, whatever crashes where."""

from __future__ import annotations

import random

import pytest

from syncline.ledger import calls
from syncline.sandbox.process import SandboxProcess
from tests.promises.mortal import Mortal, die_one_after_the_other
from tests.variants import in_turn, mostly
from tests.world import Worlds, small


@pytest.mark.parametrize("profile", mostly("plain"))
def test_workers_that_die_one_after_the_other_double_and_lose_nothing(
    worlds: Worlds, sandbox: SandboxProcess, profile: str, seed: int
) -> None:
    small(sandbox, profile=profile, orders=12, customers=4)
    lives = random.Random(f"{seed} {profile}")
    first = worlds()
    first.request_pull()
    deaths = die_one_after_the_other(worlds, first, lives, most_points=160)
    assert len(deaths) >= 3
    verdict = sandbox.audit()
    assert verdict["clean"], {key: value for key, value in verdict.items() if value}


@pytest.mark.parametrize(
    ("moment", "profile"), in_turn(["before POST", "after POST", "after commit"])
)
def test_a_worker_that_stood_still_and_wakes_after_another_took_over_doubles_nothing(
    worlds: Worlds,
    sandbox: SandboxProcess,
    monkeypatch: pytest.MonkeyPatch,
    profile: str,
    moment: str,
) -> None:
    # A held-up call leaves within this time or never; the settle time is longer, as in production.
    monkeypatch.setattr(calls, "SEND_WITHIN", calls.SEND_WITHIN / 15)
    small(sandbox, profile=profile, orders=6, customers=2)
    first = worlds()
    first.pull()
    other = worlds(joins=True)
    stopped: list[int] = []

    def stand_still(point: int, name: str) -> None:
        sending = other.rows("select count(*) from delivery where state = 'sending'")[0][0]
        if name == moment and sending and not stopped:
            stopped.append(point)
            watched.silence()
            other.drive()

    watched = Mortal(first, stand_still)
    first.drive()
    assert stopped
    verdict = sandbox.audit()
    assert verdict["clean"], {key: value for key, value in verdict.items() if value}
