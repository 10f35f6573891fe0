from __future__ import annotations

import contextlib
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline import jsontext
from syncline.errors import (
    Absent,
    BadCredentials,
    Doubtful,
    ForeignAnswer,
    MissingScope,
    RateLimited,
    Refused,
    Rejected,
    Suspended,
    SynclineError,
    Troubled,
    WrongPlace,
)
from syncline.highlevel.answers import LONGEST_TEXT, read
from syncline.transport import Answer

WHAT = "GET /payments/orders"


def answer(status: int, body: Any = b"", **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else jsontext.dumps(body)
    return Answer(status, headers, content, timedelta(0))


def error_of(status: int, body: Any = b"", *, writes: bool = False, **headers: Any) -> Any:
    with pytest.raises(SynclineError) as caught:
        read(
            answer(status, body, **{k.replace("_", "-"): v for k, v in headers.items()}),
            WHAT,
            writes=writes,
        )
    return caught.value


@pytest.mark.parametrize(
    ("status", "body", "kind", "remedy"),
    [
        (401, {"statusCode": 401, "message": "Invalid JWT"}, BadCredentials, "new private"),
        (
            401,
            {"statusCode": 401, "message": "The token is not authorized for this scope."},
            MissingScope,
            "payments/orders.readonly",
        ),
        (
            401,
            {"message": "This authClass type is not allowed to access this scope. See docs"},
            MissingScope,
            "payments/orders.readonly",
        ),
        (401, {"message": "version header is invalid"}, Refused, "the version of the HighLevel"),
        (
            403,
            {"statusCode": 403, "message": "The token does not have access to this location."},
            WrongPlace,
            "Check the location id",
        ),
        (403, {"message": "Forbidden"}, ForeignAnswer, "what stands between"),
        (403, {"message": "Forbidden", "statusCode": 403}, WrongPlace, "Check the location id"),
        (404, {"status": 404, "message": "Order not found", "traceId": "t"}, Absent, "Check the"),
        (400, {"message": "Contact not found for id:1", "statusCode": 400}, Absent, "Check the"),
        (404, {"message": "Cannot GET /x"}, ForeignAnswer, "what stands between"),
        (404, {"message": "Cannot GET /x", "statusCode": 404}, Refused, "Check the base URL"),
        (400, {"message": "Bad Request", "statusCode": 400}, Rejected, "Correct what"),
        (409, {"message": "Conflict"}, ForeignAnswer, "what stands between"),
        (409, {"message": "Conflict", "statusCode": "409"}, Rejected, "Correct what"),
    ],
)
def test_an_error_says_what_to_do_next(
    status: int, body: Any, kind: type[SynclineError], remedy: str
) -> None:
    error = error_of(status, body)
    assert type(error) is kind
    assert remedy in error.remedy
    assert error.status == status
    assert WHAT in error.what


def test_a_missing_scope_of_a_write_names_the_scope_for_writing() -> None:
    with pytest.raises(MissingScope, match=r"payments/orders\.write"):
        read(
            answer(401, {"message": "The token is not authorized for this scope."}),
            "POST /payments/orders/1/fulfillments",
            writes=True,
        )


def test_a_validation_error_joins_its_texts_and_names_the_first_field() -> None:
    error = error_of(
        422,
        {
            "status": 422,
            "message": ["altType should not be empty", "altType must be a string"],
            "error": "Unprocessable Entity",
            "name": "UnprocessableEntityException",
        },
    )
    assert type(error) is Rejected
    assert error.text == "altType should not be empty; altType must be a string"
    assert error.field == "altType"


@pytest.mark.parametrize("status", [408, 500, 502, 503, 504, 524])
def test_a_server_error_may_be_read_again_but_leaves_a_write_in_doubt(status: int) -> None:
    said = {"message": "oops", "statusCode": status}
    assert type(error_of(status, said)) is Troubled
    assert type(error_of(status, said, writes=True)) is Doubtful
    assert type(error_of(status, {"message": "oops"})) is ForeignAnswer
    assert type(error_of(status, b"<html>bad gateway</html>")) is ForeignAnswer


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, {"message": "Location is not active", "error": "Bad Request", "statusCode": 400}),
        (403, {"message": ["The location has been suspended"]}),
        (401, {"error": "Your account is currently paused."}),
        (400, b"Location is not active"),
        (400, {"message": "Location Sq8mV3kTzW0yRb5NpLc1 is not active"}),
    ],
)
@pytest.mark.parametrize("writes", [False, True])
def test_a_location_that_is_shut_is_said_to_be_suspended_and_asked_again(
    status: int, body: Any, writes: bool
) -> None:
    error = error_of(status, body, writes=writes)
    assert type(error) is Suspended
    assert "suspended" in error.what
    assert "Install" not in str(error)
    assert error.after >= timedelta(seconds=60)


@pytest.mark.parametrize(
    "text",
    [
        "Coupon is not active",
        "Company coupon has expired",
        "Contact not found for id:1",
        "Location not found",
        "The token does not have access to this location.",
    ],
)
def test_what_a_record_is_refused_for_is_no_suspension(text: str) -> None:
    assert type(error_of(400, {"message": text, "statusCode": 400})) is not Suspended


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 10),
        ({"x_ratelimit_interval_milliseconds": "10000"}, 10),
        ({"x_ratelimit_interval_milliseconds": "2000", "retry_after": "7"}, 7),
        ({"x_ratelimit_daily_remaining": "0", "x_ratelimit_daily_reset": "49013000"}, 49013),
        ({"x_ratelimit_daily_remaining": "0"}, 3600),
        ({"x_ratelimit_daily_remaining": "12", "x_ratelimit_daily_reset": "49013000"}, 10),
        (
            {
                "date": "Wed, 21 Oct 2026 07:28:00 GMT",
                "retry_after": "Wed, 21 Oct 2026 07:28:30 GMT",
            },
            30,
        ),
        ({"retry_after": "soon"}, 10),
        ({"retry_after": "0"}, 1),
        ({"retry_after": "-5"}, 1),
        ({"x_ratelimit_interval_milliseconds": "3"}, 1),
        ({"x_ratelimit_daily_remaining": "0", "x_ratelimit_daily_reset": "0"}, 3600),
        ({"retry_after": "9" * 30}, 86400),
    ],
)
def test_a_429_rests_for_the_window_or_until_the_day_turns(
    headers: dict[str, Any], seconds: int
) -> None:
    error = error_of(429, {"statusCode": 429, "message": "Too Many Requests"}, **headers)
    assert type(error) is RateLimited
    assert error.after == timedelta(seconds=seconds)


def test_a_429_says_whether_it_is_the_days_calls_that_are_used_up() -> None:
    said = {"statusCode": 429, "message": "Too Many Requests"}
    of_day = error_of(429, said, x_ratelimit_daily_remaining="0")
    other = error_of(429, said, retry_after="86400")
    assert isinstance(of_day, RateLimited)
    assert isinstance(other, RateLimited)
    assert (of_day.of_day, other.of_day) == (True, False)


@pytest.mark.parametrize("body", [b"", b"<html></html>", b"slow down", b"[]", b'{"odd": 1}'])
@pytest.mark.parametrize(
    "headers",
    [
        {"retry_after": "86400"},
        {"x_ratelimit_daily_remaining": "0", "x_ratelimit_daily_reset": "49013000"},
    ],
)
def test_a_429_that_is_not_highlevels_own_asks_for_a_short_rest(
    body: bytes, headers: dict[str, Any]
) -> None:
    error = error_of(429, body, **headers)
    assert isinstance(error, RateLimited)
    assert timedelta(0) < error.after <= timedelta(seconds=60)
    assert error.answered_by is not None
    assert not error.of_day
    doubt = error_of(429, body, writes=True, **headers)
    assert isinstance(doubt, Doubtful)
    assert (doubt.rest, doubt.answered_by) == (error.after, error.answered_by)


@pytest.mark.parametrize("header", ["x-ratelimit-max", "x-ratelimit-daily-remaining"])
def test_a_429_with_highlevels_own_limits_is_its_own_whatever_else_it_lacks(header: str) -> None:
    given = Answer(429, {header: "100", "retry-after": "300"}, b'{"message": "no"}', timedelta(0))
    with pytest.raises(RateLimited) as caught:
        read(given, WHAT, writes=True)
    assert (caught.value.after, caught.value.answered_by) == (timedelta(seconds=300), None)


def test_a_gateways_429_asks_for_a_short_rest_and_leaves_a_write_in_doubt() -> None:
    for message in ("API rate limit exceeded", "Rate limit is exceeded. Try again in 9 seconds."):
        said = {"message": message, **({"statusCode": 429} if "Try" in message else {})}
        assert error_of(429, said, retry_after="300").after == timedelta(seconds=60)
        assert type(error_of(429, said, writes=True)) is Doubtful


def test_a_long_text_is_cut_to_one_line() -> None:
    error = error_of(400, {"message": "line\n" * 1000, "statusCode": 400})
    assert len(error.text) == LONGEST_TEXT
    assert "\n" not in str(error)


def test_a_success_is_its_document() -> None:
    assert read(answer(201, {"a": 1}), WHAT) == {"a": 1}


@given(
    status=st.integers(100, 599),
    body=st.one_of(
        st.binary(max_size=50),
        st.recursive(
            st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=9),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(
                    st.sampled_from(["message", "error", "name", "x"]), inner, max_size=3
                )
            ),
            max_leaves=6,
        ).map(jsontext.dumps),
    ),
    writes=st.booleans(),
)
def test_any_answer_is_an_object_or_one_error_of_the_tree(
    status: int, body: bytes, writes: bool
) -> None:
    with contextlib.suppress(SynclineError):
        assert isinstance(read(answer(status, body), WHAT, writes=writes), dict)
