"""Writes are cut into arrays: no larger than is proved, smaller where one failed before."""

from __future__ import annotations

from itertools import count
from uuid import UUID

from syncline.deliveries.delivery import Lease
from syncline.halo.array_size import ArraySize
from syncline.sending.batches import arrays, cut
from syncline.sending.decide import Write


def write(number: int, array_limit: int | None = None) -> Write:
    lease = Lease(
        id=number,
        connection_id=1,
        tenant_id=1,
        flow="orders",
        role="order",
        target="order",
        place="location:1",
        source_kind="order",
        source_id=str(number),
        wanted_version=1,
        sent_version=None,
        delivered_version=None,
        projection=None,
        sent_projection=None,
        target_id=None,
        target_meta=None,
        attempt=0,
        owner=UUID(int=1),
        failures=0,
        array_limit=array_limit,
        call_id=None,
        cause="test",
    )
    return Write(lease, f"HL-{number}", {}, {}, "")


def test_an_array_holds_as_many_as_the_one_that_bears_least() -> None:
    writes = [write(1), write(2), write(3, 1), write(4, 2), write(5)]
    cut_ = arrays(writes, ArraySize(proved=5, ceiling=10))
    assert [[one.lease.id for one in array.writes] for array in cut_] == [[3], [4, 1], [2, 5]]
    assert arrays([], ArraySize()) == []


def test_how_many_go_into_an_array_is_asked_for_each_anew() -> None:
    sizes = count(1)
    cut_ = cut([write(number) for number in range(8)], lambda: next(sizes))
    assert [len(array.writes) for array in cut_] == [1, 2, 3, 2]
    limited = cut([write(1), write(2), write(3, 1), write(4)], lambda: 5)
    assert [[one.lease.id for one in array.writes] for array in limited] == [[1, 2], [3], [4]]
