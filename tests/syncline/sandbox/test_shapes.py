"""The shapes and the nonsense in which the emulated HighLevel shows its documents."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import msgspec
import pytest

from syncline.sandbox.audit.told import Telling
from syncline.sandbox.highlevel.nonsense import (
    DISPENSABLE,
    INDISPENSABLE,
    is_indispensable,
    kind_of,
)
from tests.syncline.sandbox.location import Location, new_location
from tests.syncline.sandbox.published import published

KINDS = ("orders", "transactions", "subscriptions")
SCHEMAS = {
    "orders": ("OrderResponseSchema", "GetOrderResponseSchema"),
    "transactions": ("TxnResponseSchema", "GetTxnResponseSchema"),
    "subscriptions": ("SubscriptionResponseSchema", "GetSubscriptionResponseSchema"),
}
_encoder = msgspec.json.Encoder(decimal_format="number")


def shown(location: Location, kind: str) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Every document of a kind as a row of its list and alone."""
    rows = location.get(f"/payments/{kind}", limit="100")["data"]
    ids = list(getattr(location.store, kind))[: len(rows)]
    alone = {one: location.get(f"/payments/{kind}/{one}") for one in ids}
    return [(row, alone[row["_id"]]) for row in rows if row["_id"] in alone]


@pytest.mark.parametrize("kind", KINDS)
def test_a_published_document_has_nothing_that_the_schema_has_not(kind: str) -> None:
    highlevel = published("highlevel/payments.json")
    location = new_location(highlevel_shape="published")
    unknown = set()
    for row, alone in shown(location, kind):
        unknown |= highlevel.misfits(row, SCHEMAS[kind][0])
        unknown |= highlevel.misfits(alone, SCHEMAS[kind][1])
    assert {one for one in unknown if one.endswith(("unknown", "missing"))} == set()


def test_a_published_order_tells_no_tax_and_leaves_out_what_is_optional() -> None:
    location = new_location(highlevel_shape="published")
    absent: Counter[str] = Counter()
    for _, alone in shown(location, "orders"):
        assert set(alone.get("amountSummary", {})) <= {"subtotal", "discount"}
        absent.update({"items", "contactSnapshot", "amountSummary", "source"} - set(alone))
    assert len(absent) == 4


def test_a_printed_order_has_texts_for_numbers_and_the_taxes_of_each_item() -> None:
    location = new_location(highlevel_shape="printed")
    taxed: Counter[bool] = Counter()
    for _, alone in shown(location, "orders"):
        assert isinstance(alone["amount"], str)
        assert alone["liveMode"] in ("true", "false")
        assert set(alone["amountSummary"]) <= {"subtotal", "discount"}
        taxed.update(bool(item["product"]["taxes"]) for item in alone["items"])
    assert min(taxed[True], taxed[False]) > 5


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_nonsense_is_shown_alike_in_a_list_and_alone(kind: str) -> None:
    location = new_location(nonsense=1.0, orders=400, transactions=400, subscriptions=400)
    for document in getattr(location.store, kind).values():
        path = f"/payments/{kind}/{document['_id']}"
        alone = json.loads(_encoder.encode(location.get(path)), parse_int=str)
        assert len(alone) > 3
    drawn = Counter(kind_of(location.config, one) for one in getattr(location.store, kind))
    assert set(drawn) == {*DISPENSABLE, *(one for some in INDISPENSABLE.values() for one in some)}


def test_enough_is_told_of_whatever_has_no_nonsense_where_it_counts() -> None:
    for shape in ("published", "printed", "rich"):
        location = new_location(highlevel_shape=shape, nonsense=0.5, orders=400)
        telling = Telling(location.store)
        spoilt = {
            one for one in location.store.orders if is_indispensable(kind_of(location.config, one))
        }
        told = {
            one for one, order in location.store.orders.items() if telling.of("orders", order).row
        }
        assert told == set(location.store.orders) - spoilt
        assert len(told) > 0.8 * len(location.store.orders)


def test_what_a_list_and_a_single_read_hide_is_not_told() -> None:
    location = new_location(highlevel_shape="published", orders=200)
    telling = Telling(location.store)
    told = [telling.of("orders", order) for order in location.store.orders.values()]
    assert {one.tax for one in told} == {one.items is None for one in told} == {True, False}
    assert any(one.email is None for one in told)


def test_the_taxes_of_the_items_tell_the_tax_of_an_order_without_shipping() -> None:
    location = new_location(highlevel_shape="printed", orders=200)
    telling = Telling(location.store)
    for order in location.store.orders.values():
        summary = order["amountSummary"]
        if not summary.get("shipping"):
            assert telling.of("orders", order).tax
        elif summary["tax"]:
            assert not telling.of("orders", order).tax
