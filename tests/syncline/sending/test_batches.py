"""Writes are cut into arrays: no larger than is proved, smaller where one failed before."""

from __future__ import annotations

from itertools import count

from syncline.halo.array_size import ArraySize
from syncline.sending.batches import arrays, cut
from tests.writes import a_write


def test_an_array_holds_as_many_as_the_one_that_bears_least() -> None:
    writes = [a_write(1), a_write(2), a_write(3, 1), a_write(4, 2), a_write(5)]
    cut_ = arrays(writes, ArraySize(proved=5, ceiling=10))
    assert [[one.lease.id for one in array.writes] for array in cut_] == [[3], [4, 1], [2, 5]]
    assert arrays([], ArraySize()) == []


def test_how_many_go_into_an_array_is_asked_for_each_anew() -> None:
    sizes = count(1)
    cut_ = cut([a_write(number) for number in range(8)], lambda: next(sizes))
    assert [len(array.writes) for array in cut_] == [1, 2, 3, 2]
    limited = cut([a_write(1), a_write(2), a_write(3, 1), a_write(4)], lambda: 5)
    assert [[one.lease.id for one in array.writes] for array in limited] == [[1, 2], [3], [4]]
