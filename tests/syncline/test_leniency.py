"""Nonsense in a field leaves the field out, and nothing else; what is indispensable does not go."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import AliasChoices, BaseModel, Field

from syncline import leniency
from syncline.errors import Unreadable
from syncline.leniency import Indispensable, LeftOut


class Leaf(BaseModel):
    key: str
    amount: Decimal | None = None
    first_name: str | None = Field(None, validation_alias=AliasChoices("firstName", "first_name"))


class Root(BaseModel):
    id: str = Field(alias="_id")
    amount: Indispensable[Decimal | None] = None
    leaf: Leaf | None = None
    leaves: list[Leaf] | None = None
    needed: list[Leaf] = Field(default_factory=list)
    note: str | None = None


def read(**payload: Any) -> tuple[Root, tuple[str, ...]]:
    return leniency.read(Root, {"_id": "a", **payload}, "The root")


def test_what_is_right_is_read_whole() -> None:
    root, left_out = read(amount="1.5", leaf={"key": "k", "first_name": "Ada"})
    assert root.leaf == Leaf(key="k", firstName="Ada")
    assert left_out == ()


@pytest.mark.parametrize(
    ("payload", "paths", "rest"),
    [
        ({"note": ["x"], "amount": 1}, {"note"}, {"amount": 1}),
        ({"leaf": "text"}, {"leaf"}, {}),
        ({"leaf": {"key": "k", "amount": {}}}, {"leaf.amount"}, {"leaf": {"key": "k"}}),
        ({"leaf": {"amount": 1}}, {"leaf"}, {}),
        ({"leaf": {"key": "k", "first_name": 1}}, {"leaf.first_name"}, {"leaf": {"key": "k"}}),
        ({"leaf": {"key": "k", "firstName": 1}}, {"leaf.firstName"}, {"leaf": {"key": "k"}}),
        (
            {"leaves": ["x", {"key": "k"}, {"key": 1}, {"key": "l", "amount": "?"}, None]},
            {"leaves[]", "leaves[].amount"},
            {"leaves": [{"key": "k"}, {"key": "l"}]},
        ),
        ({"leaves": {"0": 1}, "note": 1}, {"leaves", "note"}, {}),
    ],
)
def test_the_smallest_thing_around_nonsense_is_left_out(
    payload: dict[str, Any], paths: set[str], rest: dict[str, Any]
) -> None:
    given_before = repr(payload)
    root, left_out = read(**payload)
    assert set(left_out) == paths
    assert root == read(**rest)[0]
    assert repr(payload) == given_before


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({"_id": 5, "note": 1}, "_id: "),
        ({"amount": "many"}, "amount: "),
        ({"amount": [], "note": "secret", "leaf": "secret"}, "amount: "),
    ],
)
def test_what_is_indispensable_spoils_the_whole_and_is_told_without_values(
    payload: dict[str, Any], why: str
) -> None:
    with pytest.raises(Unreadable) as error:
        leniency.read(Root, {"_id": "a", **payload}, "The root", "Look at it.")
    assert error.value.what.startswith(f"The root cannot be read: {why}")
    assert error.value.remedy == "Look at it."
    assert "secret" not in str(error.value)
    assert "note" not in error.value.what


@pytest.mark.parametrize("payload", [None, [], "text", 1])
def test_what_is_no_object_is_unreadable(payload: Any) -> None:
    with pytest.raises(Unreadable, match="The root cannot be read: the whole: "):
        leniency.read(Root, payload, "The root")


_ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.decimals(allow_nan=False) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["key", "amount", "firstName", "first_name", "0"]), inner, max_size=3
        )
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.sampled_from(["leaf", "leaves", "needed", "note"]), _ANYTHING))
def test_whatever_stands_in_the_other_fields_the_rest_is_read(payload: dict[str, Any]) -> None:
    root, left_out = read(amount="12.50", **payload)
    assert (root.id, root.amount) == ("a", Decimal("12.50"))
    assert all(path.split(".")[0].split("[")[0] in payload for path in left_out)


def test_what_is_noted_is_his_who_collects_it() -> None:
    leniency.note("halo", "order", ["lost"], "o0")
    with leniency.noting() as outer:
        leniency.note("halo", "order", ["a", "b[].c"], "o1")
        with leniency.noting() as inner:
            leniency.note("halo", "order", ["d"], "o2")
    assert outer == [LeftOut("halo", "order", "a", "o1"), LeftOut("halo", "order", "b[].c", "o1")]
    assert inner == [LeftOut("halo", "order", "d", "o2")]
