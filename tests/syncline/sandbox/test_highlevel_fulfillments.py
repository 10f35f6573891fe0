from __future__ import annotations

from typing import Any

import pytest

from syncline.sandbox.config import LOCATION, READ_SCOPES, Token

from .location import Location, new_location


def _order(location: Location) -> dict[str, Any]:
    orders = location.store.orders.values()
    return next(o for o in orders if sum(item["qty"] for item in o["items"]) > 1)


def _body(order: dict[str, Any], qty: int | None = None) -> dict[str, Any]:
    items = order["items"] if qty is None else order["items"][:1]
    return {
        "altId": LOCATION,
        "altType": "location",
        "trackings": [{"trackingNumber": "40012345678", "shippingCarrier": "FedEx"}],
        "items": [{"priceId": i["price"]["_id"], "qty": qty or i["qty"]} for i in items],
        "notifyCustomer": False,
    }


def _path(order: dict[str, Any]) -> str:
    return f"/payments/orders/{order['_id']}/fulfillments"


def test_a_fulfillment_is_answered_and_listed_with_its_lines() -> None:
    location = new_location()
    order = _order(location)
    reply = location.call("POST", _path(order), body=_body(order))
    assert (reply.status, reply.body["status"]) == (200, True)
    made = reply.body["data"]
    assert made["items"][0]["_id"] == order["items"][0]["price"]["_id"]
    assert made["items"][0]["product"]["name"] == order["items"][0]["name"]
    assert location.get(_path(order)) == {"status": True, "data": [made]}


def test_the_order_follows_the_quantities_that_were_sent() -> None:
    location = new_location()
    order = _order(location)
    before = order["updatedAt"]
    location.call("POST", _path(order), body=_body(order, qty=1))
    assert order["fulfillmentStatus"] == "partially_fulfilled"
    assert order["updatedAt"] > before
    location.call("POST", _path(order), body=_body(order))
    assert order["fulfillmentStatus"] == "fulfilled"


def test_a_repeated_post_makes_a_second_fulfillment() -> None:
    location = new_location()
    order = _order(location)
    for _ in range(2):
        location.call("POST", _path(order), body=_body(order))
    ids = [made["_id"] for made in location.get(_path(order))["data"]]
    assert len(set(ids)) == 2


def test_only_a_fulfillment_that_asks_for_it_mails_the_customer() -> None:
    location = new_location()
    order = _order(location)
    location.call("POST", _path(order), body=_body(order))
    assert location.store.notified == []
    told = location.call("POST", _path(order), body=_body(order) | {"notifyCustomer": True})
    assert location.store.notified == [told.body["data"]["_id"]]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"altType": "company"}, "altType must be one of the following values: location"),
        ({"items": "all"}, "items must be an array"),
        ({"items": [{"qty": 1}]}, "items.0.priceId must be a string"),
        (
            {"items": [{"priceId": "a", "qty": "1"}]},
            "items.0.qty must be a number conforming to the specified constraints",
        ),
        ({"items": [7]}, "items.0 must be an object"),
        ({"trackings": None}, "trackings must be an array"),
        ({"trackings": [{"trackingUrl": 7}]}, "trackings.0.trackingUrl must be a string"),
        ({"trackings": [None]}, "trackings.0 must be an object"),
        ({"notifyCustomer": "no"}, "notifyCustomer must be a boolean value"),
    ],
)
def test_a_broken_body_is_refused_and_makes_nothing(wrong: dict[str, Any], message: str) -> None:
    location = new_location()
    order = _order(location)
    reply = location.call("POST", _path(order), body=_body(order) | wrong)
    assert (reply.status, reply.body["message"]) == (422, [message])
    assert location.store.fulfillments == {}


def test_a_price_that_the_order_does_not_hold_is_refused() -> None:
    location = new_location()
    order = _order(location)
    body = _body(order) | {"items": [{"priceId": "655b33aa2209e60b6adb87a7", "qty": 1}]}
    assert location.call("POST", _path(order), body=body).status == 400


def test_writing_to_an_order_that_is_not_there_is_a_404_without_status_code() -> None:
    location = new_location()
    order = _order(location)
    reply = location.call("POST", _path({"_id": "653f5e0cde5a1314e62a837c"}), body=_body(order))
    assert (reply.status, reply.body["status"]) == (404, 404)
    assert "statusCode" not in reply.body


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"", b"[" * 100_000])
def test_a_body_that_is_no_json_object_is_a_bad_request(body: bytes) -> None:
    location = new_location()
    assert location.call("POST", _path(_order(location)), body=body).status == 400


def test_writing_asks_for_a_scope_of_its_own() -> None:
    reader = Token(value="pit-11111111-2222-3333-4444-555555555555", scopes=READ_SCOPES)
    location = new_location(tokens=(reader,))
    order = _order(location)
    assert location.call("GET", _path(order), token=reader.value).status == 200
    reply = location.call("POST", _path(order), body=_body(order), token=reader.value)
    assert reply.status == 401
