from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.sandbox.config import Limit
from syncline.sandbox.wire.limits import DailyJudge, Judge, SideLimits

NOW = datetime(2026, 3, 14, 23, 59, 50, tzinfo=UTC)

gaps = st.lists(st.integers(0, 400), min_size=1, max_size=120)
"""Milliseconds between arrivals."""


def _times(waits: list[int]) -> list[int]:
    times, at = [], 1_000_000
    for wait in waits:
        at += wait
        times.append(at)
    return times


@given(gaps)
def test_a_sliding_judge_admits_exactly_what_no_window_overfills(waits: list[int]) -> None:
    judge = Judge(Limit(calls=5, seconds=1000, window="sliding"))
    admitted: list[int] = []
    for at in _times(waits):
        fits = len([t for t in admitted if t > at - 1000]) < 5
        assert judge.admit(at) == fits
        if fits:
            admitted.append(at)
    assert judge.rejected == len(waits) - len(admitted)


@given(gaps)
def test_a_fixed_judge_admits_the_first_calls_of_every_window(waits: list[int]) -> None:
    judge = Judge(Limit(calls=5, seconds=1000, window="fixed"))
    seen: dict[int, int] = {}
    for at in _times(waits):
        window = at // 1000
        assert judge.admit(at) == (seen.get(window, 0) < 5)
        seen[window] = seen.get(window, 0) + 1
    assert judge.rejected == sum(max(0, count - 5) for count in seen.values())


@given(gaps)
def test_the_fullest_window_counts_all_arrivals_refused_ones_too(waits: list[int]) -> None:
    judge = Judge(Limit(calls=5, seconds=1000))
    times = _times(waits)
    for at in times:
        judge.admit(at)
    fullest = max(len([t for t in times if at - 1000 < t <= at]) for at in times)
    # Arrivals of one instant count as one another's company whatever their order in the list.
    assert judge.max_in_window == fullest


@pytest.mark.parametrize(("window", "after"), [("sliding", 10.0), ("fixed", 5.0)])
def test_a_full_window_opens_again_when_its_kind_says_so(window: str, after: float) -> None:
    judge = Judge(Limit.model_validate({"calls": 3, "seconds": 10, "window": window}))
    assert [judge.admit(1005.0) for _ in range(4)] == [True, True, True, False]
    assert judge.remaining(1005.0) == 0
    assert not judge.admit(1005.0 + after - 0.001)
    assert judge.admit(1005.0 + after)
    assert judge.rejected == 2


def test_the_daily_count_starts_again_at_midnight_utc() -> None:
    daily = DailyJudge(2)
    assert [daily.admit(NOW) for _ in range(3)] == [True, True, False]
    assert daily.remaining(NOW) == 0
    assert daily.admit(NOW + timedelta(seconds=10))


def test_a_call_that_the_short_window_refuses_costs_nothing_of_the_day() -> None:
    limits = SideLimits(Judge(Limit(calls=1, seconds=10)), DailyJudge(100))
    first, second = limits.admit(5.0, NOW), limits.admit(5.0, NOW)
    assert (first.admitted, first.remaining, first.daily_remaining) == (True, 0, 99)
    assert (second.admitted, second.daily_remaining) == (False, 99)
    assert second.reset_ms == 10_000
    assert limits.rejected == 1
