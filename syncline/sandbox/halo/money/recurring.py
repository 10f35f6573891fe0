"""Recurring invoices: templates that make, mail and collect invoices unless they are disabled.

Source: field names by the published schema of InvoiceHeader. What the numbers of `period_type`
mean is undocumented: every period counts as so many months.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from syncline.sandbox.halo.money.invoices import (
    check_header,
    mail_to_client,
    saved_header,
    settle,
    written,
)
from syncline.sandbox.halo.tenant.store import Row, stamp
from syncline.sandbox.halo.tenant.tenant import Tenant

_MOST_MONTHS = 1200
_COLLECTING = ("take_auto_payment", "include_in_autopay")
_SCHEDULE = ("startdate", "enddate", "nextcreationdate", "lastcreated", "period", "period_type")
_OF_THE_TEMPLATE = frozenset({*_COLLECTING, *_SCHEDULE, "disabled", "_warning"})


def check_recurring(tenant: Tenant, posted: Row) -> None:
    """Refuse what Halo's rules refuse.

    Raises:
        RefusalError: 400 with the rule's text.
    """
    check_header(tenant, tenant.store.recurring_invoices, "Recurring Invoice", posted)


def save_recurring(tenant: Tenant, posted: Row) -> Row:
    """Create or update a recurring invoice that passed the check; one that is due generates."""
    store = tenant.store
    posted = {**posted, "is_recurring_invoice": True}
    row = saved_header(tenant, store.recurring_invoices, "RecurringInvoice", posted)
    written(tenant, "RecurringInvoice", row["id"], posted)
    _schedule(tenant, row)
    generate_due(tenant)
    return row


def edit_recurring(tenant: Tenant, row_id: int, posted: Row) -> Row:
    """What a person does in Halo's own screens: no checks, the totals follow."""
    return save_recurring(tenant, {**posted, "id": row_id, "_dont_fire_automations": True})


def removed_recurring(tenant: Tenant, row: Row) -> None:
    """Let a deleted template make no more invoices."""
    tenant.store.generating.pop(row["id"], None)


def generate_due(tenant: Tenant) -> None:
    """Let each template whose time has come make one invoice."""
    generating = tenant.store.generating
    if not generating:
        return
    now = tenant.stamp()
    for row_id in [row_id for row_id, due in generating.items() if due <= now]:
        _generate(tenant, tenant.store.recurring_invoices[row_id])


def _schedule(tenant: Tenant, row: Row) -> None:
    """Note when a template makes its next invoice, if ever."""
    due = _time(row.get("nextcreationdate")) or _time(row.get("startdate"))
    end = _time(row.get("enddate"))
    if row["disabled"] is True or due is None or (end is not None and due > end):
        tenant.store.generating.pop(row["id"], None)
    else:
        tenant.store.generating[row["id"]] = stamp(due)


def _generate(tenant: Tenant, template: Row) -> None:
    store = tenant.store
    copied = {key: value for key, value in template.items() if key not in _OF_THE_TEMPLATE}
    lines = [{key: v for key, v in line.items() if key != "id"} for line in template["lines"]]
    fresh = {"id": None, "lines": lines, "is_recurring_invoice": False, "invoice_date": None}
    fresh["recurring_invoice_id"] = template["id"]
    invoice = saved_header(tenant, store.invoices, "Invoice", {**copied, **fresh})
    settle(tenant, invoice)
    tenant.happened("generated", "RecurringInvoice", template["id"], "disabled was not true")
    for wish in _COLLECTING:
        if template.get(wish):
            tenant.happened("collected", "RecurringInvoice", template["id"], wish)
    mail_to_client(tenant, invoice)
    tenant.changed("Invoice", invoice["id"], new=True)
    due = datetime.fromisoformat(store.generating[template["id"]]).replace(tzinfo=UTC)
    template["lastcreated"] = tenant.stamp()
    template["nextcreationdate"] = stamp(_moved_on(due, template.get("period") or 1))
    store.touch("RecurringInvoice", template["id"], template["lastcreated"])
    _schedule(tenant, template)


def _moved_on(due: datetime, months: int) -> datetime:
    months = due.year * 12 + due.month - 1 + min(max(months, 1), _MOST_MONTHS)
    # A month may be shorter than the day asks for.
    return due.replace(year=months // 12, month=months % 12 + 1, day=min(due.day, 28))


def _time(value: Any) -> datetime | None:
    """A posted time, None where there is none that can be read."""
    try:
        when = datetime.fromisoformat(value or "")
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
