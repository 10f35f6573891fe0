"""What one key's budget promises, each against a real Redis with a clock moved by hand."""

from __future__ import annotations

from datetime import timedelta

import pytest
from redis import Redis

from syncline.errors import Refused
from syncline.queues import Lane
from syncline.quota.bucket import Quota, QuotaGrant, Spent
from syncline.quota.keys import Limit, QuotaHint, QuotaKey
from tests.syncline.quota.conftest import DEADLINE, KEY, SECOND, Clock, ask

TWO_WINDOWS = QuotaKey("halo:two", (Limit(5, 10 * SECOND), Limit(8, 60 * SECOND)))
DAILY = QuotaKey("highlevel:app:loc", (Limit(100, 10 * SECOND),), daily=7)


def free(quota: Quota, key: QuotaKey = KEY) -> int:
    return quota.left(key)["windows"][0]["left"]


def test_when_calls_come_back_is_told(quota: Quota, clock: Clock) -> None:
    def told() -> tuple[float, float]:
        [window] = quota.left(KEY)["windows"]
        return window["next_s"], window["all_s"]

    assert told() == (0, 0)
    for seconds in range(10):
        quota.give_back(KEY, ask(quota, 1).tokens)
        assert told() == (1 if seconds == 9 else 0, 10)
        clock.pass_by(SECOND)
    assert told() == (0, 9)


def test_no_more_than_the_limit_is_granted_at_once(quota: Quota) -> None:
    grant = ask(quota, 100)

    assert len(set(grant.tokens)) == 10
    assert grant.wait == timedelta(0)


def test_a_token_comes_back_a_window_after_its_answer(quota: Quota, clock: Clock) -> None:
    grant = ask(quota, 10)
    clock.pass_by(3 * SECOND)
    quota.give_back(KEY, grant.tokens)

    clock.pass_by(10 * SECOND - timedelta(microseconds=1))
    refused = ask(quota, 1)
    assert refused.tokens == ()
    assert refused.wait == timedelta(microseconds=1)

    clock.pass_by(refused.wait)
    assert len(ask(quota, 10).tokens) == 10


def test_a_dead_holders_token_comes_back_after_its_deadline_and_a_window(
    quota: Quota, clock: Clock
) -> None:
    ask(quota, 10)

    clock.pass_by(DEADLINE + 10 * SECOND - timedelta(microseconds=1))
    assert free(quota) == 0
    clock.pass_by(timedelta(microseconds=1))
    assert free(quota) == 10


def test_who_waits_for_calls_under_way_is_told_a_window_and_not_their_deadline(
    quota: Quota,
) -> None:
    ask(quota, 10)

    assert ask(quota, 1).wait == 10 * SECOND


def test_a_token_that_was_not_sent_comes_back_at_once(quota: Quota) -> None:
    grant = ask(quota, 10)
    quota.give_back(KEY, grant.tokens[:4], sent=False)

    assert free(quota) == 4


def test_a_token_given_back_twice_keeps_its_first_moment(quota: Quota, clock: Clock) -> None:
    grant = ask(quota, 10)
    quota.give_back(KEY, grant.tokens)
    clock.pass_by(9 * SECOND)
    quota.give_back(KEY, grant.tokens)
    clock.pass_by(2 * SECOND)
    quota.give_back(KEY, grant.tokens)

    assert free(quota) == 10


def test_all_windows_of_a_key_hold_at_once(quota: Quota, clock: Clock) -> None:
    first = ask(quota, 100, TWO_WINDOWS)
    quota.give_back(TWO_WINDOWS, first.tokens)
    clock.pass_by(10 * SECOND)
    second = ask(quota, 100, TWO_WINDOWS)
    quota.give_back(TWO_WINDOWS, second.tokens)

    assert (len(first.tokens), len(second.tokens)) == (5, 3)
    clock.pass_by(10 * SECOND)
    assert ask(quota, 1, TWO_WINDOWS).wait == 40 * SECOND


def test_a_429_freezes_the_key_for_all_workers(redis: Redis, clock: Clock) -> None:
    one, other = (Quota(redis, recover=lambda _n, _w: (), clock=clock) for _ in range(2))
    held = ask(other, 1).tokens

    one.freeze(KEY, 30 * SECOND)
    one.freeze(KEY, 5 * SECOND)

    assert ask(other, 1) == QuotaGrant((), 30 * SECOND, KEY)
    assert not other.hold(KEY, held, DEADLINE)
    assert other.left(KEY)["frozen_until"] == clock.now + 30 * SECOND
    clock.pass_by(30 * SECOND)
    assert other.left(KEY)["frozen_until"] is None
    assert len(ask(other, 1).tokens) == 1


def test_keys_do_not_share_their_budgets(quota: Quota) -> None:
    ask(quota, 10)

    assert len(ask(quota, 1, QuotaKey("halo:other", KEY.limits)).tokens) == 1


def test_a_key_seen_for_the_first_time_is_rebuilt_from_the_ledger(
    quota: Quota, clock: Clock, spent: list[Spent]
) -> None:
    spent += [Spent(f"call {n}", clock.now + 4 * SECOND) for n in range(7)]
    spent += [Spent("long ago", clock.now - SECOND)]

    assert len(ask(quota, 100).tokens) == 3
    clock.pass_by(4 * SECOND)
    assert free(quota) == 7


def test_a_shorter_window_forgets_a_recovered_call_earlier(
    quota: Quota, clock: Clock, spent: list[Spent]
) -> None:
    spent += [Spent(f"call {n}", clock.now + 45 * SECOND) for n in range(4)]
    spent += [Spent("just now", clock.now + 60 * SECOND)]

    assert len(ask(quota, 100, TWO_WINDOWS).tokens) == 3
    assert [window["left"] for window in quota.left(TWO_WINDOWS)["windows"]] == [1, 0]


def test_a_window_added_to_a_key_in_use_is_rebuilt_too(
    quota: Quota, clock: Clock, spent: list[Spent]
) -> None:
    ask(quota, 1)
    spent += [Spent(f"call {n}", clock.now + 45 * SECOND) for n in range(6)]

    wider = QuotaKey(KEY.name, (*KEY.limits, Limit(8, 60 * SECOND)))
    assert len(ask(quota, 100, wider).tokens) == 2


def test_the_ledger_is_read_once_however_many_take(redis: Redis, clock: Clock) -> None:
    asked: list[tuple[str, timedelta]] = []

    def recover(name: str, window: timedelta) -> list[Spent]:
        asked.append((name, window))
        return []

    for _ in range(3):
        ask(Quota(redis, recover=recover, clock=clock), 1, TWO_WINDOWS)

    assert asked == [("halo:two", 60 * SECOND)]


def test_only_the_first_of_two_that_rebuild_a_bucket_seeds_it(redis: Redis, clock: Clock) -> None:
    late = [Spent("seen by the late one", clock.now + 5 * SECOND)]
    first = Quota(redis, recover=lambda _n, _w: (), clock=clock)

    def overtaken(_name: str, _window: timedelta) -> list[Spent]:
        ask(first, 9)
        return late

    assert len(ask(Quota(redis, recover=overtaken, clock=clock), 9).tokens) == 1


def test_a_bucket_that_is_emptied_again_and_again_grants_nothing(
    redis: Redis, clock: Clock
) -> None:
    quota = Quota(redis, recover=lambda _n, _w: (), clock=clock)
    seed = quota._call

    def emptied(
        operation: str, key: QuotaKey, *rest: str | int, lane: Lane = Lane.PULLS
    ) -> list[int]:
        redis.flushdb()
        return seed(operation, key, *rest, lane=lane)

    quota._call = emptied  # type: ignore[method-assign]

    assert ask(quota, 1) == QuotaGrant((), SECOND, KEY)
    assert not quota.hold(KEY, ("token",), DEADLINE)


def test_hold_says_yes_for_tokens_the_bucket_knows_and_starts_their_deadline_anew(
    quota: Quota, clock: Clock
) -> None:
    tokens = ask(quota, 10).tokens
    clock.pass_by(30 * SECOND)

    assert quota.hold(KEY, tokens, DEADLINE)
    clock.pass_by(DEADLINE + 9 * SECOND)
    assert free(quota) == 0
    clock.pass_by(SECOND)
    assert free(quota) == 10


def test_hold_of_nothing_says_yes(quota: Quota) -> None:
    assert quota.hold(KEY, (), DEADLINE)


def test_a_call_that_was_only_taken_when_redis_was_emptied_is_held_if_there_is_room(
    quota: Quota, redis: Redis
) -> None:
    tokens = ask(quota, 4).tokens
    redis.flushdb()

    assert quota.hold(KEY, tokens, DEADLINE)
    assert free(quota) == 6


def test_a_call_that_was_only_taken_when_redis_was_emptied_is_not_sent_without_room(
    quota: Quota, redis: Redis
) -> None:
    tokens = ask(quota, 4).tokens
    redis.flushdb()
    ask(quota, 7)

    assert not quota.hold(KEY, tokens, DEADLINE)
    assert free(quota) == 3


def test_hold_rebuilds_an_emptied_bucket_before_it_answers(
    quota: Quota, redis: Redis, clock: Clock, spent: list[Spent]
) -> None:
    tokens = ask(quota, 4).tokens
    redis.flushdb()
    spent += [Spent(f"call {n}", clock.now + 5 * SECOND) for n in range(7)]

    assert not quota.hold(KEY, tokens, DEADLINE)
    assert quota.hold(KEY, tokens[:3], DEADLINE)


def test_a_call_whose_row_was_recovered_is_not_sent_from_an_overfull_bucket(
    quota: Quota, redis: Redis, clock: Clock, spent: list[Spent]
) -> None:
    tokens = ask(quota, 4).tokens
    redis.flushdb()
    sent_since = [f"call {n}" for n in range(7)]
    spent += [Spent(token, clock.now + 5 * SECOND) for token in (*tokens, *sent_since)]

    assert not quota.hold(KEY, tokens, DEADLINE)
    quota.give_back(KEY, tokens[:1], sent=False)
    assert quota.hold(KEY, tokens[1:], DEADLINE)


def test_a_holder_that_slept_past_its_token_may_not_send_into_a_full_window(
    quota: Quota, clock: Clock
) -> None:
    tokens = ask(quota, 1).tokens
    clock.pass_by(DEADLINE + 10 * SECOND)
    ask(quota, 10)

    assert not quota.hold(KEY, tokens, DEADLINE)


def test_a_call_answered_after_redis_was_emptied_counts_from_its_answer(
    quota: Quota, redis: Redis, clock: Clock, spent: list[Spent]
) -> None:
    tokens = ask(quota, 4).tokens
    redis.flushdb()
    quota.give_back(KEY, tokens)
    spent += [Spent(token, clock.now + DEADLINE + 10 * SECOND) for token in tokens]

    assert len(ask(quota, 10).tokens) == 6
    clock.pass_by(10 * SECOND)
    assert free(quota) == 4


def test_calls_that_somebody_else_made_are_occupied_for_a_window(
    quota: Quota, clock: Clock
) -> None:
    ask(quota, 2)
    quota.learn(KEY, QuotaHint(calls=10, window=10 * SECOND, remaining=3))

    assert free(quota) == 3
    clock.pass_by(10 * SECOND)
    assert free(quota) == 8


def test_the_servers_count_never_frees_a_call_of_ours(quota: Quota) -> None:
    ask(quota, 5)
    quota.learn(KEY, QuotaHint(calls=10, window=10 * SECOND, remaining=9))

    assert free(quota) == 5


def test_a_count_as_old_as_its_call_is_compared_with_what_we_knew_then(
    quota: Quota, clock: Clock
) -> None:
    quota.give_back(KEY, ask(quota, 10).tokens)
    clock.pass_by(10 * SECOND + SECOND / 10)
    quota.learn(KEY, QuotaHint(calls=10, window=10 * SECOND, remaining=0, age=SECOND / 5))

    assert free(quota) == 10


def test_a_day_has_its_own_count_and_starts_anew_at_midnight(quota: Quota, clock: Clock) -> None:
    grant = ask(quota, 100, DAILY)
    quota.give_back(DAILY, grant.tokens[:2], sent=False)
    quota.give_back(DAILY, grant.tokens[2:])

    assert len(grant.tokens) == 7
    assert quota.left(DAILY)["daily_left"] == 2
    ask(quota, 2, DAILY)
    assert ask(quota, 1, DAILY).wait == 12 * 3600 * SECOND
    clock.pass_by(12 * 3600 * SECOND)
    assert len(ask(quota, 100, DAILY).tokens) == 7


def test_the_servers_daily_count_and_reset_replace_ours(quota: Quota, clock: Clock) -> None:
    quota.give_back(DAILY, ask(quota, 1, DAILY).tokens)
    ask(quota, 1, DAILY)
    quota.learn(DAILY, QuotaHint(daily_remaining=3, daily_reset=90 * SECOND))

    assert quota.left(DAILY)["daily_left"] == 2, "one call is under way and may not be counted yet"
    ask(quota, 2, DAILY)
    assert ask(quota, 1, DAILY).wait == 90 * SECOND
    clock.pass_by(90 * SECOND)
    assert quota.left(DAILY)["daily_left"] == 7


def test_a_key_without_a_daily_limit_ignores_the_servers_daily_count(quota: Quota) -> None:
    quota.learn(KEY, QuotaHint(daily_remaining=0))

    assert len(ask(quota, 1).tokens) == 1
    assert quota.left(KEY)["daily_left"] is None


def test_a_hundred_tokens_are_taken_by_the_clock_of_redis(redis: Redis) -> None:
    quota = Quota(redis, recover=lambda _n, _w: ())
    key = QuotaKey("highlevel:app:loc", (Limit(100, 10 * SECOND), Limit(1000, 300 * SECOND)))

    tokens = ask(quota, 100, key).tokens
    assert len(set(tokens)) == 100
    quota.give_back(key, tokens)
    assert timedelta(0) < ask(quota, 1, key).wait <= 10 * SECOND


def test_a_quota_survives_that_redis_forgets_its_scripts(quota: Quota, redis: Redis) -> None:
    ask(quota, 1)
    redis.script_flush()

    assert len(ask(quota, 1).tokens) == 1


def test_asking_for_no_call_is_refused_with_a_remedy(quota: Quota) -> None:
    with pytest.raises(Refused, match="Take at least one"):
        ask(quota, 0)
