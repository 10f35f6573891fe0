"""The mapping document of a connection, as it is once it has been checked and compiled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from syncline.mapping.apply import MappingRow
from syncline.mapping.options import (
    AlertOptions,
    CustomerOptions,
    FulfillmentOptions,
    OrderOptions,
    PaymentOptions,
    SubscriptionOptions,
)
from syncline.mapping.statuses import StatusRow


@dataclass(frozen=True, slots=True)
class Document:
    """A checked and compiled mapping document.

    Attributes:
        orders: the options of the orders flow.
        customers: the options of the customers flow.
        payments: the options of the payments flow.
        subscriptions: the options of the subscriptions flow.
        fulfillments: the options of the fulfillments flow.
        alerts: what people are told of, and how.
        statuses: the table of `[[orders.status]]`, from the top.
        rows: compiled rows by flow and, where a flow writes several rows of Halo, by the row:
            `orders`, `customers.client`, `customers.user`, `payments.invoice`,
            `payments.payment`, `payments.credit`, `subscriptions`, `fulfillments.tracking`,
            `alerts`.
        only_test_rows: whether nothing but rows of HighLevel's test mode is let through, whatever
            `test_mode` says: the connection is in sandbox mode. No document says it.
    """

    orders: OrderOptions
    customers: CustomerOptions
    payments: PaymentOptions
    subscriptions: SubscriptionOptions
    fulfillments: FulfillmentOptions
    alerts: AlertOptions
    statuses: tuple[StatusRow, ...]
    rows: Mapping[str, tuple[MappingRow, ...]]
    only_test_rows: bool = False
