"""Payments of invoices in Halo: one function an operation.

Source: /InvoicePayment with schema InvoicePayment_List, which has no external link and no custom
field; POST takes an array, an element with `id` updates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncline.halo.client import HaloClient
from syncline.halo.models import PaymentRow
from syncline.halo.reading import read_one
from syncline.halo.saving import save
from syncline.transport import Permit

PATH = "/InvoicePayment"
KEY = "intent_id"
"""The field that carries our reference, and the only one by which the list can be filtered."""


def save_payments(
    client: HaloClient, permit: Permit, elements_: Sequence[Mapping[str, Any]]
) -> list[PaymentRow]:
    """Create or update payments; match the rows by `KEY`, never by position.

    Raises:
        Doubtful: the outcome is unknown.
        Rejected: Halo refused; of an array, some elements may have been saved before.
    """
    return save(client, permit, PATH, elements_, PaymentRow)


def get_payment(client: HaloClient, permit: Permit, payment_id: int) -> PaymentRow:
    """One payment.

    Raises:
        Absent: there is no such payment.
        Unreadable: the answer is not one payment.
    """
    return read_one(client, permit, PATH, payment_id, PaymentRow)


def delete_payment(client: HaloClient, permit: Permit, payment_id: int) -> None:
    """Remove a payment, such as the one that a probe wrote.

    Raises:
        Absent: there is no such payment.
        Doubtful: the outcome is unknown.
    """
    client.delete(f"{PATH}/{payment_id}", permit)
