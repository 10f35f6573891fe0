"""How HighLevel shows a document: flat in a list, nested in a single read, sometimes untidy.

Source: the published payments schema, where a list's row and the single read of the same object
have different fields; its examples write numbers as text now and then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from syncline.sandbox.highlevel.nonsense import spoilt
from syncline.sandbox.highlevel.shapes import shaped
from syncline.sandbox.location.store import Document, Quirk, Store

_QUOTED = ("amount", "subtotal", "discount", "amountRefunded", "totalProducts")
_BARE = (
    "contactName", "totalProducts", "sourceName", "onetimeProducts", "recurringProducts",
    "createdBy", "trackingId", "automaticTaxesCalculated", "ipAddress", "entitySourceName",
    "paymentProviderConnectedAccount", "receiptId", "qboSynced", "isParent", "coupon", "couponCode",
)  # fmt: skip
_EXTRA = {"loyaltyTier": "gold", "routing": {"shard": 7, "labels": ["a", "b"]}}


def list_row(store: Store, kind: str, document: Document) -> Document:
    """The document as one row of its list, which may be an older version for a while."""
    shown = store.listed(document) if store.replays else document
    return present_row(store, kind, shown)


def present_row(store: Store, kind: str, document: Document) -> Document:
    """The document as its list shows it in the present."""
    return _shown(store, document, _ROWS[kind](store, document))


def single(store: Store, document: Document, trace_id: str) -> Document:
    """The document as a single read gives it: everything, and a traceId of this answer."""
    return _shown(store, document, {**document, "traceId": trace_id})


def _shown(store: Store, document: Document, shown: Document) -> Document:
    """Fields as the location shows them: its quirks, its shape, its nonsense."""
    config = store.config
    shown = _with_quirks(shown, store.quirks.get(document["_id"]))
    document_id = document["_id"]
    return spoilt(config, document_id, shaped(config, document_id, shown))


def _with_quirks(shown: Document, quirks: frozenset[Quirk] | None) -> Document:
    if not quirks:
        return shown
    if "bare" in quirks:
        shown = {key: value for key, value in shown.items() if key not in _BARE}
    if "quoted" in quirks:
        shown = _quoted(shown)
    if "extra" in quirks:
        shown |= _EXTRA
    return shown


def _quoted(shown: Document) -> Document:
    shown = {key: str(value) if key in _QUOTED else value for key, value in shown.items()}
    if "amountSummary" in shown:
        shown["amountSummary"] = {key: str(value) for key, value in shown["amountSummary"].items()}
    return shown


def _contact(store: Store, document: Document) -> Document:
    contact = store.contacts[document["contactId"]]
    shown = {"contactId": contact["id"], "contactName": contact["name"]}
    if contact["email"]:
        shown["contactEmail"] = contact["email"]
    return shown


def _pick(document: Document, *keys: str) -> Document:
    return {key: document[key] for key in keys if key in document}


def _source(document: Document, field: str, prefix: str) -> Document:
    source: dict[str, Any] = document[field]
    names = {"type": "Type", "subType": "SubType", "name": "Name", "id": "Id", "meta": "Meta"}
    return {f"{prefix}{names[key]}": value for key, value in source.items()}


def _order_row(store: Store, order: Document) -> Document:
    summary = order["amountSummary"]
    coupon = {"couponCode": order["coupon"]["code"]} if "coupon" in order else {}
    return {
        **_pick(order, "_id", "altId", "altType"),
        **_contact(store, order),
        **_pick(order, "currency", "amount"),
        "subtotal": summary["subtotal"],
        "discount": summary["discount"],
        **_pick(order, "status", "liveMode"),
        "totalProducts": len(order["items"]),
        **_source(order, "source", "source"),
        **coupon,
        "fulfillmentStatus": order["fulfillmentStatus"],
        "onetimeProducts": len(order["items"]),
        "recurringProducts": 0,
        **_pick(order, "createdAt", "updatedAt"),
    }


def _paid_row(store: Store, document: Document) -> Document:
    """What transactions and subscriptions have in common in a list."""
    provider = document["paymentProvider"]
    return {
        **_pick(document, "_id", "altId", "altType", "mergedFromContactId"),
        **_contact(store, document),
        **_pick(document, "currency", "amount", "status", "liveMode", "entityType", "entityId"),
        **_source(document, "entitySource", "entitySource"),
        **_pick(document, "subscriptionId"),
        "paymentProviderType": provider["type"],
        "paymentProviderConnectedAccount": provider["connectedAccount"]["accountId"],
        **_pick(document, "createdAt", "updatedAt"),
    }


def _transaction_row(store: Store, transaction: Document) -> Document:
    charge = transaction["chargeSnapshot"]
    return {
        **_paid_row(store, transaction),
        **_pick(transaction, "chargeId", "chargeSnapshot", "amountRefunded"),
        "paymentMethod": charge["payment_method_details"],
        "fulfilledAt": transaction["createdAt"],
    }


def _subscription_row(store: Store, subscription: Document) -> Document:
    row = {**_paid_row(store, subscription), **_pick(subscription, "subscriptionSnapshot")}
    # The list's schema knows the source's kind, but not the one below it.
    row.pop("entitySourceSubType", None)
    return row


_ROWS: dict[str, Callable[[Store, Document], Document]] = {
    "orders": _order_row,
    "transactions": _transaction_row,
    "subscriptions": _subscription_row,
}
