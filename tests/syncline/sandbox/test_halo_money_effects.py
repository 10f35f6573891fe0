"""What invoices, payments and recurring invoices of the emulated Halo do in the outside world."""

from typing import Any

import pytest

from tests.syncline.sandbox.money_rows import effects, invoice, payment, template
from tests.syncline.sandbox.tenant_calls import tenant


@pytest.mark.parametrize(
    ("path", "wish", "happened"),
    [
        ("Invoice", {"_dont_fire_automations": False}, "automation"),
        ("Invoice", {"_sendmassinvoice": True}, "mailed"),
        ("Invoice", {"emailstatus": 1}, "mailed"),
        ("Invoice", {"take_auto_payment": True}, "collected"),
        ("Invoice", {"include_in_autopay": True}, "collected"),
        ("Invoice", {"_is_process": True}, "generated"),
        ("RecurringInvoice", {"_dont_fire_automations": False}, "automation"),
        ("RecurringInvoice", {"emailstatus": 1}, "mailed"),
        ("RecurringInvoice", {"create_recurring_invoice": True}, "generated"),
    ],
)
def test_a_write_of_an_invoice_that_reaches_the_outside_world_is_remembered(
    path: str, wish: dict[str, Any], happened: str
) -> None:
    halo = tenant()
    halo.made(path, invoice("HL-1", disabled=True, **wish))
    assert effects(halo) == [(happened, path)]


def test_a_client_that_gets_its_invoices_by_mail_is_mailed_unless_automations_are_off() -> None:
    halo = tenant()
    quiet = {"name": "Ada", "emailinvoice": True, "_dont_fire_automations": True}
    client = halo.made("Client", quiet)
    halo.made("Invoice", invoice("HL-1", client["id"]))
    assert effects(halo) == []
    halo.made("Invoice", invoice("HL-2", client["id"], _dont_fire_automations=None))
    assert effects(halo) == [("automation", "Invoice"), ("mailed", "Invoice")]


def test_a_payment_that_is_no_import_mails_a_receipt() -> None:
    halo = tenant()
    row = halo.made("Invoice", invoice("HL-1"))
    paid = halo.made("InvoicePayment", payment("HL-t", row["id"], 5))
    halo.made("InvoicePayment", {"id": paid["id"], "amount": 6})
    assert effects(halo) == []
    halo.made("InvoicePayment", payment("HL-u", row["id"], 5, _isimport=False))
    assert effects(halo) == [("mailed", "InvoicePayment")]


def test_a_disabled_recurring_invoice_never_generates() -> None:
    halo = tenant(halo_token_seconds=10**9)
    row = halo.made("RecurringInvoice", template("HL-s", disabled=True, take_auto_payment=True))
    halo.pass_time(400 * 86400)
    assert halo.get("Invoice")["record_count"] == 0
    assert halo.get(f"RecurringInvoice/{row['id']}")["total"] == 12.0
    assert effects(halo) == []


def test_a_recurring_invoice_that_is_not_disabled_makes_real_invoices_and_collects() -> None:
    halo = tenant(halo_token_seconds=10**9)
    row = halo.made("RecurringInvoice", template("HL-s", include_in_autopay=True))
    made = halo.get("Invoice")["invoices"][0]
    assert (made["recurring_invoice_id"], made["total"]) == (row["id"], 12.0)
    assert made["thirdpartyinvoicenumber"] == "HL-s"
    assert made["is_recurring_invoice"] is False
    once = [("generated", "RecurringInvoice"), ("collected", "RecurringInvoice")]
    assert effects(halo)[:2] == once
    # From the first of January to March it is behind by three; then one a month.
    halo.get("Currency")
    assert halo.get(f"RecurringInvoice/{row['id']}")["nextcreationdate"].startswith("2026-04-01")
    assert effects(halo) == once * 3
    halo.pass_time(31 * 86400)
    halo.get("Currency")
    assert effects(halo) == once * 4
    lines = {line["id"] for one in halo.halo.invoices.values() for line in one["lines"]}
    assert len(lines) == 4


@pytest.mark.parametrize(
    "fields",
    [
        {"disabled": True},
        {"enddate": "2026-01-15T00:00:00Z"},
        {"nextcreationdate": "2027-01-01"},
    ],
)
def test_a_recurring_invoice_that_is_stopped_makes_no_more(fields: dict[str, Any]) -> None:
    halo = tenant(halo_token_seconds=10**9)
    row = halo.made("RecurringInvoice", template("HL-s"))
    halo.made("RecurringInvoice", {"id": row["id"], **fields})
    before = len(halo.halo.invoices)
    halo.pass_time(86400)
    halo.get("Currency")
    assert len(halo.halo.invoices) == before


@pytest.mark.parametrize("startdate", [None, "soon", "9999-12-31T23:59:59-10:00"])
def test_a_recurring_invoice_without_a_readable_date_generates_nothing(
    startdate: str | None,
) -> None:
    halo = tenant(halo_token_seconds=10**9)
    halo.made("RecurringInvoice", {**template("HL-s"), "startdate": startdate})
    assert effects(halo) == []


def test_a_deleted_recurring_invoice_generates_nothing() -> None:
    halo = tenant(halo_token_seconds=10**9)
    row = halo.made("RecurringInvoice", template("HL-s", nextcreationdate="2026-05-01"))
    assert halo.send("DELETE", f"/api/RecurringInvoice/{row['id']}").status == 200
    halo.pass_time(100 * 86400)
    halo.get("Currency")
    assert effects(halo) == []
