"""Invoices and credit notes in Halo: one function an operation.

A credit note is an invoice with negative lines. Lines go in and come out in the words of sales
orders; how Halo names them stays here.

Source: /Invoice with schema InvoiceHeader; POST takes an array, an element with `id` updates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncline.halo.client import HaloClient
from syncline.halo.invoice_lines import to_halo
from syncline.halo.models import InvoiceRow
from syncline.halo.reading import read_one
from syncline.halo.saving import save
from syncline.transport import Permit

PATH = "/Invoice"
KEY = "thirdpartyinvoicenumber"
"""The field that carries our reference."""


def save_invoices(
    client: HaloClient, permit: Permit, elements_: Sequence[Mapping[str, Any]]
) -> list[InvoiceRow]:
    """Create or update invoices and credits; match the rows by `KEY`, never by position.

    Raises:
        Doubtful: the outcome is unknown.
        Rejected: Halo refused; of an array, some elements may have been saved before.
    """
    return save(client, permit, PATH, [to_halo(element) for element in elements_], InvoiceRow)


def get_invoice(client: HaloClient, permit: Permit, invoice_id: int) -> InvoiceRow:
    """One invoice or credit with its lines.

    Raises:
        Absent: there is no such invoice.
        Unreadable: the answer is not one invoice.
    """
    return read_one(client, permit, PATH, invoice_id, InvoiceRow)


def delete_invoice(client: HaloClient, permit: Permit, invoice_id: int) -> None:
    """Remove an invoice, such as the one that a probe wrote.

    Raises:
        Absent: there is no such invoice.
        Rejected: payments or credits stand on it.
        Doubtful: the outcome is unknown.
    """
    client.delete(f"{PATH}/{invoice_id}", permit)
