"""Payments of invoices: what a write must hold, and how the invoice follows.

Source: field names by the published schema of InvoicePayment_List, which knows no external link,
no custom field and no way to keep automations still. That an import mails no receipt is a guess.
"""

from __future__ import annotations

from decimal import Decimal

from syncline.sandbox.halo.money.invoices import settle
from syncline.sandbox.halo.resources.fields import plain
from syncline.sandbox.halo.tenant.store import Row
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant

_NEW_PAYMENT: Row = {
    "amount": 0.0,
    "method": 0,
    "status": 0,
    "module_id": 0,
    "intent_id": "",
    "thirdpartyid": "",
}


def check_payment(tenant: Tenant, posted: Row) -> None:
    """Refuse a payment of no amount or of no invoice that exists.

    Raises:
        RefusalError: 400 with the rule's text.
    """
    store = tenant.store
    standing: Row = {}
    if posted.get("id"):
        if posted["id"] not in store.payments:
            raise RefusalError(400, f"Payment {posted['id']} does not exist.")
        standing = store.payments[posted["id"]]
    wanted = {**standing, **{key: value for key, value in posted.items() if value is not None}}
    if wanted.get("invoice_id") not in store.invoices:
        raise RefusalError(400, "Please select a valid Invoice for this Payment.")
    if wanted.get("amount") is None:
        raise RefusalError(400, "A Payment Amount is required.")
    text = store.refused_references.get(wanted.get("intent_id") or "")
    if text is not None:
        raise RefusalError(400, text)


def save_payment(tenant: Tenant, posted: Row) -> Row:
    """Create or update a payment that passed the check; client and number are the invoice's."""
    store = tenant.store
    before = store.payments.get(posted.get("id") or 0)
    payment_id = before["id"] if before else store.next_id("InvoicePayment")
    given = plain({key: value for key, value in posted.items() if value is not None})
    payment = {**(before or {**_NEW_PAYMENT, "date": tenant.stamp()}), **given, "id": payment_id}
    invoice = store.invoices[payment["invoice_id"]]
    payment["client_id"], payment["client_name"] = invoice["client_id"], invoice["client_name"]
    payment["invoice_invoicenumber"] = invoice["invoicenumber"]
    store.payments[payment_id] = payment
    store.touch("InvoicePayment", payment_id, tenant.stamp())
    tenant.changed("InvoicePayment", payment_id, new=before is None)
    _follow(tenant, payment)
    if before is not None and before["invoice_id"] != payment["invoice_id"]:
        _follow(tenant, before)
    if before is None and posted.get("_isimport") is not True:
        tenant.happened("mailed", "InvoicePayment", payment_id, "_isimport was not true")
    return payment


def pay_by_hand(tenant: Tenant, invoice_id: int, amount: Decimal) -> Row:
    """A payment that a person enters in Halo's own screens: it carries no reference of ours."""
    posted = {"invoice_id": invoice_id, "amount": amount, "_isimport": True}
    check_payment(tenant, posted)
    return save_payment(tenant, posted)


def edit_payment(tenant: Tenant, payment_id: int, posted: Row) -> Row:
    """What a person does in Halo's own screens: no checks, the invoice follows."""
    return save_payment(tenant, {**posted, "id": payment_id})


def removed_payment(tenant: Tenant, payment: Row) -> None:
    """Let the invoice of a deleted payment be due again."""
    _follow(tenant, payment)


def _follow(tenant: Tenant, payment: Row) -> None:
    invoice = tenant.store.invoices.get(payment["invoice_id"])
    if invoice is None:
        return
    settle(tenant, invoice)
    tenant.store.touch("Invoice", invoice["id"], tenant.stamp())
    tenant.changed("Invoice", invoice["id"], new=False)
