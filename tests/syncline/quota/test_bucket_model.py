"""Whatever workers, latencies, deaths and losses of Redis: the server never sees too many calls."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from redis import Redis

from syncline.queues import Lane
from syncline.quota.keys import Limit, QuotaHint, QuotaKey
from tests.syncline.quota.conftest import Clock
from tests.syncline.quota.judge import Ask, Fate, World

SECOND = timedelta(seconds=1)

keys = st.sampled_from(
    [
        QuotaKey("one window", (Limit(5, SECOND),)),
        QuotaKey("one call", (Limit(1, SECOND),)),
        QuotaKey("two windows", (Limit(4, SECOND), Limit(9, 5 * SECOND))),
        QuotaKey("longest first", (Limit(12, 6 * SECOND), Limit(7, 2 * SECOND))),
    ]
)
asks = st.builds(
    Ask,
    at=st.integers(0, 12_000),
    calls=st.integers(1, 8),
    until_row=st.sampled_from([0, 20, 1_500]),
    until_sent=st.sampled_from([0, 1, 30, 900, 5_000]),
    until_arrived=st.integers(0, 1_500),
    until_answered=st.integers(0, 1_500),
    fate=st.sampled_from([Fate.ANSWERED, *Fate]),
    lane=st.sampled_from(Lane),
)


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    key=keys,
    wishes=st.lists(asks, min_size=15, max_size=60),
    flushes=st.lists(st.integers(0, 12_000), max_size=8),
    offset=st.integers(0, 6_000),
)
def test_no_window_sliding_or_fixed_ever_sees_more_calls_than_its_limit(
    redis: Redis, key: QuotaKey, wishes: list[Ask], flushes: list[int], offset: int
) -> None:
    redis.flushdb()
    world = World(redis, Clock(), key)

    world.play(wishes, flushes)

    for limit in key.limits:
        assert world.most_in_a_sliding_window(limit) <= limit.calls
        assert world.most_in_a_fixed_window(limit, offset) <= limit.calls


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    key=keys,
    limits=st.lists(
        st.builds(Limit, st.integers(1, 9), st.sampled_from([SECOND / 2, 3 * SECOND, 9 * SECOND])),
        min_size=1,
        max_size=2,
    ),
    wishes=st.lists(asks, min_size=15, max_size=60),
)
def test_no_window_that_was_named_ever_sees_more_calls_than_its_limit(
    redis: Redis, key: QuotaKey, limits: list[Limit], wishes: list[Ask]
) -> None:
    redis.flushdb()
    world = World(redis, Clock(), key)
    for limit in limits:
        world.quota.learn(key, QuotaHint(calls=limit.calls, window=limit.window))

    world.play(wishes, flushes=[])

    for limit in (*key.limits, *{one.window: one for one in limits}.values()):
        assert world.most_in_a_sliding_window(limit) <= limit.calls


def test_the_model_would_notice_a_bucket_that_forgets(redis: Redis) -> None:
    key = QuotaKey("forgetful", (Limit(2, SECOND),))
    world = World(redis, Clock(), key)
    world.quota._recover = lambda _name, _window: []
    ask = Ask(0, 2, 0, 0, 0, 0, Fate.ANSWERED, Lane.PULLS)

    world.play([ask, Ask(200, 2, 0, 0, 0, 0, Fate.ANSWERED, Lane.PULLS)], flushes=[100])

    assert world.most_in_a_sliding_window(key.limits[0]) == 4
