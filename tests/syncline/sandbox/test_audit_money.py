from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import httpx
import pytest

from syncline.sandbox.audit.money import KINDS
from syncline.sandbox.audit.verdict import audit
from syncline.sandbox.config import Limit
from syncline.sandbox.generating.orders import Generator
from syncline.sandbox.location.changes import change_transactions
from syncline.sandbox.location.store import PAID_STATUSES
from syncline.sandbox.process import SandboxProcess
from syncline.sandbox.wire.calls import CallLog
from syncline.sandbox.wire.limits import Judge, SideLimits
from tests.syncline.sandbox.tenant_calls import EUR, USD, TenantCalls, order, tenant

EMAIL = "ada@example.com"
QUIET = {"_dont_fire_automations": True, "_isimport": True}


@pytest.fixture
def halo() -> TenantCalls:
    """An order of 26.05, of which 20 were paid and 7.50 went back in two steps."""
    calls = tenant()
    calls.customer(EMAIL)
    put(calls, "orders", "a", amount=Decimal("26.05"), items=[item("26.05")])
    put(calls, "transactions", "t", amount=20, entityType="order", entityId="a", amountRefunded=7.5)
    return calls


@pytest.fixture
def held(halo: TenantCalls) -> dict[str, dict[str, Any]]:
    """What Halo should hold for it."""
    lines = [{"name": "Mug", "quantity": 1, "baseprice": 26.05}]
    halo.made("SalesOrder", order("HL-a", client_of(halo), lines=lines))
    sale = invoice(halo, "HL-a", 26.05)
    return {
        "invoice": sale,
        "payment": payment(halo, "HL-t", sale["id"], 20),
        "first": credit(halo, "HL-t-R5", sale["id"], 5),
        "second": credit(halo, "HL-t-R7.5", sale["id"], 2.5),
    }


def item(price: str) -> dict[str, Any]:
    return {"name": "Mug", "qty": 1, "price": {"_id": "p", "amount": Decimal(price)}}


def put(halo: TenantCalls, kind: str, document_id: str, **fields: Any) -> None:
    getattr(halo.store, kind)[document_id] = {
        "_id": document_id,
        "currency": "USD",
        "liveMode": True,
        "contactSnapshot": {"email": EMAIL},
        "status": "completed" if kind == "orders" else "succeeded",
        **fields,
    }


def client_of(halo: TenantCalls, email: str = EMAIL) -> int:
    client: int = halo.get("Users", search=email)["users"][0]["client_id"]
    return client


def invoice(halo: TenantCalls, reference: str, total: float, **fields: Any) -> dict[str, Any]:
    body = {
        "client_id": client_of(halo),
        "thirdpartyinvoicenumber": reference,
        "currency_code": USD,
        "lines": [{"item_shortdescription": "Sale", "qty_order": 1, "unit_price": total}],
    }
    return halo.made("Invoice", {**body, **QUIET, **fields})


def credit(halo: TenantCalls, reference: str, invoice_id: int, back: float) -> dict[str, Any]:
    linked = {"creditlinkedtoinvoiceid": invoice_id, "mark_credit_as_used": True}
    return invoice(halo, reference, -back, **linked)


def payment(
    halo: TenantCalls, reference: str, invoice_id: int, amount: float, **fields: Any
) -> dict[str, Any]:
    body = {"intent_id": reference, "thirdpartyid": reference, "invoice_id": invoice_id}
    return halo.made("InvoicePayment", {**body, "amount": amount, "_isimport": True, **fields})


def recurring(halo: TenantCalls, reference: str, total: float, **fields: Any) -> dict[str, Any]:
    body = {
        "client_id": client_of(halo),
        "thirdpartyinvoicenumber": reference,
        "currency_code": USD,
        "lines": [{"item_shortdescription": "Plan", "qty_order": 1, "unit_price": total}],
        "disabled": True,
    }
    return halo.made("RecurringInvoice", {**body, **QUIET, **fields})


def verdict(halo: TenantCalls) -> dict[str, Any]:
    limit = Limit(calls=1, seconds=10)
    limits = {side: SideLimits(Judge(limit)) for side in ("highlevel", "halo")}
    return audit(halo.store, CallLog(), limits)


def found(halo: TenantCalls) -> set[str]:
    return {kind for kind, count in verdict(halo)["counts"].items() if count}


Held = dict[str, dict[str, Any]]


@pytest.mark.usefixtures("held")
def test_money_in_line_to_the_cent_is_clean_and_told_in_sums(halo: TenantCalls) -> None:
    said = verdict(halo)
    assert said["clean"] is True, said["counts"]
    figures = [
        said[f"{what}_{how}"]
        for what in ("transactions", "refunds", "subscriptions")
        for how in ("owed", "in_line")
    ]
    assert figures == [1, 1, 1, 1, 0, 0]
    sums = {"orders": "26.05", "paid": "20.00", "refunded": "7.50", "subscriptions": "0.00"}
    assert said["sums"] == {"USD": {"highlevel": sums, "halo": sums}}


def test_money_that_is_not_there_is_missing(halo: TenantCalls) -> None:
    assert found(halo) == {"missing", "missing_invoices", "missing_payments", "wrong_credits"}
    assert verdict(halo)["transactions_in_line"] == 0


def test_nothing_of_money_is_judged_where_the_config_does_not_ask() -> None:
    halo = tenant(money=False)
    halo.customer(EMAIL)
    put(halo, "transactions", "t", amount=20)
    said = verdict(halo)
    assert said["clean"] is True
    assert (said["transactions_owed"], said["transactions_in_line"]) == (1, 0)
    assert said["sums"]["USD"]["highlevel"]["paid"] == "20.00"


Spoil = Callable[[TenantCalls, Held], object]


@pytest.mark.parametrize(
    ("spoil", "kinds"),
    [
        (lambda h, _: invoice(h, "HL-a", 26.05), {"duplicate_invoices"}),
        (lambda h, held: change(h, "invoices", held["invoice"], total=26.06), {"wrong_invoices"}),
        (lambda h, held: change(h, "invoices", held["invoice"], currency_code=EUR),
         {"wrong_invoices"}),
        (lambda h, held: change(h, "invoices", held["invoice"], client_id=1),
         {"wrong_invoices", "wrong_payments", "wrong_credits"}),
        (lambda h, held: payment(h, "HL-t", held["invoice"]["id"], 20), {"duplicate_payments"}),
        (lambda h, held: change(h, "payments", held["payment"], amount=20.01), {"wrong_payments"}),
        (lambda h, held: change(h, "payments", held["payment"], amount=0.0), {"missing_payments"}),
        (lambda h, held: change(h, "payments", held["payment"], invoice_id=1), {"wrong_payments"}),
        (lambda h, held: credit(h, "HL-t-R8", held["invoice"]["id"], 0.5), {"wrong_credits"}),
        (lambda h, held: change(h, "invoices", held["first"], credit_outstanding=5.0),
         {"wrong_credits"}),
        (lambda h, held: change(h, "invoices", held["first"], creditlinkedtoinvoiceid=0),
         {"wrong_credits"}),
        (lambda h, held: change(h, "invoices", held["second"], currency_code=EUR),
         {"wrong_credits"}),
        (lambda h, _: invoice(h, "HL-t", 20), {"strange_money"}),
        (lambda h, _: invoice(h, "HL-nobody", 1), {"strange_money"}),
        (lambda h, held: payment(h, "HL-nobody", held["invoice"]["id"], 1), {"strange_money"}),
        (lambda h, held: credit(h, "HL-nobody-R1", held["invoice"]["id"], 1), {"strange_money"}),
        (lambda h, _: recurring(h, "HL-nobody", 9), {"strange_money"}),
    ],
)  # fmt: skip
def test_each_difference_has_its_name(
    halo: TenantCalls, held: Held, spoil: Spoil, kinds: set[str]
) -> None:
    spoil(halo, held)
    assert found(halo) == kinds
    assert verdict(halo)["clean"] is False


def change(halo: TenantCalls, rows: str, row: dict[str, Any], **fields: Any) -> None:
    getattr(halo.halo, rows)[row["id"]] |= fields


@pytest.mark.usefixtures("held")
def test_rows_brought_to_nothing_count_as_absent(halo: TenantCalls) -> None:
    invoice(halo, "HL-a", 0)
    invoice(halo, "HL-gone", 0)
    sale = next(iter(halo.halo.invoices))
    payment(halo, "HL-gone", sale, 0)
    credit(halo, "HL-gone-R1", sale, 0)
    recurring(halo, "HL-gone", 0)
    assert found(halo) == set()


def test_invoices_of_ours_without_a_reference_of_ours_are_nobodys_business(
    halo: TenantCalls, held: Held
) -> None:
    invoice(halo, "", 99)
    payment(halo, "", held["invoice"]["id"], 99)
    assert verdict(halo)["clean"] is True


def test_an_invoice_known_by_a_hidden_link_only_is_a_duplicate() -> None:
    halo = tenant("awkward")
    halo.customer(EMAIL)
    put(halo, "transactions", "t", amount=20)
    own = invoice(halo, "HL-t", 20)
    payment(halo, "HL-t", own["id"], 20)
    assert found(halo) == set()
    link = {"third_party_id": "HL-t", "third_party_type": "syncline"}
    invoice(halo, "", 20, new_external_link=link)
    assert found(halo) == {"duplicate_invoices"}


@pytest.mark.parametrize(
    ("fields", "owed"),
    [
        ({"status": "failed"}, False),
        ({"status": "pending"}, False),
        ({"amount": 0}, False),
        ({"liveMode": False}, False),
        ({"status": "something_new"}, False),
        ({"status": "captured"}, True),
        ({"status": "paid"}, True),
        ({"status": "failed", "amountRefunded": 3}, True),
    ],
)
def test_only_money_that_came_in_is_owed(fields: dict[str, Any], owed: bool) -> None:
    halo = tenant(live_only=True)
    halo.customer(EMAIL)
    put(halo, "transactions", "t", **{"amount": 20, **fields})
    assert verdict(halo)["transactions_owed"] == owed
    own = invoice(halo, "HL-t", 20)
    payment(halo, "HL-t", own["id"], 20)
    assert ("strange_money" in found(halo)) is not owed


def test_a_payment_of_no_order_belongs_to_its_contact_or_to_nobody() -> None:
    halo = tenant()
    halo.customer(EMAIL)
    put(halo, "transactions", "t", amount=5, contactId="c")
    del halo.store.transactions["t"]["contactSnapshot"]
    halo.store.contacts["c"] = {"id": "c", "email": None}
    own = invoice(halo, "HL-t", 5)
    payment(halo, "HL-t", own["id"], 5)
    assert found(halo) == {"wrong_invoices"}
    halo.store.contacts["c"]["email"] = EMAIL.upper()
    assert found(halo) == set()


@pytest.mark.usefixtures("held")
def test_the_invoice_of_an_order_nobody_paid_yet_must_be_right_if_it_is_there(
    halo: TenantCalls,
) -> None:
    put(halo, "orders", "b", amount=3, items=[item("3")])
    lines = [{"name": "Mug", "quantity": 1, "baseprice": 3}]
    halo.made("SalesOrder", order("HL-b", client_of(halo), lines=lines))
    assert found(halo) == set()
    early = invoice(halo, "HL-b", 3)
    assert found(halo) == set()
    change(halo, "invoices", early, total=4.0)
    assert found(halo) == {"wrong_invoices"}


@pytest.mark.parametrize(
    ("spoil", "kinds"),
    [
        (lambda _: None, {"missing_subscriptions"}),
        (lambda h: recurring(h, "HL-s", 9.5), set()),
        (lambda h: [recurring(h, "HL-s", 9.5), recurring(h, "HL-s", 9.5)],
         {"duplicate_subscriptions"}),
        (lambda h: recurring(h, "HL-s", 9.49), {"wrong_subscriptions"}),
        (lambda h: recurring(h, "HL-s", 9.5, currency_code=EUR), {"wrong_subscriptions"}),
        (lambda h: recurring(h, "HL-s", 9.5, client_id=1), {"wrong_subscriptions"}),
        (lambda h: recurring(h, "HL-s", 9.5, disabled=False), {"wrong_subscriptions"}),
    ],
)  # fmt: skip
def test_a_subscription_is_one_disabled_recurring_invoice(
    spoil: Callable[[TenantCalls], object], kinds: set[str]
) -> None:
    halo = tenant()
    halo.customer(EMAIL)
    put(halo, "subscriptions", "s", amount=Decimal("9.5"))
    spoil(halo)
    assert found(halo) == kinds
    said = verdict(halo)
    assert (said["subscriptions_owed"], said["subscriptions_in_line"]) == (1, not kinds)


def test_a_recurring_invoice_that_bills_is_caught() -> None:
    halo = tenant()
    halo.customer(EMAIL)
    put(halo, "subscriptions", "s", amount=9)
    live = {"disabled": False, "startdate": "2026-01-01", "take_auto_payment": True}
    recurring(halo, "HL-s", 9, **live)
    assert {"generated", "collected", "strange_money", "wrong_subscriptions"} <= found(halo)


def test_sums_stand_by_currency_with_its_digits() -> None:
    halo = tenant()
    halo.customer(EMAIL)
    put(halo, "transactions", "y", amount=1200, currency="JPY")
    put(halo, "subscriptions", "k", amount=Decimal("1.255"), currency="kwd")
    lost = payment(halo, "HL-x", invoice(halo, "HL-y", 1)["id"], 4)
    change(halo, "payments", lost, invoice_id=0)
    sums = verdict(halo)["sums"]
    assert sums["JPY"]["highlevel"]["paid"] == "1200"
    assert sums["KWD"]["highlevel"]["subscriptions"] == "1.255"
    assert sums["unknown"]["halo"]["paid"] == "4.00"


def mirror(halo: TenantCalls, currencies: dict[str, int]) -> None:
    """Write what the store's money should look like in Halo, whatever stands there already."""
    store, users = halo.store, {u["emailaddress"]: u["client_id"] for u in halo.halo.users.values()}
    standing: dict[str, dict[str, Any]] = {}

    def fields(document: dict[str, Any]) -> dict[str, Any]:
        contact = store.contacts[document["contactId"]]
        email = (contact["email"] or "").lower()
        return {
            "client_id": users.get(email, 1),
            "currency_code": currencies[document["currency"]],
        }

    for one in store.transactions.values():
        if one["status"] not in PAID_STATUSES or not one["amount"]:
            continue
        sold = store.orders.get(one.get("entityId", ""), one)
        if sold["_id"] not in standing:
            total = float(sold["amount"])
            standing[sold["_id"]] = invoice(halo, f"HL-{sold['_id']}", total, **fields(sold))
        sale = standing[sold["_id"]]
        payment(halo, f"HL-{one['_id']}", sale["id"], float(one["amount"]))
        back = one.get("amountRefunded")
        if back:
            used = {"creditlinkedtoinvoiceid": sale["id"], "mark_credit_as_used": True}
            reference = f"HL-{one['_id']}-R{back}"
            invoice(halo, reference, -float(back), **used, **fields(one))
    for one in store.subscriptions.values():
        recurring(halo, f"HL-{one['_id']}", float(one["amount"]), **fields(one))


@pytest.mark.parametrize("profile", ["generous", "plain", "awkward"])
def test_all_generated_money_can_be_mirrored_clean(profile: str) -> None:
    halo = tenant(profile, orders=60, transactions=150, subscriptions=20, customers=40)
    halo.customer(EMAIL)
    made = Generator(halo.config, halo.at).fill()
    change_transactions(made, now=halo.at, what="refund", count=20)
    for kind in ("orders", "transactions", "subscriptions", "contacts"):
        getattr(halo.store, kind).update(getattr(made, kind))
    halo.admin("seed_customers", count=40)
    mirror(halo, {row["code"]: row["id"] for row in halo.get("Currency")})
    said = verdict(halo)
    assert not {kind for kind in KINDS if said["counts"][kind]}, said["counts"]
    assert said["transactions_in_line"] == said["transactions_owed"] > 60
    assert said["refunds_in_line"] == said["refunds_owed"] > 10
    assert said["subscriptions_in_line"] == 20
    for sides in said["sums"].values():
        for what in ("paid", "refunded", "subscriptions"):
            assert sides["halo"][what] == sides["highlevel"][what]


def test_money_is_changed_and_replayed_through_the_admin_api(sandbox: SandboxProcess) -> None:
    sandbox.reset(orders=12, transactions=12, subscriptions=6, customers=6)
    made = sandbox.add_transactions(3, orders=sandbox.get("/state/orders")["ids"][:1])
    assert len(made) == 3
    assert sandbox.get("/state/transactions")["ids"][-3:] == made
    (refunded,) = sandbox.change_transactions(1)
    assert sandbox.get(f"/state/transactions/{refunded}")["amountRefunded"]
    (cancelled,) = sandbox.change_subscriptions(1)
    assert sandbox.get(f"/state/subscriptions/{cancelled}")["status"] == "canceled"
    assert sandbox.replay_old([refunded, made[0]], reads=2) in ([refunded], [refunded, made[0]])
    with pytest.raises(httpx.HTTPStatusError, match="cannot be done"):
        sandbox.change_transactions(ids=[refunded], what="settle")
    assert sandbox.audit()["transactions_owed"] > 0
