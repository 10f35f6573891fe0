"""Halo's rows: nonsense in a field leaves it out and is noted; without an id there is no row."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from syncline.errors import Unreadable
from syncline.halo.models import HaloOrderRow, RecurringRow
from syncline.leniency import noting

ORDER = {"id": 7, "po_number": "HL-o1", "client_id": 12.0, "total": "10.50", "lines": None}


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("client_id", {"id": 5}),
        ("client_id", "12.5"),
        ("currency_code", True),
        ("total", "much"),
        ("total", "NaN"),
        ("client_id", "9" * 5000),
        ("client_id", Decimal("1e999999")),
        ("summary", {"name": "x"}),
        ("note", ["x"]),
        ("lines", "none"),
        ("date", {}),
    ],
)
def test_a_field_that_is_nonsense_is_left_out_and_noted(field: str, value: Any) -> None:
    with noting() as noted:
        read = HaloOrderRow.of({**ORDER, field: value})
    told = {key: one for key, one in ORDER.items() if key != field}
    assert read.model_dump(exclude={"raw"}) == HaloOrderRow.of(told).model_dump(exclude={"raw"})
    assert noted == [("halo", "order", field, "7")]
    assert read.raw[field] == value


def test_a_line_that_is_none_goes_alone() -> None:
    with noting() as noted:
        read = HaloOrderRow.of({**ORDER, "lines": ["x", {"name": "Tea", "baseprice": [1]}]})
    assert [line.name for line in read.lines] == ["Tea"]
    assert {one.path for one in noted} == {"lines[]", "lines[].baseprice"}


def test_what_halo_writes_for_nothing_is_no_nonsense() -> None:
    empty = dict.fromkeys(("client_id", "total", "summary", "disabled", "lines"))
    with noting() as noted:
        read = RecurringRow.of({"id": "9", **empty, "amountdue": "", "salesorder_id": ""})
        flags = [RecurringRow.of({"id": 9, "disabled": one}).disabled for one in (1, "false", True)]
    assert (read.id, read.total, read.lines) == (9, None, [])
    assert flags == [True, False, True]
    assert noted == []


@pytest.mark.parametrize(
    "row_id", [None, "", "x", 1.5, [1], True, "9" * 5000, 10**400, Decimal("1e999999")]
)
def test_a_row_without_an_id_is_unreadable(row_id: Any) -> None:
    with pytest.raises(Unreadable, match="A HaloOrderRow of Halo cannot be read: id: "):
        HaloOrderRow.of({**ORDER, "id": row_id})
    assert HaloOrderRow.of({**ORDER, "total": "1e3"}).total == Decimal(1000)
