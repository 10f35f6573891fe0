"""Transactions: list a page, read one."""

from __future__ import annotations

from datetime import date
from typing import Any

from syncline.highlevel.client import HighLevelClient
from syncline.highlevel.models import Page, PaymentMode, TransactionDetail, TransactionRow
from syncline.highlevel.requests import list_page, read_one
from syncline.transport import Permit

_PATH = "/payments/transactions"


def list_transactions(
    client: HighLevelClient,
    permit: Permit,
    *,
    limit: int,
    offset: int,
    start_at: date | None = None,
    end_at: date | None = None,
    payment_mode: PaymentMode | None = None,
    entity_id: str | None = None,
    contact_id: str | None = None,
    subscription_id: str | None = None,
    entity_source_type: str | None = None,
    entity_source_sub_type: str | None = None,
    search: str | None = None,
) -> Page[TransactionRow]:
    """One page of transactions by creation date; no documented order.

    Args:
        client: of the location.
        permit: leave to make this call.
        limit: rows to a page; no maximum is documented, the server may give fewer.
        offset: rows to skip.
        start_at: first day of creation.
        end_at: last day of creation; neither zone nor inclusiveness is documented.
        payment_mode: `live` or `test`.
        entity_id: only of this order or invoice.
        contact_id: only of this contact.
        subscription_id: only of this subscription of the provider.
        entity_source_type: only from this kind of source, such as `funnel`.
        entity_source_sub_type: only from this kind of it, such as `two_step_order_form`.
        search: free text.

    Raises:
        Unreadable: if the answer is no page.

    Source: GET /payments/transactions.
    """
    return list_page(
        client,
        permit,
        _PATH,
        TransactionRow,
        {
            "limit": limit,
            "offset": offset,
            "startAt": start_at,
            "endAt": end_at,
            "paymentMode": payment_mode,
            "entityId": entity_id,
            "contactId": contact_id,
            "subscriptionId": subscription_id,
            "entitySourceType": entity_source_type,
            "entitySourceSubType": entity_source_sub_type,
            "search": search,
        },
    )


def get_transaction(client: HighLevelClient, permit: Permit, transaction_id: str) -> dict[str, Any]:
    """One transaction with all its fields, as it came; checked to be readable.

    Raises:
        Absent: if there is no such transaction in the location.
        UnknownName: if `transaction_id` cannot be an id.
        Unreadable: if the answer is no transaction, or another one.

    Source: GET /payments/transactions/{transactionId}.
    """
    return read_one(client, permit, _PATH, TransactionDetail, transaction_id)
