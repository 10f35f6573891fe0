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
from syncline.errors import (
    Absent,
    BadCredentials,
    Doubtful,
    ForeignAnswer,
    MissingScope,
    Rejected,
    SynclineError,
    WrongPlace,
)
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


def gateway(status: int, document: dict[str, Any], kind: str = JSON, **headers: str) -> Answer:
    return answer(status, jsontext.dumps(document), kind, **headers)


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
    "a text that repeats its status": answer(400, b"400 Bad Request\n", "text/plain"),
    "a text with a number": answer(409, b"error code: 1015", "text/plain"),
    "a text of an error in a text of JSON": answer(400, b'"<html>no</html>"', JSON),
    "a gateway forbids": gateway(403, {"message": "Forbidden"}),
    "a gateway lets nobody in": gateway(401, {"message": "Unauthorized"}),
    "a gateway wants a bearer": gateway(
        401, {"message": "Unauthorized"}, www_authenticate="Bearer"
    ),
    "a gateway of a cloud": gateway(
        403,
        {"Message": "User is not authorized.", "message": "no", "statusCode": 403},
        x_amzn_errortype="AccessDeniedException",
    ),
    "a gateway that says it is one": gateway(
        401,
        {"message": "No API key", "Message": "No API key", "statusCode": 401},
        x_kong_response_latency="1",
    ),
    "a gateway wants a key": gateway(
        401,
        {"statusCode": 401, "message": "Access denied due to missing subscription key."},
        www_authenticate='AzureApiManagementKey realm="x",name="k",type="header"',
    ),
    "a gateway has no key": gateway(
        401, {"statusCode": 401, "message": "Access denied due to invalid subscription key."}
    ),
    "a gateway's quota": gateway(
        403, {"statusCode": 403, "message": "Out of call volume quota. Quota will be replenished."}
    ),
    "a gateway knows no resource": gateway(
        404, {"statusCode": 404, "message": "Resource not found"}
    ),
    "a gateway knows no route": gateway(404, {"message": "no Route matched with those values"}),
    "a gateway takes no method": gateway(405, {"message": "Method Not Allowed"}),
    "a gateway takes no body": gateway(413, {"message": "Request Too Long"}),
    "a gateway does not understand": gateway(400, {"message": "Bad Request"}),
    "a gateway names an error": gateway(403, {"error": "Forbidden"}),
    "a gateway repeats its status": gateway(
        403, {"timestamp": "now", "status": 403, "error": "Forbidden", "path": "/payments/orders"}
    ),
    "a gateway names a fault": gateway(401, {"fault": {"faultstring": "Invalid ApiKey"}}),
    "a gateway lists errors": gateway(403, {"errors": [{"status": "403", "title": "Forbidden"}]}),
    "a problem": gateway(
        403,
        {"type": "about:blank", "title": "Forbidden", "status": 403, "detail": "no"},
        "application/problem+json",
    ),
    "a problem with the body": gateway(
        400, {"title": "Bad Request", "errors": ["no"]}, "application/problem+json"
    ),
    "a proxy wants a password, in JSON": gateway(
        407, {"statusCode": 407, "message": "no", "Message": "no", "error": "no"}
    ),
    "a network wants a log-in": gateway(
        511, {"statusCode": 511, "message": "no", "Message": "no", "error": "no"}
    ),
    "a proxy names what it wants": gateway(
        403, {"statusCode": 403, "message": "no", "Message": "no"}, proxy_authenticate="Basic"
    ),
    "a gateway gave up": gateway(504, {"message": "Endpoint request timed out"}),
    "a gateway is down": gateway(503, {"message": "Service Unavailable"}),
    "a function that ended": gateway(502, {"errorMessage": "timed out", "errorType": "Error"}),
    "a gateway gave up and says that all is well": gateway(
        200, {"message": "Endpoint request timed out"}
    ),
    "a function that ended well": gateway(200, {"errorMessage": "timed out", "errorType": "Error"}),
    "a gateway has a page in JSON": answer(200, PAGE, "application/json; charset=utf-8"),
    "a service passes through trouble": gateway(400, {"error": "temporarily_unavailable"}),
}


DELETED = {"a success without a word": answer(204, b""), "a row": answer(200, b'{"id": 3}', JSON)}


@pytest.mark.parametrize("kind", [kind for kind in FOREIGN if FOREIGN[kind].body.strip()])
def test_what_is_not_the_apis_own_does_not_say_that_a_row_was_removed(kind: str) -> None:
    with pytest.raises(Doubtful):
        halo.read(FOREIGN[kind], "DELETE /SalesOrder/3", Effect.DELETE)


@pytest.mark.parametrize("kind", DELETED)
def test_a_removal_is_told_in_halos_own_ways(kind: str) -> None:
    halo.read(DELETED[kind], "DELETE /SalesOrder/3", Effect.DELETE)


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


OWN: dict[str, tuple[Read, Answer, type[SynclineError]]] = {
    "a token that is dead": (
        of_highlevel,
        gateway(401, {"statusCode": 401, "message": "Invalid JWT"}),
        BadCredentials,
    ),
    "a scope that is not there": (
        of_highlevel,
        gateway(
            401, {"statusCode": "401", "message": "The token is not authorized for this scope."}
        ),
        MissingScope,
    ),
    "a scope, told as only HighLevel does": (
        of_highlevel,
        gateway(401, {"message": "This authClass type is not allowed to access this scope."}),
        MissingScope,
    ),
    "another location": (
        of_highlevel,
        gateway(403, {"statusCode": 403, "message": "You have no access", "error": "Forbidden"}),
        WrongPlace,
    ),
    "an order that is gone": (
        of_highlevel,
        gateway(404, {"status": 404, "message": "Order not found", "name": "HttpException"}),
        Absent,
    ),
    "a record with a fault": (
        of_highlevel,
        gateway(422, {"statusCode": 422, "message": ["altId must be a string"]}),
        Rejected,
    ),
    "a token of Halo's that is dead": (
        of_halo,
        gateway(401, {"Message": "Authorization has been denied for this request."}),
        BadCredentials,
    ),
    "a token that Halo refuses in a header": (
        of_halo,
        answer(401, b"", www_authenticate='Bearer error="invalid_token"'),
        BadCredentials,
    ),
    "a right that is not there": (
        of_halo,
        gateway(403, {"Message": "You do not have permission to perform this action."}),
        MissingScope,
    ),
    "a row that is gone": (of_halo, gateway(404, {"Message": "Client was not found."}), Absent),
    "a row with a fault": (of_halo, gateway(400, {"[0].id": ["Not a number."]}), Rejected),
    "a row with a fault, as a problem": (
        of_halo,
        gateway(400, {"title": "No.", "errors": {"$[0].id": ["No."]}}, "application/problem+json"),
        Rejected,
    ),
    "a rule of business": (of_halo, answer(400, b"Name must be unique", "text/plain"), Rejected),
    "a rule of business, wrapped": (of_halo, gateway(400, {"error": "Not unique"}), Rejected),
    "a rule with a number": (
        of_halo,
        gateway(409, {"resultCode": 7, "errorMessage": "No such site"}),
        Rejected,
    ),
}


@pytest.mark.parametrize("kind", OWN)
@pytest.mark.parametrize("writes", [False, True], ids=["read", "write"])
def test_a_refusal_in_the_apis_own_shape_is_its_verdict(kind: str, writes: bool) -> None:
    read, given, error = OWN[kind]
    with pytest.raises(SynclineError) as caught:
        read(given, writes)
    assert type(caught.value) is error
    assert caught.value.answered_by is None


def test_what_a_gateway_says_is_told_but_for_secrets() -> None:
    words = f"No entry for {TOKEN} and eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.x"
    for document in ({"message": words}, {"fault": {"faultstring": words}}, {"errors": [words]}):
        with pytest.raises(ForeignAnswer) as caught:
            of_highlevel(gateway(403, document), False)
        assert TOKEN not in str(caught.value)
        assert "eyJ" not in str(caught.value)
    with pytest.raises(
        ForeignAnswer, match=r"an object with message, 'No entry for … and …' \(403"
    ):
        of_highlevel(gateway(403, {"message": words}), False)


def test_an_answer_to_a_read_that_says_all_is_well_shows_nothing_by_its_words() -> None:
    with pytest.raises(ForeignAnswer) as caught:
        of_highlevel(gateway(200, {"message": "of a person"}), False)
    assert "of a person" not in str(caught.value)


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
