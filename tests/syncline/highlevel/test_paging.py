from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import Broken, Refused
from syncline.highlevel.paging import (
    ORDERED,
    Certificate,
    Certified,
    CreationOrder,
    Incomplete,
    PullPage,
    Reread,
    Uncounted,
    Window,
    windows,
)

WINDOW = Window(date(2026, 1, 1), date(2026, 1, 31), provisional=False)
TODAY = date(2026, 6, 15)


def read(lists: list[list[str]], limit: int, cap: int) -> Certificate:
    """Read a list that is another one at each call; the last stays."""
    certificate, at = Certificate(WINDOW, limit), 0
    while not certificate.done:
        now = lists[min(at, len(lists) - 1)]
        start = certificate.next_offset
        certificate.add(start, len(now), now[start : start + min(limit, cap)])
        at += 1
    return certificate


@given(count=st.integers(0, 30), limit=st.integers(1, 12), cap=st.integers(1, 12))
def test_a_list_that_stands_still_is_certified_whatever_the_page_cap(
    count: int, limit: int, cap: int
) -> None:
    certificate = read([[f"o{n}" for n in range(count)]], limit, cap)
    outcome = certificate.outcome()
    assert isinstance(outcome, Certified)
    assert outcome.total_count == count == certificate.seen


@given(count=st.integers(0, 30), limit=st.integers(1, 12), cap=st.integers(1, 12))
def test_a_list_without_a_total_is_read_whole_and_gets_no_certificate(
    count: int, limit: int, cap: int
) -> None:
    certificate, rows = Certificate(WINDOW, limit), [f"o{n}" for n in range(count)]
    while not certificate.done:
        [start] = certificate.ahead(8)
        certificate.add(start, None, rows[start : start + min(limit, cap)])
    assert certificate.outcome() == Uncounted(count)
    assert certificate.total_count is None


def test_a_list_without_a_total_that_ignores_the_offset_comes_to_its_end() -> None:
    certificate = Certificate(WINDOW, 2)
    for _ in range(2):
        certificate.add(certificate.next_offset, None, ["a", "b"])
    assert certificate.done
    assert certificate.outcome() == Uncounted(2)


def test_a_total_that_nobody_can_have_costs_no_memory() -> None:
    certificate = Certificate(WINDOW, 1)
    certificate.add(0, 10**12 - 1, ["a"])
    assert certificate.ahead(3) == [1, 2, 3]


def test_a_total_that_one_page_does_not_tell_is_that_of_the_others() -> None:
    pages = [PullPage(0, None, ["a"]), PullPage(1, 3, ["b"]), PullPage(2, None, ["c"])]
    assert Certificate.resume(WINDOW, 1, pages).outcome() == Certified(WINDOW, 3, 3)


@given(st.data())
def test_no_interleaving_of_new_and_moved_rows_certifies_a_wrong_set(data: st.DataObject) -> None:
    rows = [f"o{n}" for n in range(data.draw(st.integers(0, 12)))]
    lists = [list(rows)]
    for step in range(data.draw(st.integers(0, 6))):
        now = list(lists[-1])
        if data.draw(st.booleans()):
            now.insert(data.draw(st.integers(0, len(now))), f"new{step}")
        elif now:
            row = now.pop(data.draw(st.integers(0, len(now) - 1)))
            now.insert(data.draw(st.integers(0, len(now))), row)
        lists.append(now)
    limit = data.draw(st.integers(1, 5))
    certificate = read(lists, limit, 5)
    if isinstance(certificate.outcome(), Certified):
        assert certificate._ids in [set(one) for one in lists]


@given(
    rows=st.lists(st.sampled_from("abcdefgh"), max_size=20),
    total=st.integers(0, 20),
    limit=st.integers(1, 5),
)
def test_repeated_or_missing_rows_are_never_certified(
    rows: list[str], total: int, limit: int
) -> None:
    certificate = Certificate(WINDOW, limit)
    while not certificate.done:
        start = certificate.next_offset
        certificate.add(start, total, rows[start : start + limit])
    if isinstance(certificate.outcome(), Certified):
        assert certificate.seen == total


@given(count=st.integers(0, 20), limit=st.integers(1, 6), kept=st.integers(0, 10))
def test_a_reading_resumes_after_its_last_page(count: int, limit: int, kept: int) -> None:
    ids = [f"o{n}" for n in range(count)]
    pages = [PullPage(at, count, ids[at : at + limit]) for at in range(0, max(count, 1), limit)][
        :kept
    ]
    certificate = Certificate.resume(WINDOW, limit, reversed(pages))
    while not certificate.done:
        start = certificate.next_offset
        certificate.add(start, count, ids[start : start + limit])
    assert isinstance(certificate.outcome(), Certified)


def test_pages_after_a_gap_are_read_again() -> None:
    certificate = Certificate.resume(
        WINDOW, 2, [PullPage(0, 6, ["a", "b"]), PullPage(4, 6, ["e", "f"])]
    )
    assert certificate.next_offset == 2
    assert certificate.outcome() == Reread("only 2 rows were read so far")


def test_a_reading_resumes_behind_a_row_that_is_refused() -> None:
    pages = [
        PullPage(0, None, [], "no"),
        PullPage(1, 5, ["b"]),
        PullPage(2, 5, ["c", "d"]),
        PullPage(4, 5, [], "no"),
    ]
    walk = Certificate.resume(WINDOW, 2, pages[:3])
    assert (walk.next_offset, walk.limit, walk.done) == (4, 2, False)
    walk = Certificate.resume(WINDOW, 2, pages)
    assert (walk.refused, walk.outcome()) == ({0: "no", 4: "no"}, Incomplete(WINDOW))


def test_a_changed_total_is_read_again() -> None:
    certificate = Certificate.resume(
        WINDOW, 1, [PullPage(0, 2, ["a"]), PullPage(1, 3, ["b"]), PullPage(2, 3, ["c"])]
    )
    assert certificate.done
    assert certificate.outcome() == Reread("the total changed between 2 and 3")


def test_a_list_shorter_than_its_total_ends_and_is_read_again() -> None:
    certificate = Certificate.resume(WINDOW, 2, [PullPage(0, 3, ["a", "b"]), PullPage(2, 3, [])])
    assert certificate.done
    assert certificate.outcome() == Reread("2 different rows were seen, 3 were promised")


def test_a_page_out_of_turn_is_a_bug() -> None:
    with pytest.raises(Broken):
        Certificate(WINDOW, 2).add(2, 4, ["c", "d"])


@given(
    count=st.integers(0, 60),
    bad=st.sets(st.integers(0, 59), max_size=6),
    limit=st.integers(1, 20),
    cap=st.integers(1, 20),
)
def test_of_rows_that_are_refused_only_they_are_left_out_and_nothing_is_certified(
    count: int, bad: set[int], limit: int, cap: int
) -> None:
    walk, calls = Certificate(WINDOW, limit), 0
    bad = {row for row in bad if row < count}
    while not walk.done and len(walk.refused) <= len(bad):
        calls += 1
        start, *_ = walk.ahead(8)
        shown = range(start, min(start + min(walk.limit, cap), count))
        if bad & set(shown):
            walk.refuse(f"not {start}")
        else:
            walk.add(start, count, [f"o{row}" for row in shown])
    if bad == set(range(count)) != set():
        return  # where nothing is shown, nobody tells how many there are
    assert walk.refused == {row: f"not {row}" for row in bad}
    assert walk._ids == {f"o{row}" for row in set(range(count)) - bad}
    assert isinstance(walk.outcome(), Incomplete if bad else Certified)
    assert calls <= 1 + count // min(limit, cap) + 12 * len(bad)


@given(
    count=st.integers(1, 60),
    bad=st.sets(st.integers(0, 59), max_size=4),
    expected=st.sets(st.integers(1, 70), max_size=4),
    newer=st.integers(0, 3),
    cap=st.integers(1, 20),
)
def test_wherever_rows_are_expected_to_be_refused_only_those_that_are_so_are_left_out(
    count: int, bad: set[int], expected: set[int], newer: int, cap: int
) -> None:
    walk, bad = Certificate(WINDOW, 20), {row for row in bad if row < count}
    walk.expect(expected, count - newer)
    while not walk.done and len(walk.refused) <= len(bad):
        start, *_ = walk.ahead(8)
        shown = range(start, min(start + min(walk.limit, cap), count))
        if bad & set(shown):
            walk.refuse(f"not {start}")
        else:
            walk.add(start, count, [f"o{row}" for row in shown])
    if bad != set(range(count)):
        assert walk.refused == {row: f"not {row}" for row in bad}
        assert isinstance(walk.outcome(), Incomplete if bad else Certified)


@pytest.mark.parametrize(("bad", "newer", "most"), [(7, 0, 3), (0, 0, 2), (9, 2, 4), (2, 2, 4)])
def test_a_row_that_was_refused_before_is_found_at_once_also_behind_new_ones(
    bad: int, newer: int, most: int
) -> None:
    walk, calls, count = Certificate(WINDOW, 100), 0, 60 + newer
    assert walk.expect([count - bad], 60)
    while not walk.done:
        calls += 1
        assert walk.ahead(8)[0] == walk.next_offset
        shown = range(walk.next_offset, min(walk.next_offset + walk.limit, count))
        if bad in shown:
            walk.refuse("no")
        else:
            walk.add(walk.next_offset, count, [f"o{row}" for row in shown])
    assert (walk.refused, walk.unshown) == ({bad: "no"}, [count - bad])
    assert calls <= most


def test_single_rows_are_not_read_side_by_side_while_a_refused_one_is_looked_for() -> None:
    walk = Certificate(WINDOW, 2)
    walk.add(0, 40, ["a", "b"])
    walk.refuse("no")
    walk.add(2, 40, ["c"])
    walk.add(3, 40, ["d"])
    assert walk.ahead(8) == [4]


def test_pages_that_are_refused_for_their_length_are_read_side_by_side_at_a_shorter_one() -> None:
    walk, asked, refusals = Certificate(WINDOW, 100), 0, 0
    while not walk.done:
        asked += 1
        offsets = walk.ahead(8)
        for start in offsets:
            if start != walk.next_offset:
                break
            if walk.limit > 60:
                walk.refuse("too long")
                refusals += 1
                break
            walk.add(
                start, 2000, [f"o{row}" for row in range(start, min(start + walk.limit, 2000))]
            )
    assert isinstance(walk.outcome(), Certified)
    assert (asked < 15, refusals) == (True, 3)


@pytest.mark.parametrize("falls", [True, False])
def test_a_refused_row_was_created_between_its_neighbours_where_the_list_is_ordered(
    falls: bool,
) -> None:
    times = [datetime(2026, 1, day, tzinfo=UTC) for day in range(1, ORDERED + 3)]
    shown = times[::-1] if falls else times
    order = CreationOrder()
    order.refused(0)
    order.shown([*shown[:2], None])
    order.refused(3)
    assert order.between(3) == (None, None)  # too few tell the order
    order.shown(shown[2:])
    order.refused(9)
    early, late = sorted(shown[1:3])
    assert order.between(3) == (early, late)
    first, last = (None, times[0]), (times[-1], None)
    assert order.between(0) == (last if falls else first)
    assert order.between(9) == (first if falls else last)
    order.shown([times[3]])
    assert order.between(3) == (None, None)  # one that is out of it, and it is none


def test_a_window_is_halved_down_to_single_days() -> None:
    whole = Window(date(2026, 1, 1), date(2026, 1, 3), provisional=False)
    assert whole.halves == [
        (date(2026, 1, 1), date(2026, 1, 2)),
        (date(2026, 1, 3), date(2026, 1, 3)),
    ]
    day = Window(date(2026, 1, 3), date(2026, 1, 3), provisional=False)
    assert (day.is_a_day, day.halves) == (True, [day.days])


def test_nothing_read_is_nothing_certified() -> None:
    certificate = Certificate(WINDOW, 2)
    assert certificate.total_count is None
    assert isinstance(certificate.outcome(), Reread)


days = st.dates(date(2000, 1, 1), date(2030, 12, 31))


@given(since=days, length=st.integers(0, 800))
def test_each_moment_belongs_to_exactly_one_window(since: date, length: int) -> None:
    until = since + timedelta(days=length)
    found = windows(since, until, today=TODAY)
    assert len(found) == 1 or length >= 31
    for day in (since, until, since + timedelta(days=length // 2)):
        for clock in (time.min, time.max):
            moment = datetime.combine(day, clock, UTC)
            asked = [one for one in found if one.first <= day <= one.last]
            (window,) = [one for one in asked if one.holds(moment)]
            assert window.first < day < window.last
    for day in (since - timedelta(days=1), until + timedelta(days=1)):
        asked = [one for one in found if one.first <= day <= one.last]
        assert not any(one.holds(datetime.combine(day, time(12), UTC)) for one in asked)


def test_what_tells_no_day_that_can_be_belongs_to_every_window_that_lists_it() -> None:
    assert WINDOW.holds(None)
    assert WINDOW.holds(datetime.combine(WINDOW.last + timedelta(days=1), time(12), UTC))


def test_long_spans_are_read_by_calendar_months_with_a_day_on_both_sides() -> None:
    found = windows(date(2026, 1, 20), date(2026, 3, 5), today=TODAY)
    assert [(one.first, one.last) for one in found] == [
        (date(2026, 1, 19), date(2026, 2, 1)),
        (date(2026, 1, 31), date(2026, 3, 1)),
        (date(2026, 2, 28), date(2026, 3, 6)),
    ]


def test_only_a_window_that_includes_today_is_provisional() -> None:
    found = windows(date(2026, 5, 1), TODAY, today=TODAY)
    assert [one.provisional for one in found] == [False, True]
    assert not windows(TODAY - timedelta(1), TODAY - timedelta(1), today=TODAY)[0].provisional


@pytest.mark.parametrize(
    ("since", "until"),
    [
        (date(2026, 2, 2), date(2026, 2, 1)),
        (date.min, date(2026, 1, 1)),
        (date(2026, 1, 1), date.max),
    ],
)
def test_days_that_cannot_be_read_are_refused(since: date, until: date) -> None:
    with pytest.raises(Refused, match="Give "):
        windows(since, until, today=TODAY)
