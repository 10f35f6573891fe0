"""What is not in an API's own shape is nobody's verdict: read again, or looked up; who it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from syncline import jsontext
from syncline.errors import Doubtful, ForeignAnswer, SynclineError
from syncline.halo import answers as halo
from syncline.halo.answers import Effect
from syncline.highlevel import answers as highlevel
from syncline.strangers import LONGEST_TITLE, described
from syncline.transport import Answer

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
PAGE = b"<!DOCTYPE html><html><head><title>Just a moment...</title></head><body>x</body></html>"
TOKEN = "pit-5a1d0c7e-2f7b-4a35-9c56-0d1e8f42b9a7"
RIGHT = jsontext.dumps({"data": [], "totalCount": 0})
JSON, HTML = "application/json", "text/html; charset=utf-8"

Read = Callable[[Answer, bool], Any]


def answer(status: int, body: bytes, kind: str = "", **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    if kind:
        named["content-type"] = kind
    return Answer(status, named, body, timedelta(0), NOW)


def of_highlevel(given: Answer, writes: bool) -> Any:
    return highlevel.read(given, "X /payments/orders", writes=writes, hide=SecretStr(TOKEN))


def of_halo(given: Answer, writes: bool) -> Any:
    return halo.read(given, "X /SalesOrder", Effect.WRITE if writes else Effect.READ)


FOREIGN = {
    "a firewall's page": answer(403, PAGE, HTML, server="cloudflare"),
    "a page that says it is JSON": answer(403, PAGE, JSON),
    "a page with the mark of its bytes": answer(404, b"\xef\xbb\xbf\n " + PAGE, HTML),
    "maintenance": answer(503, PAGE, HTML, retry_after="86400"),
    "a captive portal": answer(200, PAGE, HTML),
    "a redirect to a log-in": answer(302, b"", location="https://sso.example.com/in?t=secret"),
    "a redirect with a page": answer(307, PAGE, HTML),
    "nothing, forbidden": answer(403, b""),
    "nothing, unauthorized": answer(401, b""),
    "nothing, not found": answer(404, b""),
    "nothing, conflict": answer(409, b" \n"),
    "nothing where JSON is due": answer(200, b""),
    "no content": answer(204, b""),
    "JSON that was cut": answer(200, RIGHT[:-3], JSON),
    "JSON that was cut in an error": answer(403, b'{"message": "Forb', JSON),
    "JSON in a text of JSON": answer(200, jsontext.dumps(RIGHT.decode()), JSON),
    "right JSON as a page": answer(200, RIGHT, HTML),
    "no document": answer(200, b"null", JSON),
    "a number": answer(200, b"7", JSON),
    "a proxy wants a password": answer(407, b"Proxy Authentication Required", "text/plain"),
    "a text that forbids": answer(403, b"error code: 1020", "text/plain"),
    "an XML of a storage": answer(403, b"<?xml version='1.0'?><Error/>", "application/xml"),
    "a text of a gateway": answer(502, b"upstream connect error", "text/plain"),
}


@pytest.mark.parametrize("read", [of_highlevel, of_halo], ids=["highlevel", "halo"])
@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_not_the_apis_own_is_passing_for_a_read_and_doubtful_for_a_write(
    read: Read, kind: str
) -> None:
    given = FOREIGN[kind]
    with pytest.raises(SynclineError) as passing:
        read(given, False)
    assert type(passing.value) is ForeignAnswer
    assert passing.value.status == given.status
    assert timedelta(seconds=1) <= passing.value.after <= timedelta(minutes=1)
    with pytest.raises(SynclineError) as doubtful:
        read(given, True)
    assert type(doubtful.value) is Doubtful
    assert passing.value.answered_by == doubtful.value.answered_by == described(given)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_a_status_that_an_error_repeats_must_be_the_answers(status: int) -> None:
    body = jsontext.dumps({"message": "no", "statusCode": 418})
    with pytest.raises(ForeignAnswer):
        of_highlevel(answer(status, body, JSON), False)


@pytest.mark.parametrize(
    "document",
    [
        {"message": "no Route matched with those values"},
        {"message": "Not Found"},
        {"error": "not_found", "status": "404"},
    ],
)
def test_a_gateway_that_knows_no_such_path_does_not_say_that_a_record_is_gone(
    document: dict[str, str],
) -> None:
    given = answer(404, jsontext.dumps(document), JSON)
    with pytest.raises(ForeignAnswer):
        of_highlevel(given, False)
    with pytest.raises(Doubtful):
        of_highlevel(given, True)


@pytest.mark.parametrize(
    ("kind", "who"),
    [
        (
            "a firewall's page",
            "an HTML page, 'Just a moment...' (403, text/html, server cloudflare)",
        ),
        ("a redirect to a log-in", "a redirect to sso.example.com (302)"),
        ("nothing, forbidden", "an empty body (403)"),
        ("JSON in a text of JSON", "a text (200, application/json)"),
    ],
)
def test_it_is_said_who_it_was(kind: str, who: str) -> None:
    assert described(FOREIGN[kind]) == who


def test_a_title_that_repeats_a_secret_does_not_show_it() -> None:
    page = f"<title>No entry for {TOKEN} and eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.x</title>"
    with pytest.raises(ForeignAnswer) as caught:
        of_highlevel(answer(403, page.encode(), HTML), False)
    assert "No entry for … and …" in str(caught.value)


@given(
    status=st.integers(100, 599),
    body=st.binary(max_size=60) | st.text(max_size=300).map(lambda t: f"<title>{t}<".encode()),
    headers=st.dictionaries(
        st.sampled_from(["content-type", "server", "via", "location", "retry-after", "date"]),
        st.text(max_size=80),
    ),
)
def test_whoever_answers_is_said_in_one_short_line(
    status: int, body: bytes, headers: dict[str, str]
) -> None:
    who = described(Answer(status, headers, body, timedelta(0), NOW))
    assert who.isprintable()
    assert len(who) < 4 * LONGEST_TITLE
