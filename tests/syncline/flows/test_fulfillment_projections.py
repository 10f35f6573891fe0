from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.flows.fulfillment_projections import difference, mine, perhaps_mine, projection_of
from syncline.highlevel.fulfillments import Fulfillment

PRICES = {"p1", "p2", "p3"}
PARCEL = {
    "trackingNumber": "1Z 999",
    "shippingCarrier": "UPS",
    "trackingUrl": "https://track.example.com/1Z999",
}


def shown(
    *trackings: dict[str, Any], items: list[tuple[str, Any]] | None = None, number: str = "f1"
) -> Fulfillment:
    wanted = [("p1", 1), ("p2", 2)] if items is None else items
    return Fulfillment.model_validate(
        {
            "_id": number,
            "createdAt": "2026-03-01T10:00:00Z",
            "trackings": list(trackings),
            "items": [{"_id": price, "qty": qty} for price, qty in wanted],
        }
    )


def number(of: str) -> dict[str, Any]:
    return {"trackingNumber": of}


def test_what_a_lost_call_made_has_the_same_goods_and_parcels() -> None:
    sent = projection_of(shown(PARCEL))
    others = [shown(number("1Z2")), shown(PARCEL, items=[("p1", 1)])]
    assert mine(sent, others) is None
    found = mine(sent, [*others, shown(PARCEL, number="ours")])
    assert found is not None
    assert found.id == "ours"


OTHER_GOODS = [("p1", 2)]

PERHAPS = {
    "the same goods in another parcel": shown(number("1Z2")),
    "the same parcel with other goods": shown(PARCEL, items=[("p3", 1)]),
    "its number written otherwise": shown(number("1z999"), items=OTHER_GOODS),
    "its address alone": shown(
        {"trackingUrl": "http://track.example.com/?n=1Z999"}, items=OTHER_GOODS
    ),
    "no goods": shown(number("1Z2"), items=[]),
    "goods that the order does not have": shown(number("1Z2"), items=[("item7", 1)]),
    "another quantity, and no parcel": shown(items=OTHER_GOODS),
    "more goods, and no parcel": shown(items=[("p1", 1), ("p2", 2), ("p3", 1)]),
    "another quantity, and a carrier alone": shown({"shippingCarrier": "UPS"}, items=OTHER_GOODS),
}


@pytest.mark.parametrize("one", PERHAPS.values(), ids=PERHAPS)
def test_one_may_be_what_was_sent_where_nothing_tells_that_it_is_another(one: Fulfillment) -> None:
    assert perhaps_mine(projection_of(shown(PARCEL)), [one], PRICES) == one


ANOTHER = {
    "other goods": shown(items=[("p3", 1)]),
    "another quantity in another parcel": shown(number("1Z2"), items=OTHER_GOODS),
    "the same carrier": shown({**number("7"), "shippingCarrier": "UPS"}, items=OTHER_GOODS),
}


@pytest.mark.parametrize("one", ANOTHER.values(), ids=ANOTHER)
def test_one_of_other_goods_in_another_parcel_is_another(one: Fulfillment) -> None:
    assert perhaps_mine(projection_of(shown(PARCEL)), [one], PRICES) is None


def test_what_was_sent_without_a_parcel_is_told_from_others_by_its_goods() -> None:
    sent = projection_of(shown())
    assert perhaps_mine(sent, [shown(PARCEL)], PRICES) is not None
    assert perhaps_mine(sent, [shown(items=OTHER_GOODS)], PRICES) is not None
    assert perhaps_mine(sent, [shown(PARCEL, items=OTHER_GOODS)], PRICES) is None


@given(st.permutations(["1Z1", "1Z2", "1Z2"]))
def test_the_order_of_parcels_and_items_is_no_difference(numbers: list[str]) -> None:
    def made(many: list[str]) -> Fulfillment:
        return shown(*map(number, many), items=[("a", 1), ("b", "1.0")])

    wanted = projection_of(made(["1Z1", "1Z2", "1Z2"]))
    assert difference(wanted, projection_of(made(numbers))) is None
    assert difference(wanted, projection_of(made(["1Z1", "1Z2"])))


@given(st.lists(st.text(alphabet="1Z|; ,\u00d7", min_size=1, max_size=9), max_size=3))
def test_whatever_stands_in_a_number_one_is_like_itself(numbers: list[str]) -> None:
    one = shown(*map(number, numbers))
    assert mine(projection_of(one), [one]) == one
    assert perhaps_mine(projection_of(one), [one], PRICES) == one
