"""What fails for everybody is asked by one caller at a time, ever later, until it is back."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from redis import Redis

from syncline.queues import Lane
from syncline.quota.breakers import WHOLE_KEY, Endpoint, FailingEndpoint, Said
from syncline.quota.bucket import Quota, QuotaGrant
from syncline.quota.keys import Limit, QuotaKey
from tests.syncline.quota.conftest import Clock

SECOND = timedelta(seconds=1)
KEY = QuotaKey("halo:acme", (Limit(1000, SECOND),))
DEADLINE = 60 * SECOND
LIST = Endpoint("GET /SalesOrder")
REPORT = Endpoint("POST /Report")
TOKEN = Endpoint("POST /token", opens_after=1)


def take(
    quota: Quota, endpoint: Endpoint = LIST, calls: int = 1, *, insists: bool = False
) -> QuotaGrant:
    return quota.take(
        KEY,
        calls,
        lane=Lane.PULLS,
        connection="acme",
        deadline=DEADLINE,
        endpoint=endpoint,
        insists=insists,
    )


def call(quota: Quota, said: Said, endpoint: Endpoint = LIST) -> bool:
    """One call with this end; returns whether the endpoint fails for everybody."""
    grant = take(quota, endpoint)
    assert grant.tokens
    return quota.give_back(KEY, grant.tokens, said=said, endpoint=endpoint)


def opened(quota: Quota, endpoint: Endpoint = LIST, said: Said = Said.FAILED) -> None:
    for _ in range(endpoint.opens_after):
        call(quota, said, endpoint)
    assert take(quota, endpoint).failing


def tries(quota: Quota, clock: Clock, seconds: int, endpoint: Endpoint = LIST) -> list[float]:
    """When callers that come every half second got through, while every call fails."""
    began, got = clock.now, []
    for _ in range(2 * seconds):
        grant = take(quota, endpoint, 8)
        if grant.tokens:
            assert len(grant.tokens) == 1
            got.append((clock.now - began).total_seconds())
            quota.give_back(KEY, grant.tokens, said=Said.FAILED, endpoint=endpoint)
        clock.pass_by(SECOND / 2)
    return got


def test_what_fails_now_and_then_is_asked_as_before(quota: Quota) -> None:
    for _ in range(20):
        for _ in range(LIST.opens_after - 1):
            assert not call(quota, Said.FAILED)
        assert not call(quota, Said.SPOKE)
    assert len(take(quota, calls=8).tokens) == 8


def test_failures_in_a_row_let_one_caller_through_after_ever_longer_waits(
    quota: Quota, clock: Clock
) -> None:
    opened(quota)
    assert tries(quota, clock, 300) == [1, 3, 7, 15, 31, 63, 123, 183, 243]


def test_chance_makes_waits_shorter_but_not_below_the_least(redis: Redis, clock: Clock) -> None:
    quota = Quota(redis, recover=lambda _n, _w: (), clock=clock, chance=lambda: 0.0)
    opened(quota)
    assert tries(quota, clock, 120) == [1, 2.5, 5, 9.5, 18, 34.5, 65, 95.5]


def test_one_failure_is_enough_for_what_all_others_wait_for(quota: Quota) -> None:
    assert call(quota, Said.FAILED, TOKEN)
    grant = take(quota, TOKEN)
    assert (grant.tokens, grant.failing, grant.wait) == ((), True, SECOND)
    assert take(quota, LIST).tokens


def test_while_one_tries_all_others_are_sent_away_and_it_may_die(
    quota: Quota, clock: Clock
) -> None:
    opened(quota)
    clock.pass_by(SECOND)
    assert len(take(quota, calls=8).tokens) == 1
    others = [take(quota) for _ in range(5)]
    assert {(one.tokens, one.failing, one.wait) for one in others} == {((), True, SECOND)}
    clock.pass_by(DEADLINE)
    assert take(quota).tokens


def test_an_answer_lets_everybody_through_at_once(quota: Quota, clock: Clock) -> None:
    opened(quota)
    tries(quota, clock, 40)
    while not (grant := take(quota)).tokens:
        clock.pass_by(SECOND)
    assert not quota.give_back(KEY, grant.tokens, said=Said.SPOKE, endpoint=LIST)
    assert len(take(quota, calls=8).tokens) == 8


def test_what_was_under_way_when_it_opened_makes_no_wait_longer(quota: Quota, clock: Clock) -> None:
    grants = take(quota, calls=32)
    for token in grants.tokens:
        quota.give_back(KEY, [token], said=Said.FAILED, endpoint=LIST)
    assert tries(quota, clock, 16) == [1, 3, 7, 15]


def test_an_endpoint_that_fails_keeps_no_other_waiting_but_a_key_does(quota: Quota) -> None:
    for _ in range(LIST.opens_after):
        call(quota, Said.FAILED, REPORT)
        call(quota, Said.SPOKE, LIST)
    assert take(quota, REPORT).failing
    assert take(quota, LIST).tokens
    for number in range(WHOLE_KEY.opens_after):
        call(quota, Said.FAILED, Endpoint(f"GET /{number}"))
    assert take(quota, LIST).failing
    assert quota.held_back(KEY, [WHOLE_KEY]) == SECOND


def test_one_that_is_not_sent_lets_the_next_one_try(quota: Quota, clock: Clock) -> None:
    opened(quota)
    clock.pass_by(SECOND)
    quota.give_back(KEY, take(quota).tokens, sent=False, endpoint=LIST)
    assert take(quota).tokens


def test_who_insists_is_let_through_and_heals_it_for_all(quota: Quota) -> None:
    opened(quota)
    grant = take(quota, insists=True)
    quota.give_back(KEY, grant.tokens, said=Said.FAILED, endpoint=LIST)
    assert take(quota).failing
    grant = take(quota, insists=True)
    quota.give_back(KEY, grant.tokens, said=Said.SPOKE, endpoint=LIST)
    assert not take(quota).failing


def test_a_side_that_is_shut_is_asked_again_after_a_minute_up_to_an_hour(
    quota: Quota, clock: Clock
) -> None:
    call(quota, Said.SHUT)
    got = []
    for minute in range(300):
        grant = take(quota, REPORT)
        if grant.tokens:
            got.append(minute)
            quota.give_back(KEY, grant.tokens, said=Said.SHUT, endpoint=REPORT)
        clock.pass_by(60 * SECOND)
    assert got == [1, 3, 7, 15, 31, 63, 123, 183, 243]
    while not (grant := take(quota)).tokens:
        clock.pass_by(60 * SECOND)
    quota.give_back(KEY, grant.tokens, said=Said.SPOKE, endpoint=LIST)
    assert not take(quota).failing


@pytest.mark.parametrize(("minutes", "longest"), [(0, 1), (1, 60), (600, 60)])
def test_a_redis_that_was_emptied_learns_from_the_ledger_what_fails(
    redis: Redis, clock: Clock, minutes: int, longest: int
) -> None:
    since = clock.now - timedelta(minutes=minutes)
    failing = [FailingEndpoint("POST /token", 9, since, clock.now)]
    known: dict[str, Any] = {"recover": lambda _n, _w: (), "clock": clock}
    quota = Quota(redis, recover_failures=lambda _key: failing, **known)
    grant = take(quota, TOKEN)
    assert grant.failing
    assert SECOND <= grant.wait <= longest * SECOND
    assert take(quota, LIST).tokens
    clock.pass_by(grant.wait)
    call(quota, Said.SPOKE, TOKEN)
    failing.clear()
    redis.flushdb()
    assert take(quota, TOKEN).tokens


def test_several_workers_are_one_caller(redis: Redis, clock: Clock) -> None:
    workers = [Quota(redis, recover=lambda _n, _w: (), clock=clock) for _ in range(6)]
    for worker in workers[: LIST.opens_after]:
        call(worker, Said.FAILED)
    asked = 0
    for _ in range(120):
        for worker in workers:
            grant = take(worker)
            asked += len(grant.tokens)
            worker.give_back(KEY, grant.tokens, said=Said.FAILED, endpoint=LIST)
        clock.pass_by(SECOND)
    assert asked == 6
