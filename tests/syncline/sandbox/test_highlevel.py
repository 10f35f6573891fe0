from __future__ import annotations

import re
from decimal import Decimal
from typing import Any

import pytest

from syncline.sandbox.config import (
    LOCATION,
    TOKEN_OF_ANOTHER_LOCATION,
    TOKEN_WITHOUT_SCOPES,
)
from syncline.sandbox.location.changes import change_transactions
from syncline.sandbox.location.store import Timeline
from syncline.sandbox.wire.limits import Allowance
from syncline.sandbox.wire.service import Request

from .location import NOW, Location, new_location, shared_location

KINDS = ("orders", "transactions", "subscriptions")


def _whole_list(location: Location, path: str, **query: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    while True:
        page = location.get(path, limit="100", offset=str(len(rows)), **query)
        rows += page["data"]
        if len(rows) >= page["totalCount"]:
            return rows


@pytest.mark.parametrize("kind", KINDS)
def test_a_list_is_paged_by_offset_newest_first_and_complete(kind: str) -> None:
    location = shared_location()
    rows = _whole_list(location, f"/payments/{kind}")
    documents = getattr(location.store, kind)
    assert sorted(row["_id"] for row in rows) == sorted(documents)
    created = [row["createdAt"] for row in rows]
    assert created == sorted(created, reverse=True)


def test_a_page_has_ten_rows_unless_asked_and_never_more_than_the_cap() -> None:
    location = shared_location()
    assert len(location.get("/payments/orders")["data"]) == 10
    assert len(location.get("/payments/orders", limit="5000")["data"]) == 100
    past = location.get("/payments/orders", offset="5000")
    assert past == {"data": [], "totalCount": 240}
    capped = new_location(page_cap=7)
    assert len(capped.get("/payments/orders", limit="100")["data"]) == 7


def test_a_window_takes_in_its_first_and_its_last_day() -> None:
    location = shared_location()
    days = sorted(order["createdAt"][:10] for order in location.store.orders.values())
    start, end = days[60], days[180]
    rows = _whole_list(location, "/payments/orders", startAt=start, endAt=end)
    assert len(rows) == sum(start <= day <= end for day in days)
    assert {start, end} <= {row["createdAt"][:10] for row in rows}


def test_filters_narrow_a_list_and_unknown_ones_do_not() -> None:
    location = shared_location()
    orders = location.store.orders
    some = next(iter(orders.values()))
    live = _whole_list(location, "/payments/orders", paymentMode="live")
    assert {row["_id"] for row in live} == {i for i, o in orders.items() if o["liveMode"]}
    pending = _whole_list(location, "/payments/orders", status="pending")
    assert {row["status"] for row in pending} == {"pending"}
    mine = _whole_list(location, "/payments/orders", contactId=some["contactId"])
    assert {row["contactId"] for row in mine} == {some["contactId"]}
    paid = _whole_list(location, "/payments/transactions", entityId=some["_id"])
    assert {row["entityId"] for row in paid} == {some["_id"]}
    found = _whole_list(location, "/payments/orders", search=some["_id"])
    assert [row["_id"] for row in found] == [some["_id"]]
    assert location.get("/payments/orders", colour="blue")["totalCount"] == 240


def test_a_list_row_is_flat_and_a_single_order_is_nested() -> None:
    location = shared_location()
    tidy = next(i for i, o in location.store.orders.items() if i not in location.store.quirks)
    order = location.get(f"/payments/orders/{tidy}")
    row = location.get("/payments/orders", search=tidy)["data"][0]
    assert row["amount"] == order["amount"]
    assert row["subtotal"] == order["amountSummary"]["subtotal"]
    assert row["sourceType"] == order["source"]["type"]
    assert row["totalProducts"] == len(order["items"])
    assert {"items", "amountSummary", "contactSnapshot", "traceId"}.isdisjoint(row)
    assert {"subtotal", "sourceType", "contactName"}.isdisjoint(order)
    assert order["contactSnapshot"]["location_id"] == LOCATION
    assert "firstName" not in order["contactSnapshot"]


def test_a_list_row_of_a_transaction_tells_when_it_was_charged_and_the_single_read_does_not() -> (
    None
):
    location = shared_location()
    tidy = next(i for i in location.store.transactions if i not in location.store.quirks)
    row = location.get("/payments/transactions", id=tidy)["data"][0]
    single = location.get(f"/payments/transactions/{tidy}")
    assert row["fulfilledAt"] == single["createdAt"]
    assert row["paymentProviderType"] == single["paymentProvider"]["type"]
    assert "fulfilledAt" not in single
    assert "isParent" in single


def test_a_single_subscription_tells_its_schedule() -> None:
    location = shared_location()
    single = location.get(f"/payments/subscriptions/{next(iter(location.store.subscriptions))}")
    assert single["schedule"]["rrule"]["intervalType"] in ("weekly", "monthly", "yearly")


@pytest.mark.parametrize("kind", KINDS)
def test_the_trace_id_is_another_one_on_every_read_of_the_same_thing(kind: str) -> None:
    location = shared_location()
    path = f"/payments/{kind}/{next(iter(getattr(location.store, kind)))}"
    first, second = location.get(path), location.get(path)
    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", first.pop("traceId"))
    assert second.pop("traceId")
    assert first == second


def test_some_rows_write_numbers_as_text_leave_fields_out_or_add_unknown_ones() -> None:
    location = shared_location()
    rows = {row["_id"]: row for row in _whole_list(location, "/payments/orders")}
    for order_id, row in rows.items():
        quirks = location.store.quirks.get(order_id, frozenset())
        assert isinstance(row["amount"], str) == ("quoted" in quirks)
        assert ("contactName" not in row) == ("bare" in quirks)
        assert ("loyaltyTier" in row) == ("extra" in quirks)
        assert Decimal(row["amount"]) == location.store.orders[order_id]["amount"]


@pytest.mark.parametrize(
    ("token", "version", "status", "message"),
    [
        (None, "2021-07-28", 401, "Invalid JWT"),
        ("eyJhbGciOi", None, 401, "Invalid JWT"),
        (
            "pit-00000000-0000-0000-0000-000000000000",
            None,
            401,
            "Invalid Private Integration token",
        ),
        (TOKEN_WITHOUT_SCOPES, None, 401, "version header was not found."),
        (TOKEN_WITHOUT_SCOPES, "2020-01-01", 401, "version header is invalid"),
        (TOKEN_WITHOUT_SCOPES, "v3", 401, "The token is not authorized for this scope."),
        (
            TOKEN_OF_ANOTHER_LOCATION,
            "v3",
            403,
            "The token does not have access to this location.",
        ),
    ],
)
def test_token_version_scope_and_location_are_checked_in_that_order(
    token: str | None, version: str | None, status: int, message: str
) -> None:
    reply = shared_location().call(
        "GET", "/payments/transactions", {"altType": ""}, token=token, version=version
    )
    assert reply.status == status
    assert reply.body["statusCode"] == status
    assert reply.body["message"] == message


@pytest.mark.parametrize("path", ["/payments/orders", "/payments/orders/653f5e0cde5a1314e62a837c"])
def test_alt_id_and_alt_type_are_asked_for_on_every_read(path: str) -> None:
    reply = shared_location().call("GET", path, {"altId": LOCATION}, alt=False)
    assert reply.status == 422
    assert reply.body["message"] == ["altType should not be empty", "altType must be a string"]
    assert reply.body["name"] == "UnprocessableEntityException"
    assert reply.body["traceId"]


def test_every_broken_parameter_has_its_own_message() -> None:
    wrong = {"limit": "many", "offset": "-1", "startAt": "2026-02-31", "altType": "company"}
    reply = shared_location().call("GET", "/payments/orders", wrong)
    assert reply.status == 422
    assert reply.body["message"] == [
        "altType must be one of the following values: location",
        "limit must be a number conforming to the specified constraints",
        "offset must not be less than 0",
        "startAt must be a valid date string",
    ]


@pytest.mark.parametrize("kind", KINDS)
def test_reading_what_is_not_there_is_a_bad_request(kind: str) -> None:
    reply = shared_location().call("GET", f"/payments/{kind}/653f5e0cde5a1314e62a837c")
    assert (reply.status, reply.body["error"]) == (400, "Bad Request")
    assert reply.body["message"].endswith("not found")


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/payments/orders"), ("GET", "/payments"), ("GET", "/payments/transactions/a/b")],
)
def test_a_path_that_does_not_exist_is_named_in_the_404(method: str, path: str) -> None:
    reply = shared_location().call(method, path)
    assert (reply.status, reply.body["message"]) == (404, f"Cannot {method} {path}")


def test_operations_have_names_without_ids() -> None:
    location = shared_location()
    for path, name in {
        "/payments/orders": "GET /payments/orders",
        "/payments/orders/abc": "GET /payments/orders/{id}",
        "/payments/orders/abc/fulfillments": "GET /payments/orders/{id}/fulfillments",
        "/nowhere": "GET /nowhere",
    }.items():
        assert location.service.operation(Request("GET", path, {}, {}, b"")) == name


def test_every_answer_tells_both_limits_in_lower_case_headers() -> None:
    location = shared_location()
    allowance = Allowance(True, remaining=99, daily_remaining=199_779, reset_ms=49_013_000)
    assert location.service.rate_headers(location.config.highlevel_limit, allowance) == {
        "x-ratelimit-limit-daily": "200000",
        "x-ratelimit-daily-remaining": "199779",
        "x-ratelimit-daily-reset": "49013000",
        "x-ratelimit-interval-milliseconds": "10000",
        "x-ratelimit-max": "100",
        "x-ratelimit-remaining": "99",
    }


def test_a_replayed_row_is_shown_as_it_was_before_its_change_for_so_many_reads() -> None:
    location = new_location(transactions=30)
    pending = change_transactions(location.store, now=NOW, what="settle", count=1)

    def listed() -> str:
        rows = _whole_list(location, "/payments/transactions")
        return str(next(row["status"] for row in rows if row["_id"] == pending[0]))

    assert listed() == "succeeded"
    unchanged = next(key for key in location.store.transactions if key not in pending)
    assert location.store.replay([*pending, unchanged], 2) == pending
    assert location.get(f"/payments/transactions/{pending[0]}")["status"] == "succeeded"
    assert [listed() for _ in range(3)] == ["pending", "pending", "succeeded"]


def test_a_stretch_of_the_timeline_reads_backwards_by_index_slice_and_turn() -> None:
    timeline = Timeline()
    for day in ("03", "01", "02"):
        timeline.add(f"2026-01-{day}T00:00:00.000Z", day)
    newest = timeline.newest_first("2026-01-02", None)
    assert (list(newest), newest[0], newest[-1], newest[1:5]) == (["03", "02"], "03", "02", ["02"])
    assert len(newest) == 2
