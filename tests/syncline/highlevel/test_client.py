from __future__ import annotations

from pathlib import Path

import pytest

import syncline.highlevel
from syncline import jsontext
from syncline.errors import Again, Doubtful, ForeignAnswer, NotSent, RateLimited, Rejected
from syncline.transport import Permit, Transport
from tests.syncline.highlevel.location import LOCATION, TOKEN, Scripted, client_of, permit


def test_every_read_names_the_location_the_version_and_the_token(
    server: Scripted, transport: Transport
) -> None:
    client_of(transport, server.url + "/").call(
        "GET", "/payments/orders", permit=permit(), params={"limit": "5", "altId": "elsewhere"}
    )
    (call,) = server.calls
    assert call["path"] == "/payments/orders"
    assert call["query"] == {"limit": "5", "altId": LOCATION, "altType": "location"}
    assert call["headers"]["version"] == "2021-07-28"
    assert call["headers"]["authorization"] == f"Bearer {TOKEN}"
    assert call["headers"]["accept"] == "application/json"


def test_a_write_names_the_location_in_its_body(server: Scripted, transport: Transport) -> None:
    client_of(transport, server.url).call(
        "POST", "/payments/orders/1/fulfillments", permit=permit(), body={"notifyCustomer": False}
    )
    (call,) = server.calls
    assert call["query"] == {}
    assert jsontext.loads(call["body"]) == {
        "notifyCustomer": False,
        "altId": LOCATION,
        "altType": "location",
    }


def test_the_document_keeps_decimals_and_holds_no_nul(
    server: Scripted, transport: Transport
) -> None:
    server.body = rb'{"amount": 150.10, "name": "a\u0000b"}'
    server.headers = {"X-RateLimit-Remaining": "99"}
    received = client_of(transport, server.url).call("GET", "/x", permit=permit())
    assert str(received.document["amount"]) == "150.10"
    assert received.document["name"] == "a\ufffdb"
    assert received.headers["x-ratelimit-remaining"] == "99"


def test_half_an_emoji_in_a_name_does_not_lose_the_page(
    server: Scripted, transport: Transport
) -> None:
    server.body = rb'{"a": "x\ud83c", "b": "\ud83c\udf89", "c": "\\ud83c", "d": "\udf89y"}'
    received = client_of(transport, server.url).call("GET", "/x", permit=permit())
    assert received.document == {"a": "x\ufffd", "b": "🎉", "c": r"\ud83c", "d": "\ufffdy"}


def test_a_cut_read_may_be_tried_again_and_a_cut_write_is_doubtful(
    server: Scripted, transport: Transport
) -> None:
    server.body = None
    client = client_of(transport, server.url)
    with pytest.raises(Again) as again:
        client.call("GET", "/payments/orders", permit=permit("call-7"))
    assert again.value.call_id == "call-7"
    with pytest.raises(Doubtful) as doubtful:
        client.call("POST", "/payments/orders/1/fulfillments", permit=permit("call-8"))
    assert doubtful.value.call_id == "call-8"


def test_nothing_is_sent_with_a_permit_that_has_expired(
    server: Scripted, transport: Transport
) -> None:
    late = permit()
    with pytest.raises(NotSent):
        client_of(transport, server.url).call(
            "GET", "/x", permit=Permit(late.call_id, late.token, 0.0, late.deadline)
        )
    assert server.calls == []


@pytest.mark.parametrize("body", [b"", b"<html>Sign in</html>", b"[]", b'"text"', b"null"])
def test_a_success_that_is_no_object_is_passing_for_a_read_and_doubtful_for_a_write(
    server: Scripted, transport: Transport, body: bytes
) -> None:
    server.body = body
    client = client_of(transport, server.url)
    with pytest.raises(ForeignAnswer, match="asked again by itself"):
        client.call("GET", "/payments/orders", permit=permit())
    with pytest.raises(Doubtful, match="looked up before it is sent again"):
        client.call("POST", "/payments/orders/1/fulfillments", permit=permit())


def test_an_error_carries_the_id_of_its_call_and_never_the_token(
    server: Scripted, transport: Transport
) -> None:
    server.status, server.body = (
        400,
        b'{"statusCode": 400, "message": "no good: ' + TOKEN.encode() + b'"}',
    )
    with pytest.raises(Rejected) as error:
        client_of(transport, server.url).call("GET", "/x", permit=permit("call-9"))
    assert error.value.call_id == "call-9"
    assert TOKEN not in f"{error.value} {error.value.text}"
    assert error.value.text == "no good: ***"


def test_a_429_says_how_long_the_key_must_rest(server: Scripted, transport: Transport) -> None:
    server.status, server.body = 429, b'{"statusCode":429,"message":"Too Many Requests"}'
    server.headers = {"X-RateLimit-Interval-Milliseconds": "2500"}
    with pytest.raises(RateLimited) as error:
        client_of(transport, server.url).call("GET", "/x", permit=permit())
    assert error.value.after.total_seconds() == 2.5


@pytest.mark.parametrize("body", [b"<html>slow down</html>", b"slow down"])
def test_a_429_of_somebody_else_to_a_write_says_too_how_long_the_key_must_rest(
    server: Scripted, transport: Transport, body: bytes
) -> None:
    server.status, server.body, server.headers = 429, body, {"Retry-After": "30"}
    with pytest.raises(Doubtful) as doubt:
        client_of(transport, server.url).call(
            "POST", "/payments/orders/1/fulfillments", permit=permit("call-3")
        )
    assert (doubt.value.rest.total_seconds(), doubt.value.call_id) == (30, "call-3")
    assert doubt.value.answered_by is not None


def test_only_the_client_speaks_with_the_transport() -> None:
    (folder,) = syncline.highlevel.__path__
    speaking = {path.name for path in Path(folder).glob("*.py") if ".send(" in path.read_text()}
    assert speaking == {"client.py", "oauth.py"}
