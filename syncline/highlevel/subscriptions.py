"""Subscriptions: list a page, read one."""

from __future__ import annotations

from datetime import date
from typing import Any

from syncline.highlevel.client import HighLevelClient
from syncline.highlevel.models import Page, PaymentMode, SubscriptionDetail, SubscriptionRow
from syncline.highlevel.requests import list_page, read_one
from syncline.transport import Permit

_PATH = "/payments/subscriptions"


def list_subscriptions(
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
    search: str | None = None,
    payments_collected_count: bool | None = None,
) -> Page[SubscriptionRow]:
    """One page of subscriptions by creation date; no documented order.

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
        subscription_id: only this subscription, by its own id (not the provider's).
        entity_source_type: only from this kind of source, such as `funnel`.
        search: free text.
        payments_collected_count: ask how many payments were collected; it is not documented where
            the answer says it, so it is found in the rows' payloads if anywhere.

    Raises:
        Unreadable: if the answer is no page.

    Source: GET /payments/subscriptions.
    """
    return list_page(
        client,
        permit,
        _PATH,
        SubscriptionRow,
        {
            "limit": limit,
            "offset": offset,
            "startAt": start_at,
            "endAt": end_at,
            "paymentMode": payment_mode,
            "entityId": entity_id,
            "contactId": contact_id,
            "id": subscription_id,
            "entitySourceType": entity_source_type,
            "search": search,
            "getPaymentsCollectedCount": payments_collected_count,
        },
    )


def get_subscription(
    client: HighLevelClient, permit: Permit, subscription_id: str
) -> dict[str, Any]:
    """One subscription with all its fields, as it came; checked to be readable.

    Raises:
        Absent: if there is no such subscription in the location.
        UnknownName: if `subscription_id` cannot be an id.
        Unreadable: if the answer is no subscription, or another one.

    Source: GET /payments/subscriptions/{subscriptionId}.
    """
    return read_one(client, permit, _PATH, SubscriptionDetail, subscription_id)
