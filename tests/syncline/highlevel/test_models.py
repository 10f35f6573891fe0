from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import Unreadable
from syncline.highlevel.models import (
    ListedOrder,
    OrderDetail,
    SubscriptionDetail,
    TransactionRow,
    parse,
)
from syncline.leniency import noting
from tests.syncline.highlevel.location import ORDER_ROW


def order(**changes: Any) -> ListedOrder:
    return parse(ListedOrder, {**ORDER_ROW, **changes}, "The order")


def test_numbers_and_booleans_may_be_text() -> None:
    read = order(amount="100.50", discount=9, liveMode="false")
    assert (read.amount, read.discount, read.live_mode) == (Decimal("100.50"), Decimal(9), False)
    assert order(liveMode=True).live_mode is True


@given(st.decimals(-(10**9), 10**9, allow_nan=False, places=3))
def test_an_amount_reads_the_same_as_a_number_and_as_text(amount: Decimal) -> None:
    assert order(amount=amount).amount == order(amount=str(amount)).amount == amount


def test_only_the_id_is_required() -> None:
    bare = parse(ListedOrder, {"_id": "a1"}, "The order")
    assert (bare.amount, bare.created_at, bare.updated_at) == (None, None, None)


def test_unknown_fields_and_unknown_statuses_are_accepted() -> None:
    assert order(status="awaiting_release", loyalty={"tier": 3}).status == "awaiting_release"


def test_a_time_is_aware_utc_whatever_its_offset() -> None:
    read = order(createdAt="2023-11-20T15:53:36.515+05:30")
    assert read.created_at == datetime(2023, 11, 20, 10, 23, 36, 515000, tzinfo=UTC)
    assert read.created_at is not None
    assert read.created_at.tzinfo is UTC


@pytest.mark.parametrize(
    "told", ["Mon, 30 Nov 2026 10:00:00 GMT", "Monday, 30-Nov-26 10:00:00 GMT"]
)
def test_a_time_may_be_written_as_http_writes_dates(told: str) -> None:
    assert order(createdAt=told).created_at == datetime(2026, 11, 30, 10, tzinfo=UTC)


@pytest.mark.parametrize(
    "told", ["Mon, 30 Nov 2026 99:00:00 GMT", "Mon, 30 Foo 2026 10:00:00 GMT", "30 Nov 2026"]
)
def test_what_is_only_like_such_a_date_is_left_out(told: str) -> None:
    assert order(createdAt=told).created_at is None


@pytest.mark.parametrize(
    ("came", "status"),
    [
        ({"value": "succeeded"}, "succeeded"),
        ({"name": "succeeded", "id": 3}, "succeeded"),
        ({"value": "a", "name": "b"}, '{"value":"a","name":"b"}'),
        (["succeeded"], '["succeeded"]'),
        (True, "true"),
        ({"x": "y" * 100}, '{"x":"' + "y" * 54),
        (" succeeded ", "succeeded"),
        (None, None),
    ],
)
def test_a_status_of_money_is_read_out_of_an_object_or_told_as_it_came(
    came: object, status: str | None
) -> None:
    with noting() as left_out:
        read = parse(TransactionRow, {"_id": "t1", "status": came}, "The transaction")
    assert (read.status, left_out) == (status, [])


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("_id", None),
        ("_id", ""),
        ("_id", 7),
        ("_id", "two words"),
        ("_id", "a" * 9000),
        ("_id", "a\x00b"),
        ("altId", ["loc"]),
        ("currency", {"code": "USD"}),
        ("amount", "a lot"),
        ("amount", "1e400"),
        ("amount", "9" * 5000),
        ("amount", [1]),
        ("amount", True),
        ("amount", "NaN"),
        ("amount", Decimal("1e999999")),
        ("amount", Decimal("1e-999999")),
    ],
)
def test_what_is_indispensable_names_the_record_and_the_field(field: str, value: Any) -> None:
    with pytest.raises(Unreadable) as error:
        order(**{field: value})
    assert f"{field}: " in str(error.value)
    assert field == "_id" or ORDER_ROW["_id"] in str(error.value)
    assert "Correct the record in HighLevel" in error.value.remedy


NONSENSE: dict[str, list[Any]] = {
    "createdAt": [
        *("", "yesterday", "2023-11-20T10:23:36", 5),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00Z"),
    ],
    "updatedAt": ["", [], "1900-01-01T00:00:00Z"],
    "status": [["paid"], {"a": 1}, True],
    "liveMode": ["maybe", {}, "1e400"],
    "contactId": ["a" * 9000, ["c1"]],
    "contactName": [{"first": "Ada"}],
    "subtotal": ["n/a", {}, "NaN"],
    "fulfillmentStatus": [["x"]],
    "sourceType": [{}],
}


@pytest.mark.parametrize(
    ("field", "value"), [(field, value) for field, values in NONSENSE.items() for value in values]
)
def test_any_other_field_that_is_nonsense_is_left_out_and_noted(field: str, value: Any) -> None:
    with noting() as noted:
        read = order(**{field: value})
    told = {key: one for key, one in ORDER_ROW.items() if key != field}
    assert read == parse(ListedOrder, told, "The order")
    assert noted == [("highlevel", "order", field, ORDER_ROW["_id"])]


def test_all_nonsense_of_a_record_is_left_out_together() -> None:
    with noting() as noted:
        read = parse(
            OrderDetail,
            {
                "_id": "o1",
                "amount": 10,
                "coupon": "SAVE10",
                "updatedAt": "",
                "items": ["one", {"name": "Tea", "qty": "many", "price": {"amount": "1e400"}}],
                "contactSnapshot": {"first_name": ["Ada"], "email": "ada@example.com"},
                "taxSummary": {"amount": 1},
            },
            "The order",
        )
    assert {one.path for one in noted} == {
        *("coupon", "updatedAt", "items[].price.amount"),
        *("contactSnapshot.first_name", "taxSummary"),
    }
    assert read.items is not None
    assert [(one.name, one.qty) for one in read.items] == [(None, None), ("Tea", "many")]
    assert read.contact_snapshot is not None
    assert read.contact_snapshot.email == "ada@example.com"


def test_a_subscription_keeps_the_rest_of_its_schedule() -> None:
    with noting() as noted:
        read = parse(
            SubscriptionDetail,
            {
                "_id": "s1",
                "paymentProvider": "stripe",
                "schedule": {"rrule": {"dayOfWeek": ["mo"], "interval": "2", "count": "9" * 30}},
            },
            "The subscription",
        )
    assert {one.path for one in noted} == {
        *("paymentProvider", "schedule.rrule.dayOfWeek", "schedule.rrule.count"),
    }
    assert read.schedule is not None
    assert read.schedule.rrule is not None
    assert read.schedule.rrule.interval == 2


@pytest.mark.parametrize("field", ["entityType", "entityId", "amountRefunded"])
def test_what_a_payment_is_of_is_never_left_out(field: str) -> None:
    row = {"_id": "t1", "amount": 10, "entityType": "order", "entityId": "o1"}
    with pytest.raises(Unreadable, match=f"{field}: "):
        parse(TransactionRow, {**row, field: ["nonsense"]}, "The transaction")


def test_an_empty_text_tells_nothing_where_an_id_or_an_amount_would_stand() -> None:
    row = {"_id": "t1", "amount": 10, "entityId": "", "amountRefunded": "", "contactId": ""}
    with noting() as noted:
        read = parse(TransactionRow, row, "The transaction")
    assert (read.entity_id, read.amount_refunded, read.contact_id) == (None, None, None)
    assert noted == []


def test_a_reason_tells_no_personal_value() -> None:
    with pytest.raises(Unreadable) as error:
        order(amount="Ada Secret", contactName=["Ada Secret"])
    assert "amount" in error.value.what
    assert "Ada" not in str(error.value)
