from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from syncline.errors import Unmappable
from syncline.mapping.apply import Mapped, apply, plain, projected
from syncline.mapping.parsing import load

ORDER: dict[str, Any] = {
    "id": "o1",
    "status": "completed",
    "amount": "12.50",
    "live_mode": True,
    "created_at": "2026-03-01T09:30:00.000Z",
    "items": [{"name": "Tea", "qty": "2"}, {"name": "Cup", "qty": "1"}],
}


def mapped(rows: str, record: dict[str, Any] = ORDER) -> Mapped:
    return apply(load(rows).rows["orders"], record, "USD")


def row(target: str, rest: str) -> str:
    return f'[[orders.field]]\ntarget = "{target}"\n{rest}\n'


def test_plain_paths_and_expressions_read_the_record() -> None:
    text = row("note", 'source = "status"') + row("title", "source = \"join(', ', items[].name)\"")
    assert mapped(text).always == {"note": "completed", "title": "Tea, Cup"}


def test_custom_fields_stand_in_their_own_list() -> None:
    text = row("customfields.CFTotal", 'source = "amount"\ntype = "money"') + row(
        "customfields.CFLive", 'source = "live_mode"\ntype = "bool"'
    )
    assert mapped(text).always == {
        "customfields": [
            {"name": "CFTotal", "value": Decimal("12.50")},
            {"name": "CFLive", "value": True},
        ]
    }


def test_what_halo_owns_is_given_at_the_create_only_and_never_compared() -> None:
    text = row("status", 'owner = "halo"\ntransform = { use = "const", value = 3 }')
    assert mapped(text) == Mapped({}, {"status": Decimal(3)})
    assert projected(load(text).rows["orders"], {"status": 7}) == {}


def test_a_text_that_has_gone_is_emptied_and_other_types_are_left_alone() -> None:
    text = row("note", 'source = "coupon"') + row("date", 'source = "updated_at"')
    assert mapped(text).always == {"note": ""}


def test_a_required_field_without_a_value_parks_naming_it() -> None:
    with pytest.raises(Unmappable) as raised:
        mapped(row("note", 'source = "coupon"\nrequired = true'))
    assert raised.value.field == "note"
    assert raised.value.remedy


def test_an_expression_that_fails_on_a_record_parks_it() -> None:
    text = row("note", 'source = "max(items[].qty)"')
    with pytest.raises(Unmappable) as raised:
        mapped(text, {**ORDER, "items": [{"qty": {}}]})
    assert raised.value.field == "note"


def test_a_value_written_otherwise_by_halo_is_no_difference() -> None:
    text = (
        row("note", 'source = "status"')
        + row("date", 'source = "created_at"')
        + row("customfields.CFTotal", 'source = "amount"\ntype = "money"')
        + row("customfields.CFLive", 'source = "live_mode"\ntype = "bool"')
    )
    rows = load(text).rows["orders"]
    halo = json.loads(
        '{"note": " completed\\r\\n", "date": "2026-03-01T09:30:00", "customfields": '
        '[{"name": "CFLive", "value": "true"}, {"name": "CFTotal", "value": 12.5}]}'
    )
    assert projected(rows, mapped(text).always) == projected(rows, halo)


def test_a_field_that_halo_does_not_tell_is_not_compared() -> None:
    rows = load(row("note", 'source = "status"') + row("customfields.CFx", 'source = "id"')).rows
    assert projected(rows["orders"], {"customfields": None}) == {}


def test_a_text_that_is_null_is_empty_only_in_a_row_that_was_read_whole() -> None:
    fields = ("note", "customfields.CFnote", "date")
    sources = ("status", "status", "created_at")
    text = "".join(
        row(one, f'source = "{source}"') for one, source in zip(fields, sources, strict=True)
    )
    rows = load(text).rows["orders"]
    shown = {"note": None, "date": None, "customfields": [{"name": "CFnote", "value": None}]}
    assert projected(rows, shown) == {}
    assert projected(rows, shown, whole=True) == {"note": "", "customfields.CFnote": ""}
    assert projected(rows, {"customfields": None}, whole=True) == {}


@pytest.mark.parametrize(
    ("number", "text"),
    [("10.50", "10.5"), ("1E+3", "1000"), ("-0.00", "0"), ("1e99999", "1E+99999")],
)
def test_equal_numbers_give_equal_text(number: str, text: str) -> None:
    assert plain(Decimal(number)) == text
