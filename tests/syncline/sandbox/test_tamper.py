from collections import Counter
from typing import Any

import httpx
import pytest

from syncline.sandbox.audit.alerts import audit_alerts
from syncline.sandbox.audit.verdict import audit
from syncline.sandbox.config import SandboxConfig
from syncline.sandbox.process import SandboxProcess
from syncline.sandbox.tampering.tamper import KINDS, Tampering, tamper
from syncline.sandbox.wire.calls import CallLog
from tests.syncline.sandbox.held import held
from tests.syncline.sandbox.tenant_calls import TenantCalls, tenant

FOUND_AS = {
    "order_deleted": "missing",
    "order_doubled": "duplicates",
    "order_price": "wrong_amounts",
    "order_currency": "wrong_currency",
    "order_reference_removed": "missing",
    "invoice_deleted": "missing_invoices",
    "invoice_doubled": "duplicate_invoices",
    "invoice_amount": "wrong_invoices",
    "payment_deleted": "missing_payments",
    "payment_doubled": "duplicate_payments",
    "payment_amount": "wrong_payments",
    "credit_deleted": "wrong_credits",
    "credit_amount": "wrong_credits",
    "recurring_deleted": "missing_subscriptions",
    "recurring_amount": "wrong_subscriptions",
    "recurring_enabled": "wrong_subscriptions",
    "transaction_refunded": "wrong_credits",
}
"""What the sandbox's audit calls each; the other kinds it does not judge."""
BESIDE = {"order_reference_removed": "strangers"}


def done(halo: TenantCalls, kind: str, count: int = 1, **fields: Any) -> list[dict[str, Any]]:
    wish = Tampering(kind=kind, count=count, **fields)
    return tamper(halo.store, halo.service.tenant, wish)


def findings(halo: TenantCalls) -> Counter[str]:
    return Counter(audit(halo.store, CallLog(), {})["counts"])


def stands(halo: TenantCalls, change: dict[str, Any]) -> Any:
    """What stands now in the field that a change names."""
    kind, rows = change["kind"].split("_")[0], halo.halo
    table = {
        "order": rows.orders,
        "recurring": rows.recurring_invoices,
        "payment": rows.payments,
        "consignment": rows.consignments,
    }.get(kind, rows.invoices)
    if change["field"] == "row":
        return table.get(change["after"] or change["halo_id"])
    return table[change["halo_id"]][change["field"]]


@pytest.fixture(scope="module")
def wide() -> TenantCalls:
    """Enough for every kind; touched by all of them in turn."""
    halo = held(orders=150, transactions=250, subscriptions=20, currencies=("USD", "JPY"))
    assert not +findings(halo)
    return halo


@pytest.mark.parametrize("kind", FOUND_AS)
def test_each_difference_is_the_one_that_the_audit_finds(wide: TenantCalls, kind: str) -> None:
    before = findings(wide)
    changes = done(wide, kind, 2)
    assert len(changes) == 2
    more = findings(wide) - before
    assert more == dict.fromkeys({FOUND_AS[kind], BESIDE.get(kind, FOUND_AS[kind])}, 2)
    for change in changes:
        assert change["kind"] == kind
        assert change["before"] != change["after"]
        if change["halo_id"] is None:
            continue
        now = stands(wide, change)
        if change["field"] != "row":
            assert str(now).removesuffix(".0") == str(change["after"])
        elif change["after"] is None:
            assert now is None
        else:
            assert now is not None


def test_what_the_audit_does_not_judge_is_changed_too(wide: TenantCalls) -> None:
    (status,) = done(wide, "order_status")
    assert wide.halo.orders[status["halo_id"]]["status"] == status["after"] != status["before"]
    (voided,) = done(wide, "invoice_voided")
    assert wide.halo.invoices[voided["halo_id"]]["voided"] is True
    (sent,) = done(wide, "consignment_deleted")
    assert sent["halo_id"] not in wide.halo.consignments
    (row,) = wide.halo.orders.having("po_number", f"HL-{sent['source']}")
    assert row["lines"][0]["quantity_shipped"] == 0.0
    (made,) = done(wide, "fulfillment_added")
    order = wide.store.orders[made["source"]]
    assert wide.store.fulfillments[made["source"]][0]["_id"] == made["after"]
    assert order["fulfillmentStatus"] == "fulfilled"
    wide.store.tampered.discard(made["source"])
    (gone,) = done(wide, "fulfillment_removed")
    assert (gone["source"], gone["before"], gone["after"]) == (
        made["source"],
        made["after"],
        None,
    )
    assert order["fulfillmentStatus"] == "unfulfilled"


def test_no_source_is_touched_twice_nor_two_that_belong_together() -> None:
    halo = held(orders=80, transactions=120, subscriptions=10)
    touched = [
        halo.store.transactions.get(one["source"], {}).get("entityId", one["source"])
        for kind in KINDS
        for one in done(halo, kind, 3)
    ]
    assert len(touched) == len(set(touched)) > 20
    assert done(halo, "order_deleted", 99)
    assert done(halo, "order_status", 99) == []
    with pytest.raises(ValueError, match="no kind 'order_lost'"):
        done(halo, "order_lost")


def test_the_same_seed_touches_the_same_and_another_seed_others() -> None:
    def sources(seed: int) -> list[str]:
        halo = held(orders=60, transactions=0, subscriptions=0)
        return [one["source"] for one in done(halo, "order_price", 5, seed=seed)]

    assert sources(1) == sources(1) != sources(2)


def test_nobody_is_told_unless_that_is_asked_for() -> None:
    halo = held(orders=20, transactions=0, subscriptions=0)
    halo.admin("webhooks/bind", url="http://127.0.0.1:1/x")
    done(halo, "order_status", 2)
    assert not halo.halo.occurrences
    (told,) = done(halo, "order_status", 1, webhook=True)
    assert [one.id for one in halo.halo.occurrences] == [told["halo_id"]]
    assert not halo.halo.by_hand


def test_a_payment_whose_invoice_was_deleted_can_still_be_removed() -> None:
    halo = held(orders=20, transactions=30, subscriptions=0)
    paid = {row["invoice_id"]: key for key, row in halo.halo.payments.items()}
    gone = next(one for one in done(halo, "invoice_deleted", 9) if one["halo_id"] in paid)
    assert halo.send("DELETE", f"/api/InvoicePayment/{paid[gone['halo_id']]}").status == 200


def test_alerts_that_stand_twice_are_a_finding() -> None:
    halo = tenant()
    quiet = {"_dont_fire_automations": True, "sendack": False}
    link = {"third_party_id": "alert-a1"}
    made = [
        halo.made("Tickets", {"summary": "s", "supplier_reference": one, **quiet})
        for one in ("alert-a1", "alert-a2", "none of ours", "none of ours")
    ]
    note = {"ticket_id": made[0]["id"], "outcome": "alert-n1", "hiddenfromuser": True}
    for ticket_id in (made[0]["id"], made[1]["id"]):
        halo.made("Actions", {**note, "ticket_id": ticket_id})
    halo.made("IntegrationError", {"entity_name": "alert-a1", "error": "e"})
    assert audit_alerts(halo.halo) == {
        "tickets": 4,
        "open": 4,
        "actions": 2,
        "integration_errors": 1,
        "doubled": [],
        "clean": True,
    }
    twin = halo.made("Tickets", {"summary": "s", "new_external_link": link, **quiet})
    halo.made("Actions", note)
    found = audit(halo.store, CallLog(), {})
    assert found["alerts"]["doubled"] == [f"Actions of {made[0]['id']} n1", "Tickets a1"]
    assert not found["clean"]
    halo.send("DELETE", f"/api/Tickets/{twin['id']}")
    assert audit_alerts(halo.halo)["doubled"] == [f"Actions of {made[0]['id']} n1"]


def test_a_process_tampers_and_shows_and_ends_tickets() -> None:
    with SandboxProcess(orders=5, transactions=0, subscriptions=0) as sandbox:
        (change,) = sandbox.tamper("fulfillment_added", 1, seed=3)
        assert change["entity"] == "order"
        assert sandbox.tamper("order_deleted", 1) == []
        ticket_id = _ticket(sandbox)
        assert [row["id"] for row in sandbox.tickets()] == [ticket_id]
        assert sandbox.close_ticket(ticket_id)["status_name"] == "Closed"
        assert sandbox.actions(ticket_id) == sandbox.integration_errors() == []
        sandbox.delete_ticket(ticket_id)
        assert sandbox.tickets() == []
        assert sandbox.audit()["alerts"]["clean"]


def _ticket(sandbox: SandboxProcess) -> int:
    config = SandboxConfig()
    form = {"grant_type": "client_credentials", "client_id": config.halo_client_id}
    secret = {"client_secret": config.halo_client_secret}
    asked = httpx.post(f"{sandbox.halo_url}/auth/token", data=form | secret)
    headers = {"authorization": f"Bearer {asked.json()['access_token']}"}
    body = [{"summary": "s", "sendack": False, "_dont_fire_automations": True}]
    made: int = httpx.post(f"{sandbox.halo_url}/api/Tickets", json=body, headers=headers).json()[0][
        "id"
    ]
    return made
