"""Limits that a side names: held beside ours, doubted where calls disprove them, and forgotten."""

from __future__ import annotations

import pytest

from syncline.quota.bucket import Quota
from syncline.quota.keys import Limit, QuotaHint, QuotaKey
from tests.syncline.quota.conftest import KEY, SECOND, Clock, ask

HALO = QuotaKey("halo:steady", (Limit(60, 60 * SECOND),))


def named(quota: Quota, key: QuotaKey, calls: int, seconds: int) -> None:
    quota.learn(key, QuotaHint(calls=calls, window=seconds * SECOND))


def made(quota: Quota, clock: Clock, seconds: int) -> int:
    """The calls that pass where somebody asks for as many as there are, each second."""
    many = 0
    for _ in range(seconds):
        clock.pass_by(SECOND)
        tokens = ask(quota, 60, HALO).tokens
        quota.give_back(HALO, tokens)
        many += len(tokens)
    return many


@pytest.mark.parametrize(
    ("calls", "window", "allowed", "at_once"),
    [
        (6, 10, 6, 6),
        (30, 10, 10, 10),
        (12, 20, 6, 6),
        (1, 300, 1, 1),
        (7, 5, 10, 7),
        (12, 5, 10, 10),
    ],
)
def test_a_lower_limit_narrows_ours_where_its_window_is_not_shorter(
    quota: Quota, calls: int, window: int, allowed: int, at_once: int
) -> None:
    named(quota, KEY, calls, window)

    assert len(ask(quota, 100).tokens) == at_once
    assert quota.left(KEY)["windows"][0]["calls"] == allowed


@pytest.mark.parametrize(
    ("calls", "window", "in_two_minutes"),
    [(60, 60, 120), (10, 1, 120), (20, 1, 120), (10, 30, 40), (1, 30, 4)],
)
def test_a_short_window_spreads_our_calls_and_takes_none_away_that_it_allows(
    quota: Quota, clock: Clock, calls: int, window: int, in_two_minutes: int
) -> None:
    named(quota, HALO, calls, window)

    assert made(quota, clock, 120) == in_two_minutes


def test_each_window_that_was_named_holds_until_it_is_named_otherwise(
    quota: Quota, clock: Clock
) -> None:
    named(quota, HALO, 40, 60)
    named(quota, HALO, 10, 1)
    assert [(one["calls"], one["seconds"]) for one in quota.left(HALO)["windows"]] == [
        (40, 60),
        (10, 1),
    ]
    named(quota, HALO, 30, 1)
    assert len(ask(quota, 60, HALO).tokens) == 30


def test_who_waits_for_a_named_window_is_told_that_one(quota: Quota, clock: Clock) -> None:
    named(quota, HALO, 10, 2)
    quota.give_back(HALO, ask(quota, 10, HALO).tokens)
    clock.pass_by(SECOND)

    refused = ask(quota, 1, HALO)
    assert (refused.tokens, refused.wait) == ((), SECOND)
    clock.pass_by(refused.wait)
    assert len(ask(quota, 60, HALO).tokens) == 10


def test_a_named_window_holds_back_calls_that_were_taken_before_it_was_named(quota: Quota) -> None:
    tokens = ask(quota, 12, HALO).tokens
    named(quota, HALO, 10, 1)

    assert not quota.hold(HALO, tokens, SECOND)
    quota.give_back(HALO, tokens[10:], sent=False)
    assert quota.hold(HALO, tokens[:10], SECOND)


def test_a_limit_that_is_not_named_again_is_forgotten_after_an_hour(
    quota: Quota, clock: Clock
) -> None:
    quota.learn(KEY, QuotaHint(calls=1, window=3600 * SECOND))
    clock.pass_by(1800 * SECOND)
    quota.learn(KEY, QuotaHint(calls=2, window=10 * SECOND))
    clock.pass_by(3600 * SECOND)
    assert quota.left(KEY)["windows"][0]["calls"] == 2
    clock.pass_by(SECOND)
    assert quota.left(KEY)["windows"][0]["calls"] == 10


def test_a_limit_in_words_is_not_believed_where_far_more_calls_were_made(
    quota: Quota,
) -> None:
    quota.give_back(KEY, ask(quota, 10).tokens)
    quota.learn(KEY, QuotaHint(calls=3, window=3600 * SECOND))
    assert quota.left(KEY)["windows"][0]["calls"] == 10
    quota.learn(KEY, QuotaHint(calls=4, window=10 * SECOND))
    assert quota.left(KEY)["windows"][0]["calls"] == 4


def test_calls_under_way_say_nothing_against_a_limit_in_words(quota: Quota) -> None:
    tokens = ask(quota, 40, HALO).tokens
    quota.give_back(HALO, tokens[:10])
    named(quota, HALO, 10, 1)
    assert quota.left(HALO)["windows"][1]["calls"] == 10


def test_what_came_before_a_named_window_says_nothing_against_its_limit(
    quota: Quota, clock: Clock
) -> None:
    quota.give_back(KEY, ask(quota, 10).tokens)
    clock.pass_by(2 * SECOND)
    quota.learn(KEY, QuotaHint(calls=1, window=SECOND))
    assert len(ask(quota, 10).tokens) == 0
    assert quota.left(KEY)["windows"][1]["calls"] == 1
