"""Recurring invoices in Halo, which stand for subscriptions: one function an operation.

Lines go in and come out in the words of sales orders, as those of invoices.

Source: /RecurringInvoice with schema InvoiceHeader; POST takes an array, an element with `id`
updates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncline.halo.client import HaloClient
from syncline.halo.invoice_lines import to_halo
from syncline.halo.models import RecurringRow
from syncline.halo.reading import read_one
from syncline.halo.saving import save
from syncline.transport import Permit

PATH = "/RecurringInvoice"
KEY = "thirdpartyinvoicenumber"
"""The field that carries our reference."""


def save_recurring_invoices(
    client: HaloClient, permit: Permit, elements_: Sequence[Mapping[str, Any]]
) -> list[RecurringRow]:
    """Create or update recurring invoices; match the rows by `KEY`, never by position.

    Raises:
        Doubtful: the outcome is unknown.
        Rejected: Halo refused; of an array, some elements may have been saved before.
    """
    return save(client, permit, PATH, [to_halo(element) for element in elements_], RecurringRow)


def get_recurring_invoice(client: HaloClient, permit: Permit, recurring_id: int) -> RecurringRow:
    """One recurring invoice with its lines.

    Raises:
        Absent: there is no such recurring invoice.
        Unreadable: the answer is not one recurring invoice.
    """
    return read_one(client, permit, PATH, recurring_id, RecurringRow)


def delete_recurring_invoice(client: HaloClient, permit: Permit, recurring_id: int) -> None:
    """Remove a recurring invoice, such as the one that a probe wrote.

    Raises:
        Absent: there is no such recurring invoice.
        Doubtful: the outcome is unknown.
    """
    client.delete(f"{PATH}/{recurring_id}", permit)
