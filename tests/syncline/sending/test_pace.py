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
from syncline.sending.pace import Pace
from syncline.sending.targets import TARGETS
from tests.world import NAME, Worlds, small
from tests.writes import a_write

SLOW = (10, 600)
"""Calls in seconds: one a minute."""

DEADLINE = timedelta(seconds=60)

ORDERS = TARGETS["order"]

TEN, FIVE = ArraySize(proved=10, ceiling=11), ArraySize(5, 6)


def arrays(*sizes: int) -> list[Array]:
    return [Array(tuple(a_write(number) for number in range(many))) for many in sizes]


def test_a_part_filled_array_waits_for_company_and_a_full_one_does_not(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=8)
    world = worlds(style="summary", halo=SLOW)
    line = world.worker.open_line(NAME)
    whole, part = arrays(10), arrays(3)
    assert [Pace(line, ORDERS).let_go(TEN, part) for _ in range(2)] == [(part, [])] * 2
    world.request_pull("transaction")
    assert Pace(line, ORDERS).let_go(TEN, part) == (part, [])
    assert Pace(line, ORDERS).let_go(TEN, part) == ([], part)
    assert Pace(line, ORDERS).let_go(TEN, whole) == (whole, [])
    assert Pace(line, ORDERS).let_go(TEN, []) == ([], [])


def test_what_is_left_beside_full_arrays_fills_up_until_the_next_turn(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=8)
    world = worlds(style="summary", halo=SLOW)
    line = world.worker.open_line(NAME)
    both = arrays(10, 3)
    assert Pace(line, ORDERS).let_go(TEN, both) == (both, [])
    world.request_pull("transaction")
    assert Pace(line, ORDERS).let_go(TEN, both) == (both[:1], both[1:])
    assert Pace(line, ORDERS).let_go(TEN, both[1:]) == ([], both[1:])


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
    assert Pace(line, ORDERS).let_go(TEN, part) == (part, [])
    assert Pace(line, ORDERS).let_go(TEN, part) == ([], part)


def test_what_would_not_leave_is_not_claimed(worlds: Worlds, sandbox: SandboxProcess) -> None:
    small(sandbox, orders=8)
    world = worlds(style="summary", halo=SLOW)
    line = world.worker.open_line(NAME)
    assert Pace(line, ORDERS).hold_back(TEN) == NextRun.when_due()
    world.pull()
    assert Pace(line, ORDERS).hold_back(TEN) is None
    world.request_pull("transaction")
    Pace(line, ORDERS).let_go(TEN, arrays(3))
    assert Pace(line, ORDERS).hold_back(TEN) == NextRun.later(pace.LOOKS_AGAIN)
    assert Pace(line, ORDERS).hold_back(FIVE) is None


def test_of_several_senders_the_one_that_has_the_turn_goes_on_and_the_others_ask_nothing(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=8)
    world = worlds(style="summary", halo=SLOW)
    line = world.worker.open_line(NAME)
    world.pull()
    world.request_pull("transaction")
    first, second, third = (Pace(line, ORDERS) for _ in range(3))
    assert first.hold_back(TEN) is None
    assert second.hold_back(TEN) == NextRun.later(pace.LOOKS_AGAIN)
    first.give_back()  # nothing of what it claimed could leave
    assert second.hold_back(TEN) is None
    part = arrays(3)
    assert second.let_go(TEN, part) == (part, [])
    second.give_back()
    assert third.hold_back(TEN) == NextRun.later(pace.LOOKS_AGAIN)


def test_a_size_that_is_not_proved_is_tried_by_one_sender(
    worlds: Worlds, sandbox: SandboxProcess
) -> None:
    small(sandbox, orders=5)
    world = worlds(style="summary", halo=SLOW)
    line = world.worker.open_line(NAME)
    world.pull()
    [five] = arrays(5)
    assert Pace(line, ORDERS).let_go(ArraySize(proved=2), [five]) == ([five], [])
    assert Pace(line, ORDERS).let_go(ArraySize(proved=2), [five]) == ([], [five])
    assert Pace(line, ORDERS).hold_back(ArraySize(proved=2)) == NextRun.later(pace.LOOKS_AGAIN)


@given(
    calls=st.integers(1, 1000),
    seconds=st.integers(1, 3600),
    used=st.lists(st.floats(0, 1), min_size=2, max_size=2).map(sorted),
    each=st.integers(1, 3),
)
def test_the_scarcer_the_quota_the_longer_an_array_waits_and_never_too_long(
    calls: int, seconds: int, used: list[float], each: int
) -> None:
    limit = Limit(calls, timedelta(seconds=seconds))
    earlier, later = (pace.pause_of(limit, share, calls=each) for share in used)
    its_calls = each * limit.window / limit.calls
    assert its_calls <= earlier <= later <= max(its_calls, limit.window / pace.LONGEST)
    assert pace.pause_of(limit, 0, calls=each) == its_calls


@pytest.mark.parametrize("seconds", [130, 260, 400])
def test_a_machine_that_takes_three_times_as_long_sends_few_more_arrays(seconds: int) -> None:
    limit, calls = Limit(300, timedelta(seconds=300)), 30
    due = dict.fromkeys((target for target in TARGETS.values() if target.vital), 0.0)
    for now in range(seconds):
        for target in due:
            if now >= due[target]:
                calls += target.calls
                pause = pace.pause_of(limit, calls / limit.calls, calls=target.calls)
                due[target] = now + pause.total_seconds()
    assert calls <= 150
