"""A page is read row by row: what cannot be read of it holds up nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from syncline.errors import NotOurs, Unreadable
from syncline.highlevel.models import ListedOrder
from syncline.highlevel.pages import NAMELESS, Page, page
from syncline.leniency import noting
from tests.syncline.highlevel.location import LOCATION, ORDER_ROW

FIRST = ORDER_ROW["_id"]


def page_of(*rows: Any, total: Any = 1) -> Page[ListedOrder]:
    return page(ListedOrder, {"data": list(rows), "totalCount": total}, {}, LOCATION)


def test_a_bad_row_does_not_lose_the_page() -> None:
    read = page_of(
        ORDER_ROW,
        {**ORDER_ROW, "_id": "b2", "amount": "?"},
        "no row",
        {**ORDER_ROW, "_id": "c3"},
        {**ORDER_ROW, "_id": "d" * 9000},
        total="5",
    )
    assert [row.id for row in read.rows] == [FIRST, "c3"]
    assert [row.index for row in read.unreadable] == [1, 2, 4]
    assert [row.id == "b2" for row in read.unreadable] == [True, False, False]
    assert "amount" in read.unreadable[0].reason
    assert read.ids == (
        FIRST,
        "b2",
        read.unreadable[1].id,
        "c3",
        read.unreadable[2].id,
    )
    assert read.total_count == 5


def test_a_row_without_a_usable_id_has_a_stand_in_that_stays() -> None:
    rows = [{**ORDER_ROW, "_id": bad} for bad in (None, "", 7, "two words", "a" * 9000)]
    [*first] = page_of(*rows, None, None).ids
    assert len(set(first)) == 7
    assert all(one.startswith(NAMELESS) and len(one) < 30 for one in first)
    changed = [{**row, "status": "other"} if row["_id"] else row for row in rows]
    assert list(page_of(*changed, None, None).ids) == first


def test_a_row_that_is_spoiled_otherwise_is_another_state_of_it() -> None:
    bad = {**ORDER_ROW, "amount": "?"}
    states = [
        page_of(row).unreadable[0].state
        for row in (bad, {**bad, "traceId": "x"}, {**bad, "amount": "!"})
    ]
    assert states[0] == states[1] != states[2]


def test_a_row_keeps_its_payload_as_it_came() -> None:
    (row,) = page_of({**ORDER_ROW, "extra": 1, "contactName": ["x"]}).rows
    assert row.payload == {**ORDER_ROW, "extra": 1, "contactName": ["x"]}


def test_a_row_of_another_location_is_not_ours() -> None:
    mine, theirs = {**ORDER_ROW, "altId": LOCATION}, {**ORDER_ROW, "_id": "x", "altId": "other"}
    read = page_of(mine, theirs)
    assert [row.id for row in read.rows] == [FIRST]
    assert "it is of the location other" in read.unreadable[0].reason
    with pytest.raises(NotOurs, match="of another location"):
        page_of(theirs, {**theirs, "_id": "y"})


@pytest.mark.parametrize(
    ("document", "came"),
    [
        ({}, "an object, in which data is not there instead of an array"),
        (
            {"data": {"orders": [], "total": 3}, "traceId": "x"},
            "an object with data, traceId, in which data is an object with orders, total instead",
        ),
        ({"data": "x", "Ada Lovelace": 1}, "an object with data, …, in which"),
    ],
)
def test_a_document_that_is_no_page_is_told_by_its_shape(
    document: dict[str, Any], came: str
) -> None:
    with pytest.raises(Unreadable) as told:
        page(ListedOrder, document, {}, LOCATION)
    said = "HighLevel answers the list of orders in a shape that is not that of its API: "
    assert told.value.what.startswith(said)
    assert came in told.value.what
    assert "base URL" not in str(told.value)


@pytest.mark.parametrize("count", [None, -1, True, "many", "9" * 5000, 1.5, [1], {}, ""])
def test_a_count_that_is_none_is_left_out_and_noted(count: Any) -> None:
    with noting() as noted:
        read = page_of(ORDER_ROW, total=count)
    assert [row.id for row in read.rows] == [FIRST]
    assert read.total_count is None
    assert noted == [("highlevel", "order", "totalCount", "")]
    assert page(ListedOrder, {"data": []}, {}, LOCATION).total_count is None
