"""How long an answer asks to be left alone, whatever it says of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.retry_after import LEAST_REST, LONGEST_REST, StatedLimit, retry_after, stated_limit

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "30"}, 30),
        ({"retry-after": " 30 "}, 30),
        ({"retry-after": "1.5"}, 2),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "-120"}, 1),
        ({"retry-after": "999999999"}, 86_400),
        ({"retry-after": str(int(NOW.timestamp()) + 30)}, 30),
        ({"retry-after": str(int(NOW.timestamp()) - 30)}, 1),
        ({"retry-after": "1772355630", "date": "Sun, 01 Mar 2026 09:00:00 GMT"}, 30),
        ({"retry-after": "9" * 300}, 86_400),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT"}, 30),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 -0000"}, 30),
        ({"retry-after": "Sun, 01 Mar 2026 11:00:00 GMT"}, 1),
        ({"retry-after": "Sun, 01 Mar 2099 12:00:00 GMT"}, 86_400),
        (
            {
                "retry-after": "Sun, 01 Mar 2026 09:00:30 GMT",
                "date": "Sun, 01 Mar 2026 09:00:00 GMT",
            },
            30,
        ),
        ({"retry-after": "Sun, 01 Mar 2026 12:00:30 GMT", "date": "yesterday"}, 30),
    ],
)
def test_a_wait_is_read_in_seconds_or_as_a_date_by_their_clock_or_ours(
    headers: dict[str, str], seconds: int
) -> None:
    assert retry_after(headers, now=NOW) == timedelta(seconds=seconds)


@pytest.mark.parametrize("value", ["", "soon", "12 minutes", "1e400", "nan", "٣", "0x10", "Sun"])
def test_what_is_no_wait_asks_for_none(value: str) -> None:
    assert retry_after({"retry-after": value}, now=NOW) is None
    assert retry_after({}, now=NOW) is None


@given(st.text(max_size=60), st.text(max_size=60))
def test_no_header_however_odd_breaks_the_reading(value: str, date: str) -> None:
    wait = retry_after({"retry-after": value, "date": date}, now=NOW)
    assert wait is None or LEAST_REST <= wait <= LONGEST_REST


@pytest.mark.parametrize(
    ("text", "calls", "seconds"),
    [
        ("Rate Limit Reached - 300 Requests per rolling 5 minute window", 300, 300),
        ('{"error": "Rate limit reached - 700 requests per 5 minutes"}', 700, 300),
        ("Fair use: 500 / 3 min", 500, 180),
        ("500/3min", 500, 180),
        ("60/min", 60, 60),
        ("60 requests per minute", 60, 60),
        ("at most 10 API calls in any 1-second window", 10, 1),
        ("API calls quota exceeded! maximum admitted 10 per 1s.", 10, 1),
        ("1000 calls every 2 hours", 1000, 7200),
    ],
)
def test_the_limit_is_read_from_the_words_of_a_429(text: str, calls: int, seconds: int) -> None:
    assert stated_limit(text) == StatedLimit(calls, timedelta(seconds=seconds))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Too many requests",
        "Too many requests. Retry 1 in 60 seconds",
        "0 / 5 min",
        "5 / 0 min",
        "1/1/2026",
        "1234567890123 requests per minute",
    ],
)
def test_words_without_a_limit_state_none(text: str) -> None:
    assert stated_limit(text) is None
