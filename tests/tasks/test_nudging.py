"""Nudges on their way through a real Redis, and that they do not pile up."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from celery import Celery
from redis import Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from syncline.calls.context import Nudge
from syncline.queues import Lane
from syncline.quota.nudges import Nudges
from tasks.nudging import LATER_EVERY, LONGEST_COUNTDOWN, flag, publish

SEND = Nudge("acme", "send", "order")


@pytest.fixture
def redis(redis_url: str) -> Iterator[Redis]:
    with Redis.from_url(redis_url) as client:
        yield client


@pytest.fixture
def nudges(redis: Redis, redis_url: str) -> Iterator[Nudges]:
    app = Celery("tests", broker=redis_url, set_as_current=True)
    app.config_from_object("celeryconfig")
    yield Nudges(redis)
    app.close()


def messages(redis: Redis, lane: str = "deliveries") -> list[dict[str, Any]]:
    found: Any = redis.lrange(f"syncline:syncline.{lane}", 0, -1)
    return [json.loads(message)["headers"] for message in found]


def test_of_many_nudges_one_waits_until_its_task_has_begun(nudges: Nudges, redis: Redis) -> None:
    publish(nudges, [SEND, SEND])
    publish(nudges, [SEND])
    assert [message["task"] for message in messages(redis)] == ["syncline.deliveries.send"]
    nudges.clear("acme", Lane.DELIVERIES, flag("send", "order"))
    publish(nudges, [SEND])
    assert len(messages(redis)) == 2


def test_nudges_for_other_targets_and_connections_are_others(nudges: Nudges, redis: Redis) -> None:
    publish(nudges, [SEND, Nudge("acme", "send", "user"), Nudge("other", "send", "order")])
    assert [message["argsrepr"] for message in reversed(messages(redis))] == [
        "['acme', 'order']",
        "['acme', 'user']",
        "['other', 'order']",
    ]


def test_nudges_for_the_same_later_moment_are_one_and_an_earlier_one_is_not_held_up(
    nudges: Nudges, redis: Redis
) -> None:
    begun = time.time()
    publish(nudges, [Nudge("acme", "send", "order", 20.0)] * 500)
    # One for each step of the clock in which some of them were published.
    assert 1 <= len(messages(redis)) <= (time.time() - begun) / LATER_EVERY + 2
    before = len(messages(redis))
    publish(nudges, [Nudge("acme", "send", "order", 1.0), SEND])
    assert len(messages(redis)) == before + 2


def test_what_is_due_later_than_the_broker_keeps_a_message_is_left_to_the_sweep(
    nudges: Nudges, redis: Redis
) -> None:
    publish(nudges, [Nudge("acme", "send", "order", LONGEST_COUNTDOWN + 1)])
    assert messages(redis) == []


def test_a_pull_goes_to_its_own_lane_with_its_days(nudges: Nudges, redis: Redis) -> None:
    publish(nudges, [Nudge("acme", "pull:order:2026-01-01:2026-01-31")])
    [message] = messages(redis, "pulls")
    assert message["task"] == "syncline.pulls.orders"
    assert message["argsrepr"] == "['acme', '2026-01-01', '2026-01-31']"


def test_a_broker_that_is_away_is_no_error() -> None:
    with Redis(port=1, retry=Retry(NoBackoff(), 0)) as nobody:
        publish(Nudges(nobody), [SEND])
