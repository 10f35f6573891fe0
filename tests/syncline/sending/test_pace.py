"""Arrays that are not full wait for company, as the quota gets scarce; full ones leave at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.engine.rounds import NextRun
from syncline.halo.array_size import ArraySize
from syncline.queues import Lane
from syncline.quota.keys import Limit, QuotaHint
from syncline.sandbox.process import SandboxProcess
from syncline.sending import pace
from syncline.sending.outcomes import Array
from tests.world import NAME, Worlds, small
from tests.writes import a_write

SLOW = (10, 600)
"""Calls in seconds: one a minute."""

DEADLINE = timedelta(seconds=60)

TEN, FIVE = ArraySize(proved=10, ceiling=11), ArraySize(5, 6)


def arrays(*sizes: int) -> list[Array]:
    return [Array(tuple(a_write(number) for number in range(many))) for many in sizes]


def test_a_part_filled_array_waits_for_company_and_a_full_one_does_not(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=8)
    world = worlds(style="summary", halo=SLOW)
    line = world.worker.open_line(NAME)
    whole, part = arrays(10), arrays(10, 3)
    assert [pace.let_go(line, "order", TEN, part) for _ in range(2)] == [(part, [])] * 2
    world.request_pull("transaction")
    assert pace.let_go(line, "order", TEN, part) == (part, [])
    assert pace.let_go(line, "order", TEN, part) == (part[:1], part[1:])
    assert pace.let_go(line, "order", TEN, whole) == (whole, [])
    assert pace.let_go(line, "order", TEN, []) == ([], [])


def test_a_window_that_halo_named_is_looked_at_too(worlds: Worlds, sandbox: SandboxProcess) -> None:
    small(sandbox, orders=1)
    world = worlds(style="summary", halo=SLOW)
    line = world.worker.open_line(NAME)
    quota = world.worker.quota
    quota.learn(line.halo_key, QuotaHint(calls=1, window=timedelta(seconds=1)))
    taken = quota.take(line.halo_key, 1, lane=Lane.PULLS, connection=NAME, deadline=DEADLINE)
    assert len(taken.tokens) == 1
    world.request_pull("transaction")
    part = arrays(3)
    assert pace.let_go(line, "order", TEN, part) == (part, [])
    assert pace.let_go(line, "order", TEN, part) == ([], part)


def test_what_would_not_leave_is_not_claimed(worlds: Worlds, sandbox: SandboxProcess) -> None:
    small(sandbox, orders=8)
    world = worlds(style="summary", halo=SLOW)
    line = world.worker.open_line(NAME)
    assert pace.hold_back(line, "order", TEN) == NextRun.when_due()
    world.pull()
    assert pace.hold_back(line, "order", TEN) is None
    world.request_pull("transaction")
    pace.let_go(line, "order", TEN, arrays(3))
    assert pace.hold_back(line, "order", TEN) == NextRun.later(pace.LOOKS_AGAIN)
    assert pace.hold_back(line, "order", FIVE) is None


def test_a_size_that_is_not_proved_is_tried_by_one_sender(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=5)
    world = worlds(style="summary", halo=SLOW)
    line = world.worker.open_line(NAME)
    world.pull()
    [five] = arrays(5)
    assert pace.let_go(line, "order", ArraySize(proved=2), [five]) == ([five], [])
    assert pace.let_go(line, "order", ArraySize(proved=2), [five]) == ([], [five])
    assert pace.hold_back(line, "order", ArraySize(proved=2)) == NextRun.later(pace.LOOKS_AGAIN)


@given(
    calls=st.integers(1, 1000),
    seconds=st.integers(1, 3600),
    used=st.lists(st.floats(0, 1), min_size=2, max_size=2).map(sorted),
)
def test_the_scarcer_the_quota_the_longer_an_array_waits_and_never_too_long(
    calls: int, seconds: int, used: list[float]
) -> None:
    limit = Limit(calls, timedelta(seconds=seconds))
    earlier, later = (pace.pause_of(limit, share) for share in used)
    a_call = limit.window / limit.calls
    assert a_call <= earlier <= later <= max(a_call, limit.window / pace.LONGEST)
    assert pace.pause_of(limit, 0) == a_call


@pytest.mark.parametrize("seconds", [130, 260, 400])
def test_a_machine_that_takes_three_times_as_long_sends_few_more_arrays(seconds: int) -> None:
    limit, kinds = Limit(300, timedelta(seconds=300)), 7
    calls, due = 30, [0.0] * kinds
    for now in range(seconds):
        for kind in range(kinds):
            if now >= due[kind]:
                calls += 1
                due[kind] = now + pace.pause_of(limit, calls / 300).total_seconds()
    assert calls <= 150
