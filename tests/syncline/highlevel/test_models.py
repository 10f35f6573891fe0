from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import Unreadable
from syncline.highlevel.models import ListedOrder, OrderDetail, Page, page, parse
from tests.syncline.highlevel.location import ORDER_ROW


def order(**changes: Any) -> ListedOrder:
    return parse(ListedOrder, {**ORDER_ROW, **changes}, "The order")


def page_of(*rows: Any, total: Any = 1) -> Page[ListedOrder]:
    return page(ListedOrder, {"data": list(rows), "totalCount": total}, {})


def test_numbers_and_booleans_may_be_text() -> None:
    read = order(amount="100.50", discount=9, liveMode="false")
    assert (read.amount, read.discount, read.live_mode) == (Decimal("100.50"), Decimal(9), False)
    assert order(liveMode=True).live_mode is True


@given(st.decimals(-(10**9), 10**9, allow_nan=False, places=3))
def test_an_amount_reads_the_same_as_a_number_and_as_text(amount: Decimal) -> None:
    assert order(amount=amount).amount == order(amount=str(amount)).amount == amount


def test_only_the_id_and_the_creation_time_are_required() -> None:
    bare = parse(ListedOrder, {"_id": "a1", "createdAt": "2023-11-20T10:23:36.515Z"}, "The order")
    assert bare.amount is None
    assert bare.updated_at is None


def test_unknown_fields_and_unknown_statuses_are_accepted() -> None:
    assert order(status="awaiting_release", loyalty={"tier": 3}).status == "awaiting_release"


def test_a_time_is_aware_utc_whatever_its_offset() -> None:
    read = order(createdAt="2023-11-20T15:53:36.515+05:30")
    assert read.created_at == datetime(2023, 11, 20, 10, 23, 36, 515000, tzinfo=UTC)
    assert read.created_at.tzinfo is UTC


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("_id", None),
        ("_id", ""),
        ("_id", 7),
        ("_id", "two words"),
        ("createdAt", None),
        ("createdAt", "yesterday"),
        ("createdAt", "2023-11-20T10:23:36"),
        ("createdAt", 5),
        ("createdAt", "0001-01-01T00:00:00+14:00"),
        ("amount", "a lot"),
        ("amount", True),
        ("amount", "NaN"),
        ("amount", Decimal("1e999999")),
        ("amount", Decimal("1e-999999")),
    ],
)
def test_a_nonsense_field_names_the_record_and_the_field(field: str, value: Any) -> None:
    with pytest.raises(Unreadable) as error:
        order(**{field: value})
    assert f"{field}: " in str(error.value)
    assert field == "_id" or ORDER_ROW["_id"] in str(error.value)
    assert "Look at the record in HighLevel" in error.value.remedy


def test_a_bad_row_does_not_lose_the_page() -> None:
    read = page_of(
        ORDER_ROW,
        {**ORDER_ROW, "_id": "b2", "amount": "?"},
        "no row",
        {**ORDER_ROW, "_id": "c3"},
        total="4",
    )
    assert [row.id for row in read.rows] == [ORDER_ROW["_id"], "c3"]
    assert [(row.index, row.id) for row in read.unreadable] == [(1, "b2"), (2, None)]
    assert "amount" in read.unreadable[0].reason
    assert read.ids == (ORDER_ROW["_id"], "b2", "", "c3")
    assert read.total_count == 4


def test_a_reason_tells_no_personal_value() -> None:
    (row,) = page_of({**ORDER_ROW, "contactName": ["Ada Secret"]}).unreadable
    assert "contactName" in row.reason
    assert "Ada" not in row.reason


def test_a_row_keeps_its_payload_as_it_came() -> None:
    (row,) = page_of({**ORDER_ROW, "extra": 1}).rows
    assert row.payload == {**ORDER_ROW, "extra": 1}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"data": []},
        {"data": {}, "totalCount": 1},
        {"data": [], "totalCount": None},
        {"data": [], "totalCount": -1},
        {"data": [], "totalCount": True},
        {"data": [], "totalCount": "many"},
        {"data": [], "totalCount": "9" * 5000},
    ],
)
def test_a_document_that_is_no_page_is_unreadable(document: dict[str, Any]) -> None:
    with pytest.raises(Unreadable, match="Check the base URL"):
        page(ListedOrder, document, {})


def test_items_that_are_no_objects_make_a_detail_unreadable() -> None:
    with pytest.raises(Unreadable, match=r"items\.0"):
        parse(OrderDetail, {**ORDER_ROW, "items": ["one"]}, "The order")
