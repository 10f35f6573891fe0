"""A cursor goes up with what was seen, and stays below a few rows that are wrong."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from syncline.halo_changes.cursor import AHEAD, CROWD, LEAP, MOST_LOOKED, OVERLAP, Cursor

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def order(row_id: int, at: datetime) -> dict[str, Any]:
    return {"id": row_id, "last_update_time": at.replace(tzinfo=None).isoformat()}


def orders(many: int, last: datetime, apart: timedelta = MINUTE) -> list[dict[str, Any]]:
    """So many orders that were changed one after the other, the highest id last."""
    return [order(many - at, last - at * apart) for at in range(many)]


def after(*rows: dict[str, Any], cursor: Cursor | None = None) -> Cursor:
    return (cursor or Cursor()).changed_up_to(rows, NOW + AHEAD)


def wants(cursor: Cursor, row: dict[str, Any]) -> bool:
    """Whether the next look sees an order, and has not looked at it as it is."""
    floor = cursor.floor("salesorder")
    at = datetime.fromisoformat(row["last_update_time"]).replace(tzinfo=UTC)
    return (
        isinstance(floor, datetime) and at >= floor and not cursor.has_looked_at("salesorder", row)
    )


@pytest.mark.parametrize("halos_clock", [NOW, NOW + 10 * 60 * MINUTE, NOW - 8 * 60 * MINUTE])
@pytest.mark.parametrize("ahead", [1, 300, 20 * 60])
def test_a_few_orders_that_are_dated_ahead_hide_no_later_change_whatever_halos_clock_says(
    halos_clock: datetime, ahead: int
) -> None:
    wrong = [order(900 + one, halos_clock + (ahead + one) * MINUTE) for one in range(CROWD - 1)]
    stood = after(*orders(300, halos_clock), *wrong, cursor=Cursor(halos_clock - 900 * MINUTE))
    assert wants(stood, order(7, halos_clock + timedelta(seconds=10)))
    assert not any(wants(stood, one) for one in wrong)


def test_what_was_looked_at_is_looked_at_again_only_when_it_has_changed_once_more() -> None:
    rows = orders(300, NOW)
    stood = after(*rows, cursor=after(*rows))
    assert not any(wants(stood, one) for one in rows)
    assert wants(stood, order(300, NOW + MINUTE))
    assert not wants(after(order(300, NOW + MINUTE), cursor=stood), order(300, NOW + MINUTE))


def test_a_change_that_is_committed_late_is_seen_also_where_many_came_before_it() -> None:
    stood = after(*orders(300, NOW, timedelta(milliseconds=100)))
    assert wants(stood, order(999, NOW - OVERLAP))
    assert not wants(stood, order(999, NOW - OVERLAP - MINUTE))


def test_the_first_look_leaves_only_what_has_just_come_to_the_next_one() -> None:
    rows = orders(300, NOW)
    stood = after(*rows)
    assert [one["id"] for one in rows if wants(stood, one)] == [300, 299, 298]


def test_so_many_that_are_dated_alike_are_no_mistake_but_none_lies_a_day_ahead() -> None:
    crowd = [order(900 + one, NOW + 600 * MINUTE) for one in range(CROWD)]
    assert after(*orders(300, NOW), *crowd).orders == NOW + 600 * MINUTE - OVERLAP
    absurd = [order(900 + one, NOW + 1440 * MINUTE) for one in range(CROWD)]
    assert after(*orders(300, NOW), *absurd).orders == NOW - (CROWD - 1) * MINUTE


def test_a_cursor_of_orders_never_goes_back_and_remembers_no_more_than_it_must() -> None:
    stood = after(*orders(300, NOW))
    assert after(*orders(300, NOW - 600 * MINUTE), cursor=stood).orders == stood.orders
    many = after(*orders(2 * MOST_LOOKED, NOW, timedelta(milliseconds=1)), cursor=stood)
    assert len(many.looked or {}) == MOST_LOOKED


@pytest.mark.parametrize("lowest", [1, LEAP, 3 * LEAP])
def test_the_first_look_stands_at_the_highest_id_wherever_the_ids_of_a_tenant_begin(
    lowest: int,
) -> None:
    stood = Cursor().risen_to("consignment", range(lowest, lowest + 30))
    assert stood.floor("consignment") == lowest + 30


def test_ids_that_really_leap_are_followed_once_there_are_many() -> None:
    stood = Cursor().risen_to("payment", range(1, 100))
    few = [5_000_000 + one for one in range(CROWD - 1)]
    assert stood.risen_to("payment", few).ids == {"payment": 99}
    assert stood.risen_to("payment", [*few, 6_000_000]).ids == {"payment": 6_000_000}


def test_the_first_row_of_a_tenant_that_had_none_is_new_whatever_its_id() -> None:
    stood = Cursor().risen_to("consignment", [])
    assert stood.floor("consignment") == 1
    seen = stood.risen_to("consignment", [3 * LEAP])
    assert seen.floor("consignment") == 1
    assert seen.is_behind_leap("consignment", 3 * LEAP)
