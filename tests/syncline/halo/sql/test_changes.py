"""A walk newest first ends where all is known, and trusts no order that it has not seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.halo.sql.changes import (
    NewestFirst,
    moment,
    same_moment,
    sql_newest,
    sql_of,
    sql_since,
)
from syncline.sandbox.halo.sql.dialect import translate

PAGE = 100
ids = st.lists(st.integers(1, 10_000), unique=True, max_size=450)


def walked(walk: NewestFirst, rows: list[dict[str, Any]]) -> NewestFirst:
    """Answer a walk out of these rows, in the order in which they stand."""
    while (params := walk.pending()) is not None:
        at = (int(params["page_no"]) - 1) * PAGE
        walk.take({"record_count": len(rows), "rows": rows[at : at + PAGE]})
    return walk


@given(ids, st.integers(1, 10_000))
def test_everything_above_the_floor_is_found_and_no_page_too_many_read(
    known: list[int], floor: int
) -> None:
    rows = [{"id": one} for one in sorted(known, reverse=True)]
    walk = walked(NewestFirst("consignment", floor=floor), rows)
    above = [one for one in known if one >= floor]
    assert {row["id"] for row in walk.above()} == set(above)
    assert walk.descends
    assert walk.pages <= len(above) // PAGE + 1
    assert walk.ranks == [row["id"] for row in walk.rows]


@given(ids, st.integers(1, 10_000))
def test_a_list_in_any_other_order_is_read_wholly(known: list[int], floor: int) -> None:
    walk = walked(NewestFirst("payment", floor=floor), [{"id": one} for one in known])
    above = {one for one in known if one >= floor}
    if walk.descends:
        assert known[: len(walk.rows)] == sorted(known[: len(walk.rows)], reverse=True)
    else:
        assert {row["id"] for row in walk.above()} == above


def test_a_list_that_does_not_descend_is_read_no_further_than_allowed() -> None:
    rows = [{"id": one} for one in range(1, 1001)]
    walk = walked(NewestFirst("consignment", floor=900, most_pages=3), rows)
    assert (walk.pages, walk.descends, walk.above()) == (3, False, [])


def test_without_a_floor_one_page_tells_where_the_list_stands() -> None:
    rows = [{"id": one} for one in range(500, 0, -1)]
    walk = walked(NewestFirst("payment"), rows)
    assert (walk.pages, max(walk.ranks)) == (1, 500)


def test_a_walk_for_some_rows_ends_when_they_were_all_seen() -> None:
    rows = [{"id": one} for one in range(500, 0, -1)]
    assert walked(NewestFirst("payment", ids=[490, 350]), rows).pages == 2


def test_rows_that_do_not_say_when_they_changed_count_as_changed() -> None:
    at = datetime(2026, 11, 24, 12, tzinfo=UTC)
    rows: list[dict[str, Any]] = [{"id": 1}, {"id": 2, "last_update_time": "2026-11-24T11:00:00"}]
    walk = walked(NewestFirst("salesorder", floor=at), rows)
    assert [row["id"] for row in walk.above()] == [1]
    assert not walk.descends


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2026-11-24T12:00:00", "2026-11-24T12:00:00.000Z", True),
        ("2026-11-24T12:00:00", "2026-11-24T13:00:00+01:00", True),
        ("2026-11-24T12:00:00.001", "2026-11-24T12:00:00", False),
        ("", "", False),
        (None, None, False),
    ],
)
def test_times_are_the_same_however_they_are_written(one: Any, other: Any, same: bool) -> None:
    assert same_moment(one, other) is same


def test_a_time_without_a_zone_is_utc() -> None:
    found = moment("2026-11-24T12:00:00")
    assert found is not None
    assert found.utcoffset() == timedelta(0)


@pytest.mark.parametrize("noun", ["salesorder", "invoice", "payment"])
def test_reports_are_single_selects_that_a_tenant_runs(noun: Any) -> None:
    assert translate(sql_of(noun, [1, 2]) or "")
    assert sql_of("consignment", [1]) is None


def test_the_report_of_what_changed_names_the_moment_in_utc() -> None:
    since = datetime(2026, 11, 24, 12, tzinfo=UTC)
    assert ">= '2026-11-24T12:00:00.000'" in sql_since("salesorder", since)
    assert translate(sql_since("salesorder", since))
    assert "<= '2026-11-24T12:00:00.000'" in sql_newest("salesorder", since, 50)
    assert translate(sql_newest("salesorder", since, 50))
