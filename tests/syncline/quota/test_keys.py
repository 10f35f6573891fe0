"""What the answers of both sides say about their limits."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import Refused
from syncline.quota.keys import (
    DailyLimit,
    Limit,
    QuotaHint,
    QuotaKey,
    halo_hint,
    highlevel_hint,
)

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
KEY = QuotaKey("halo:acme", (Limit(10, SECOND), Limit(300, 5 * MINUTE)))


def test_every_header_of_highlevel_is_read() -> None:
    headers = {
        "x-ratelimit-limit-daily": "200000",
        "x-ratelimit-daily-remaining": "199779",
        "x-ratelimit-interval-milliseconds": "10000",
        "x-ratelimit-max": "100",
        "x-ratelimit-remaining": "99",
        "x-ratelimit-daily-reset": "49013000",
    }

    assert highlevel_hint(headers, took=2 * SECOND) == QuotaHint(
        calls=100,
        window=10 * SECOND,
        remaining=99,
        daily_remaining=199779,
        daily_reset=timedelta(seconds=49013),
        age=2 * SECOND,
    )


def test_headers_that_are_absent_or_nonsense_say_nothing() -> None:
    assert highlevel_hint({}) == QuotaHint()
    nonsense = {"x-ratelimit-max": "0", "x-ratelimit-remaining": "-1", "retry-after": "soon"}
    assert highlevel_hint(nonsense) == QuotaHint()


def test_the_limit_in_a_text_is_a_hint_where_there_is_one() -> None:
    assert halo_hint("500 / 3 min") == QuotaHint(calls=500, window=3 * MINUTE)
    assert halo_hint("Too Many Requests") == QuotaHint()


@given(st.text(max_size=80), st.text(max_size=40))
def test_no_answer_however_odd_breaks_the_reading(text: str, header: str) -> None:
    names = ("x-ratelimit-max", "x-ratelimit-interval-milliseconds", "x-ratelimit-remaining")
    for hint in (halo_hint(text), highlevel_hint(dict.fromkeys(names, header))):
        assert hint.calls is None or hint.calls > 0
        assert hint.window is None or hint.window > timedelta(0)


@pytest.mark.parametrize(("calls", "window"), [(0, SECOND), (1, timedelta(0))])
def test_a_limit_that_lets_nothing_through_is_refused(calls: int, window: timedelta) -> None:
    with pytest.raises(Refused, match="Set at least one call"):
        Limit(calls, window)


def test_a_daily_limit_that_lets_nothing_through_is_refused() -> None:
    with pytest.raises(Refused, match="leave the daily limit out"):
        DailyLimit(0)
    with pytest.raises(Refused, match="leave the daily limit out"):
        QuotaKey("k", (Limit(1, SECOND),), daily=0)


@pytest.mark.parametrize("limits", [(), (Limit(1, SECOND), Limit(2, SECOND))])
def test_a_key_needs_limits_of_different_windows(limits: tuple[Limit, ...]) -> None:
    with pytest.raises(Refused, match="one number of calls for each window"):
        QuotaKey("k", limits)
