from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from syncline.errors import Unmappable
from syncline.flows import customers, payments, refunds
from syncline.flows.flow import Needs, RequestedDelivery, TargetIds
from syncline.mapping.document import Document
from syncline.mapping.parsing import load
from syncline.mapping.shipped import default_document
from syncline.money import minor_digits

DOCUMENT = load(default_document("detail"))
CURRENCIES = {"USD": 1, "JPY": 2, "KWD": 3}
CUSTOMER = "email:ada@example.com"


def transaction(**fields: Any) -> dict[str, Any]:
    return {
        "id": "t1",
        "currency": "USD",
        "amount": "30.00",
        "status": "succeeded",
        "entity_type": "order",
        "entity_id": "o1",
        "charge_id": "ch_1",
        "contact": {"id": "c1", "email": "ada@example.com", "name": "Ada"},
        "created_at": "2026-11-01T10:00:00.000Z",
        "updated_at": "2026-11-01T10:00:00.000Z",
        **fields,
    }


def order(**fields: Any) -> dict[str, Any]:
    return {
        "id": "o1",
        "currency": "USD",
        "amount": "30.00",
        "tax": "2.55",
        "status": "completed",
        "contact": {"id": "c1", "email": "ada@example.com", "name": "Ada"},
        "items": [
            {"key": "p1", "name": "Mug", "qty": "1", "unit_price": "27.45", "currency": "USD"}
        ],
        "created_at": "2026-11-01T10:00:00.000Z",
        "updated_at": "2026-11-01T10:00:00.000Z",
        **fields,
    }


def roles(requested: list[RequestedDelivery]) -> set[tuple[str, str, str]]:
    return {(one.source_id, one.role, one.target) for one in requested if one.flow == "payments"}


def invoiced(source_id: str = "o1", currency: int = 1) -> dict[Needs, TargetIds]:
    row = TargetIds(900, client_id=5, site_id=6, currency_id=currency)
    return {Needs("payments", source_id, "invoice"): row}


def total_of(body: Mapping[str, Any]) -> Decimal:
    return sum(
        (
            Decimal(line["quantity"]) * Decimal(line["baseprice"]) + Decimal(line["tax"])
            for line in body["lines"]
        ),
        Decimal(0),
    )


def credit(record: dict[str, Any], role: str, standing: set[str], **options: Any) -> dict[str, Any]:
    document: Document = options.get("document", DOCUMENT)
    of = options.get("order")
    desired = refunds.render_credit(record, role, standing, of, document, invoiced(), CURRENCIES)
    return desired.for_create()


def test_money_that_came_in_owes_the_orders_invoice_and_one_payment() -> None:
    requested = payments.delivery_requests(transaction(), DOCUMENT)
    assert roles(requested) == {("o1", "invoice", "invoice"), ("t1", "payment", "payment")}
    [invoice] = [one for one in requested if one.role == "invoice"]
    assert invoice.source_kind == "order"


@pytest.mark.parametrize("status", ["failed", "pending", "canceled"])
def test_an_attempt_in_which_no_money_came_in_owes_nothing(status: str) -> None:
    assert payments.delivery_requests(transaction(status=status), DOCUMENT) == []


def test_a_transaction_of_nothing_owes_nothing() -> None:
    assert payments.delivery_requests(transaction(amount="0.00"), DOCUMENT) == []


def test_a_transaction_without_an_order_owes_an_invoice_of_its_own_and_its_customer() -> None:
    record = transaction(entity_type=None, entity_id=None)
    requested = payments.delivery_requests(record, DOCUMENT)
    assert roles(requested) == {("t1", "invoice", "invoice"), ("t1", "payment", "payment")}
    assert {one.source_id for one in requested if one.flow == customers.FLOW} == {CUSTOMER}


def test_a_transaction_that_learns_its_order_later_leaves_no_second_sale() -> None:
    requested = payments.delivery_requests(transaction(), DOCUMENT, {"payment", "invoice"})
    assert ("t1", "invoice", "invoice") in roles(requested)
    assert ("o1", "invoice", "invoice") in roles(requested)
    ids = {Needs("customers", CUSTOMER, "client"): TargetIds(5, client_id=5, site_id=6)}
    body = payments.render_invoice("transaction", transaction(), DOCUMENT, ids, CURRENCIES).body
    assert total_of(body) == 0


def test_a_test_payment_is_left_out_unless_the_mapping_lets_it_in() -> None:
    record = transaction(live_mode=False)
    included = load(default_document("detail", {"payments": {"test_mode": "include"}}))
    assert payments.delivery_requests(record, DOCUMENT) == []
    assert payments.delivery_requests(record, included)


def test_a_status_that_nobody_has_sorted_asks_a_person() -> None:
    record = transaction(status="on_hold")
    assert ("t1", "payment", "payment") in roles(payments.delivery_requests(record, DOCUMENT))
    with pytest.raises(Unmappable, match="on_hold") as raised:
        payments.render_payment(record, DOCUMENT, invoiced(), CURRENCIES)
    assert raised.value.field == "status"


def test_each_increase_of_what_was_refunded_owes_one_credit() -> None:
    first = payments.delivery_requests(transaction(amount_refunded="10.00"), DOCUMENT, {"payment"})
    assert ("t1", "credit:10.00", "credit") in roles(first)
    second = payments.delivery_requests(
        transaction(amount_refunded="30.00"), DOCUMENT, {"payment", "credit:10.00"}
    )
    assert {role for _, role, _ in roles(second)} >= {"credit:10.00", "credit:30.00"}


def test_a_refund_that_was_taken_back_in_part_owes_no_further_credit() -> None:
    requested = payments.delivery_requests(
        transaction(amount_refunded="20.00"), DOCUMENT, {"payment", "credit:10.00", "credit:30.00"}
    )
    credits_ = {role for _, role, _ in roles(requested) if payments.is_credit(role)}
    assert credits_ == {"credit:10.00", "credit:30.00"}


def test_a_payment_that_bounced_is_brought_to_nothing() -> None:
    record = transaction(status="failed")
    assert ("t1", "payment", "payment") in roles(
        payments.delivery_requests(record, DOCUMENT, {"payment"})
    )
    body = payments.render_payment(record, DOCUMENT, invoiced(), CURRENCIES).body
    assert body["amount"] == 0


def test_a_payment_carries_its_transaction_twice_and_stands_on_its_orders_invoice() -> None:
    desired = payments.render_payment(transaction(), DOCUMENT, invoiced(), CURRENCIES)
    body = desired.for_create()
    assert (body["intent_id"], body["thirdpartyid"]) == ("HL-t1", "HL-t1")
    assert (body["invoice_id"], body["client_id"], body["amount"]) == (900, 5, Decimal("30.00"))
    assert body["_isimport"] is True


def test_a_payment_in_another_currency_than_its_invoice_is_parked() -> None:
    with pytest.raises(Unmappable, match="another currency") as raised:
        payments.render_payment(transaction(), DOCUMENT, invoiced(currency=2), CURRENCIES)
    assert raised.value.field == "currency"


def test_a_credit_is_tied_to_the_invoice_and_is_used_up_at_once() -> None:
    body = credit(transaction(amount_refunded="10.00"), "credit:10.00", {"credit:10.00"})
    assert body["thirdpartyinvoicenumber"] == "HL-t1-R10.00"
    assert body["creditlinkedtoinvoiceid"] == 900
    assert body["mark_credit_as_used"] is True
    assert total_of(body) == Decimal("-10.00")


def test_refunding_all_of_an_order_gives_back_all_of_its_tax() -> None:
    record = transaction(amount_refunded="30.00")
    standing = {"credit:7.00", "credit:30.00"}
    bodies = [credit(record, role, standing, order=order()) for role in sorted(standing)]
    assert sum(Decimal(body["lines"][0]["tax"]) for body in bodies) == Decimal("-2.55")
    assert sum(map(total_of, bodies)) == Decimal("-30.00")


def test_an_invoice_of_an_order_has_its_lines_its_customer_and_its_sales_order() -> None:
    ids = {
        Needs("customers", CUSTOMER, "client"): TargetIds(5, client_id=5, site_id=6),
        Needs("customers", CUSTOMER, "user"): TargetIds(8, client_id=5, site_id=6),
        Needs("orders", "o1", "order"): TargetIds(77),
    }
    assert set(payments.needs("invoice", "order", order(), DOCUMENT)) == {
        *ids,
        Needs("details", "o1", "detail"),
    }
    body = payments.render_invoice("order", order(), DOCUMENT, ids, CURRENCIES).for_create()
    assert total_of(body) == Decimal("30.00")
    assert (body["client_id"], body["sitenumber"], body["salesorder_id"]) == (5, 6, 77)
    assert body["thirdpartyinvoicenumber"] == "HL-o1"
    assert body["_dont_fire_automations"] is True


def test_a_payment_of_an_order_that_the_mapping_leaves_out_asks_a_person() -> None:
    left_out = order(live_mode=False)
    assert payments.needs("invoice", "order", left_out, DOCUMENT) == []
    with pytest.raises(Unmappable, match="test mode") as raised:
        payments.render_invoice("order", left_out, DOCUMENT, {}, CURRENCIES)
    assert raised.value.field == "live_mode"


@st.composite
def histories(draw: st.DrawFn) -> tuple[str, str, list[str]]:
    currency = draw(st.sampled_from(sorted(CURRENCIES)))
    unit = Decimal(1).scaleb(-minor_digits(currency))
    amount = draw(st.integers(1, 10_000_00))
    refunded = draw(st.lists(st.integers(0, amount), min_size=1, max_size=6))
    return currency, f"{amount * unit:f}", [f"{part * unit:f}" for part in refunded]


@given(histories(), st.sampled_from(["0.00", "2.55", "30.00"]))
def test_after_any_history_of_refunds_the_credits_sum_to_what_was_refunded_last(
    history: tuple[str, str, list[str]], tax: str
) -> None:
    currency, amount, sums = history
    standing: set[str] = set()
    record = transaction(currency=currency, amount=amount)
    for refunded in sums:
        record = {**record, "amount_refunded": refunded}
        standing |= {one.role for one in payments.delivery_requests(record, DOCUMENT, standing)}
    ids = invoiced(currency=CURRENCIES[currency])
    of = order(currency=currency, amount=amount, tax=tax if currency == "USD" else "0")
    credits_ = [role for role in standing if payments.is_credit(role)]
    bodies = [
        refunds.render_credit(record, role, credits_, of, DOCUMENT, ids, CURRENCIES).body
        for role in credits_
    ]
    assert sum(map(total_of, bodies), Decimal(0)) == -Decimal(sums[-1])


def test_a_payment_whose_amount_nobody_tells_is_asked_about_and_not_left_out() -> None:
    untold = transaction(amount=None)
    assert ("t1", "payment", "payment") in roles(payments.delivery_requests(untold, DOCUMENT))
    with pytest.raises(Unmappable, match="amount"):
        payments.render_payment(untold, DOCUMENT, invoiced(), CURRENCIES)


def test_a_refund_of_a_payment_whose_amount_nobody_tells_is_asked_about_with_it() -> None:
    untold = transaction(amount=None, amount_refunded="3.00")
    with pytest.raises(Unmappable, match="tells no amount"):
        credit(untold, "credit:3.00", {"payment", "credit:3.00"})
