from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import Broken
from syncline.halo.paging import PageWalk


def _read(walk: PageWalk, rows: list[dict[str, Any]], cap: int, *, bare: bool) -> list[int]:
    """Drive a walk against a list that gives at most `cap` rows a page."""
    seen: list[int] = []
    while (params := walk.pending()) is not None:
        start = (int(params["page_no"]) - 1) * cap
        page = rows[start : start + cap]
        document = page if bare else {"record_count": len(rows), "clients": page}
        seen += [row["id"] for row in walk.take(document)]
    return seen


@given(total=st.integers(0, 60), cap=st.integers(1, 25), bare=st.booleans())
def test_every_row_is_seen_once_whatever_cap_the_server_has(
    total: int, cap: int, *, bare: bool
) -> None:
    walk = PageWalk(key="clients")
    seen = _read(walk, [{"id": at} for at in range(total)], cap, bare=bare)
    assert seen == list(range(total))
    assert walk.complete
    assert walk.distinct == total


def test_the_first_call_already_asks_for_a_page() -> None:
    assert PageWalk({"order": "id"}).pending() == {
        "order": "id",
        "pageinate": "true",
        "page_size": "100",
        "page_no": "1",
    }


def test_a_list_that_ignores_the_page_number_ends_and_is_not_called_complete() -> None:
    page = [{"id": at} for at in range(100)]
    counted, bare = PageWalk(), PageWalk()
    for _ in range(2):
        counted.take({"record_count": 250, "rows": page})
        bare.take(page)
    assert counted.finished
    assert bare.finished
    assert not counted.complete
    assert not bare.complete


@pytest.mark.parametrize("rows", [50, 99])
def test_a_bare_list_that_ends_where_a_default_page_may_end_is_not_called_complete(
    rows: int,
) -> None:
    page, walk = [{"id": at} for at in range(rows)], PageWalk()
    for _ in range(2):
        walk.take(page)
    assert walk.finished
    assert not walk.complete


def test_a_short_bare_list_that_ignores_the_page_number_is_complete() -> None:
    walk = PageWalk()
    assert walk.take([{"id": 1}]) == [{"id": 1}]
    assert not walk.complete
    assert walk.take([{"id": 1}]) == []
    assert walk.complete


def test_a_bare_list_as_long_as_a_page_that_an_agent_may_have_chosen_is_not_complete() -> None:
    for rows, whole in ((24, True), (25, False), (20, False)):
        walk = PageWalk()
        while walk.pending() is not None:
            walk.take([{"id": number} for number in range(rows)])
        assert walk.complete is whole


def test_a_count_that_moved_during_the_walk_is_not_complete() -> None:
    walk = PageWalk()
    walk.take({"record_count": 2, "rows": [{"id": 3}]})
    walk.take({"record_count": 3, "rows": [{"id": 2}]})
    walk.take({"record_count": 3, "rows": [{"id": 1}]})
    assert walk.finished
    assert not walk.complete


def test_a_short_page_does_not_end_a_list_that_counts_more() -> None:
    walk = PageWalk()
    walk.take({"record_count": 4, "rows": [{"id": 4}, {"id": 3}]})
    walk.take({"record_count": 4, "rows": [{"id": 2}]})
    assert not walk.finished
    walk.take({"record_count": 4, "rows": [{"id": 1}]})
    assert walk.complete


def test_rows_are_told_apart_by_the_fields_that_identify_them() -> None:
    walk = PageWalk(identity=("ticket_id", "id"))
    rows = [{"ticket_id": 1, "id": 1}, {"ticket_id": 2, "id": 1}, {"odd": [1]}, {"odd": [1]}]
    assert len(walk.take(rows)) == 3


def test_a_page_after_the_end_is_a_bug() -> None:
    walk = PageWalk()
    walk.take([])
    assert walk.pending() is None
    with pytest.raises(Broken):
        walk.take([])
