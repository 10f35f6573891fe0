"""How long an answer asks to be left alone, whatever it says of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.retry_after import LEAST_REST, LONGEST_REST, retry_after

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
