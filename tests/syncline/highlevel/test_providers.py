"""Providers and fulfillments: what is refused before it leaves, and how answers are read."""

from __future__ import annotations

import itertools
import string
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from syncline import jsontext
from syncline.errors import (
    Absent,
    Doubtful,
    ForeignAnswer,
    MissingScope,
    Rejected,
    UnknownName,
    Unreadable,
)
from syncline.highlevel.client import HighLevelClient
from syncline.highlevel.fulfillments import (
    NewFulfillment,
    NewItem,
    NewTracking,
    create_fulfillment,
    list_fulfillments,
)
from syncline.highlevel.providers import NewProvider, create_provider, creation, list_providers
from syncline.highlevel.records import ORDERS, Span, get_record, list_records
from syncline.sandbox.process import SandboxProcess
from syncline.transport import Permit, Transport
from tests.syncline.highlevel.location import (
    LOCATION,
    TOKEN,
    TOKEN_FOR_ORDERS_ONLY,
    Scripted,
    client_of,
    permit,
)

FIELDS: dict[str, Any] = {
    "unique_name": "easy-direct",
    "title": "Easy Direct",
    "provider": "nmi",
    "description": "Cards",
    "image_url": "https://example.com/logo.png",
}
PROVIDER: dict[str, Any] = {
    "_id": "65cb47dda50f4f13ced4b870",
    "altId": LOCATION,
    "altType": "location",
    "title": "Easy Direct",
    "route": "easy-direct",
    "provider": "nmi",
    "description": "Cards",
    "imageUrl": "https://example.com/logo.png",
    "createdAt": "2024-02-13T10:43:41.026Z",
    "updatedAt": "2024-02-13T10:43:41.026Z",
}
FULFILLMENT: dict[str, Any] = {
    "_id": "65cb47dda50f4f13ced4b871",
    "altId": LOCATION,
    "altType": "location",
    "trackings": [{"trackingNumber": 40012345678, "shippingCarrier": "FedEx"}],
    "items": [{"_id": "6578278e879ad2646715ba9c", "name": "Lamp", "qty": "2"}],
    "createdAt": "2024-02-13T10:43:41.026Z",
    "updatedAt": "2024-02-13T10:43:41.026Z",
}
_NAMES = (
    f"logo-{letters[0]}{letters[1]}"
    for letters in itertools.product(string.ascii_lowercase, repeat=2)
)


@pytest.fixture
def client(sandbox: SandboxProcess, transport: Transport) -> HighLevelClient:
    return client_of(transport, sandbox.highlevel_url)


@pytest.fixture
def scripted_client(server: Scripted, transport: Transport) -> HighLevelClient:
    return client_of(transport, server.url)


def provider(**changes: Any) -> NewProvider:
    return NewProvider(**(FIELDS | changes))


def fulfillment(price: str = "p1", qty: str = "1", **changes: Any) -> NewFulfillment:
    fields: dict[str, Any] = {
        "trackings": (NewTracking(tracking_number="40012345678", shipping_carrier="FedEx"),),
        "items": (NewItem(price_id=price, qty=Decimal(qty)),),
        "notify_customer": False,
    }
    return NewFulfillment(**(fields | changes))


def test_a_provider_is_registered_and_listed(client: HighLevelClient) -> None:
    made = create_provider(client, permit(), provider(unique_name=next(_NAMES)))
    other = create_provider(client, permit(), provider(unique_name=next(_NAMES)))
    listed = list_providers(client, permit(), limit=100, offset=0)
    assert [one for one in listed if one.id in {made.id, other.id}] == [made, other]
    [first] = list_providers(client, permit(), limit=1, offset=0)
    assert first == listed[0]
    assert (made.title, made.provider, made.image_url) == (
        "Easy Direct",
        "nmi",
        "https://example.com/logo.png",
    )


def test_a_name_that_is_taken_is_rejected(client: HighLevelClient) -> None:
    taken = provider(unique_name=next(_NAMES))
    create_provider(client, permit(), taken)
    with pytest.raises(Rejected, match="already exists"):
        create_provider(client, permit(), taken)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("unique_name", ""),
        ("unique_name", "-easy"),
        ("unique_name", "easy-"),
        ("unique_name", "Easy"),
        ("unique_name", "easy2"),
        ("unique_name", "easy\n"),
        ("unique_name", "a" * 101),
        ("title", " "),
        ("title", "a\x1b[2Jb"),
        ("provider", "stripe"),
        ("description", ""),
        ("description", 7),
        ("image_url", "http://example.com/a.png"),
        ("image_url", "HTTPS://example.com/a.png"),
        ("image_url", "https://localhost/a.png"),
        ("image_url", "https://printer.local/a.png"),
        ("image_url", "https://10.0.0.7/a.png"),
        ("image_url", "https://user:word@example.com/a.png"),
        ("image_url", "https://example.com/a b.png"),
        ("image_url", "https://[broken/a.png"),
        ("image_url", "https:///a.png"),
        ("colour", "red"),
    ],
)
def test_a_provider_that_would_be_nonsense_cannot_be_made(field: str, value: Any) -> None:
    if field == "unique_name" and value == "easy\n":
        # Spaces around a text are no part of it.
        assert provider(unique_name=value).unique_name == "easy"
        return
    with pytest.raises(ValidationError):
        provider(**{field: value})


@given(st.from_regex(r"[a-z]([a-z-]{0,60}[a-z])?", fullmatch=True))
def test_a_name_of_letters_with_hyphens_inside_is_taken_as_it_is(name: str) -> None:
    assert provider(unique_name=name).document()["uniqueName"] == name


def test_the_request_that_is_shown_is_the_one_that_is_sent(
    server: Scripted, scripted_client: HighLevelClient
) -> None:
    server.body = jsontext.dumps(PROVIDER)
    shown = creation(scripted_client, provider())
    create_provider(scripted_client, permit(), provider())
    (call,) = server.calls
    assert (call["method"], f"{server.url}{call['path']}") == (shown.method, shown.url)
    assert call["body"] == shown.content
    assert call["headers"].items() >= shown.headers.items()
    assert TOKEN not in repr(shown)
    assert jsontext.loads(call["body"]) == {
        "uniqueName": "easy-direct",
        "title": "Easy Direct",
        "provider": "nmi",
        "description": "Cards",
        "imageUrl": "https://example.com/logo.png",
        "altId": LOCATION,
        "altType": "location",
    }


@pytest.mark.parametrize("found", [PROVIDER, [PROVIDER], [{**PROVIDER, "createdAt": None}]])
def test_providers_may_be_an_array_or_one_object(
    server: Scripted, scripted_client: HighLevelClient, found: Any
) -> None:
    server.body = jsontext.dumps({"providers": found})
    [read] = list_providers(scripted_client, permit(), limit=20, offset=40)
    assert (read.id, read.route) == (PROVIDER["_id"], "easy-direct")
    query = server.calls[0]["query"]
    assert query == {"limit": "20", "offset": "40", "altId": LOCATION, "altType": "location"}


@pytest.mark.parametrize("body", [b'{"providers": null}', b'{"providers": [{"title": 1}]}'])
def test_a_list_without_readable_providers_is_unreadable(
    server: Scripted, scripted_client: HighLevelClient, body: bytes
) -> None:
    server.body = body
    with pytest.raises(Unreadable) as error:
        list_providers(scripted_client, permit("call-5"), limit=1, offset=0)
    assert error.value.call_id == "call-5"


def test_a_gateways_words_in_place_of_providers_or_fulfillments_are_no_answer(
    server: Scripted, scripted_client: HighLevelClient
) -> None:
    server.body = b'{"message": "Endpoint request timed out"}'
    with pytest.raises(ForeignAnswer):
        list_providers(scripted_client, permit(), limit=1, offset=0)
    with pytest.raises(ForeignAnswer):
        list_fulfillments(scripted_client, permit(), "o1")
    with pytest.raises(Doubtful) as doubt:
        create_fulfillment(scripted_client, permit(), "o1", fulfillment())
    assert doubt.value.answered_by is not None


@pytest.mark.parametrize(
    ("call", "scope"),
    [
        (lambda c, p: list_providers(c, p, limit=1, offset=0), "payments/integration.readonly"),
        (lambda c, p: create_provider(c, p, provider()), "payments/integration.write"),
        (lambda c, p: create_fulfillment(c, p, "o1", fulfillment()), "payments/orders.write"),
    ],
)
def test_a_scope_that_is_missing_is_named(
    sandbox: SandboxProcess,
    transport: Transport,
    call: Callable[[HighLevelClient, Permit], Any],
    scope: str,
) -> None:
    reader = client_of(transport, sandbox.highlevel_url, TOKEN_FOR_ORDERS_ONLY)
    with pytest.raises(MissingScope) as error:
        call(reader, permit())
    assert scope in error.value.remedy


a_write = pytest.mark.parametrize(
    "write",
    [
        lambda c, p: create_provider(c, p, provider()),
        lambda c, p: create_fulfillment(c, p, "o1", fulfillment()),
    ],
    ids=["provider", "fulfillment"],
)


@a_write
@pytest.mark.parametrize(
    ("status", "body", "headers"),
    [
        (200, None, {}),
        (500, b"{}", {}),
        (503, b"<html>", {}),
        (200, b"<html>", {}),
        (200, b"{}", {}),
        (200, b'{"status": true, "data": null}', {}),
        (200, b'{"status": true, "data": {"_id": "no items"}}', {}),
        (200, b"not gzip", {"content-encoding": "gzip"}),
    ],
)
def test_a_write_without_a_clear_answer_is_doubtful(
    server: Scripted,
    scripted_client: HighLevelClient,
    write: Callable[[HighLevelClient, Permit], Any],
    status: int,
    body: bytes | None,
    headers: dict[str, str],
) -> None:
    server.status, server.body, server.headers = status, body, headers
    with pytest.raises(Doubtful, match="looked up") as error:
        write(scripted_client, permit("call-6"))
    assert error.value.call_id == "call-6"
    assert len(server.calls) == 1


@a_write
def test_a_body_that_is_refused_names_the_field(
    server: Scripted,
    scripted_client: HighLevelClient,
    write: Callable[[HighLevelClient, Permit], Any],
) -> None:
    server.status = 422
    server.body = b'{"message": ["items.0.qty must be a number", "b"], "statusCode": 422}'
    with pytest.raises(Rejected) as error:
        write(scripted_client, permit())
    assert error.value.field == "items.0.qty"


def test_a_fulfillment_is_made_and_listed(client: HighLevelClient) -> None:
    [row] = list_records(client, permit(), ORDERS, Span(1, 7)).rows
    assert list_fulfillments(client, permit(), row.id) == []
    price = get_record(client, permit(), ORDERS, row.id)["items"][0]["price"]["_id"]
    made = create_fulfillment(client, permit(), row.id, fulfillment(price))
    again = create_fulfillment(client, permit(), row.id, fulfillment(price, trackings=()))
    listed = list_fulfillments(client, permit(), row.id)
    assert [one.id for one in listed] == [made.id, again.id]
    assert listed[0].model == made.model
    [item] = made.model.items
    assert (item.price_id, item.qty) == (price, Decimal(1))
    assert made.model.trackings[0].tracking_number == "40012345678"


def test_fulfilling_what_is_not_there_is_absent(client: HighLevelClient) -> None:
    [row] = list_records(client, permit(), ORDERS, Span(1)).rows
    with pytest.raises(Absent):
        create_fulfillment(client, permit(), "653f5e0cde5a1314e62a837c", fulfillment())
    with pytest.raises(Absent):
        create_fulfillment(client, permit(), row.id, fulfillment("653f5e0cde5a1314e62a837c"))
    with pytest.raises(Absent):
        list_fulfillments(client, permit(), "653f5e0cde5a1314e62a837c")


def test_a_quantity_is_sent_with_its_digits_and_an_unsaid_tracking_field_not_at_all(
    server: Scripted, scripted_client: HighLevelClient
) -> None:
    server.body = jsontext.dumps({"status": True, "data": FULFILLMENT})
    create_fulfillment(scripted_client, permit(), "o1", fulfillment("p1", "0.125"))
    (call,) = server.calls
    assert call["path"] == "/payments/orders/o1/fulfillments"
    assert jsontext.loads(call["body"]) == {
        "trackings": [{"trackingNumber": "40012345678", "shippingCarrier": "FedEx"}],
        "items": [{"priceId": "p1", "qty": Decimal("0.125")}],
        "notifyCustomer": False,
        "altId": LOCATION,
        "altType": "location",
    }


@pytest.mark.parametrize(
    "changes",
    [
        {"items": ()},
        {"items": (NewItem(price_id="p1", qty=Decimal(1)), NewItem(price_id="p1", qty=Decimal(2)))},
        {"notify_customer": None},
        {"notify_customer": "false"},
        {"trackings": None},
    ],
)
def test_a_fulfillment_that_would_be_nonsense_cannot_be_made(changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        fulfillment(**changes)


@pytest.mark.parametrize("qty", ["0", "-1", "NaN", "Infinity", "1e10"])
def test_a_quantity_is_above_zero_and_a_number(qty: str) -> None:
    with pytest.raises(ValidationError):
        fulfillment(qty=qty)


def test_telling_the_customer_is_never_a_default() -> None:
    with pytest.raises(ValidationError, match="notifyCustomer"):
        NewFulfillment(trackings=(), items=(NewItem(price_id="p1", qty=Decimal(1)),))


@pytest.mark.parametrize("fields", [{}, {"tracking_number": ""}, {"tracking_url": " "}])
def test_a_tracking_says_something(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        NewTracking(**fields)


def test_what_cannot_be_an_order_is_never_sent(
    server: Scripted, scripted_client: HighLevelClient
) -> None:
    with pytest.raises(UnknownName):
        create_fulfillment(scripted_client, permit(), "../orders", fulfillment())
    with pytest.raises(UnknownName):
        list_fulfillments(scripted_client, permit(), "a/b")
    assert server.calls == []
