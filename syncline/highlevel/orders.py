"""Orders: list a page, read one."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date
from typing import Any, Literal

from syncline.highlevel.client import HighLevelClient
from syncline.highlevel.models import OrderDetail, OrderRow, Page, PaymentMode
from syncline.highlevel.requests import list_page, read_one
from syncline.transport import Permit

PaymentStatus = Literal["paid", "unpaid", "refunded", "partially_paid"]

_PATH = "/payments/orders"


def list_orders(
    client: HighLevelClient,
    permit: Permit,
    *,
    limit: int,
    offset: int,
    start_at: date | None = None,
    end_at: date | None = None,
    status: str | None = None,
    payment_status: PaymentStatus | None = None,
    payment_mode: PaymentMode | None = None,
    contact_id: str | None = None,
    source_id: str | None = None,
    funnel_product_ids: Collection[str] = (),
    search: str | None = None,
) -> Page[OrderRow]:
    """One page of orders by creation date; no documented order.

    Args:
        client: of the location.
        permit: leave to make this call.
        limit: rows to a page; no maximum is documented, the server may give fewer.
        offset: rows to skip.
        start_at: first day of creation.
        end_at: last day of creation; neither zone nor inclusiveness is documented.
        status: the status as HighLevel writes it.
        payment_status: paid, unpaid, refunded or partially_paid.
        payment_mode: `live` or `test`.
        contact_id: only of this contact.
        source_id: only of this funnel, link, ….
        funnel_product_ids: only with one of these products of a funnel; none is no filter.
        search: free text.

    Raises:
        Unreadable: if the answer is no page.

    Source: GET /payments/orders.
    """
    return list_page(
        client,
        permit,
        _PATH,
        OrderRow,
        {
            "limit": limit,
            "offset": offset,
            "startAt": start_at,
            "endAt": end_at,
            "status": status,
            "paymentStatus": payment_status,
            "paymentMode": payment_mode,
            "contactId": contact_id,
            "sourceId": source_id,
            "funnelProductIds": ",".join(funnel_product_ids) or None,
            "search": search,
        },
    )


def get_order(client: HighLevelClient, permit: Permit, order_id: str) -> dict[str, Any]:
    """One order with all its fields, as it came; checked to be readable.

    Raises:
        Absent: if there is no such order in the location.
        UnknownName: if `order_id` cannot be an id.
        Unreadable: if the answer is no order, or another one.

    Source: GET /payments/orders/{orderId}.
    """
    return read_one(client, permit, _PATH, OrderDetail, order_id)
