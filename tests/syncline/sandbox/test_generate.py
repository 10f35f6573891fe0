from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.generate import MINOR_DIGITS, UNKNOWN_STATUS, Generator
from syncline.sandbox.state import change_orders

from .location import NOW, Location, shared_location


def test_the_same_seed_gives_the_same_data_and_another_seed_other_data() -> None:
    config = SandboxConfig(orders=30, transactions=40, subscriptions=5, customers=20)
    one, two = Generator(config, NOW).fill(), Generator(config, NOW).fill()
    other = Generator(config.model_copy(update={"seed": 2}), NOW).fill()
    assert one == two
    assert set(one.orders).isdisjoint(other.orders)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), currency=st.sampled_from(["USD", "JPY", "KWD", "EUR"]))
def test_an_amount_is_the_exact_sum_of_its_parts(seed: int, currency: str) -> None:
    config = SandboxConfig(
        seed=seed, orders=15, transactions=0, subscriptions=0, customers=5, currencies=(currency,)
    )
    unit = Decimal(1).scaleb(-MINOR_DIGITS.get(currency, 2))
    for order in Generator(config, NOW).fill().orders.values():
        parts = {key: Decimal(value) for key, value in order["amountSummary"].items()}
        lines = sum(Decimal(item["price"]["amount"]) * item["qty"] for item in order["items"])
        taxes = sum(Decimal(entry["amount"]) for entry in order["taxSummary"])
        assert parts["subtotal"] == lines
        assert parts["tax"] == taxes
        total = parts["subtotal"] - parts["discount"] + parts["tax"] + parts.get("shipping", 0)
        assert order["amount"] == total
        assert Decimal(order["amount"]) % unit == 0


def test_the_data_holds_what_real_data_trips_over() -> None:
    store = shared_location().store
    orders = list(store.orders.values())
    emails = [contact["email"] for contact in store.contacts.values()]
    present = [email for email in emails if email]
    assert None in emails
    assert len({email.lower() for email in present}) < len(set(present))
    assert {order["currency"] for order in orders} == {"USD", "EUR", "GBP", "JPY"}
    assert {order["liveMode"] for order in orders} == {True, False}
    assert UNKNOWN_STATUS in {order["status"] for order in orders}
    assert {len(order["items"]) for order in orders} == {1, 2, 3, 4, 5}
    assert any(order["amountSummary"]["discount"] for order in orders)
    assert any("shipping" in order["amountSummary"] for order in orders)
    assert any(not contact["name"].isascii() for contact in store.contacts.values())
    assert any("companyName" in contact for contact in store.contacts.values())
    assert {quirk for quirks in store.quirks.values() for quirk in quirks} == {
        "quoted",
        "bare",
        "extra",
    }


def test_ids_and_times_have_the_form_and_the_range_of_the_real_ones() -> None:
    store = shared_location().store
    oldest = NOW - timedelta(days=shared_location().config.days)
    for contact_id in store.contacts:
        assert re.fullmatch(r"[A-Za-z0-9]{20}", contact_id)
    for kind in (store.orders, store.transactions, store.subscriptions):
        for document_id, document in kind.items():
            assert re.fullmatch(r"[0-9a-f]{24}", document_id)
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", document["createdAt"])
            assert document["createdAt"] <= document["updatedAt"]
            assert datetime.fromisoformat(document["createdAt"]) >= oldest - timedelta(seconds=1)


def test_succeeded_transactions_never_sum_to_more_than_their_order() -> None:
    store = shared_location().store
    paid: dict[str, Decimal] = defaultdict(Decimal)
    for transaction in store.transactions.values():
        if transaction["status"] == "succeeded" and "entityId" in transaction:
            paid[transaction["entityId"]] += Decimal(transaction["amount"])
        refunded = Decimal(transaction.get("amountRefunded", 0))
        assert 0 <= refunded <= Decimal(transaction["amount"])
    assert all(total <= Decimal(store.orders[order]["amount"]) for order, total in paid.items())
    seen = {transaction["status"] for transaction in store.transactions.values()}
    assert seen == {"succeeded", "failed", "pending"}
    assert any("entityId" not in transaction for transaction in store.transactions.values())
    partial = [
        entry
        for entry in store.transactions.values()
        if 0 < Decimal(entry.get("amountRefunded", 0)) < Decimal(entry["amount"])
    ]
    assert partial


@pytest.mark.parametrize("field", ["status", "amount"])
def test_a_changed_order_is_newer_and_still_sums_up(field: str) -> None:
    store = Location(SandboxConfig(orders=30, transactions=0, subscriptions=0)).store
    before = {key: (order[field], order["updatedAt"]) for key, order in store.orders.items()}
    changed = change_orders(store, now=NOW, field_name=field, count=10)  # type: ignore[arg-type]
    assert len(set(changed)) == 10
    for order_id, order in store.orders.items():
        value, updated = before[order_id]
        assert (order[field] != value) == (order_id in changed)
        assert (order["updatedAt"] > updated) == (order_id in changed)
        parts = {key: Decimal(part) for key, part in order["amountSummary"].items()}
        lines = sum(Decimal(item["price"]["amount"]) * item["qty"] for item in order["items"])
        assert parts["subtotal"] == lines
        total = lines - parts["discount"] + parts["tax"] + parts.get("shipping", 0)
        assert order["amount"] == total
