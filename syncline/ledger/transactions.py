"""Transactions by the order that they pay for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, text


def of_orders(
    connection: Connection, place: str, order_ids: Sequence[str]
) -> dict[str, list[dict[str, Any]]]:
    """The canonical forms of the transactions of orders, by order; without any it is left out."""
    found: dict[str, list[dict[str, Any]]] = {}
    for row in connection.execute(
        text(
            """
            select canonical ->> 'entity_id' as order_id, canonical from record
            where place = :place and kind = 'transaction'
              and canonical ->> 'entity_id' = any(:order_ids)
              and lower(canonical ->> 'entity_type') = 'order'
            order by foreign_id
            """
        ),
        {"place": place, "order_ids": list(order_ids)},
    ):
        found.setdefault(row.order_id, []).append(row.canonical)
    return found
