"""Lanes and connections that want the same key."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis import Redis

from syncline.errors import Refused
from syncline.queues import Lane
from syncline.quota.bucket import Quota, QuotaGrant
from syncline.quota.fairness import Fairness
from syncline.quota.keys import Limit, QuotaKey
from tests.syncline.quota.conftest import Clock

SECOND = timedelta(seconds=1)
KEY = QuotaKey("halo:acme", (Limit(100, 10 * SECOND),))
LOWER = [lane for lane in Lane if lane is not Lane.EVENTS]


def ask(
    quota: Quota, calls: int, lane: Lane = Lane.DELIVERIES, connection: str = "acme"
) -> QuotaGrant:
    return quota.take(KEY, calls, lane=lane, connection=connection, deadline=60 * SECOND)


def one_event(quota: Quota) -> None:
    quota.give_back(KEY, ask(quota, 1, Lane.EVENTS).tokens, sent=False)


def test_without_events_lower_lanes_may_use_the_whole_limit(quota: Quota) -> None:
    assert len(ask(quota, 200).tokens) == 100


@pytest.mark.parametrize("lane", LOWER)
def test_while_there_are_events_lower_lanes_leave_a_tenth_to_them(quota: Quota, lane: Lane) -> None:
    one_event(quota)

    assert len(ask(quota, 200, lane).tokens) == 90
    assert ask(quota, 1, lane).tokens == ()
    assert len(ask(quota, 200, Lane.EVENTS).tokens) == 10


def test_the_reserve_is_given_up_fifteen_minutes_after_the_last_event(
    quota: Quota, clock: Clock
) -> None:
    one_event(quota)
    clock.pass_by(timedelta(minutes=15))

    assert len(ask(quota, 200).tokens) == 100


def by_hand(quota: Quota, calls: int) -> QuotaGrant:
    """A person's command, of the connection that the workers keep busy."""
    return quota.take(
        KEY, calls, lane=Lane.UPKEEP, connection="acme", deadline=60 * SECOND, by_hand=True
    )


def test_what_is_kept_for_events_is_there_for_a_person_too(quota: Quota) -> None:
    one_event(quota)
    assert len(ask(quota, 200).tokens) == 90
    assert len(by_hand(quota, 3).tokens) == 3


def test_while_a_person_asks_workers_leave_a_tenth_of_what_comes_back(
    quota: Quota, clock: Clock
) -> None:
    busy = ask(quota, 200).tokens
    quota.give_back(KEY, busy)
    wait = by_hand(quota, 1).wait
    assert wait == 10 * SECOND
    clock.pass_by(wait)
    assert len(ask(quota, 200).tokens) == 90  # the workers were quicker
    for _ in range(10):
        assert len(by_hand(quota, 1).tokens) == 1


def test_half_a_minute_after_a_persons_last_call_workers_have_everything_again(
    quota: Quota, clock: Clock
) -> None:
    quota.give_back(KEY, by_hand(quota, 1).tokens, sent=False)
    assert len(ask(quota, 200).tokens) == 90
    clock.pass_by(timedelta(seconds=30))
    assert len(ask(quota, 200).tokens) == 10
    clock.pass_by(timedelta(minutes=2))
    assert len(ask(quota, 200).tokens) == 100


def test_after_a_burst_lower_lanes_leave_the_reserve_alone_until_their_pace_caught_up(
    quota: Quota, clock: Clock
) -> None:
    one_event(quota)
    ask(quota, 90)

    assert ask(quota, 1).wait == 9 * SECOND
    clock.pass_by(9 * SECOND - timedelta(microseconds=1))
    assert ask(quota, 1).tokens == ()


def test_in_the_reserve_lower_lanes_go_one_call_at_a_time_at_the_limits_pace(
    quota: Quota, clock: Clock
) -> None:
    one_event(quota)
    ask(quota, 90)
    clock.pass_by(9 * SECOND)

    for _ in range(3):
        assert len(ask(quota, 50).tokens) == 1
        assert ask(quota, 50).wait == SECOND / 10
        clock.pass_by(SECOND / 10)


def test_neither_lower_lanes_nor_events_starve_when_both_want_everything(
    quota: Quota, clock: Clock
) -> None:
    got = {Lane.EVENTS: 0, Lane.BACKFILL: 0}
    for _ in range(300):
        for lane in got:
            tokens = ask(quota, 3, lane).tokens
            quota.give_back(KEY, tokens)
            got[lane] += len(tokens)
        clock.pass_by(SECOND / 10)

    assert min(got.values()) > 30


def test_a_limit_of_one_call_still_lets_lower_lanes_through(redis: Redis, clock: Clock) -> None:
    quota = Quota(redis, recover=lambda _n, _w: (), clock=clock)
    key = QuotaKey("tiny", (Limit(1, SECOND),))
    event = quota.take(key, 1, lane=Lane.EVENTS, connection="a", deadline=SECOND)
    quota.give_back(key, event.tokens)
    clock.pass_by(SECOND)

    assert quota.take(key, 1, lane=Lane.PULLS, connection="a", deadline=SECOND).tokens


def test_a_connection_alone_may_take_everything(quota: Quota) -> None:
    assert len(ask(quota, 100, connection="a").tokens) == 100


def test_several_that_wait_get_equal_shares_of_what_comes_back(quota: Quota, clock: Clock) -> None:
    quota.give_back(KEY, ask(quota, 100, connection="a").tokens)
    for connection in "abc":
        assert ask(quota, 100, connection=connection).wait == 10 * SECOND

    clock.pass_by(10 * SECOND)
    shares = [len(ask(quota, 100, connection=name).tokens) for name in "abc"]

    assert shares == [34, 33, 33]


def test_who_was_just_served_lets_the_others_go_first(quota: Quota, clock: Clock) -> None:
    quota.give_back(KEY, ask(quota, 100, connection="a").tokens)
    for connection in "ab":
        ask(quota, 1, connection=connection)
    clock.pass_by(10 * SECOND)

    assert len(ask(quota, 100, connection="b").tokens) == 50
    clock.pass_by(timedelta(milliseconds=1))
    assert ask(quota, 100, connection="b") == QuotaGrant((), timedelta(milliseconds=50), KEY)
    assert len(ask(quota, 10, connection="a").tokens) == 10
    clock.pass_by(timedelta(milliseconds=50))
    assert len(ask(quota, 100, connection="b").tokens) == 40


def test_one_that_never_came_back_is_waited_for_two_seconds_only(
    quota: Quota, clock: Clock
) -> None:
    quota.give_back(KEY, ask(quota, 100, connection="a").tokens)
    ask(quota, 1, connection="gone")
    clock.pass_by(10 * SECOND)

    assert len(ask(quota, 100, connection="a").tokens) == 50
    assert len(ask(quota, 100, connection="a").tokens) == 0
    clock.pass_by(2 * SECOND + timedelta(microseconds=1))
    assert len(ask(quota, 100, connection="a").tokens) == 50


def test_events_do_not_wait_for_another_connections_lower_lanes(quota: Quota, clock: Clock) -> None:
    quota.give_back(KEY, ask(quota, 100, connection="a").tokens)
    ask(quota, 100, connection="b")
    clock.pass_by(10 * SECOND)

    assert len(ask(quota, 80, Lane.EVENTS, "a").tokens) == 80


def test_a_connection_with_many_workers_gets_no_more_than_one_with_a_single_worker(
    quota: Quota, clock: Clock
) -> None:
    for _ in range(100):
        quota.give_back(KEY, ask(quota, 1).tokens)
        clock.pass_by(SECOND / 10)

    got = {"many": 0, "one": 0}
    for _ in range(200):
        for connection in ["many"] * 8 + ["one"]:
            tokens = ask(quota, 1, connection=connection).tokens
            quota.give_back(KEY, tokens)
            got[connection] += len(tokens)
        clock.pass_by(SECOND / 10)

    assert sum(got.values()) == 200
    assert abs(got["many"] - got["one"]) <= 2


@pytest.mark.parametrize("reserve", [-0.1, 1.0])
def test_a_reserve_that_is_no_share_is_refused(reserve: float) -> None:
    with pytest.raises(Refused, match="between 0 and 1"):
        Fairness(reserve=reserve)


@pytest.mark.parametrize(("calls", "kept"), [(100, 10), (25, 2), (3, 1)])
def test_the_reserve_is_a_share_of_the_limit_but_at_least_one(calls: int, kept: int) -> None:
    assert Fairness().kept(Limit(calls, SECOND)) == kept
