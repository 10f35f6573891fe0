"""Sales orders in Halo: one function an operation.

Source: /SalesOrder with schema OrderHead; POST takes an array, an element with `id` updates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from syncline.halo.client import HaloClient
from syncline.halo.models import OrderRow
from syncline.halo.reading import read_one
from syncline.halo.saving import save
from syncline.transport import Permit

PATH = "/SalesOrder"
KEY = "po_number"
"""The field that carries our reference."""


def save_orders(
    client: HaloClient, permit: Permit, elements_: Sequence[Mapping[str, Any]]
) -> list[OrderRow]:
    """Create or update orders; match the rows by `KEY`, never by position.

    Raises:
        Doubtful: the outcome is unknown.
        Rejected: Halo refused; of an array, some elements may have been saved before.
    """
    return save(client, permit, PATH, elements_, OrderRow)


def get_order(client: HaloClient, permit: Permit, order_id: int) -> OrderRow:
    """One order with its lines.

    Raises:
        Absent: there is no such order.
        Unreadable: the answer is not one order.
    """
    return read_one(client, permit, PATH, order_id, OrderRow)


def delete_order(client: HaloClient, permit: Permit, order_id: int) -> None:
    """Remove an order, such as the one that a probe wrote.

    Raises:
        Absent: there is no such order.
        Doubtful: the outcome is unknown.
    """
    client.delete(f"{PATH}/{order_id}", permit)
