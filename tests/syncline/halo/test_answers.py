from __future__ import annotations

import contextlib
from collections.abc import Callable
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
    Rejected,
    SynclineError,
    Troubled,
    Unreadable,
)
from syncline.halo.answers import Effect, elements, explained, listing, read
from syncline.transport import Answer


def _answer(status: int, body: Any, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else jsontext.dumps(body)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, named, content, timedelta(seconds=1))


@pytest.mark.parametrize(
    ("body", "text", "field"),
    [
        ({"resultCode": 7, "errorMessage": "No such client"}, "No such client", None),
        ({"ClassName": "System.Exception", "Message": "Bad site"}, "Bad site", None),
        ({"Message": "Name must be unique"}, "Name must be unique", None),
        ({"error": "invalid"}, "invalid", None),
        ("Please enter a valid URL", "Please enter a valid URL", None),
        (b"plain words\x00 and\n more", "plain words and more", None),
        ({"[0].outcome_id": ["Could not convert."]}, "Could not convert.", "outcome_id"),
        (
            {"title": "Invalid", "errors": {"$[1].lines[2].tax": ["Not a number"]}},
            "Not a number",
            "lines[2].tax",
        ),
        ([{"Message": "First of many"}], "First of many", None),
    ],
)
def test_every_shape_of_error_becomes_one_rejection_with_halos_words(
    body: Any, text: str, field: str | None
) -> None:
    with pytest.raises(Rejected) as caught:
        read(_answer(400, body), "POST /SalesOrder", Effect.WRITE)
    assert (caught.value.text, caught.value.field) == (text, field)
    assert caught.value.status == 400
    assert "then retry" in str(caught.value)


@pytest.mark.parametrize(
    ("status", "effect", "expected"),
    [
        (401, Effect.WRITE, BadCredentials),
        (403, Effect.READ, MissingScope),
        (404, Effect.READ, Absent),
        (404, Effect.DELETE, Absent),
        (409, Effect.WRITE, Rejected),
        (429, Effect.WRITE, RateLimited),
        (500, Effect.READ, Troubled),
        (504, Effect.WRITE, Doubtful),
        (503, Effect.DELETE, Doubtful),
        (408, Effect.WRITE, Doubtful),
    ],
)
def test_a_status_becomes_what_to_do_next(
    status: int, effect: Effect, expected: type[SynclineError]
) -> None:
    with pytest.raises(expected) as caught:
        read(_answer(status, {"Message": "words"}), "GET /Client", effect)
    assert type(caught.value) is expected
    assert "words" in str(caught.value)


def test_a_removal_may_be_answered_with_nothing_and_nothing_else_may() -> None:
    assert read(_answer(204, b""), "DELETE /Users/1", Effect.DELETE) is None
    assert read(_answer(200, b" "), "DELETE /Users/1", Effect.DELETE) is None
    with pytest.raises(ForeignAnswer):
        read(_answer(204, b""), "GET /Users", Effect.READ)
    with pytest.raises(Doubtful, match="looked up"):
        read(_answer(200, b""), "POST /Users", Effect.WRITE)


def test_a_mere_text_refuses_a_record_but_judges_nobody() -> None:
    with pytest.raises(Rejected, match="on hold"):
        read(_answer(400, b"Client is on hold"), "POST /Users", Effect.WRITE)
    for status in (401, 403, 404):
        with pytest.raises(ForeignAnswer):
            read(_answer(status, b"error code: 1020"), "GET /Users", Effect.READ)


@pytest.mark.parametrize("body", [{"odd": 1}, {"message": "Bad Request"}, {"errors": ["no"]}, 7])
def test_what_is_in_no_shape_of_halos_refuses_no_record(body: Any) -> None:
    with pytest.raises(ForeignAnswer):
        read(_answer(400, body), "GET /Users", Effect.READ)
    with pytest.raises(Doubtful, match="looked up"):
        read(_answer(400, body), "POST /Users", Effect.WRITE)


def test_a_gateways_429_asks_for_a_short_rest_and_leaves_a_write_in_doubt() -> None:
    gateways: list[Any] = [{"message": "Too Many Requests"}, {"error": "slow"}, "Too Many Requests"]
    for body in gateways:
        with pytest.raises(RateLimited) as rests:
            read(_answer(429, body, retry_after="999"), "GET /Users", Effect.READ)
        assert rests.value.after == timedelta(seconds=60)
        with pytest.raises(Doubtful):
            read(_answer(429, body), "POST /Users", Effect.WRITE)


def test_a_token_may_be_refused_by_a_header_alone() -> None:
    with pytest.raises(BadCredentials):
        read(_answer(401, b"", www_authenticate="Bearer"), "GET /Users", Effect.READ)
    with pytest.raises(ForeignAnswer):
        read(_answer(401, b"", www_authenticate='Basic realm="proxy"'), "GET /Users", Effect.READ)


@pytest.mark.parametrize(
    ("headers", "text", "seconds"),
    [
        ({"retry_after": "17"}, "300 Requests per rolling 5 minute window", 17),
        (
            {
                "retry_after": "Sun, 01 Mar 2026 12:00:30 GMT",
                "date": "Sun, 01 Mar 2026 12:00:00 GMT",
            },
            "",
            30,
        ),
        ({"retry_after": "soon"}, "300 Requests per rolling 5 minute window", 60),
        ({"retry_after": "0"}, "", 1),
        ({}, "100 Requests per rolling 10 second window", 10),
        ({}, "slow down", 60),
        ({"retry_after": "999999999"}, "", 60),
        ({"retry_after": "999"}, "slow down", 999),
        ({}, "", 60),
    ],
)
def test_a_429_says_how_long_the_key_rests(
    headers: dict[str, str], text: str, seconds: int
) -> None:
    with pytest.raises(RateLimited) as caught:
        read(_answer(429, text, **headers), "GET /Client", Effect.READ)
    assert caught.value.after == timedelta(seconds=seconds)
    assert caught.value.answered_by is None


@pytest.mark.parametrize("retry_after", ["7", "86400", "4102444800", "soon"])
def test_the_page_of_somebody_who_answers_429_asks_for_a_short_rest_and_names_no_limit(
    retry_after: str,
) -> None:
    page = b"<html><title>10 requests per 1 hour</title></html>"
    answer = _answer(429, page, retry_after=retry_after)
    with pytest.raises(RateLimited) as caught:
        read(answer, "GET /Client", Effect.READ)
    assert caught.value.after == timedelta(seconds=7 if retry_after == "7" else 60)
    assert caught.value.answered_by is not None
    with pytest.raises(Doubtful) as doubt:
        read(answer, "POST /Client", Effect.WRITE)
    assert doubt.value.rest == caught.value.after
    assert doubt.value.answered_by == caught.value.answered_by


@pytest.mark.parametrize("effect", [Effect.WRITE, Effect.DELETE])
def test_a_write_that_met_a_429_without_a_word_may_have_got_through(effect: Effect) -> None:
    with pytest.raises(Doubtful) as doubt:
        read(_answer(429, ""), "POST /Client", effect)
    assert doubt.value.rest == timedelta(seconds=60)
    with pytest.raises(RateLimited):
        read(_answer(429, "300 Requests per rolling 5 minute window"), "POST /Client", effect)


@pytest.mark.parametrize(
    "document",
    [
        [{"id": 3, "name": "Alert"}],
        {"record_count": 1, "tickettypes": [{"id": 3, "name": "Alert"}]},
        {"statuses": [{"id": 3, "name": "Alert"}]},
        {"record_count": 1, "columns": [{"id": 8}], "orders": [{"id": 3, "name": "Alert"}]},
        {"record_count": 1, "tree": [], "views": [], "orders": [{"id": 3, "name": "Alert"}]},
        {"record_count": 1, "headings": ["id"], "anything": [{"id": 3, "name": "Alert"}]},
        {"record_count": 1, "rows": [{"id": 3, "name": "Alert"}], "columns": [1]},
    ],
)
def test_wrapped_and_bare_lists_read_alike(document: Any) -> None:
    row = {"id": 3, "name": "Alert"}
    assert listing(document).rows == listing(document, "rows").rows == [row]
    if isinstance(document, list) or "record_count" in document:
        assert elements(document, "rows") == [row]
    assert elements({"rows": [row]}, "rows") == [row]
    assert elements(row | {"rows": []}, "rows") == [row | {"rows": []}]


@pytest.mark.parametrize(
    "document",
    [{"record_count": 0, "rows": None}, {"record_count": "0"}, {"record_count": 0, "a": []}],
)
def test_a_list_without_rows_is_empty_however_it_is_written(document: Any) -> None:
    assert listing(document, "rows").rows == []


@pytest.mark.parametrize(
    "document",
    [{"record_count": 2, "rows": None}, {"a": [{"id": 1}], "b": [{"id": 2}]}, {"a": 1}, 7],
)
def test_a_list_that_cannot_be_told_is_unreadable(document: Any) -> None:
    with pytest.raises(Unreadable):
        listing(document, "rows")


def test_an_answer_is_elements_as_an_object_and_as_an_array() -> None:
    assert elements({"id": 1}) == [{"id": 1}]
    assert elements([{"id": 1}, {"id": 2}]) == [{"id": 1}, {"id": 2}]
    strangers: list[Any] = [None, 3, "text", [1]]
    for neither in strangers:
        with pytest.raises(Unreadable):
            elements(neither)


def test_a_list_is_found_under_its_key_alone_or_bare() -> None:
    row = {"id": 1}
    assert listing({"record_count": "7", "clients": [row]}, "clients").record_count == 7
    assert listing({"results": [row], "columns": [1], "record_count": True}).rows == [row]
    assert listing([row]).record_count is None
    unlisted: list[Any] = ["text", {"a": [], "b": []}, {"record_count": 1}]
    for neither in unlisted:
        with pytest.raises(Unreadable):
            listing(neither)


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.decimals(allow_nan=False),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(
    status=st.integers(100, 599),
    body=st.binary() | _json.map(jsontext.dumps),
    effect=st.sampled_from(Effect),
    retry_after=st.text(max_size=30),
)
def test_any_answer_is_a_document_or_an_error_of_the_tree(
    status: int, body: bytes, effect: Effect, retry_after: str
) -> None:
    with contextlib.suppress(SynclineError):
        read(_answer(status, body, retry_after=retry_after), "POST /Client", effect)
    text, _ = explained(body)
    assert 0 < len(text) <= 500
    assert text.isprintable()


@given(_json)
def test_any_document_is_rows_or_unreadable(document: Any) -> None:
    parsers: tuple[Callable[[Any], object], ...] = (elements, listing)
    for parse in parsers:
        with contextlib.suppress(Unreadable):
            parse(document)


def test_a_document_of_great_depth_is_explained() -> None:
    assert explained(b"[" * 100_000)[0]
    assert explained(b'{"a":' * 400 + b"1" + b"}" * 400) == ("a", None)
