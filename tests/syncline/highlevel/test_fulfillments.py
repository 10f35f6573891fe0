"""Answers about fulfillments: what they must show, and which list proves that one is not there."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from syncline import jsontext
from syncline.errors import Doubtful, Unreadable
from syncline.highlevel.client import HighLevelClient
from syncline.highlevel.fulfillments import (
    Fulfillment,
    NewFulfillment,
    NewItem,
    create_fulfillment,
    list_fulfillments,
)
from syncline.highlevel.providers import list_providers
from syncline.highlevel.records import ORDERS, Span, list_records
from syncline.transport import Transport
from tests.syncline.highlevel.location import LOCATION, Scripted, client_of, permit

FULFILLMENT: dict[str, Any] = {
    "_id": "65cb47dda50f4f13ced4b871",
    "altId": LOCATION,
    "altType": "location",
    "trackings": [{"trackingNumber": 40012345678, "shippingCarrier": "FedEx"}],
    "items": [{"_id": "6578278e879ad2646715ba9c", "name": "Lamp", "qty": "2"}],
    "createdAt": "2024-02-13T10:43:41.026Z",
    "updatedAt": "2024-02-13T10:43:41.026Z",
}
NEW = NewFulfillment(
    trackings=(), items=(NewItem(price_id="p1", qty=Decimal(1)),), notify_customer=False
)


@pytest.fixture
def scripted_client(server: Scripted, transport: Transport) -> HighLevelClient:
    return client_of(transport, server.url)


FAILED: list[dict[str, Any]] = [
    {"status": False},
    {"status": "False"},
    {"status": "error"},
    {"status": 500},
    {"success": False},
    {"statusCode": 504},
    {"status": True, "error": "Could not load"},
    {"status": True, "errors": ["timeout"]},
]


@pytest.mark.parametrize("said", FAILED, ids=str)
@pytest.mark.parametrize("data", [[], [FULFILLMENT]], ids=["empty", "of one"])
def test_a_list_of_fulfillments_that_says_it_failed_is_no_answer(
    server: Scripted, scripted_client: HighLevelClient, said: dict[str, Any], data: list[Any]
) -> None:
    server.body = jsontext.dumps({**said, "data": data})
    with pytest.raises(Unreadable, match="may have failed: with it came"):
        list_fulfillments(scripted_client, permit(), "o1")


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"status": True, "message": "Gateway timeout", "data": []}, 'message: "Gateway timeout"'),
        ({"message": "Fulfillments fetched", "data": []}, 'message: "Fulfillments fetched"'),
        ({"status": True, "totalCount": 2, "data": [FULFILLMENT]}, "holds 1 of 2"),
    ],
)
def test_a_list_of_fulfillments_that_may_lack_some_is_no_answer(
    server: Scripted, scripted_client: HighLevelClient, document: dict[str, Any], says: str
) -> None:
    server.body = jsontext.dumps(document)
    with pytest.raises(Unreadable, match=says):
        list_fulfillments(scripted_client, permit(), "o1")


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"status": "TRUE", "traceId": "7c9"},
        {"status": None, "error": None, "message": "", "totalCount": 0},
        {"success": True, "statusCode": 200},
        {"status": True, "message": "Fulfillments fetched successfully"},
    ],
    ids=str,
)
def test_a_list_of_fulfillments_that_says_nothing_against_itself_is_taken_for_whole(
    server: Scripted, scripted_client: HighLevelClient, said: dict[str, Any]
) -> None:
    server.body = jsontext.dumps({**said, "data": []})
    assert list_fulfillments(scripted_client, permit(), "o1") == []


def test_other_answers_that_say_they_failed_prove_nothing(
    server: Scripted, scripted_client: HighLevelClient
) -> None:
    server.body = b'{"success": false, "providers": []}'
    with pytest.raises(Unreadable, match="list of providers may have failed"):
        list_providers(scripted_client, permit(), limit=10, offset=0)
    server.body = b'{"status": "error", "data": [], "totalCount": 0}'
    with pytest.raises(Unreadable, match="list of orders may have failed"):
        list_records(scripted_client, permit(), ORDERS, Span(10))
    server.body = jsontext.dumps({"status": False, "data": FULFILLMENT})
    with pytest.raises(Doubtful, match="may have failed"):
        create_fulfillment(scripted_client, permit(), "o1", NEW)


ABSENT = ...


def listed(server: Scripted, client: HighLevelClient, **changes: Any) -> Fulfillment:
    """The one fulfillment of a list, shown with these changes."""
    told = {name: one for name, one in {**FULFILLMENT, **changes}.items() if one is not ABSENT}
    server.body = jsontext.dumps({"status": True, "data": [told]})
    [row] = list_fulfillments(client, permit(), "o1")
    return row.model


@pytest.mark.parametrize(
    ("trackings", "numbers"),
    [
        (ABSENT, []),
        (None, []),
        ("", []),
        ([None, {}], []),
        ({"trackingNumber": "1Z"}, ["1Z"]),
        (["1Z", 7], ["1Z", "7"]),
        ("1Z", ["1Z"]),
    ],
    ids=str,
)
def test_trackings_of_a_fulfillment_may_be_absent_alone_or_numbers(
    server: Scripted, scripted_client: HighLevelClient, trackings: Any, numbers: list[str]
) -> None:
    read = listed(server, scripted_client, trackings=trackings)
    assert [one.tracking_number for one in read.trackings] == numbers


def test_items_of_a_fulfillment_may_be_one_alone_and_are_those_of_their_price(
    server: Scripted, scripted_client: HighLevelClient
) -> None:
    item = {"_id": "own", "price": {"_id": "p1"}, "qty": 1}
    [read] = listed(server, scripted_client, items=item).items
    assert read.price_id == "p1"
    for price in (None, "p2", {}, {"_id": None}, {"_id": "no id"}):
        [read] = listed(server, scripted_client, items=[{**item, "price": price}]).items
        assert read.price_id == "own"


@pytest.mark.parametrize(
    "changes",
    [
        {"items": ABSENT},
        {"items": None},
        {"items": [{"_id": "p1"}]},
        {"items": [{"_id": "p1", "qty": "many"}]},
        {"trackings": [{"trackingNumber": ["1Z"]}]},
        {"trackings": [["1Z"]]},
    ],
    ids=str,
)
def test_a_fulfillment_that_does_not_show_what_it_is_known_by_is_unreadable(
    server: Scripted, scripted_client: HighLevelClient, changes: dict[str, Any]
) -> None:
    with pytest.raises(Unreadable, match="A fulfillment cannot be read"):
        listed(server, scripted_client, **changes)


@pytest.mark.parametrize("data", [FULFILLMENT, [FULFILLMENT]])
def test_numbers_of_a_fulfillment_may_be_text_and_text_may_be_numbers(
    server: Scripted, scripted_client: HighLevelClient, data: Any
) -> None:
    server.body = jsontext.dumps({"status": "true", "data": data})
    [row] = list_fulfillments(scripted_client, permit(), "o1")
    assert row.payload == FULFILLMENT
    assert row.model.items[0].qty == Decimal(2)
    assert row.model.trackings[0].tracking_number == "40012345678"
