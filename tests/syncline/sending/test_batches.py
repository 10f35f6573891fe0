"""Writes are cut into arrays: no larger than is proved, smaller where one failed before."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

from syncline.halo.array_size import ArraySize
from syncline.sending.batches import arrays, cut
from syncline.sending.outcomes import Array
from tests.writes import a_write


def ids(cut_: Iterable[Array]) -> list[list[int]]:
    return [[one.lease.id for one in array.writes] for array in cut_]


def test_an_array_holds_as_many_as_the_one_that_bears_least() -> None:
    writes = [a_write(3, 1), a_write(4, 2), a_write(5, 3), a_write(6, 3), a_write(7, 3)]
    assert ids(arrays(writes, ArraySize(proved=5, ceiling=10))) == [[3], [4, 5], [6, 7]]
    assert arrays([], ArraySize()) == []


def test_what_failed_goes_last_in_arrays_of_its_own_and_that_first_which_rested_longest() -> None:
    began = datetime(2026, 1, 1, tzinfo=UTC)
    again = [
        replace(one, lease=replace(one.lease, sent_at=began - timedelta(seconds=one.lease.id)))
        for one in (a_write(1, 1), a_write(2, 2), a_write(3, 2))
    ]
    writes = [*again, a_write(4), a_write(5)]
    assert ids(arrays(writes, ArraySize(proved=5, ceiling=10))) == [[4, 5], [3, 2], [1]]


def test_how_many_go_into_an_array_is_asked_for_each_anew() -> None:
    sizes = count(1)
    cut_ = cut([a_write(number) for number in range(8)], lambda: next(sizes))
    assert [len(array.writes) for array in cut_] == [1, 2, 3, 2]
    limited = cut([a_write(1), a_write(2), a_write(3, 1), a_write(4)], lambda: 5)
    assert [[one.lease.id for one in array.writes] for array in limited] == [[1, 2], [3], [4]]
