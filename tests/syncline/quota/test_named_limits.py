"""Limits that a side names in words: taken, doubted where calls disprove them, and forgotten."""

from __future__ import annotations

from syncline.quota.bucket import Quota
from syncline.quota.keys import QuotaHint
from tests.syncline.quota.conftest import KEY, SECOND, Clock, ask


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


def test_what_came_before_a_named_window_says_nothing_against_its_limit(
    quota: Quota, clock: Clock
) -> None:
    quota.give_back(KEY, ask(quota, 10).tokens)
    clock.pass_by(2 * SECOND)
    quota.learn(KEY, QuotaHint(calls=1, window=SECOND))
    assert quota.left(KEY)["windows"][0]["calls"] == 1
