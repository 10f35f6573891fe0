"""Nudges are coalesced."""

from __future__ import annotations

from redis import Redis

from syncline.queues import Lane
from syncline.quota.nudges import Nudges


def test_of_many_that_nudge_only_one_publishes(redis: Redis) -> None:
    nudges = Nudges(redis)

    claimed = [nudges.claim("acme", Lane.DELIVERIES, "orders") for _ in range(3)]

    assert claimed == [True, False, False]


def test_other_connections_lanes_and_targets_are_nudged_apart(redis: Redis) -> None:
    nudges = Nudges(redis)
    nudges.claim("acme", Lane.DELIVERIES, "orders")

    assert nudges.claim("other", Lane.DELIVERIES, "orders")
    assert nudges.claim("acme", Lane.PULLS, "orders")
    assert nudges.claim("acme", Lane.DELIVERIES, "customers")


def test_a_cleared_nudge_lets_the_next_one_through(redis: Redis) -> None:
    nudges = Nudges(redis)
    nudges.claim("acme", Lane.DELIVERIES, "orders")
    nudges.clear("acme", Lane.DELIVERIES, "orders")

    assert nudges.claim("acme", Lane.DELIVERIES, "orders")


def test_a_nudge_that_nobody_cleared_is_forgotten_after_half_a_minute(redis: Redis) -> None:
    Nudges(redis).claim("acme", Lane.DELIVERIES, "orders")

    (name,) = redis.keys("syncline:nudge:*")
    assert 0 < redis.pttl(name) <= 30_000
