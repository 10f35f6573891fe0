"""One canonical form of a record, whichever facets of it were read.

A facet gives a partial form: a field that it does not tell is absent, never null. Amounts are
decimal texts with the currency's minor digits, times are ISO 8601 texts in UTC with milliseconds.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from syncline import leniency
from syncline.highlevel.fulfillments import Fulfillment
from syncline.highlevel.models import (
    ItemTax,
    ListedOrder,
    OrderDetail,
    OrderItem,
    Record,
    RecordSource,
    SubscriptionDetail,
    SubscriptionRow,
    Tax,
    TransactionDetail,
    TransactionRow,
    parse,
)
from syncline.money import quantize

Partial = dict[str, Any]
"""A canonical form, whole or in part: what JSON can hold."""

_NOISE = Decimal("1e-6")
_LONGEST_EMAIL = 320
_EMAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
_Paid = TransactionRow | SubscriptionRow
_Snapped = OrderDetail | TransactionDetail | SubscriptionDetail


def order_from_list(payload: Mapping[str, Any]) -> Partial:
    """The partial form of an order's row in a list.

    Raises:
        Unreadable: if the payload is no order.
    """
    row = parse(ListedOrder, payload, "The order")
    currency = _currency(row.currency)
    return _present(
        **_common(row, currency),
        contact=_listed_contact(row),
        subtotal=_amount(row.subtotal, currency),
        discount=_amount(row.discount, currency),
        fulfillment_status=row.fulfillment_status,
        source=_present(
            type=row.source_type,
            sub_type=row.source_sub_type,
            name=row.source_name,
            id=row.source_id,
        ),
        coupon=row.coupon_code,
    )


def order_from_detail(payload: Mapping[str, Any]) -> Partial:
    """The partial form of an order that was read alone, or came in an event.

    Raises:
        Unreadable: if the payload is no order.
    """
    order = parse(OrderDetail, payload, "The order")
    currency = _currency(order.currency)
    summary = order.amount_summary
    tax = summary.tax if summary else None
    if tax is None and order.tax_summary is not None:
        tax = _sum_of(order.tax_summary, payload["taxSummary"])
    form = _present(
        **_common(order, currency),
        contact=_snapped_contact(order),
        subtotal=_amount(summary.subtotal, currency) if summary else None,
        discount=_amount(summary.discount, currency) if summary else None,
        tax=_amount(tax, currency),
        shipping=_amount(summary.shipping, currency) if summary else None,
        fulfillment_status=order.fulfillment_status,
        source=_source(order.source),
        coupon=order.coupon.code if order.coupon else None,
    )
    if order.items is not None:
        form["items"] = _items(order.items, currency)
        leniency.note("highlevel", order.kind, _unread(order.items, payload["items"]), order.id)
    return form


def order_from_fulfillments(payload: Mapping[str, Any]) -> Partial:
    """What the list of an order's fulfillments adds to it; nothing where there is none.

    Raises:
        Unreadable: if one of them is no fulfillment.
    """
    made = [parse(Fulfillment, each, "A fulfillment") for each in payload.get("data") or ()]
    if not made:
        return {}
    parcels = [parcel for one in made for parcel in one.trackings]
    return {
        "fulfillments": [_fulfillment(one) for one in made],
        "tracking_numbers": _each(parcel.tracking_number for parcel in parcels),
        "carriers": _each(parcel.shipping_carrier for parcel in parcels),
        "tracking_urls": _each(parcel.tracking_url for parcel in parcels),
    }


def transaction_from_list(payload: Mapping[str, Any]) -> Partial:
    """The partial form of a transaction's row in a list.

    Raises:
        Unreadable: if the payload is no transaction.
    """
    row = parse(TransactionRow, payload, "The transaction")
    currency = _currency(row.currency)
    return _present(
        **_common(row, currency),
        **_paid_row(row, row.entity_source_sub_type),
        **_charge(row, currency),
        subscription_id=row.subscription_id,
        fulfilled_at=_time(row.fulfilled_at),
    )


def transaction_from_detail(payload: Mapping[str, Any]) -> Partial:
    """The partial form of a transaction that was read alone.

    Raises:
        Unreadable: if the payload is no transaction.
    """
    transaction = parse(TransactionDetail, payload, "The transaction")
    currency = _currency(transaction.currency)
    return _present(
        **_common(transaction, currency),
        **_paid_detail(transaction),
        **_charge(transaction, currency),
        subscription_id=transaction.subscription_id,
        invoice_id=transaction.invoice_id,
        receipt_id=transaction.receipt_id,
    )


def subscription_from_list(payload: Mapping[str, Any]) -> Partial:
    """The partial form of a subscription's row in a list.

    Raises:
        Unreadable: if the payload is no subscription.
    """
    row = parse(SubscriptionRow, payload, "The subscription")
    return _present(
        **_common(row, _currency(row.currency)),
        **_paid_row(row, None),
        provider_subscription_id=row.subscription_id,
    )


def subscription_from_detail(payload: Mapping[str, Any]) -> Partial:
    """The partial form of a subscription that was read alone.

    Raises:
        Unreadable: if the payload is no subscription.
    """
    subscription = parse(SubscriptionDetail, payload, "The subscription")
    rule = subscription.schedule.rrule if subscription.schedule else None
    product = subscription.recurring_product
    return _present(
        **_common(subscription, _currency(subscription.currency)),
        **_paid_detail(subscription),
        provider_subscription_id=subscription.subscription_id,
        coupon=subscription.coupon.code if subscription.coupon else None,
        schedule=_present(**rule.model_dump()) if rule else None,
        product=product.name if product else None,
        canceled_at=_time(subscription.canceled_at),
    )


def normalised_email(text: str | None) -> str | None:
    """An address in the one form that we compare: trimmed, lower case, composed; else None.

    One that is longer than mail allows is none: it would fit no index either.
    """
    if text is None or len(text) > _LONGEST_EMAIL:
        return None
    address = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text.strip()).lower())
    return address if _EMAIL.fullmatch(address) and address.isprintable() else None


def _common(record: Record, currency: str | None) -> Partial:
    return {
        "id": record.id,
        "currency": currency,
        "amount": _amount(record.amount, currency),
        "status": record.status,
        "live_mode": record.live_mode,
        "created_at": _time(record.created_at),
        "updated_at": _time(record.updated_at or record.created_at),
    }


def _paid_row(row: _Paid, sub_type: str | None) -> Partial:
    return {
        "contact": _listed_contact(row),
        "entity_type": row.entity_type,
        "entity_id": row.entity_id,
        "source": _present(
            type=row.entity_source_type,
            sub_type=sub_type,
            name=row.entity_source_name,
            id=row.entity_source_id,
        ),
        "provider": row.payment_provider_type,
    }


def _paid_detail(record: TransactionDetail | SubscriptionDetail) -> Partial:
    return {
        "contact": _snapped_contact(record),
        "entity_type": record.entity_type,
        "entity_id": record.entity_id,
        "source": _source(record.entity_source),
        "provider": record.payment_provider.type if record.payment_provider else None,
    }


def _charge(transaction: TransactionRow | TransactionDetail, currency: str | None) -> Partial:
    return {
        "charge_id": transaction.charge_id,
        "amount_refunded": _amount(transaction.amount_refunded, currency),
        "merged_from_contact_id": transaction.merged_from_contact_id,
    }


def _listed_contact(row: ListedOrder | _Paid) -> Partial:
    email = _email(row, row.contact_email, "contactEmail")
    return _present(id=row.contact_id, name=row.contact_name, email=email)


def _email(record: Record, told: str | None, path: str) -> str | None:
    """An address in its one form; one that is none is noted."""
    address = normalised_email(told)
    if told and address is None:
        leniency.note("highlevel", record.kind, [path], record.id)
    return address


def _snapped_contact(record: _Snapped) -> Partial:
    contact_id, snapshot = record.contact_id, record.contact_snapshot
    if snapshot is None:
        return _present(id=contact_id)
    full = " ".join(part for part in (snapshot.first_name, snapshot.last_name) if part)
    return _present(
        id=contact_id or snapshot.id,
        # A surname alone is no better than the whole name that the list may give.
        name=snapshot.name or (full if snapshot.first_name else None),
        email=_email(record, snapshot.email, "contactSnapshot.email"),
        phone=snapshot.phone,
        company=snapshot.company_name,
    )


def _source(source: RecordSource | None) -> Partial | None:
    return _present(**source.model_dump()) if source else None


def _sum_of(taxes: Sequence[Tax], told: Sequence[Any]) -> Decimal | None:
    """What an order's taxes come to; None where one of them does not tell it, or was left out."""
    amounts = [one.amount for one in taxes if one.amount is not None]
    return sum(amounts, Decimal(0)) if len(amounts) == len(told) else None


def _unread(items: Iterable[OrderItem], told: Iterable[Any]) -> list[str]:
    """What of items is nonsense, and yet not taken for what is not there."""
    found = [] if all(isinstance(one, dict) for one in told) else ["items[]"]
    return [*found, "items[].qty"] if any(isinstance(one.qty, str) for one in items) else found


def _items(items: Iterable[OrderItem], currency: str | None) -> list[Partial]:
    """The items with a key each: its price's id, and a number from its second occurrence on."""
    occurrences: Counter[str] = Counter()
    found = []
    for item in items:
        stem = _price_id(item) or item.id or (item.product and item.product.id) or "item"
        occurrences[stem] += 1
        count = occurrences[stem]
        found.append(_item(item, stem if count == 1 else f"{stem}#{count}", currency))
    return found


def _item(item: OrderItem, key: str, order_currency: str | None) -> Partial:
    price, product = item.price, item.product
    currency = _currency(price.currency if price else None) or order_currency
    taxes = None if product is None else product.taxes
    qty = item.qty if isinstance(item.qty, Decimal) else None
    unit_price = price.amount if price else None
    total = None if unit_price is None or qty is None else unit_price * qty
    return _present(
        key=key,
        name=item.name or (product and product.name) or (price and price.name),
        product_id=product.id if product else None,
        price_id=_price_id(item),
        sku=price.sku if price else None,
        qty=None if qty is None else _plain(qty),
        unreadable_qty=item.qty if isinstance(item.qty, str) else None,
        unit_price=_amount(unit_price, currency),
        amount=_amount(total, currency),
        currency=currency,
        taxes=None if taxes is None else [_tax(one) for one in taxes if _is_on_top(one)],
    )


def _is_on_top(tax: ItemTax) -> bool:
    return tax.calculation in (None, "", "exclusive")


def _tax(tax: ItemTax) -> Partial:
    return _present(name=tax.name, rate=None if tax.rate is None else _plain(tax.rate))


def _fulfillment(made: Fulfillment) -> Partial:
    return {
        "id": made.id,
        **_present(created_at=_time(made.created_at)),
        "items": [{"price_id": item.price_id, "qty": _plain(item.qty)} for item in made.items],
        "trackings": [
            _present(
                number=parcel.tracking_number,
                carrier=parcel.shipping_carrier,
                url=parcel.tracking_url,
            )
            for parcel in made.trackings
        ],
    }


def _each(values: Iterable[str | None]) -> list[str]:
    """What is there, each once, in order."""
    return list(dict.fromkeys(value for value in values if value))


def _price_id(item: OrderItem) -> str | None:
    return item.price.id if item.price else None


def _currency(code: str | None) -> str | None:
    return code.strip().upper() or None if code else None


def _amount(number: Decimal | None, currency: str | None) -> str | None:
    if number is None:
        return None
    if currency is None:
        return _plain(number)
    exact = quantize(number, currency)
    # 0.1 + 0.2 comes as 0.30000000000000004: what is left of a sum of binary floats. Any other
    # digit too many is kept, for whoever needs an exact amount to refuse it.
    return f"{exact + 0:f}" if abs(exact - number) < _NOISE else _plain(number)


def _plain(number: Decimal) -> str:
    return f"{number.normalize() + 0:f}"


def _time(at: datetime | None) -> str | None:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z") if at else None


def _present(**fields: Any) -> Partial:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value not in (None, "", {})}
