"""Invoices and credit notes: what a write must hold, and what Halo works out of lines and payments.

A credit note is an invoice below zero, or one that names the invoice it is for.
Source: field names by the published schema of InvoiceHeader. That a credit marked as used stands
open for nothing follows from the field's name; the numbers of `paymentstatus` are a guess.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from syncline.sandbox.halo.resources.fields import plain
from syncline.sandbox.halo.sales.customers import check_place
from syncline.sandbox.halo.sales.lines import exact, merged_lines, overruled
from syncline.sandbox.halo.tenant.catalogue import BASE_CURRENCY, CURRENCIES, INVOICE_TABLE, rounded
from syncline.sandbox.halo.tenant.rows import Rows
from syncline.sandbox.halo.tenant.store import Row
from syncline.sandbox.halo.tenant.tenant import RefusalError, Tenant

_UNPAID, _PAID_IN_PART, _PAID = 0, 1, 2

_NEW_INVOICE: Row = {
    "thirdpartyinvoicenumber": "",
    "reference": "",
    "invoice_date": None,
    "duedate": None,
    "notes_1": "",
    "internal_note": "",
    "payment_ref": "",
    "salesorder_id": 0,
    "ticket_id": 0,
    "recurring_invoice_id": 0,
    "creditlinkedtoinvoiceid": 0,
    "mark_credit_as_used": False,
    "is_recurring_invoice": False,
    "disabled": False,
    "posted": False,
    "voided": False,
    "customfields": [],
}
_NEW_LINE: Row = {
    "item_shortdescription": "",
    "item_external_reference": "",
    "qty_order": Decimal(1),
    "unit_price": Decimal(0),
    "tax_amount": Decimal(0),
}
_TOTALS = frozenset({"revenue", "tax_total", "total"})
_SETTLED = frozenset({"amountpaid", "amountdue", "paymentstatus", "datepaid"})
_COMPUTED = _TOTALS | _SETTLED | {"id", "lines", "invoicenumber", "currency_conversion_rate"}


def check_invoice(tenant: Tenant, posted: Row) -> None:
    """Refuse what Halo's rules refuse.

    Raises:
        RefusalError: 400 with the rule's text.
    """
    check_header(tenant, tenant.store.invoices, "Invoice", posted)


def save_invoice(tenant: Tenant, posted: Row) -> Row:
    """Create or update an invoice or a credit that passed the check."""
    invoice = saved_header(tenant, tenant.store.invoices, "Invoice", posted)
    settle(tenant, invoice)
    invoice_id = invoice["id"]
    written(tenant, "Invoice", invoice_id, posted)
    tenant.changed("Invoice", invoice_id, new=not posted.get("id"))
    if not posted.get("id") and posted.get("_dont_fire_automations") is not True:
        mail_to_client(tenant, invoice)
    for wish in ("take_auto_payment", "include_in_autopay"):
        if posted.get(wish):
            tenant.happened("collected", "Invoice", invoice_id, wish)
    return invoice


def edit_invoice(tenant: Tenant, invoice_id: int, posted: Row) -> Row:
    """What a person does in Halo's own screens: no checks, the totals follow."""
    return save_invoice(tenant, {**posted, "id": invoice_id, "_dont_fire_automations": True})


def remove_check(tenant: Tenant, invoice: Row) -> None:
    """Refuse to delete an invoice that payments or credits stand on.

    Raises:
        RefusalError: 400 with the rule's text.
    """
    store, invoice_id = tenant.store, invoice["id"]
    credited = store.invoices.having("creditlinkedtoinvoiceid", invoice_id)
    if store.payments.having("invoice_id", invoice_id) or credited:
        raise RefusalError(400, f"Invoice {invoice_id} is in use and cannot be deleted.")


def settle(tenant: Tenant, invoice: Row) -> None:
    """Work out what was paid and what is due; more than the total may have been paid."""
    total = exact(invoice["total"])
    payments = tenant.store.payments.having("invoice_id", invoice["id"])
    paid = sum((exact(payment["amount"]) for payment in payments), Decimal(0))
    credit = -total if total < 0 or invoice["creditlinkedtoinvoiceid"] else Decimal(0)
    used = credit if invoice["mark_credit_as_used"] else Decimal(0)
    due = total + used - paid
    settled = due <= 0 and bool(payments)
    invoice["amountpaid"], invoice["amountdue"] = float(paid), float(due)
    invoice["credit_used"], invoice["credit_outstanding"] = float(used), float(credit - used)
    invoice["paymentstatus"] = _PAID if settled else _PAID_IN_PART if paid else _UNPAID
    invoice["datepaid"] = max(payment["date"] for payment in payments) if settled else None


def show_payments(tenant: Tenant, invoice: Row) -> Row:
    """What a whole invoice shows besides its own fields."""
    return {"payments": tenant.store.payments.having("invoice_id", invoice["id"])}


def shown(_tenant: Tenant, invoice: Row, query: Mapping[str, str]) -> bool:
    """Whether a list shows the row at all: credits only when they are asked for."""
    if invoice["creditlinkedtoinvoiceid"] or invoice["total"] < 0:
        return query.get("includecredits", "").lower() == "true"
    return query.get("includeinvoices", "").lower() != "false"


def check_header(tenant: Tenant, rows: Rows, what: str, posted: Row) -> None:
    """The rules that invoices and recurring invoices share.

    Raises:
        RefusalError: 400 with the rule's text.
    """
    standing: Row = {}
    if posted.get("id"):
        if posted["id"] not in rows:
            raise RefusalError(400, f"{what} {posted['id']} does not exist.")
        standing = rows[posted["id"]]
    wanted = {**standing, **{key: value for key, value in posted.items() if value is not None}}
    store = tenant.store
    if wanted.get("client_id") not in store.clients:
        raise RefusalError(400, f"Please select a valid Customer for this {what}.")
    check_place(store, standing, wanted["client_id"], posted.get("sitenumber"), what)
    currency = wanted.get("currency_code")
    if currency is not None and currency not in CURRENCIES:
        raise RefusalError(400, f"Currency {currency} does not exist.")
    if posted.get("salesorder_id") and posted["salesorder_id"] not in store.orders:
        raise RefusalError(400, f"Sales Order {posted['salesorder_id']} does not exist.")
    credited = posted.get("creditlinkedtoinvoiceid")
    if credited and credited not in store.invoices:
        raise RefusalError(400, f"Invoice {credited} does not exist.")
    text = store.refused_references.get(wanted.get("thirdpartyinvoicenumber") or "")
    if text is not None:
        raise RefusalError(400, text)


def saved_header(tenant: Tenant, rows: Rows, entity: str, posted: Row) -> Row:
    """Create or update the row of an invoice or a recurring invoice, its totals worked out."""
    row_id = posted.get("id")
    if row_id:
        row = dict(rows[row_id])
        row.pop("_warning", None)
        if posted.get("client_id") not in (None, row["client_id"]):
            row["sitenumber"] = 0
    else:
        # One sequence for both: in Halo's database they stand in one table.
        row_id = tenant.store.next_id("Invoice")
        row = {"id": row_id, "invoicenumber": f"INV{row_id}", **_NEW_INVOICE, "lines": []}
        row |= {"currency_code": BASE_CURRENCY, "date_created": tenant.stamp()}
        row["invoice_date"] = row["date_created"]
    row |= plain({key: value for key, value in posted.items()
                  if value is not None and key not in _COMPUTED})  # fmt: skip
    _name(tenant, row)
    if posted.get("lines") is not None:
        row["lines"] = merged_lines(tenant, "InvoiceLine", _NEW_LINE, row["lines"], posted["lines"])
    warnings = _reckon(row, posted)
    if warnings:
        row["_warning"] = " ".join(warnings)
    row["last_modified"] = tenant.stamp()
    rows[row_id] = row
    tenant.store.touch(entity, row_id, row["last_modified"])
    tenant.link(INVOICE_TABLE, row_id, posted.get("new_external_link"))
    return row


def written(tenant: Tenant, entity: str, row_id: int, posted: Row) -> None:
    """What a write of an invoice or a recurring invoice sets off by its own wishes."""
    for wish in ("_sendmassinvoice", "emailstatus"):
        if posted.get(wish):
            tenant.happened("mailed", entity, row_id, wish)
    for wish in ("create_recurring_invoice", "_is_process"):
        if posted.get(wish):
            tenant.happened("generated", entity, row_id, wish)
    if not posted.get("id"):
        tenant.created(entity, row_id, posted)


def mail_to_client(tenant: Tenant, invoice: Row) -> None:
    """Mail a new invoice to a client that gets its invoices by e-mail."""
    if tenant.store.clients[invoice["client_id"]].get("emailinvoice"):
        tenant.happened("mailed", "Invoice", invoice["id"], "the client's emailinvoice")


def _name(tenant: Tenant, row: Row) -> None:
    """The names that stand beside the ids, and the client's main site where none is given."""
    store = tenant.store
    client = store.clients[row["client_id"]]
    row["client_name"] = client["name"]
    row["sitenumber"] = row.get("sitenumber") or client["main_site_id"]
    row["site_name"] = store.sites[row["sitenumber"]]["name"]
    currency = CURRENCIES[row["currency_code"]]
    row["currency_code_name"] = currency["code"]
    row["currency"] = currency["symbol"]
    row["currency_conversion_rate"] = tenant.rate_of(row["currency_code"])


def _reckon(row: Row, posted: Row) -> list[str]:
    """Work out every line and the totals; what was posted otherwise is overruled and told."""
    currency, warnings, lines = row["currency_code"], list[str](), []
    net_sum = tax_sum = Decimal(0)
    for place, line in enumerate(row["lines"], 1):
        given = {key: line.get(key) for key in ("net_amount", "total_price")}
        net = rounded(exact(line["qty_order"]) * exact(line["unit_price"]), currency)
        tax = rounded(exact(line["tax_amount"]), currency)
        sums = {"tax_amount": tax, "net_amount": net, "total_price": net + tax}
        if posted.get("lines") is not None:
            warnings += overruled(f"Line {place}", given, sums)
        net_sum, tax_sum = net_sum + net, tax_sum + tax
        lines.append(plain({**line, **sums, "ihid": row["id"], "sequenceid": place}))
    row["lines"] = lines
    totals = {"revenue": net_sum, "tax_total": tax_sum, "total": net_sum + tax_sum}
    warnings += overruled("Invoice", posted, totals)
    row |= {key: float(value) for key, value in totals.items()}
    return warnings
