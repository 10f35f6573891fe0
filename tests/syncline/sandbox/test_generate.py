from __future__ import annotations

import re
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.generating.orders import UNKNOWN_STATUS, Generator
from syncline.sandbox.generating.payments import paid_by_order
from syncline.sandbox.highlevel.rows import list_row
from syncline.sandbox.location.changes import (
    change_orders,
    change_subscriptions,
    change_transactions,
)
from syncline.sandbox.location.forms import MINOR_DIGITS, digits_of, stamp
from syncline.sandbox.location.store import Store, renews

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
    assert {order["currency"] for order in orders} == {"USD", "EUR", "GBP", "JPY", "KWD"}
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


def _rich() -> Store:
    config = SandboxConfig(orders=400, transactions=700, subscriptions=40, customers=60)
    return Generator(config, NOW).fill()


def test_every_order_is_paid_once_before_any_is_paid_twice() -> None:
    store = Location(SandboxConfig(orders=30, transactions=30, subscriptions=0)).store
    paid = [transaction["entityId"] for transaction in store.transactions.values()]
    assert paid == list(store.orders)
    few = Location(SandboxConfig(orders=30, transactions=7, subscriptions=0)).store
    assert [one["entityId"] for one in few.transactions.values()] == list(few.orders)[:7]


def test_counts_are_exact_with_and_without_orders() -> None:
    for orders in (0, 5, 40):
        config = SandboxConfig(orders=orders, transactions=33, subscriptions=12, customers=20)
        store = Generator(config, NOW).fill()
        assert (len(store.transactions), len(store.subscriptions)) == (33, 12)


def test_money_comes_in_whole_in_parts_twice_too_much_and_not_at_all() -> None:
    store = _rich()
    transactions = list(store.transactions.values())
    paid = paid_by_order(transactions)
    due = {key: Decimal(store.orders[key]["amount"]) for key in paid}
    assert any(paid[key] == due[key] for key in paid)
    assert any(0 < paid[key] < due[key] for key in paid)
    over = [key for key in paid if paid[key] > due[key]]
    assert 0 < len(over) < len(paid) / 10
    parts = Counter(
        one["entityId"] for one in transactions if one["status"] == "succeeded" and one["amount"]
        and "entityId" in one
    )  # fmt: skip
    assert any(number > 1 and paid[key] == due[key] for key, number in parts.items())
    assert any(not one["amount"] for one in transactions)
    assert {one["status"] for one in transactions} == {
        "succeeded", "captured", "failed", "pending", "refunded", "partially_refunded",
    }  # fmt: skip
    assert {one["currency"] for one in transactions} == set(store.config.currencies)
    assert {one["liveMode"] for one in transactions} == {True, False}


def test_what_went_back_is_part_of_what_came_in_and_a_full_refund_says_so() -> None:
    refunded = [one for one in _rich().transactions.values() if "amountRefunded" in one]
    shares = {Decimal(one["amountRefunded"]) / Decimal(one["amount"]) for one in refunded}
    assert all(0 < share <= 1 for share in shares)
    assert 1 in shares
    assert min(shares) < 1
    for one in refunded:
        whole = one["amountRefunded"] == one["amount"]
        told = "refunded" if whole else "partially_refunded"
        assert one["status"] in ("succeeded", told)


def test_payments_of_no_order_are_of_customers_with_and_without_an_address() -> None:
    store = _rich()
    bare = [one for one in store.transactions.values() if "entityId" not in one]
    addresses = [store.contacts[one["contactId"]]["email"] for one in bare]
    assert None in addresses
    assert any(addresses)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10**6), currency=st.sampled_from(["USD", "JPY", "KWD"]))
def test_every_amount_of_money_has_its_currencys_digits(seed: int, currency: str) -> None:
    config = SandboxConfig(
        seed=seed, orders=8, transactions=24, subscriptions=4, customers=5, currencies=(currency,)
    )
    store = Generator(config, NOW).fill()
    change_transactions(store, now=NOW, what="refund", count=10)
    unit = Decimal(1).scaleb(-digits_of(currency))
    for one in (*store.transactions.values(), *store.subscriptions.values()):
        refunded = Decimal(one.get("amountRefunded", 0))
        assert Decimal(one["amount"]) % unit == refunded % unit == 0
        assert 0 <= refunded <= Decimal(one["amount"])


def test_ten_subscriptions_already_have_every_status_and_what_goes_with_it() -> None:
    store = Location(SandboxConfig(orders=30, transactions=0, subscriptions=10)).store
    today = NOW.date().isoformat()
    seen = set()
    for one in store.subscriptions.values():
        rule = one["schedule"]["rrule"]
        seen.add(one["status"])
        assert ("canceledAt" in one) == (one["status"] == "canceled")
        assert (rule["startDate"] > today) == (one["status"] == "trialing")
        assert (rule.get("endDate", "9999") < today) == (one["status"] == "expired")
    assert seen == {"active", "trialing", "canceled", "expired", "unpaid"}
    rhythms = {
        (one["schedule"]["rrule"]["intervalType"], one["schedule"]["rrule"]["interval"])
        for one in _rich().subscriptions.values()
    }
    assert len(rhythms) >= 4


def test_new_transactions_are_made_now_and_pay_the_named_orders_in_turn() -> None:
    generator = Generator(SandboxConfig(orders=50, transactions=0, subscriptions=0), NOW)
    store = generator.fill()
    later = NOW + timedelta(hours=3)
    named = list(store.orders)[:10]
    made = generator.add_transactions(15, order_ids=named, now=later)
    assert made == list(store.transactions)
    new = [store.transactions[one] for one in made]
    assert {one["createdAt"] for one in new} == {stamp(later)}
    assert [one["entityId"] for one in new[:10]] == named
    assert {one.get("entityId") for one in new[10:]} <= {*named, None}
    assert store.timeline("transactions").newest_first(None, None)[0] == max(made)


def test_twenty_thousand_new_transactions_leave_no_order_without_one() -> None:
    generator = Generator(SandboxConfig(orders=1500, transactions=0, subscriptions=0), NOW)
    store = generator.fill()
    assert len(generator.add_transactions(20_000, now=NOW)) == len(store.transactions) == 20_000
    assert set(store.orders) <= {one.get("entityId") for one in store.transactions.values()}


def test_refunds_grow_step_by_step_until_all_has_gone_back() -> None:
    store = Location(SandboxConfig(orders=5, transactions=5, subscriptions=0)).store
    paid = next(one for one in store.transactions.values() if one["status"] == "succeeded")
    paid.pop("amountRefunded", None)
    steps = [Decimal(0)]
    while steps[-1] < Decimal(paid["amount"]):
        at = NOW + timedelta(seconds=len(steps))
        assert change_transactions(store, now=at, what="refund", ids=[paid["_id"]]) == [paid["_id"]]
        assert paid["updatedAt"] == stamp(at)
        steps.append(Decimal(paid["amountRefunded"]))
        assert steps[-2] < steps[-1]
    assert steps[-1] == paid["amount"]
    with pytest.raises(ValueError, match=paid["_id"]):
        change_transactions(store, now=NOW, what="refund", ids=[paid["_id"]])


def test_pending_payments_settle_and_succeeded_ones_fail_unless_money_went_back() -> None:
    store = _rich()
    before = {key: dict(one) for key, one in store.transactions.items()}
    settled = change_transactions(store, now=NOW, what="settle", count=5)
    failed = change_transactions(store, now=NOW, what="fail", count=5)
    assert len(settled) == len(failed) == 5
    for key, status, after in [
        *((key, "pending", "succeeded") for key in settled if key not in failed),
        *((key, before[key]["status"], "failed") for key in failed if key not in settled),
    ]:
        assert (before[key]["status"], store.transactions[key]["status"]) == (status, after)
    assert not any("amountRefunded" in store.transactions[key] for key in failed)
    with pytest.raises(KeyError):
        change_transactions(store, now=NOW, what="settle", ids=["nobody"])


def test_subscriptions_are_cancelled_made_dearer_or_expire() -> None:
    store = Location(SandboxConfig(orders=5, transactions=0, subscriptions=30)).store
    before = {key: Decimal(one["amount"]) for key, one in store.subscriptions.items()}
    (dearer,) = change_subscriptions(store, now=NOW, what="amount", count=1)
    assert store.subscriptions[dearer]["amount"] == before[dearer] + 1
    (gone,) = change_subscriptions(store, now=NOW, what="cancel", ids=[dearer])
    assert (store.subscriptions[gone]["status"], store.subscriptions[gone]["canceledAt"]) == (
        "canceled",
        stamp(NOW),
    )
    (ended,) = change_subscriptions(store, now=NOW, what="expire", count=1)
    assert store.subscriptions[ended]["status"] == "expired"
    assert store.subscriptions[ended]["schedule"]["rrule"]["endDate"] < NOW.date().isoformat()
    with pytest.raises(ValueError, match="cannot be done"):
        change_subscriptions(store, now=NOW, what="cancel", ids=[gone])


def test_only_what_is_owed_is_drawn_for_a_change() -> None:
    config = SandboxConfig(orders=80, transactions=120, subscriptions=0, live_only=True)
    store = Generator(config, NOW).fill()
    drawn = change_transactions(store, now=NOW, what="refund", count=1000)
    assert all(store.transactions[key]["liveMode"] for key in drawn)


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


def test_charges_of_a_subscription_hang_on_its_order_and_all_else_is_as_without_them() -> None:
    asked = SandboxConfig(orders=30, transactions=30, subscriptions=3)
    plain = Location(asked).store
    store = Location(asked.model_copy(update={"renewals": 5})).store
    assert list(store.orders.values()) == list(plain.orders.values())
    charged = [one for one in store.transactions.values() if "subscriptionId" in one]
    others = [one for one in store.transactions.values() if "subscriptionId" not in one]
    assert all(one == plain.transactions[one["_id"]] for one in others)
    began = {one["entityId"] for one in charged if not renews(one)}
    assert len(began) == len({one["subscriptionId"] for one in charged}) == 5
    assert {one["entityId"] for one in charged if renews(one)} == began
    known = {one["subscriptionId"]: one for one in store.subscriptions.values()}
    for one in charged:
        row = list_row(store, "transactions", one)
        assert (row["entityType"], row["entityId"]) == ("order", one["entityId"])
        assert row["chargeId"] == row["chargeSnapshot"]["id"] == one["invoiceId"]
        assert row["chargeId"].startswith("in_")
        assert row["subscriptionId"].startswith("sub_")
        assert known[row["subscriptionId"]]["entityId"] == one["entityId"]
        assert row["amount"] == store.orders[one["entityId"]]["amount"]
